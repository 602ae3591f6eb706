package nodeindex

import (
	"github.com/berth-dev/berth/pkg/core/pack"
)

// keptChanges is how many changes are kept at least. Whoever falls further behind
// reads all nodes anew.
const keptChanges = 1 << 16

// change is one node that was read anew. object says that its object changed and
// not only its pods, gone that it is no more.
type change struct {
	node         pack.NodeID
	object, gone bool
}

// changes are the latest changes, in their order.
type changes struct {
	kept []change
	// first is the place of kept[0] among all changes that ever were.
	first int64
}

func (c *changes) add(one change) {
	if len(c.kept) == 2*keptChanges {
		c.first += keptChanges
		c.kept = c.kept[:copy(c.kept, c.kept[keptChanges:])]
	}
	c.kept = append(c.kept, one)
}

// end is the place of the next change.
func (c *changes) end() int64 { return c.first + int64(len(c.kept)) }

// Answers are the verdicts of all nodes on pods of one shape, kept up with an index.
type Answers struct {
	pack.Verdicts
	// next is the place of the first change that is not taken in.
	next int64
	// begun is set once all nodes were taken in.
	begun bool
}

// CatchUp takes in what has changed in the index since the last time. The nodes whose
// objects changed, or that are gone, are told to renewed, if it is not nil.
func (a *Answers) CatchUp(ix *Index, renewed func(pack.NodeID)) {
	if !a.begun || a.next < ix.log.first {
		*a = Answers{begun: true}
		for id, ok := ix.present.Next(0); ok; id, ok = ix.present.Next(id + 1) {
			a.Changed(id, true)
			if renewed != nil {
				renewed(id)
			}
		}
	} else {
		for _, c := range ix.log.kept[a.next-ix.log.first:] {
			if c.gone {
				a.Gone(c.node)
			} else {
				a.Changed(c.node, c.object)
			}
			if renewed != nil && (c.gone || c.object) {
				renewed(c.node)
			}
		}
	}
	a.next = ix.log.end()
}
