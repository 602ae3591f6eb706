package plan

import (
	"cmp"
	"slices"

	"github.com/berth-dev/berth/pkg/core/fabric"
	"github.com/berth-dev/berth/pkg/core/pack"
)

// segment is consecutive ranks that share a domain.
type segment struct {
	// pods are their places in Request.Pods, by rank; want counts them by class.
	pods []int
	want counts
	// pinned is the domain that members of the segment which run are in, or NoDomain.
	pinned pack.DomainID
	// domain is where the segment was placed, and slots are its places.
	domain pack.DomainID
	slots  []slot
}

// segments divides the first pods by rank into segments; false if members of one of them
// run in no domain or in several.
func (a *attempt) segments(n int) ([]segment, bool) {
	size := a.request.SegmentSize
	pinned, scattered := map[int]pack.DomainID{}, map[int]bool{}
	for _, r := range a.request.Running {
		s, d := r.Rank/size, a.Fabric.At(r.Node, a.request.SegmentLevel)
		if before, known := pinned[s]; d == fabric.NoDomain || known && before != d {
			scattered[s] = true
		}
		pinned[s] = d
	}
	var out []segment
	last := -1
	for _, i := range a.byRank[:n] {
		number := a.request.Pods[i].Rank / size
		if scattered[number] {
			return nil, false
		}
		if len(out) == 0 || number != last {
			s := segment{want: make(counts, len(a.classes)), pinned: fabric.NoDomain}
			if d, known := pinned[number]; known {
				s.pinned = d
			}
			out = append(out, s)
			last = number
		}
		s := &out[len(out)-1]
		s.pods = append(s.pods, i)
		s.want[a.classOf[i]]++
	}
	return out, true
}

// placeSegments takes places for the wanted pods in a domain, segment by segment. What is
// wanted are the first pods by rank; the rest is left out.
func (a *attempt) placeSegments(d pack.DomainID, want counts) (assign func() []Assignment, ok bool) {
	segments, ok := a.segments(want.total())
	if !ok {
		return nil, false
	}
	rooms := a.regions(d)
	// Those that are pinned first, then the largest, each kind of segment in one go.
	order := make([]int, len(segments))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(x, y int) int {
		s, t := &segments[x], &segments[y]
		pinned := func(s *segment) int {
			if s.pinned != fabric.NoDomain {
				return 0
			}
			return 1
		}
		return cmp.Or(cmp.Compare(pinned(s), pinned(t)), cmp.Compare(len(t.pods), len(s.pods)), slices.Compare(t.want, s.want))
	})
	for i := 0; i < len(order); {
		s := &segments[order[i]]
		alike := i + 1
		for s.pinned == fabric.NoDomain && alike < len(order) && slices.Equal(segments[order[alike]].want, s.want) {
			alike++
		}
		if !a.placeAlike(segments, order[i:alike], rooms) {
			return nil, false
		}
		i = alike
	}
	return func() []Assignment { return a.assignSegments(segments) }, true
}

// region is where a segment may be: a domain, or the nodes of it that are in the domain
// of the gang.
type region struct {
	room
	// nodes are these nodes; nil for all.
	nodes *pack.Set
}

// regions returns where segments may be in a domain, by path.
func (a *attempt) regions(d pack.DomainID) []region {
	var out []region
	for _, s := range a.Fabric.Of(a.request.SegmentLevel) {
		r := region{}
		if !a.Fabric.Within(s, d) {
			r.nodes = a.common(s, d)
		}
		if r.nodes != nil && r.nodes.Len() == 0 || a.Fabric.Domain(s).Nodes.Len() == 0 {
			continue
		}
		r.room = a.room(s)
		out = append(out, r)
	}
	slices.SortFunc(out, func(x, y region) int { return a.byPath(x.domain, y.domain) })
	return out
}

// common returns the nodes that two domains share.
func (a *attempt) common(s, d pack.DomainID) *pack.Set {
	out := &pack.Set{}
	nodes, others := &a.Fabric.Domain(s).Nodes, &a.Fabric.Domain(d).Nodes
	for node, ok := nodes.Next(0); ok; node, ok = nodes.Next(node + 1) {
		if others.Has(node) {
			out.Add(node)
		}
	}
	return out
}

// placeAlike places segments that want the same: in the smallest domain that holds all
// that are left, or else in the one that holds most, again and again.
func (a *attempt) placeAlike(segments []segment, which []int, rooms []region) bool {
	want := segments[which[0]].want
	full := make([]bool, len(rooms))
	for len(which) > 0 {
		pinned := segments[which[0]].pinned
		best, most := -1, 0
		for i := range rooms {
			if full[i] || pinned != fabric.NoDomain && rooms[i].domain != pinned {
				continue
			}
			fits := a.copies(rooms[i].room, want)
			if fits == 0 {
				continue
			}
			all, bestAll := fits >= len(which), most >= len(which)
			if best < 0 || all && !bestAll || all == bestAll && (all && rooms[i].free < rooms[best].free || !all && fits > most) {
				best, most = i, fits
			}
		}
		if best < 0 {
			return false
		}
		for range min(most, len(which)) {
			if !a.placeSegment(&segments[which[0]], rooms[best]) {
				full[best] = true
				break
			}
			which = which[1:]
		}
		if len(which) > 0 && most < len(which) {
			full[best] = true
		}
		rooms[best].room = a.room(rooms[best].domain)
	}
	return true
}

// copies returns how many segments a domain may hold.
func (a *attempt) copies(r room, want counts) int {
	least := len(a.request.Pods)
	for c, n := range want {
		if n > 0 {
			least = min(least, r.slots[c]/n)
		}
	}
	if devices := a.devices(want); devices > 0 {
		least = min(least, int(r.free/devices))
	}
	return least
}

// placeSegment places one segment in a region, whole or not at all.
func (a *attempt) placeSegment(s *segment, in region) bool {
	n, nodes, lay := len(a.slots), in.nodes, func(rest counts) { a.fill(in.nodes, rest) }
	if nodes == nil {
		nodes, lay = &a.Fabric.Domain(in.domain).Nodes, func(rest counts) { a.layOut(in.domain, rest) }
	}
	if !a.whole(nodes, s.want, lay) {
		return false
	}
	s.domain, s.slots = in.domain, slices.Clone(a.slots[n:])
	return true
}

// assignSegments gives out places by rank: segments that want the same, and are not
// pinned, get their domains in the order of paths.
func (a *attempt) assignSegments(segments []segment) []Assignment {
	for i := range segments {
		for j := i + 1; j < len(segments); j++ {
			s, t := &segments[i], &segments[j]
			if s.pinned == fabric.NoDomain && t.pinned == fabric.NoDomain && slices.Equal(s.want, t.want) && a.byPath(t.domain, s.domain) < 0 {
				s.domain, t.domain, s.slots, t.slots = t.domain, s.domain, t.slots, s.slots
			}
		}
	}
	out := a.nowhere()
	for i := range segments {
		s := &segments[i]
		a.sortSlots(s.slots)
		byClass := make([][]slot, len(a.classes))
		for _, one := range s.slots {
			byClass[one.class] = append(byClass[one.class], one)
		}
		for _, pod := range s.pods {
			c := a.classOf[pod]
			out[pod] = Assignment{Node: byClass[c][0].node, Devices: byClass[c][0].undo.Devices, Segment: s.domain}
			byClass[c] = byClass[c][1:]
		}
	}
	return out
}
