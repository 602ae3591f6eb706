package device

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/types"

	"github.com/berth-dev/berth/pkg/core/topology"
)

// Illness is devices that a pod holds, and that are no longer to be given out. The pod keeps
// them, and may be failing; nobody else gets them.
type Illness struct {
	Node    string
	Pod     types.NamespacedName
	UID     types.UID
	Devices []string
}

// OnIllness sets who is told of devices that fall ill under pods, once each time: by name of the
// pod, while the inventory is locked.
func (v *Inventory) OnIllness(f func([]Illness)) { v.illness = f }

// fellIll tells which devices of a node are ill that were not before, and who holds them.
func (v *Inventory) fellIll(n *inventoryNode, before *Machine) {
	if v.illness == nil || before == nil {
		return
	}
	var ill topology.Mask
	for d := range (n.machine.Whole &^ n.machine.Healthy).Each() {
		if before.Healthy&before.Mask(n.machine.UUIDs[d]) != 0 {
			ill |= 1 << d
		}
	}
	if ill == 0 {
		return
	}
	var out []Illness
	for uid, h := range n.pods {
		if set := h.set & ill; set != 0 {
			out = append(out, Illness{Node: n.name, Pod: h.name, UID: uid, Devices: slices.Clone(n.machine.Names(set))})
		}
	}
	slices.SortFunc(out, func(a, b Illness) int { return strings.Compare(a.Pod.String(), b.Pod.String()) })
	if len(out) > 0 {
		v.illness(out)
	}
}
