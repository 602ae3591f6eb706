package preempt

import (
	"github.com/berth-dev/berth/pkg/core/fabric"
	"github.com/berth-dev/berth/pkg/core/pack"
)

// builder makes the domains of one level.
type builder struct {
	search *search
	level  fabric.Level
	order  int
	// binding says that all candidates have holdings in each domain.
	binding bool
	// at is where each node is.
	at []place
	// numbers have room for the lists of the holdings of each domain; nil for a binding permit.
	numbers []numbers
}

// numbers are where holdings have their parts, and their members inside, one holding after another.
type numbers struct{ parts, inside []int32 }

// place is a domain by its place in those of the level, -1 for none, and a site of it.
type place struct{ domain, site int32 }

// build returns domains of the level with their holdings.
func (b *builder) build(ids ...pack.DomainID) []*domain {
	s := b.search
	out := make([]*domain, len(ids))
	for i, id := range ids {
		out[i] = b.empty(i, id)
	}
	b.reserve(out)
	for _, t := range s.candidates {
		b.settle(t, out)
	}
	for _, d := range out {
		d.finish()
		d.estimate(s.permit)
	}
	return out
}

// empty returns a domain without holdings; all its nodes are sites at first.
func (b *builder) empty(number int, id pack.DomainID) *domain {
	s := b.search
	d := &domain{
		planner: s.planner, trial: s.trial, id: id, level: b.level, order: b.order,
		binding: b.binding, wanted: s.wanted, by: s.by, need: s.need, segmentSize: s.segmentSize, segmentsWanted: s.segments,
	}
	regions := map[pack.DomainID]int32{}
	for _, node := range nodesOf(s.planner.Fabric, id) {
		free, ok := s.planner.Index.Free(node)
		if !ok {
			continue
		}
		for int(node) >= len(b.at) {
			b.at = append(b.at, place{-1, -1})
		}
		b.at[node] = place{int32(number), int32(len(d.sites))}
		one := site{node: node, base: free, region: -1}
		if d.segmentSize > 0 {
			if r := s.planner.Fabric.At(node, s.request.SegmentLevel); r != fabric.NoDomain {
				if _, known := regions[r]; !known {
					regions[r] = int32(len(regions))
				}
				one.region = regions[r]
			}
		}
		d.sites = append(d.sites, one)
	}
	d.inRegion = make([]int64, len(regions))
	return d
}

// reserve makes room in the domains for what settle adds: tens of thousands of pods, which would
// have as many lists grow. For a binding permit it knows too little, and leaves it.
func (b *builder) reserve(domains []*domain) {
	if b.binding {
		return
	}
	parts, holdings, last := make([]int, len(domains)), make([]int, len(domains)), make([]*candidate, len(domains))
	guests := make([][]int32, len(domains))
	for i, d := range domains {
		guests[i] = make([]int32, len(d.sites))
	}
	for _, t := range b.search.candidates {
		for i := range t.members {
			at, inside := b.placeOf(&t.members[i])
			if !inside {
				continue
			}
			parts[at.domain]++
			guests[at.domain][at.site]++
			if last[at.domain] != t {
				last[at.domain] = t
				holdings[at.domain]++
			}
		}
	}
	for i, d := range domains {
		d.parts, d.holdings = make([]part, 0, parts[i]), make([]holding, 0, holdings[i])
		b.numbers = append(b.numbers, numbers{make([]int32, 0, parts[i]), make([]int32, 0, parts[i])})
		all := make([]guest, parts[i])
		for s, n := range guests[i] {
			d.sites[s].guests, all = all[:0:n], all[n:]
		}
	}
}

// placeOf returns the place of a member's node; false if it is in none of the domains.
func (b *builder) placeOf(m *Member) (at place, inside bool) {
	if m.Node < 0 || int(m.Node) >= len(b.at) || b.at[m.Node].domain < 0 {
		return place{-1, -1}, false
	}
	return b.at[m.Node], true
}

// settle adds a candidate to the domains in which it has pods, or, if the permit is binding, to
// all of them.
func (b *builder) settle(t *candidate, domains []*domain) {
	if b.binding {
		for _, d := range domains {
			d.holdings = append(d.holdings, holding{candidate: t, parts: make([]int32, 0, len(t.members))})
			h := d.last()
			for i := range t.members {
				h.parts = append(h.parts, d.add(i))
			}
		}
	}
	for i := range t.members {
		at, inside := b.placeOf(&t.members[i])
		if !inside {
			continue
		}
		d := domains[at.domain]
		if n := len(d.holdings); n == 0 || d.holdings[n-1].candidate != t {
			d.holdings = append(d.holdings, holding{candidate: t})
		}
		h := d.last()
		if b.binding {
			h.inside = append(h.inside, int32(i))
			d.move(h.parts[i], at.site)
			continue
		}
		p, n := d.add(i), &b.numbers[at.domain]
		h.parts, n.parts = extended(n.parts, len(h.parts), p)
		h.inside, n.inside = extended(n.inside, len(h.inside), int32(i))
		d.move(p, at.site)
	}
}

// extended appends a number to the last so many of a list, and returns those with it, and the list.
// What is appended to those does not touch the list.
func extended(list []int32, last int, number int32) (those, all []int32) {
	all = append(list, number)
	return all[len(list)-last : len(all) : len(all)], all
}

// last returns the last holding.
func (d *domain) last() *holding { return &d.holdings[len(d.holdings)-1] }

// add adds a part of the last holding, which is on no site yet, and returns its number.
func (d *domain) add(member int) int32 {
	d.parts = append(d.parts, part{holding: int32(len(d.holdings) - 1), member: int32(member), site: noSite})
	return int32(len(d.parts) - 1)
}

// move puts a part on a site.
func (d *domain) move(p, site int32) {
	one := &d.parts[p]
	m := &d.holdings[one.holding].members[one.member]
	one.site, one.gain = site, d.by.gain(m)
	d.sites[site].add(p, m)
}

// nodesOf returns the nodes of a domain, by number.
func nodesOf(f *fabric.Fabric, d pack.DomainID) []pack.NodeID {
	set := &f.Domain(d).Nodes
	out := make([]pack.NodeID, 0, set.Len())
	for node, ok := set.Next(0); ok; node, ok = set.Next(node + 1) {
		out = append(out, node)
	}
	return out
}
