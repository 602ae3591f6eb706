package state

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/berth-dev/berth/pkg/core/pack"
)

// SpareLabel, with the value "true", makes a node a spare: it is kept for pods that come in place
// of members that a gang has lost, and nothing else gets a place there.
const SpareLabel = "berth.dev/spare"

// IsSpare reports whether a node is a spare.
func IsSpare(node *corev1.Node) bool { return node.Labels[SpareLabel] == "true" }

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
	return IsSpare(node)
}

// reread takes in anew what a node has free.
func (ix *Index) reread(name string) {
	if id, known := ix.ids[name]; known {
		ix.Set(ix.nodes[id].info)
	}
}
