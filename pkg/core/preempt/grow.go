package preempt

import (
	"cmp"
	"slices"

	"github.com/berth-dev/berth/pkg/core/pack"
)

// stair is what it takes to gain more slots on a site, beyond the stairs before.
type stair struct {
	parts []int32
	cost  int64
	gain  int64
}

// regionCost is what it takes to gain one more segment in a region.
type regionCost struct {
	known, possible bool
	cost            int64
}

// grow lets go what costs least for each slot that is gained, until the domain may hold the
// gang and the permit lets it come; false if that is never so. Of a gang with pods on several
// sites, each bears its share.
func (d *draft) grow() bool {
	more := 1 // twice as many each time
	for {
		switch {
		case d.terms.limit > 0 && d.steps > d.terms.limit:
			return false
		case d.holds():
			if !d.binding || d.permits.permit.Enough() {
				return true
			}
		default:
			if s := d.cheapest(); s >= 0 {
				d.putAll(d.stairs[s][0].parts)
				continue
			}
		}
		if !d.binding || !d.more(more) {
			return false
		}
		more *= 2
	}
}

// more lets go so many gangs that may, the least damaging first, so that others may then, or
// the gang that waits; false if nobody may.
func (d *draft) more(most int) bool {
	n := 0
	for h := range d.holdings {
		if d.standing[h] == goesWhole {
			continue
		}
		gone := d.gone[h]
		for _, p := range d.holdings[h].parts {
			if _, may := d.price(p); may && !d.out[p] && !d.put(p) {
				break
			}
		}
		if d.gone[h] > gone {
			n++
		}
		if n == most {
			break
		}
	}
	again := d.fresh
	d.forget()
	return again
}

// cheapest returns the site at which slots are gained for least; -1 if they are nowhere.
func (d *draft) cheapest() int {
	d.refresh()
	within := int32(-1)
	if d.segments < int64(d.segmentsWanted) {
		if within = d.cheapestRegion(); within < 0 {
			return -1
		}
	}
	best := -1
	for s := range d.sites {
		if len(d.stairs[s]) == 0 || within >= 0 && d.sites[s].region != within {
			continue
		}
		if best < 0 || d.stairs[s][0].before(d.stairs[best][0]) {
			best = s
		}
	}
	return best
}

// before reports whether a stair costs less for what it gains, or as much, with a part that
// comes first.
func (s stair) before(than stair) bool {
	return cmp.Or(cheaper(s.cost, s.gain, than.cost, than.gain), cmp.Compare(s.parts[0], than.parts[0])) < 0
}

// cheapestRegion returns the region in which one more segment costs least; -1 if none can
// have one more.
func (d *draft) cheapestRegion() int32 {
	best := int32(-1)
	for r := range d.costs {
		if !d.costs[r].known {
			d.costs[r] = d.costOf(int32(r))
		}
		if d.costs[r].possible && (best < 0 || d.costs[r].cost < d.costs[best].cost) {
			best = int32(r)
		}
	}
	return best
}

// costOf returns what one more segment costs in a region.
func (d *draft) costOf(r int32) regionCost {
	var all []stair
	for s := range d.sites {
		if d.sites[s].region == r {
			all = append(all, d.stairs[s]...)
		}
	}
	slices.SortStableFunc(all, func(a, b stair) int { return cheaper(a.cost, a.gain, b.cost, b.gain) })
	out := regionCost{known: true}
	missing := int64(d.segmentSize) - d.inRegion[r]%int64(d.segmentSize)
	for _, one := range all {
		out.cost, missing = sum(out.cost, one.cost), missing-one.gain
		if missing <= 0 {
			out.possible = true
			break
		}
	}
	return out
}

// refresh makes anew the stairs that are stale.
func (d *draft) refresh() {
	if weights := d.weigh(); !slices.Equal(weights, d.weights) {
		d.weights = weights
		for s := range d.stale {
			d.stale[s] = true
		}
	}
	for s, stale := range d.stale {
		if !stale {
			continue
		}
		d.stale[s] = false
		d.stairs[s] = d.stairsOf(int32(s), d.stairs[s][:0])
		if r := d.sites[s].region; r >= 0 {
			d.costs[r].known = false
		}
	}
}

// weigh says what slots count that are gained. If segments are missing, each counts one; or
// else those of classes that are short of them count as their devices do; or else, what the
// gang is measured by counts, at index 0.
func (d *draft) weigh() []int64 {
	weights := make([]int64, 1+len(d.wanted))
	segments, short := d.segments < int64(d.segmentsWanted), false
	for c, w := range d.wanted {
		switch {
		case segments:
			weights[1+c] = 1
		case d.slots[c] < int64(w.Wanted):
			weights[1+c], short = max(int64(w.Request.Devices), 1), true
		}
	}
	if !segments && !short {
		weights[0] = 1
	}
	return weights
}

// worth returns what a site counts with so much free.
func (d *draft) worth(s *site, free pack.Amounts) int64 {
	worth := d.weights[0] * d.by.of(free)
	for c, weight := range d.weights[1:] {
		if weight > 0 {
			worth += weight * d.fit(s, free, c)
		}
	}
	return worth
}

// stairsOf returns the stairs of a site: only the first, but where regions are compared.
func (d *draft) stairsOf(s int32, out []stair) []stair {
	if d.blocked[s] {
		return out
	}
	one := &d.sites[s]
	free := one.base
	type priced struct {
		*guest
		cost int64
	}
	var rest []priced
	for i := range one.guests {
		g := &one.guests[i]
		if d.out[g.part] {
			free = d.give(free, g)
		} else if cost, ok := d.price(g.part); ok {
			rest = append(rest, priced{g, cost})
		}
	}
	slices.SortStableFunc(rest, func(a, b priced) int { return cmp.Compare(a.cost, b.cost) })
	d.steps++
	before, next := d.worth(one, free), stair{}
	for _, r := range rest {
		free = d.give(free, r.guest)
		next.parts, next.cost = append(next.parts, r.part), sum(next.cost, r.cost)
		if now := d.worth(one, free); now > before {
			next.gain = now - before
			out, before, next = append(out, next), now, stair{}
			if d.segmentSize == 0 {
				break
			}
		}
	}
	return out
}

// lastResort is what a gang that ends for good costs besides what is lost, in device-seconds:
// more than any gang loses.
const lastResort = 1 << 50

// cost returns what a candidate costs that goes whole, as one amount.
func (t *candidate) cost() int64 {
	if t.ended == 0 {
		return t.lost
	}
	return sum(t.lost, sum(lastResort, t.ended))
}

// price returns what a part costs that stays so far, in device-seconds or pods: its own if it
// can go alone, or else its share of those of its gang; false if it may not go.
func (d *draft) price(p int32) (int64, bool) {
	one := &d.parts[p]
	i := int(one.holding)
	h := &d.holdings[i]
	if i >= d.terms.upTo || i == d.terms.banned || d.refused[i] {
		return 0, false
	}
	sites := int64(max(h.onSites, 1))
	cost, pods := h.cost()/sites, int64(len(h.members))*fraction/sites
	may := h.candidate.whole
	if d.mayAlone(p) {
		cost, pods, may = h.members[one.member].Lost, fraction, true
	}
	if d.terms.few {
		cost = pods
	}
	return cost, may
}
