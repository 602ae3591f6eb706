package preempt

import (
	"github.com/berth-dev/berth/pkg/core/fabric"
	"github.com/berth-dev/berth/pkg/core/pack"
	"github.com/berth-dev/berth/pkg/core/plan"
	"github.com/berth-dev/berth/pkg/core/topology"
)

// domain is a domain in which the gang may be, with who has pods there.
type domain struct {
	planner plan.Planner
	trial   *plan.Trial
	id      pack.DomainID
	level   fabric.Level
	// order is the place of the level in the order in which levels are tried.
	order int

	wanted []plan.Alike
	// need is the amount that the wanted pods take, of what they are measured by.
	by   measure
	need int64
	// The wanted pods have so many segments of that size, and no larger ones.
	segmentSize, segmentsWanted int

	// holdings are what the candidates have here, least damaging first; parts are their pods on
	// the sites. For a binding permit, all candidates have holdings, with all their pods.
	binding  bool
	holdings []holding
	parts    []part
	sites    []site
	// slots, measure and inRegion are what nodes have that are no sites.
	slots    []int64
	measure  int64
	inRegion []int64
	// cutoffs are, for each priority that some holding has, the number of holdings up to it,
	// after a first one of no holdings.
	cutoffs []int

	// draft is where sets of victims are made, and bound bounds what they cost, by what the
	// ceiling has besides: what may go at all.
	draft   *draft
	ceiling *ledger
	bound   *bound
	// from is the first cutoff of which the holdings may make room, -1 if none do; least is
	// the damage that this does at least.
	from  int
	least Damage
	// searched says that no set of victims here does less damage than the best choice.
	searched bool
}

// holding is a candidate in a domain.
type holding struct {
	*candidate
	// parts are its parts, in the order of members, onSites those that are on sites.
	parts   []int32
	onSites int
	// inside are the members on nodes of the domain, sites or not.
	inside []int32
	// gain is what they have of what the gang is measured by.
	gain int64
}

// part is a pod of a candidate, on a site or, with noSite, elsewhere.
type part struct {
	holding, member, site int32
	gain                  int64
}

const noSite = -1

// site is a node whose room may grow when pods go.
type site struct {
	node pack.NodeID
	base pack.Amounts
	// region is the segment domain that it is in, by its place in inRegion.
	region int32
	guests []guest
}

// guest is a part with what it gives back: it is next to the others of its site, as a search
// looks at them again and again.
type guest struct {
	part    int32
	request pack.Amounts
	held    topology.Mask
}

// add adds a part of a member to a site.
func (s *site) add(part int32, m *Member) {
	s.guests = append(s.guests, guest{part, m.Request, m.Held})
}

// fit returns how many pods of a class fit on a site with so much free, at most as many as
// are wanted.
func (d *domain) fit(s *site, free pack.Amounts, class int) int64 {
	w := &d.wanted[class]
	if w.Open != nil && !w.Open.Has(s.node) {
		return 0
	}
	return min(d.planner.Index.Copies(free, w.Request), int64(w.Wanted))
}

// fitsAny reports whether a pod of any class fits on a site with so much free.
func (d *domain) fitsAny(s *site, free pack.Amounts) bool {
	for c := range d.wanted {
		if d.fit(s, free, c) > 0 {
			return true
		}
	}
	return false
}

// give returns what is free when a guest has gone.
func (d *domain) give(free pack.Amounts, g *guest) pack.Amounts {
	return d.planner.Index.Given(free, g.request, g.held)
}

// finish sorts sites from other nodes, once all parts are known.
func (d *domain) finish() {
	d.slots = make([]int64, len(d.wanted))
	kept := make([]int32, len(d.sites))
	n := 0
	for i := range d.sites {
		s, most := &d.sites[i], d.sites[i].base
		for g := range s.guests {
			most = d.give(most, &s.guests[g])
		}
		kept[i] = noSite
		if (d.segmentSize > 0 && s.region < 0) || !d.fitsAny(s, most) {
			continue
		}
		if len(s.guests) > 0 {
			kept[i] = int32(n)
			d.sites[n] = *s
			n++
			continue
		}
		for c := range d.wanted {
			copies := d.fit(s, s.base, c)
			d.slots[c] += copies
			if d.segmentSize > 0 {
				d.inRegion[s.region] += copies
			}
		}
		d.measure += d.by.of(s.base)
	}
	d.sites = d.sites[:n]
	d.keep(kept)
}

// keep numbers parts anew, with the numbers that sites have kept. Those that are on no site
// are dropped, and holdings without parts, if the permit is not binding.
func (d *domain) keep(kept []int32) {
	parts, holdings := d.parts, d.holdings
	d.parts, d.holdings = d.parts[:0], d.holdings[:0]
	for i := range d.sites {
		d.sites[i].guests = d.sites[i].guests[:0]
	}
	for _, h := range holdings {
		old := h.parts
		h.parts = h.parts[:0]
		for _, p := range old {
			one := parts[p]
			if one.site >= 0 {
				one.site = kept[one.site]
			}
			switch {
			case one.site >= 0:
				h.onSites++
				h.gain += one.gain
				d.sites[one.site].add(int32(len(d.parts)), &h.members[one.member])
			case d.binding:
				one.gain = 0
			default:
				continue
			}
			one.holding = int32(len(d.holdings))
			h.parts = append(h.parts, int32(len(d.parts)))
			d.parts = append(d.parts, one)
		}
		if len(h.parts) > 0 {
			d.holdings = append(d.holdings, h)
		}
	}
	d.cutoffs = []int{0}
	for i := range d.holdings {
		if i+1 == len(d.holdings) || d.holdings[i+1].gang.Priority != d.holdings[i].gang.Priority {
			d.cutoffs = append(d.cutoffs, i+1)
		}
	}
}

// given returns the members of a holding that go back to the index when all go: with
// segments also those outside of the domain, where a segment's domain may reach.
func (d *domain) given(h *holding) []int32 {
	if d.segmentSize == 0 {
		return h.inside
	}
	all := make([]int32, len(h.members))
	for i := range all {
		all[i] = int32(i)
	}
	return all
}
