package nodeindex

import (
	"github.com/berth-dev/berth/pkg/core/pack"
)

// Emptied is the nodes of an index as they would be if no pod ran: what a gang could have
// at the very most.
type Emptied struct {
	// Index has the same nodes, by the same numbers, in the same domains. Devices are only
	// counted: how they are linked, and which are ill, is not looked at.
	Index *pack.Index
	// Version is that of the nodes.
	Version int64
}

// NodesVersion returns a number that changes with each node that comes, goes, has more or
// less, or may be used by other pods than before. It does not change with pods.
func (ix *Index) NodesVersion() int64 { return ix.version }

// Emptied returns the nodes without any pod. The cost is that of all nodes, once for each
// change of one.
func (ix *Index) Emptied() *Emptied {
	if ix.emptied == nil || ix.emptied.Version != ix.version {
		all := pack.NewIndex()
		for id, ok := ix.present.Next(0); ok; id, ok = ix.present.Next(id + 1) {
			n := &ix.nodes[id]
			all.Set(id, pack.Node{Free: ix.devices.Allocatable(n.info), Domains: n.domains})
		}
		ix.emptied = &Emptied{Index: all, Version: ix.version}
	}
	return ix.emptied
}
