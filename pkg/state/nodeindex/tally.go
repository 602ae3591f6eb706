package nodeindex

import (
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"

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
	if n.offered.Kind == pack.NoDevice {
		return
	}
	n.counted = DeviceTally{Capacity: n.offered.Capacity}
	left := int64(0)
	if free.Kind == n.offered.Kind {
		left = min(max(int64(free.Devices), 0), n.offered.Allocatable)
	}
	n.counted.Taken = n.offered.Allocatable - left
	if room, some := ix.kept[n.object.Name]; some && room.Kind == n.offered.Kind {
		n.counted.Reserved = min(max(int64(room.Devices), 0), left)
	}
	if ix.spare(n.object) {
		n.counted.Reserved = left
	}
	t := ix.tallies[n.offered.Kind]
	if t == nil {
		t = &DeviceTally{}
		ix.tallies[n.offered.Kind] = t
	}
	t.add(n.counted, 1)
}

// uncount takes back what was counted of a node.
func (ix *Index) uncount(n *node) {
	if t := ix.tallies[n.offered.Kind]; t != nil {
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
