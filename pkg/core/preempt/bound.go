package preempt

import (
	"cmp"
	"iter"
	"math"
	"slices"
)

// bound bounds from below what it costs to make room in a domain by victims that are not
// decided yet. For pods of one shape, each site for itself needs so much more for each
// further slot; for pods of several, the domain needs what the gang is measured by. Any
// fraction of a pod may go, and of what a gang costs each of its pods bears its share.
type bound struct {
	*domain
	// size is what a pod takes of what the gang is measured by; 0 for pods of several shapes.
	size int64
	// allowed is the most that a gang may end for good: others are left out.
	allowed int64
	// endings says that somebody in the domain ends for good.
	endings bool
	// gains are what the undecided parts of each holding have.
	gains []int64
	// pieces are undecided parts, and costs are those of slots, in fractions.
	pieces []piece
	costs  []int64
}

// piece is what a part costs and has.
type piece struct{ cost, gain int64 }

// Costs are bounded in fractions of a device-second, so that shares are not rounded away.
const fraction = 1 << 10

func newBound(d *domain) *bound {
	b := &bound{
		domain: d, gains: make([]int64, len(d.holdings)), allowed: math.MaxInt64,
		endings: slices.ContainsFunc(d.holdings, func(h holding) bool { return h.ended > 0 }),
	}
	if len(d.wanted) == 1 && d.wanted[0].Wanted > 0 {
		b.size = d.need / int64(d.wanted[0].Wanted)
	}
	return b
}

// least returns how many device-seconds end for good at least, and how many are lost, beside
// those of what is out in now, by what is out in ceiling besides; false if all of it is not
// enough. Each is bounded for itself, so both together bound damages from below.
func (b *bound) least(now, ceiling *ledger) (ended, lost int64, ok bool) {
	clear(b.gains)
	for s := range b.sites {
		for p := range b.open(s, now, ceiling) {
			b.gains[b.parts[p].holding] += b.parts[p].gain
		}
	}
	if b.endings {
		if ended, ok = b.total(now, ceiling, b.ending); !ok {
			return 0, 0, false
		}
	}
	lost, ok = b.total(now, ceiling, b.piece)
	return ended, lost, ok
}

// total returns what the cheapest pieces cost that may be enough; false if all are not.
func (b *bound) total(now, ceiling *ledger, price func(p int32) piece) (cost int64, ok bool) {
	b.costs, b.pieces = b.costs[:0], b.pieces[:0]
	missing := int64(1)
	if b.size > 0 {
		missing = int64(b.wanted[0].Wanted) - now.slots[0]
	}
	for s := range b.sites {
		for p := range b.open(s, now, ceiling) {
			b.pieces = append(b.pieces, price(p))
		}
		if b.size > 0 {
			b.price(b.size, now.room[s]-b.size*now.copies[s], ceiling.copies[s]-now.copies[s])
			b.pieces = b.pieces[:0]
		}
	}
	if b.size == 0 {
		b.price(b.need, now.measure, 1)
	}
	if missing > int64(len(b.costs)) {
		return 0, false
	}
	slices.Sort(b.costs)
	for _, one := range b.costs[:max(missing, 0)] {
		cost = sum(cost, one)
	}
	return cost/fraction + min(cost%fraction, 1), true
}

// open yields the undecided parts of a site on which there may be more slots.
func (b *bound) open(s int, now, ceiling *ledger) iter.Seq[int32] {
	return func(yield func(int32) bool) {
		if b.size > 0 && ceiling.copies[s] == now.copies[s] {
			return
		}
		for i := range b.sites[s].guests {
			p := b.sites[s].guests[i].part
			if ceiling.out[p] && !now.out[p] && b.parts[p].gain > 0 && b.mayEnd(p) && !yield(p) {
				return
			}
		}
	}
}

// mayEnd reports whether what ends for good with a part is allowed.
func (b *bound) mayEnd(p int32) bool {
	h := &b.holdings[b.parts[p].holding]
	return h.spare > 0 || h.ended <= b.allowed
}

// ending returns what ends for good with a part: its share, or nothing if it may go alone.
func (b *bound) ending(p int32) piece {
	one := &b.parts[p]
	h := &b.holdings[one.holding]
	if h.spare > 0 {
		return piece{gain: one.gain}
	}
	return piece{cost: portion(min(h.ended, math.MaxInt64/fraction)*fraction, one.gain, b.gains[one.holding]), gain: one.gain}
}

// piece returns what a part costs: its share, or its own device-seconds if it is of an
// elastic gang, which costs no less if it goes whole.
func (b *bound) piece(p int32) piece {
	one := &b.parts[p]
	h := &b.holdings[one.holding]
	lost := h.lost
	part, all := one.gain, b.gains[one.holding]
	if h.spare > 0 {
		lost, part, all = h.members[one.member].Lost, 1, 1
	}
	return piece{cost: portion(min(lost, math.MaxInt64/fraction)*fraction, part, all), gain: one.gain}
}

// price adds to the costs those of n more slots of a size, of the pieces and what is left of
// room already.
func (b *bound) price(size, rest, n int64) {
	slices.SortFunc(b.pieces, func(x, y piece) int {
		return cmp.Or(cheaper(x.cost, x.gain, y.cost, y.gain), cmp.Compare(x.gain, y.gain))
	})
	at, used := 0, int64(0)
	for ; n > 0; n-- {
		amount := max(size-max(rest, 0), 0)
		rest = max(rest-size, 0)
		cost := int64(0)
		for amount > 0 && at < len(b.pieces) {
			one := b.pieces[at]
			take := min(amount, one.gain-used)
			cost = sum(cost, portion(one.cost, take, one.gain))
			amount, used = amount-take, used+take
			if used == one.gain {
				at, used = at+1, 0
			}
		}
		if amount > 0 {
			return
		}
		b.costs = append(b.costs, cost)
	}
}

// gangs returns how many gangs go at least of those that are undecided since least was asked.
func (b *bound) gangs(now *ledger) int {
	missing := b.need - now.measure
	gains := slices.Clone(b.gains)
	slices.Sort(gains)
	n := 0
	for i := len(gains) - 1; i >= 0 && missing > 0; i-- {
		missing -= gains[i]
		n++
	}
	return max(n, 1)
}

// estimate finds the first cutoff of which the holdings may make room in a domain, and how
// much damage they do at least.
func (d *domain) estimate(permit Permit) {
	d.draft, d.ceiling, d.bound, d.from = newDraft(d, permit), newLedger(d), newBound(d), -1
	for cutoff := range d.cutoffs {
		if d.raise(cutoff); d.ceiling.holds() {
			d.from = cutoff
			break
		}
	}
	if d.from > 0 {
		ended, lost, _ := d.bound.least(d.draft.ledger, d.ceiling)
		gangs := d.bound.gangs(d.draft.ledger)
		d.least = Damage{Priority: d.priority(d.from), Ended: ended, Lost: lost, Gangs: gangs, Pods: gangs}
	}
}

// raise lets the holdings of a cutoff go in the ceiling, besides those of cutoffs before.
func (d *domain) raise(cutoff int) {
	for i := range d.holdings[:d.cutoffs[cutoff]] {
		d.ceiling.mark(d.holdings[i].parts, true)
	}
	d.ceiling.count()
}
