package pack

import "iter"

// Among says which nodes may be offered.
type Among struct {
	// In are sets that all hold the node.
	In []*Set
	// Not, if there is one, is a set that does not hold it.
	Not *Set
}

// Offer yields the nodes that have room for a request, best first. The index must
// not change while the sequence is read; the sets of among may lose nodes that were
// yielded.
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
		if (f == fitsAlways || ix.nodes[id].Free.Fits(request)) && !yield(id) {
			return false
		}
		id++
	}
	return true
}

// next returns a node that is among, or one before the next that is: the least, at
// or after id, that the sets let pass one by one.
func (a Among) next(id NodeID) (NodeID, bool) {
	for _, set := range a.In {
		next, more := set.Next(id)
		if !more {
			return 0, false
		}
		id = next
	}
	if a.Not != nil && a.Not.Has(id) {
		id++
	}
	return id, true
}
