package nodeindex

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/berth-dev/berth/pkg/core/pack"
	"github.com/berth-dev/berth/pkg/core/repair"
	"github.com/berth-dev/berth/pkg/dialect"
)

// SpareLabel, with the value "true", makes a node a spare: it is kept for pods that come in place
// of members that a gang has lost, and nothing else gets a place there.
const SpareLabel = "berth.dev/spare"

// IsSpare reports whether a node is a spare.
func IsSpare(node *corev1.Node) bool { return node.Labels[SpareLabel] == "true" }

// Claims has nodes be kept as spares by what queues say, instead of what was said before. The cost
// follows the number of nodes.
func (ix *Index) Claims(claims []repair.Claim) {
	before := ix.keeper
	if ix.keeper = nil; len(claims) > 0 {
		ix.keeper = repair.NewKeeper(claims)
	}
	if before == nil && ix.keeper == nil {
		return
	}
	ix.keptFor.Clear()
	if ix.keeper != nil {
		for name, id := range ix.ids {
			if n := &ix.nodes[id]; ix.whole(n, ix.devices.Free(n.info)) {
				ix.keeper.Add(name, domainsOf(n.object))
			}
		}
	}
	for name := range ix.ids {
		if ix.keeper != nil {
			if queue, kept := ix.keeper.For(name); kept {
				ix.keptFor.Store(name, queue)
			}
		}
		ix.reread(name)
	}
}

// Spare reports whether a node is a spare, and for which queue; "" if for all. It may be called
// while the index changes.
func (ix *Index) Spare(node *corev1.Node) (queue string, is bool) {
	if IsSpare(node) {
		return "", true
	}
	if queue, kept := ix.keptFor.Load(node.Name); kept {
		return queue.(string), true
	}
	return "", false
}

func (ix *Index) spare(node *corev1.Node) bool {
	_, is := ix.Spare(node)
	return is
}

// whole reports whether a node may be kept for a queue: it has devices, all are well, and none is
// given out or kept for somebody who waits.
func (ix *Index) whole(n *node, free pack.Amounts) bool {
	name := n.object.Name
	if n.offered.Kind == pack.NoDevice || n.offered.Capacity == 0 || free.Kind != n.offered.Kind || int64(free.Devices) < n.offered.Capacity ||
		IsSpare(n.object) || closed(n.object) {
		return false
	}
	if _, some := ix.kept[name]; some {
		return false
	}
	view := ix.inventory.View(name)
	return view.Class == 0 || view.Kind != free.Kind || int64(view.Free.Len()) >= n.offered.Capacity
}

// domainsOf returns the domain of each level that a node is in: the values of its labels for the
// level and those around it.
func domainsOf(node *corev1.Node) func(level string) string {
	labels, trees := node.Labels, dialect.FabricTrees()
	return func(level string) string {
		for _, tree := range trees {
			if i := slices.Index(tree, level); i >= 0 && labels[level] != "" {
				var path []string
				for _, key := range tree[:i+1] {
					path = append(path, labels[key])
				}
				return strings.Join(path, "/")
			}
		}
		return labels[level]
	}
}

// offer takes in whether a node may be kept for a queue, and returns the others that are kept now
// and were not, or the other way round.
func (ix *Index) offer(n *node, free pack.Amounts, moved bool) []string {
	if ix.keeper == nil {
		return nil
	}
	name, whole := n.object.Name, ix.whole(n, free)
	var changed []string
	if moved || !whole {
		changed = ix.keeper.Remove(name)
	}
	if whole {
		changed = append(changed, ix.keeper.Add(name, domainsOf(n.object))...)
	}
	return slices.DeleteFunc(ix.noteKept(changed), func(other string) bool { return other == name })
}

// noteKept notes for which queues nodes are kept now.
func (ix *Index) noteKept(changed []string) []string {
	for _, name := range changed {
		if queue, kept := ix.keeper.For(name); kept {
			ix.keptFor.Store(name, queue)
		} else {
			ix.keptFor.Delete(name)
		}
	}
	return changed
}

// rereadSpares takes in what nodes have free that are spares now, or no more.
func (ix *Index) rereadSpares(changed []string) {
	for _, name := range changed {
		ix.reread(name)
	}
}

// Spares returns the nodes that are spares. The set is read only.
func (ix *Index) Spares() *pack.Set { return &ix.spares }

// Turn says which nodes count as full though they have room, and which spares do not, by name,
// instead of what was said before. The cost follows the number of these.
func (ix *Index) Turn(full map[string]bool) {
	before := ix.turned
	ix.turned = full
	for name := range before {
		if _, still := full[name]; !still {
			ix.reread(name)
		}
	}
	for name, is := range full {
		if was, turned := before[name]; !turned || was != is {
			ix.reread(name)
		}
	}
}

// full reports whether a node counts as full.
func (ix *Index) full(node *corev1.Node) bool {
	if is, turned := ix.turned[node.Name]; turned {
		return is
	}
	return ix.spare(node)
}

// reread takes in anew what a node has free.
func (ix *Index) reread(name string) {
	if id, known := ix.ids[name]; known {
		ix.Set(ix.nodes[id].info)
	}
}
