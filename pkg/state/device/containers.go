package device

import (
	"encoding/binary"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/berth-dev/berth/pkg/core/pack"
)

// DeviceRequest is what a pod asks for of one kind of device, container by container.
type DeviceRequest struct {
	Kind pack.DeviceKind
	// Total is the most that the pod has at once.
	Total int
	// Together are the containers that run together: sidecars, that is, init containers
	// that are restarted always, and those that come after all init containers.
	Together []ContainerRequest
	// Before are the init containers that end before those begin. They use what the pod
	// will have.
	Before []ContainerRequest
}

// ContainerRequest is a container that asks for devices.
type ContainerRequest struct {
	Name    string
	Devices int
	// sidecars is how many of Together run already when the container begins.
	sidecars int
}

// parts returns how many devices each container asks for that runs together with others.
func (r *DeviceRequest) parts() []int {
	out := make([]int, len(r.Together))
	for i, c := range r.Together {
		out[i] = c.Devices
	}
	return out
}

// AppendParts appends what is equal for pods that are served in the same way: which is a
// matter of the containers only where several ask for devices.
func (r *DeviceRequest) AppendParts(to []byte) []byte {
	if len(r.Together) < 2 {
		return to
	}
	for _, c := range r.Together {
		to = binary.AppendVarint(to, int64(c.Devices))
	}
	return to
}

// RequestOf returns what a pod asks for, of the first kind of device that it asks for
// at all. Resources that stand for parts of devices are no kinds of their own.
func (d *Kinds) RequestOf(pod *corev1.Pod) DeviceRequest {
	var r DeviceRequest
	name := corev1.ResourceName("")
	look := func(c *corev1.Container) {
		for n, q := range c.Resources.Requests {
			if k := d.kinds[n]; k != pack.NoDevice && (r.Kind == pack.NoDevice || k < r.Kind) && q.Sign() > 0 {
				r.Kind, name = k, n
			}
		}
	}
	for i := range pod.Spec.InitContainers {
		look(&pod.Spec.InitContainers[i])
	}
	for i := range pod.Spec.Containers {
		look(&pod.Spec.Containers[i])
	}
	if r.Kind == pack.NoDevice {
		return r
	}
	asked := func(c *corev1.Container) int {
		q := c.Resources.Requests[name]
		return int(min(q.Value(), pack.MaxDevices+1))
	}
	running := 0
	for i := range pod.Spec.InitContainers {
		c := &pod.Spec.InitContainers[i]
		n := asked(c)
		if n > 0 {
			one := ContainerRequest{Name: c.Name, Devices: n, sidecars: len(r.Together)}
			if c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways {
				r.Together = append(r.Together, one)
				running += n
				n = 0
			} else {
				r.Before = append(r.Before, one)
			}
		}
		r.Total = max(r.Total, running+n)
	}
	for i := range pod.Spec.Containers {
		if n := asked(&pod.Spec.Containers[i]); n > 0 {
			r.Together = append(r.Together, ContainerRequest{Name: pod.Spec.Containers[i].Name, Devices: n})
			running += n
		}
	}
	r.Total = max(r.Total, running)
	return r
}

// asksForParts reports whether a pod asks for an extended resource that is no kind of
// device: it may hold a part of one, as the node will report.
func asksForParts(pod *corev1.Pod) bool {
	has := func(containers []corev1.Container) bool {
		for i := range containers {
			for name := range containers[i].Resources.Requests {
				if domain, _, ok := strings.Cut(string(name), "/"); ok && !strings.HasSuffix(domain, "kubernetes.io") {
					return true
				}
			}
		}
		return false
	}
	return has(pod.Spec.InitContainers) || has(pod.Spec.Containers)
}
