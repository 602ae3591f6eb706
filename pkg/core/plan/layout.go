package plan

import (
	"cmp"
	"iter"
	"slices"
	"strings"

	"github.com/berth-dev/berth/pkg/core/pack"
)

// searchSteps bounds the search for a layout of pods of several shapes.
const searchSteps = 20_000

// room is what a domain holds of a gang, by the counts of the index: a bound from above.
type room struct {
	domain pack.DomainID
	// slots are how many pods of each class it holds, each for itself.
	slots counts
	// free are its devices of the kind that the gang asks for.
	free int64
}

func (a *attempt) room(d pack.DomainID) room {
	r := room{domain: d, slots: make(counts, len(a.classes)), free: a.Index.DevicesFree(d, a.kind)}
	for c := range a.classes {
		r.slots[c] = int(min(a.Index.Slots(d, a.classes[c].request), int64(len(a.request.Pods))))
	}
	return r
}

// devices returns how many devices pods ask for, of the kind that the gang asks most of.
func (a *attempt) devices(want counts) (sum int64) {
	for c, n := range want {
		if a.classes[c].request.Kind == a.kind {
			sum += int64(n) * int64(a.classes[c].request.Devices)
		}
	}
	return sum
}

// holds reports whether a domain may hold pods.
func (a *attempt) holds(r room, want counts) bool {
	for c, n := range want {
		if n > r.slots[c] {
			return false
		}
	}
	return a.devices(want) <= r.free
}

// some returns how much of a gang a domain may hold, in devices, or in pods if it asks for
// none.
func (a *attempt) some(r room, want counts) (sum int64) {
	for c, n := range want {
		weight := int64(1)
		if a.kind != pack.NoDevice {
			weight = int64(a.classes[c].request.Devices)*1024 + 1
		}
		sum += int64(min(n, r.slots[c])) * weight
	}
	return sum
}

// byPath compares domains by path.
func (a *attempt) byPath(x, y pack.DomainID) int {
	return strings.Compare(a.Fabric.Domain(x).Path, a.Fabric.Domain(y).Path)
}

// layOut places as many of the wanted pods in a domain as it finds room for, and takes
// them off want.
func (a *attempt) layOut(d pack.DomainID, want counts) {
	var rooms []room
	for _, child := range a.Fabric.Children(d, a.tree) {
		if a.Fabric.Domain(child).Nodes.Len() > 0 {
			rooms = append(rooms, a.room(child))
		}
	}
	for len(rooms) > 0 && want.total() > 0 {
		best := 0
		for i := 1; i < len(rooms); i++ {
			if a.sooner(rooms[i], rooms[best], want) {
				best = i
			}
		}
		if a.some(rooms[best], want) == 0 {
			break
		}
		a.layOut(rooms[best].domain, want)
		rooms = slices.Delete(rooms, best, best+1)
	}
	if want.total() > 0 {
		a.fill(&a.Fabric.Domain(d).Nodes, want)
	}
}

// sooner reports whether a domain is used before another that comes before it by path: the
// smallest that holds all that is wanted, or else the one that holds most of it.
func (a *attempt) sooner(r, than room, want counts) bool {
	whole, other := a.holds(r, want), a.holds(than, want)
	switch {
	case whole != other:
		return whole
	case whole:
		return r.free < than.free
	}
	return cmp.Or(cmp.Compare(a.some(r, want), a.some(than, want)), cmp.Compare(than.free, r.free)) > 0
}

// fill places as many of the wanted pods on some nodes as it finds room for, the largest
// first, and takes them off want.
func (a *attempt) fill(nodes *pack.Set, want counts) {
	for _, c := range a.order {
		for want[c] > 0 {
			node, ok := a.offer(c, nodes)
			if !ok {
				break
			}
			a.take(c, node)
			want[c]--
		}
	}
}

// offers are the nodes for a pod of a class among some, best first.
func (a *attempt) offers(c int, nodes *pack.Set) iter.Seq[pack.NodeID] {
	among := pack.Among{In: []*pack.Set{nodes}}
	if open := a.classes[c].open; open != nil {
		among.In = append(among.In, open)
	}
	return a.Ranking.Offer(a.classes[c].request, among)
}

// offer returns the best node for a pod of a class.
func (a *attempt) offer(c int, nodes *pack.Set) (pack.NodeID, bool) {
	for node := range a.offers(c, nodes) {
		return node, true
	}
	return NoNode, false
}

// whole places all wanted pods on some nodes, or none: by a layout, which takes those that
// it places off what it is given, or else, if they are of several shapes, by the search.
func (a *attempt) whole(nodes *pack.Set, want counts, lay func(rest counts)) bool {
	n := len(a.slots)
	rest := slices.Clone(want)
	if lay(rest); rest.total() == 0 {
		return true
	}
	a.revert(n)
	return len(a.classes) > 1 && a.search(nodes, want)
}

// search places all wanted pods on some nodes, in whatever way there is, or none. It is
// for pods of several shapes, which may be in each other's way.
func (a *attempt) search(nodes *pack.Set, want counts) bool {
	s := searcher{attempt: a, nodes: nodes, steps: searchSteps}
	return s.place(slices.Clone(want))
}

type searcher struct {
	*attempt
	nodes *pack.Set
	steps int
}

// place places the next pod on each node that differs from those that were tried.
func (s *searcher) place(want counts) bool {
	next := slices.IndexFunc(s.order, func(c int) bool { return want[c] > 0 })
	if next < 0 {
		return true
	}
	c := s.order[next]
	var tried []nodeState
	// The sequence does not outlive a change of the index.
	for _, node := range slices.Collect(s.offers(c, s.nodes)) {
		if s.steps--; s.steps < 0 {
			return false
		}
		state := s.stateOf(node)
		if slices.Contains(tried, state) {
			continue
		}
		tried = append(tried, state)
		n := len(s.slots)
		s.take(c, node)
		want[c]--
		if s.place(want) {
			return true
		}
		want[c]++
		s.revert(n)
	}
	return false
}

// nodeState is what makes a node differ from another, for the search.
type nodeState struct {
	free pack.Amounts
	// open says which classes may go there, for the first 64.
	open uint64
}

func (s *searcher) stateOf(node pack.NodeID) nodeState {
	free, _ := s.Index.Free(node)
	state := nodeState{free: free}
	for c := range s.classes[:min(len(s.classes), 64)] {
		if open := s.classes[c].open; open == nil || open.Has(node) {
			state.open |= 1 << c
		}
	}
	return state
}
