package pack

import "iter"

// Among says which nodes may be offered.
type Among struct {
	// In are sets that all hold the node.
	In []*Set
	// Not, if there is one, is a set that does not hold it.
	Not *Set
	// NoRoom, if not nil, is told of nodes that were looked at and had no room. Who
	// takes them out of a set of In has them looked at once, and not once a request.
	NoRoom func(NodeID)
}

// Offer yields the nodes that have room for a request, best first. The index must
// not change while the sequence is read; the sets of among may lose nodes that were
// yielded, or told to NoRoom.
//
// The cost of the first node is that of the shapes that were seen before it, and of
// the nodes in between that are not among, or whose shape leaves open whether they
// have room.
func (ix *Index) Offer(request Amounts, ranking *Ranking, among Among) iter.Seq[NodeID] {
	ranking.update(ix)
	return func(yield func(NodeID) bool) {
		// Nodes with devices come last for a request without: two rounds then.
		for _, r := range rounds(request) {
			if !ix.offerRound(request, ranking, among, r, yield) {
				return
			}
		}
	}
}

// round says which nodes are offered in a round.
type round uint8

const (
	allNodes round = iota
	nodesWithoutDevices
	nodesWithDevices
)

var (
	roundsWithDevices    = []round{allNodes}
	roundsWithoutDevices = []round{nodesWithoutDevices, nodesWithDevices}
)

func rounds(request Amounts) []round {
	if request.Devices > 0 {
		return roundsWithDevices
	}
	return roundsWithoutDevices
}

func (ix *Index) offerRound(request Amounts, ranking *Ranking, among Among, r round, yield func(NodeID) bool) bool {
	for _, e := range ranking.order[ranking.start(request.Devices):] {
		if ix.buckets[e.shape].Len() == 0 {
			continue
		}
		s := ix.shapes[e.shape]
		if r == nodesWithoutDevices && s.kind != NoDevice || r == nodesWithDevices && s.kind == NoDevice {
			continue
		}
		f := s.fits(request)
		if f == fitsNever {
			continue
		}
		if !ix.offerBucket(e.shape, f, request, among, yield) {
			return false
		}
	}
	return true
}

func (ix *Index) offerBucket(n int, f fit, request Amounts, among Among, yield func(NodeID) bool) bool {
	for id, ok := ix.buckets[n].Next(0); ok; id, ok = ix.buckets[n].Next(id) {
		if next, more := among.next(id); !more {
			return true
		} else if next != id {
			id = next
			continue
		}
		switch {
		case f == fitsAlways || ix.nodes[id].Free.Fits(request):
			if !yield(id) {
				return false
			}
		case among.NoRoom != nil:
			among.NoRoom(id)
		}
		id++
	}
	return true
}

// Each yields the nodes that are among, by number. There must be a set in In. The sets
// may lose nodes that were yielded.
func (a Among) Each() iter.Seq[NodeID] {
	return func(yield func(NodeID) bool) {
		for id := NodeID(0); ; {
			next, more := a.next(id)
			if !more {
				return
			}
			if next == id {
				if !yield(id) {
					return
				}
				next++
			}
			id = next
		}
	}
}

// next returns a node that is among, or one before the next that is: the least, at
// or after id, that the sets let pass one after another.
func (a Among) next(id NodeID) (NodeID, bool) {
	for _, set := range a.In {
		next, more := set.Next(id)
		if !more {
			return 0, false
		}
		id = next
	}
	if a.Not != nil && a.Not.Has(id) {
		id = a.Not.NextAbsent(id)
	}
	return id, true
}
