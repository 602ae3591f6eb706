package device

import (
	fwk "k8s.io/kube-scheduler/framework"

	"github.com/berth-dev/berth/pkg/core/pack"
	"github.com/berth-dev/berth/pkg/core/topology"
)

// Fit says whether a node has the devices that a pod asks for.
type Fit uint8

const (
	// Fits: it has, or they are only counted, by somebody else.
	Fits Fit = iota
	// TooFew: fewer devices are free and healthy than are asked for.
	TooFew
	// NotLinked: enough are free, and not linked as asked for.
	NotLinked
	// NeverLinked: the machine has no such devices, free or not.
	NeverLinked
	// LinksUnknown: nothing is known of how the devices are linked.
	LinksUnknown
)

// Judge says whether a node, with the pods that are on it in a snapshot, has the devices
// of a request, and which they would be; the choice is empty if they are only counted.
// The pods of the snapshot count and no others: some may be there, or not, on trial.
func (v *Inventory) Judge(info fwk.NodeInfo, request *DeviceRequest, link topology.Level) (topology.Choice, Fit) {
	kind, devices := request.Kind, request.Total
	if kind == pack.NoDevice || devices < 1 {
		return topology.Choice{}, Fits
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	n := v.nodes[info.Node().Name]
	if n == nil || !n.linked() || n.kind != kind {
		if link != topology.AnyLink && devices > 1 {
			return topology.Choice{}, LinksUnknown
		}
		return topology.Choice{}, Fits
	}
	free, others := n.freeFor(v.devices, info.GetPods())
	class := v.machines[n.class]
	if free.Len()-others < devices {
		return topology.Choice{}, TooFew
	}
	choice, ok := choose(class.Class, request, link, free)
	if ok {
		return choice, Fits
	}
	if _, ever := class.Choose(link, devices, n.machine.Whole); ever {
		return topology.Choice{}, NotLinked
	}
	return topology.Choice{}, NeverLinked
}

// choose returns what Take would take.
func choose(class *topology.Class, request *DeviceRequest, link topology.Level, free topology.Mask) (topology.Choice, bool) {
	if len(request.Together) < 2 {
		return class.Choose(link, request.Total, free)
	}
	divided, ok := class.Divide(link, request.Total, request.parts(), free)
	return divided.Choice, ok
}

// freeFor returns the devices that nobody holds of some pods, and how many of these will
// go to pods of which it is not known which they hold, or not of all.
func (n *inventoryNode) freeFor(devices *Kinds, pods []fwk.PodInfo) (free topology.Mask, others int) {
	free = n.machine.Healthy
	for _, p := range pods {
		pod := p.GetPod()
		if h := n.pods[pod.UID]; h != nil {
			free &^= h.set
			if h.request.Kind == n.kind {
				others += max(0, h.request.Total-h.set.Len())
			}
		} else if kind, _, amount := devices.first(p.CalculateResource().Resource.GetScalarResources()); kind == n.kind {
			others += int(amount)
		}
	}
	return free, others
}
