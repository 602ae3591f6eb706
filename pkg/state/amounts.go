package state

import (
	"fmt"
	"math"

	corev1 "k8s.io/api/core/v1"
	fwk "k8s.io/kube-scheduler/framework"

	"github.com/berth-dev/berth/pkg/core/pack"
)

// DefaultDevices are the extended resources that are devices unless a configuration
// says otherwise: whole accelerators, under the names that their device plugins use.
func DefaultDevices() []corev1.ResourceName {
	return []corev1.ResourceName{
		"nvidia.com/gpu",
		"amd.com/gpu",
		"gpu.intel.com/i915",
		"gpu.intel.com/xe",
		"google.com/tpu",
		"habana.ai/gaudi",
		"aws.amazon.com/neuron",
		"huawei.com/Ascend910",
	}
}

// Devices numbers the resources that are devices.
type Devices struct {
	kinds map[corev1.ResourceName]pack.DeviceKind
}

// NewDevices numbers resources by their order. A node or pod that has several counts
// as one of the first of them.
func NewDevices(names []corev1.ResourceName) (*Devices, error) {
	const most = 255
	if len(names) > most {
		return nil, fmt.Errorf("%d kinds of devices: there may be at most %d", len(names), most)
	}
	d := &Devices{kinds: map[corev1.ResourceName]pack.DeviceKind{}}
	for i, name := range names {
		if d.kinds[name] != pack.NoDevice {
			return nil, fmt.Errorf("device %q is named twice", name)
		}
		d.kinds[name] = pack.DeviceKind(i + 1)
	}
	return d, nil
}

// Free returns what a node has free: what is allocatable, less what its pods request.
func (d *Devices) Free(node fwk.NodeInfo) pack.Amounts {
	all, taken := node.GetAllocatable(), node.GetRequested()
	free := pack.Amounts{
		CPU:    all.GetMilliCPU() - taken.GetMilliCPU(),
		Memory: all.GetMemory() - taken.GetMemory(),
		Pods:   narrow(int64(all.GetAllowedPodNumber()) - int64(len(node.GetPods()))),
		Held:   narrow(int64(len(node.GetPods()))),
	}
	if kind, name, amount := d.first(all.GetScalarResources()); kind != pack.NoDevice {
		free.Kind = kind
		free.Devices = narrow(amount - taken.GetScalarResources()[name])
	}
	return free
}

// Request returns what a pod asks for.
func (d *Devices) Request(r fwk.Resource) pack.Amounts {
	request := pack.Amounts{CPU: r.GetMilliCPU(), Memory: r.GetMemory(), Pods: 1}
	if kind, _, amount := d.first(r.GetScalarResources()); kind != pack.NoDevice {
		request.Kind, request.Devices = kind, narrow(amount)
	}
	return request
}

// narrow returns a count that fits into 32 bits: what exceeds them counts as the most or
// the least that does. Whoever writes a pod or a node may name any number.
func narrow(count int64) int32 {
	return int32(min(max(count, math.MinInt32), math.MaxInt32))
}

// first returns the first kind of device that there is any of.
func (d *Devices) first(amounts map[corev1.ResourceName]int64) (kind pack.DeviceKind, name corev1.ResourceName, amount int64) {
	for n, a := range amounts {
		if k := d.kinds[n]; a > 0 && k != pack.NoDevice && (kind == pack.NoDevice || k < kind) {
			kind, name, amount = k, n, a
		}
	}
	return kind, name, amount
}
