package plan

import (
	"cmp"
	"slices"
	"strings"

	"github.com/berth-dev/berth/pkg/core/fabric"
	"github.com/berth-dev/berth/pkg/core/pack"
)

// sortSlots orders places so that those that are near in the fabric are near: by the path
// of the narrowest domain that they are in, of the tree by which the gang is laid out, then
// by the name of the node.
func (a *attempt) sortSlots(slots []slot) {
	paths := map[pack.NodeID]string{}
	for _, s := range slots {
		if _, known := paths[s.node]; known {
			continue
		}
		paths[s.node] = ""
		if d := a.Fabric.Narrowest(s.node, a.tree); d != fabric.NoDomain {
			paths[s.node] = a.Fabric.Domain(d).Path
		}
	}
	slices.SortStableFunc(slots, func(x, y slot) int {
		if x.node == y.node {
			return 0
		}
		return cmp.Or(strings.Compare(paths[x.node], paths[y.node]), strings.Compare(a.Fabric.NodeName(x.node), a.Fabric.NodeName(y.node)))
	})
}

// assignByRank gives the places that are taken to the pods: those of a class in the order
// of places to its pods in the order of ranks.
func (a *attempt) assignByRank() []Assignment {
	out := a.nowhere()
	a.ordered = append(a.ordered[:0], a.slots...)
	a.sortSlots(a.ordered)
	next := make([]int, len(a.classes))
	for _, s := range a.ordered {
		pod := a.classes[s.class].pods[next[s.class]]
		next[s.class]++
		out[pod] = Assignment{Node: s.node, Devices: s.undo.Devices, Segment: fabric.NoDomain}
	}
	return out
}

// nowhere returns an assignment to no node for each pod.
func (a *attempt) nowhere() []Assignment {
	out := make([]Assignment, len(a.request.Pods))
	for i := range out {
		out[i] = Assignment{Node: NoNode, Segment: fabric.NoDomain}
	}
	return out
}
