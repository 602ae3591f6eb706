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
	// at is the domain of each node, by its place in the domains of the level, and its site there.
	at []place
}

type place struct{ domain, site int32 }

// domainsOf returns the domains of a level with their holdings.
func (s *search) domainsOf(order int, level fabric.Level, ids []pack.DomainID) []*domain {
	b := builder{search: s, level: level, order: order, at: make([]place, 0)}
	out := make([]*domain, len(ids))
	for i, id := range ids {
		out[i] = b.empty(i, id)
	}
	for i := range s.tenants {
		b.settle(&s.tenants[i], out)
	}
	for _, d := range out {
		d.finish()
	}
	return out
}

// empty returns a domain without holdings; all its nodes are sites at first.
func (b *builder) empty(number int, id pack.DomainID) *domain {
	s := b.search
	d := &domain{
		planner: s.planner, trial: s.trial, id: id, level: b.level, order: b.order,
		wanted: s.wanted, by: s.by, need: s.need, segmentSize: s.segmentSize, segmentsWanted: s.segments,
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

// settle adds a tenant to the domains in which it has pods.
func (b *builder) settle(t *tenant, domains []*domain) {
	for i := range t.members {
		m := &t.members[i]
		if int(m.Node) < 0 || int(m.Node) >= len(b.at) || b.at[m.Node].domain < 0 {
			continue
		}
		at := b.at[m.Node]
		d := domains[at.domain]
		if n := len(d.holdings); n == 0 || d.holdings[n-1].tenant != t {
			d.holdings = append(d.holdings, holding{tenant: t})
		}
		h := &d.holdings[len(d.holdings)-1]
		p := int32(len(d.parts))
		h.parts, h.inside = append(h.parts, p), append(h.inside, int32(i))
		d.parts = append(d.parts, part{holding: int32(len(d.holdings) - 1), member: int32(i), site: at.site, gain: d.by.gain(m)})
		d.sites[at.site].add(p, m)
	}
}

// nodesOf yields the numbers of nodes in a domain.
func nodesOf(f *fabric.Fabric, d pack.DomainID) []pack.NodeID {
	set := &f.Domain(d).Nodes
	out := make([]pack.NodeID, 0, set.Len())
	for node, ok := set.Next(0); ok; node, ok = set.Next(node + 1) {
		out = append(out, node)
	}
	return out
}
