package podshape

import (
	corev1 "k8s.io/api/core/v1"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework"
)

// Reason says why a pod takes the framework's own way. It is the label of a metric.
type Reason string

const (
	// ReasonPodAffinity is a pod with affinity or anti-affinity to other pods.
	ReasonPodAffinity Reason = "inter_pod_affinity"
	// ReasonSpread is a pod with topology spread constraints.
	ReasonSpread Reason = "topology_spread"
	// ReasonPreference is a pod that prefers nodes by affinity.
	ReasonPreference Reason = "preferred_node_affinity"
	// ReasonVolume is a pod with a volume that may bind it to nodes.
	ReasonVolume Reason = "volume"
	// ReasonHostPort is a pod that uses ports of its node.
	ReasonHostPort Reason = "host_port"
	// ReasonClaim is a pod with devices of dynamic resource allocation, by a claim
	// or by the name of an extended resource.
	ReasonClaim Reason = "resource_claim"
	// ReasonExtender is a pod that an extender wants to see.
	ReasonExtender Reason = "extender"
	// ReasonNominated is a pod that waits for a node that was nominated for it.
	ReasonNominated Reason = "nominated_node"
	// ReasonPreFilter is a pod that the PreFilter plugins refused, or restricted to
	// nodes that they name.
	ReasonPreFilter Reason = "prefilter"
	// ReasonSimulation is any pod while preemption is simulated.
	ReasonSimulation Reason = "simulation"
	// ReasonRefused is a pod that was refused by several nodes in a row, for what
	// the index does not know.
	ReasonRefused Reason = "refused"
	// ReasonProfile is a pod of a profile without the plugin NodePacking.
	ReasonProfile Reason = "profile"
	// ReasonNoNodes is any pod of a cluster, or of a placement, without nodes.
	ReasonNoNodes Reason = "no_nodes"
)

// Reasons are all reasons.
func Reasons() []Reason {
	return []Reason{
		ReasonPodAffinity, ReasonSpread, ReasonPreference, ReasonVolume, ReasonHostPort, ReasonClaim, ReasonExtender,
		ReasonNominated, ReasonPreFilter, ReasonSimulation, ReasonRefused, ReasonProfile, ReasonNoNodes,
	}
}

// ReasonOf returns why the index cannot judge a pod, by what the pod says; "" if it
// can.
func ReasonOf(pod *corev1.Pod) Reason {
	spec := &pod.Spec
	if a := spec.Affinity; a != nil {
		switch {
		case a.PodAffinity != nil || a.PodAntiAffinity != nil:
			return ReasonPodAffinity
		case a.NodeAffinity != nil && len(a.NodeAffinity.PreferredDuringSchedulingIgnoredDuringExecution) > 0:
			return ReasonPreference
		}
	}
	switch {
	case len(spec.TopologySpreadConstraints) > 0:
		return ReasonSpread
	case len(spec.ResourceClaims) > 0:
		return ReasonClaim
	case pod.Status.NominatedNodeName != "":
		return ReasonNominated
	}
	for i := range spec.Volumes {
		if binds(&spec.Volumes[i]) {
			return ReasonVolume
		}
	}
	for i := range spec.Containers {
		if hostPort(&spec.Containers[i]) {
			return ReasonHostPort
		}
	}
	for i := range spec.InitContainers {
		if hostPort(&spec.InitContainers[i]) {
			return ReasonHostPort
		}
	}
	return ""
}

// binds reports whether a volume may bind a pod to nodes. What comes with the pod,
// or is on every node, does not.
func binds(v *corev1.Volume) bool {
	return v.EmptyDir == nil && v.ConfigMap == nil && v.Secret == nil && v.Projected == nil && v.DownwardAPI == nil &&
		v.HostPath == nil && v.NFS == nil && v.Image == nil
}

// hostPort reports whether a container uses a port of its node.
func hostPort(c *corev1.Container) bool {
	for i := range c.Ports {
		if c.Ports[i].HostPort > 0 {
			return true
		}
	}
	return false
}

// Claimed reports whether a resource that a pod requests by name is handed out by
// dynamic resource allocation: then no node's allocatable tells what there is.
func Claimed(schedFramework framework.Framework, r fwk.Resource) bool {
	manager := schedFramework.SharedDRAManager()
	if manager == nil || len(r.GetScalarResources()) == 0 {
		return false
	}
	classes := manager.DeviceClassResolver()
	for name, amount := range r.GetScalarResources() {
		if amount != 0 && classes.GetDeviceClass(name) != nil {
			return true
		}
	}
	return false
}

// Extended reports whether an extender wants to see a pod.
func Extended(extenders []fwk.Extender, pod *corev1.Pod) bool {
	for _, e := range extenders {
		if e.IsInterested(pod) {
			return true
		}
	}
	return false
}
