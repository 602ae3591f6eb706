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
}

// place is a domain by its place in those of the level, -1 for none, and a site of it.
type place struct{ domain, site int32 }

// build returns domains of the level with their holdings.
func (b *builder) build(ids ...pack.DomainID) []*domain {
	s := b.search
	out := make([]*domain, len(ids))
	for i, id := range ids {
		out[i] = b.empty(i, id)
	}
	for i := range s.candidates {
		b.settle(&s.candidates[i], out)
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

// settle adds a candidate to the domains in which it has pods, or, if the permit is binding, to
// all of them.
func (b *builder) settle(t *candidate, domains []*domain) {
	if b.binding {
		for _, d := range domains {
			d.holdings = append(d.holdings, holding{candidate: t})
			for i := range t.members {
				d.add(i, noSite)
			}
		}
	}
	for i := range t.members {
		m := &t.members[i]
		if m.Node < 0 || int(m.Node) >= len(b.at) || b.at[m.Node].domain < 0 {
			continue
		}
		at := b.at[m.Node]
		d := domains[at.domain]
		if n := len(d.holdings); n == 0 || d.holdings[n-1].candidate != t {
			d.holdings = append(d.holdings, holding{candidate: t})
		}
		h := &d.holdings[len(d.holdings)-1]
		h.inside = append(h.inside, int32(i))
		if b.binding {
			d.move(h.parts[i], at.site)
		} else {
			d.add(i, at.site)
		}
	}
}

// add adds a part of the last holding.
func (d *domain) add(member int, site int32) {
	h := &d.holdings[len(d.holdings)-1]
	p := int32(len(d.parts))
	h.parts = append(h.parts, p)
	d.parts = append(d.parts, part{holding: int32(len(d.holdings) - 1), member: int32(member), site: noSite})
	if site >= 0 {
		d.move(p, site)
	}
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
