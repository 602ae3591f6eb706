package pack

import (
	"cmp"
	"iter"
	"slices"
)

// Policy says which of the nodes with room is offered first.
type Policy uint8

const (
	// Pack offers the tightest node first.
	Pack Policy = iota
	// Spread offers the emptiest node first.
	Spread
)

// compare orders shapes: tightest first, in the order that the package doc states.
func (s shape) compare(t shape) int {
	return cmp.Or(
		cmp.Compare(s.devices, t.devices),
		cmp.Compare(s.cpu, t.cpu),
		cmp.Compare(s.memory, t.memory),
		cmp.Compare(s.kind, t.kind),
	)
}

// Offer yields the nodes that have room for a request, best first. eligible, if not
// nil, holds the only nodes that may be yielded. The index must not change while
// the sequence is read.
//
// The cost of the first node is that of the shapes that were seen before it, and of
// the nodes in between that are not eligible, or whose shape leaves open whether
// they have room.
func (ix *Index) Offer(request Amounts, policy Policy, eligible *Set) iter.Seq[NodeID] {
	return func(yield func(NodeID) bool) {
		// Nodes with devices come last for a request without: two rounds then.
		for _, withDevices := range rounds(request) {
			if !ix.offerRound(request, policy, eligible, withDevices, yield) {
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

func (ix *Index) offerRound(request Amounts, policy Policy, eligible *Set, r round, yield func(NodeID) bool) bool {
	start := 0
	if policy == Pack && request.Devices > 0 {
		// Shapes are ordered by devices first: skip those with too few.
		start, _ = slices.BinarySearchFunc(ix.order, request.Devices, func(i int, devices int32) int {
			return cmp.Compare(int32(ix.shapes[i].devices), min(devices, MaxDevices))
		})
	}
	for i := start; i < len(ix.order); i++ {
		n := ix.order[i]
		if policy == Spread {
			n = ix.order[len(ix.order)-1-(i-start)]
		}
		s := ix.shapes[n]
		if r == nodesWithoutDevices && s.kind != NoDevice || r == nodesWithDevices && s.kind == NoDevice {
			continue
		}
		if ix.buckets[n].Len() == 0 {
			continue
		}
		f := s.fits(request)
		if f == fitsNever {
			continue
		}
		if !ix.offerBucket(n, f, request, eligible, yield) {
			return false
		}
	}
	return true
}

func (ix *Index) offerBucket(n int, f fit, request Amounts, eligible *Set, yield func(NodeID) bool) bool {
	bucket := &ix.buckets[n]
	for id, ok := bucket.Next(0); ok; id, ok = bucket.Next(id + 1) {
		if eligible != nil && !eligible.Has(id) {
			// Skip to the next one that is.
			next, more := eligible.Next(id)
			if !more {
				break
			}
			id = next - 1
			continue
		}
		if f == fitsMaybe && !ix.nodes[id].Free.Fits(request) {
			continue
		}
		if !yield(id) {
			return false
		}
	}
	return true
}
