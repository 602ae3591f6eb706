package state

import (
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	fwk "k8s.io/kube-scheduler/framework"

	"github.com/berth-dev/berth/pkg/core/pack"
)

// DeviceTally counts the devices of one kind on all nodes. It is kept as nodes are read, and
// costs nothing to ask for.
type DeviceTally struct {
	// Capacity is what the nodes have, whether they offer it to pods or not.
	Capacity int64
	// Taken is what their pods ask for, and Reserved what is kept for those that wait.
	Taken, Reserved int64
}

func (t *DeviceTally) add(o DeviceTally, sign int64) {
	t.Capacity += sign * o.Capacity
	t.Taken += sign * o.Taken
	t.Reserved += sign * o.Reserved
}

// offered is what a node has of devices.
type offered struct {
	kind pack.DeviceKind
	// capacity is what it has, allocatable what it offers to pods.
	capacity, allocatable int64
}

// offered reads what a node has of devices.
func (d *Devices) offered(node fwk.NodeInfo) offered {
	kind, name, amount := d.first(node.GetAllocatable().GetScalarResources())
	if kind == pack.NoDevice {
		// It may have some, and offer none.
		for n, q := range node.Node().Status.Capacity {
			if k := d.kinds[n]; k != pack.NoDevice && q.Value() > 0 && (kind == pack.NoDevice || k < kind) {
				kind, name = k, n
			}
		}
	}
	capacity := node.Node().Status.Capacity[name]
	return offered{kind: kind, capacity: max(capacity.Value(), amount), allocatable: amount}
}

// Name returns the resource of a kind; "" for NoDevice.
func (d *Devices) Name(kind pack.DeviceKind) corev1.ResourceName {
	for name, k := range d.kinds {
		if k == kind {
			return name
		}
	}
	return ""
}

// DeviceKinds returns the kinds of devices that nodes have or had, in their order.
func (ix *Index) DeviceKinds() []pack.DeviceKind { return slices.Sorted(maps.Keys(ix.tallies)) }

// DeviceTally returns the count of devices of a kind.
func (ix *Index) DeviceTally(kind pack.DeviceKind) DeviceTally {
	if t := ix.tallies[kind]; t != nil {
		return *t
	}
	return DeviceTally{}
}

// Shut returns the nodes whose free devices nobody gets now: those that are cordoned, not
// ready or not reached. The set is read only.
func (ix *Index) Shut() *pack.Set { return &ix.shut }

// tally counts a node, of whose allocatable devices so many are free.
func (ix *Index) tally(n *node, free pack.Amounts) {
	if n.offered.kind == pack.NoDevice {
		return
	}
	n.counted = DeviceTally{Capacity: n.offered.capacity}
	left := int64(0)
	if free.Kind == n.offered.kind {
		left = min(max(int64(free.Devices), 0), n.offered.allocatable)
	}
	n.counted.Taken = n.offered.allocatable - left
	if room, some := ix.kept[n.object.Name]; some && room.Kind == n.offered.kind {
		n.counted.Reserved = min(max(int64(room.Devices), 0), left)
	}
	if ix.spare(n.object) {
		n.counted.Reserved = left
	}
	t := ix.tallies[n.offered.kind]
	if t == nil {
		t = &DeviceTally{}
		ix.tallies[n.offered.kind] = t
	}
	t.add(n.counted, 1)
}

// uncount takes back what was counted of a node.
func (ix *Index) uncount(n *node) {
	if t := ix.tallies[n.offered.kind]; t != nil {
		t.add(n.counted, -1)
	}
	n.counted = DeviceTally{}
}

// close notes whether nobody gets the free devices of a node.
func (ix *Index) close(id pack.NodeID, shut bool) {
	if shut {
		ix.shut.Add(id)
	} else {
		ix.shut.Remove(id)
	}
}

// closed reports whether a node is cordoned, not ready or not reached.
func closed(node *corev1.Node) bool {
	return node.Spec.Unschedulable || slices.ContainsFunc(node.Spec.Taints, func(t corev1.Taint) bool {
		return t.Effect != corev1.TaintEffectPreferNoSchedule &&
			(t.Key == corev1.TaintNodeNotReady || t.Key == corev1.TaintNodeUnreachable || t.Key == corev1.TaintNodeUnschedulable)
	})
}
