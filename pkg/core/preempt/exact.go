package preempt

import (
	"math"
	"slices"
)

// exact is a search through all sets of victims in a domain, by branch and bound: for each
// holding in turn, what if it goes, or some of it, and what if it stays.
type exact struct {
	*domain
	search *search
	// now has what goes, the ceiling also all that is not decided yet.
	now     *ledger
	permits permits
	// upTo are the holdings that may go, and priority is the highest of them.
	upTo     int
	priority int32
	// order are the holdings in the order in which they are decided on: those with parts on
	// sites first.
	order []int
	// picks are those that go, in the order in which they were permitted. pending are those
	// that go as well and were not permitted yet. Damage is that of both.
	picks, pending []pick
	damage         Damage
	// taken are the parts of elastic holdings that go alone.
	taken []int32
	// limit is how many steps it may take, planned those of plans. cut says that it had to
	// leave something out.
	limit, planned int
	cut            bool
}

// searchAll looks for less damage than that of the best choice, and returns how many steps it
// took.
func (d *domain) searchAll(s *search, limit int) int {
	d.draft.start(nil, terms{banned: noneBanned})
	e := exact{domain: d, search: s, permits: permits{permit: s.permit}, now: d.draft.ledger}
	e.limit = e.steps() + limit
	before := e.steps()
	for cutoff := d.from; cutoff < len(d.cutoffs) && !e.cut; cutoff++ {
		e.priority, e.upTo = d.priority(cutoff), d.cutoffs[cutoff]
		if s.best != nil && e.priority > s.best.damage.Priority {
			break
		}
		d.raise(cutoff)
		e.sort()
		if e.visit(0); s.best != nil && s.best.damage.Priority <= e.priority {
			break
		}
	}
	d.searched = !e.cut
	return e.steps() - before
}

// spent reports whether there are no more steps to take.
func (e *exact) spent() bool {
	e.cut = e.cut || e.steps() > e.limit
	return e.cut
}

func (e *exact) steps() int { return e.now.steps + e.ceiling.steps + e.planned }

// sort orders the holdings up to upTo.
func (e *exact) sort() {
	e.order = e.order[:0]
	for _, onSites := range []bool{true, false} {
		for i := range e.holdings[:e.upTo] {
			if onSites == (e.holdings[i].onSites > 0) {
				e.order = append(e.order, i)
			}
		}
	}
}

// visit decides on the holdings from one on, by their order. It reports whether the gang fits without any
// of them.
func (e *exact) visit(i int) bool {
	if e.spent() {
		return false
	}
	if e.now.holds() {
		if !e.less(e.damage) {
			return true
		}
		if e.accept() {
			return true
		}
	}
	if i == e.upTo || !e.ceiling.holds() || !e.promising() {
		return false
	}
	h := &e.holdings[e.order[i]]
	if h.candidate.whole {
		e.now.change(h.parts, true)
		e.with(pick{holding: e.order[i], whole: true}, func() { e.visit(i + 1) })
		e.now.change(h.parts, false)
	}
	if h.spare > 0 {
		e.some(i, 0, len(e.taken))
		return false
	}
	e.ceiling.change(h.parts, false)
	e.visit(i + 1)
	e.ceiling.change(h.parts, true)
	return false
}

// some decides on the parts of an elastic holding from one on, which may go alone besides
// those that were taken from first on.
func (e *exact) some(i, at, first int) {
	if e.spent() {
		return
	}
	h := &e.holdings[e.order[i]]
	out := e.taken[first:]
	if at == len(h.parts) || len(out) == h.spare {
		e.ceiling.change(h.parts[at:], false)
		e.close(i, out)
		e.ceiling.change(h.parts[at:], true)
		return
	}
	p := h.parts[at : at+1]
	if h.alone[e.parts[p[0]].member] {
		e.taken = append(e.taken, p[0])
		if h.later || e.may(i, e.taken[first:]) {
			e.now.change(p, true)
			if !e.now.holds() || !e.close(i, e.taken[first:]) {
				e.some(i, at+1, first)
			}
			e.now.change(p, false)
		}
		e.taken = e.taken[:len(e.taken)-1]
	}
	e.ceiling.change(p, false)
	if e.ceiling.holds() {
		e.some(i, at+1, first)
	}
	e.ceiling.change(p, true)
}

// may reports whether some parts of a holding may go: if not, no more of them may.
func (e *exact) may(i int, parts []int32) bool {
	ok := e.permits.push(e.holdings[e.order[i]].gang, e.members(e.order[i], parts))
	if ok {
		e.permits.pop()
	}
	return ok
}

// close decides on the holdings after one of which some parts go, or none. It reports
// whether the gang fits without any of them.
func (e *exact) close(i int, out []int32) (fits bool) {
	if len(out) == 0 {
		return e.visit(i + 1)
	}
	e.with(pick{holding: e.order[i], parts: out}, func() { fits = e.visit(i + 1) })
	return fits
}

// with does something while a pick is among those that go, if it may be.
func (e *exact) with(p pick, do func()) {
	h := &e.holdings[p.holding]
	before := e.damage
	e.damage = before.and(e.damageOf(p))
	switch {
	case e.permits.push(h.gang, e.goes(p)):
		e.picks = append(e.picks, p)
		do()
		e.picks = e.picks[:len(e.picks)-1]
		e.permits.pop()
	case h.later:
		e.pending = append(e.pending, p)
		do()
		e.pending = e.pending[:len(e.pending)-1]
	}
	e.damage = before
}

// goes returns the members that go.
func (d *domain) goes(p pick) []Member {
	if p.whole {
		return d.holdings[p.holding].members
	}
	return d.members(p.holding, p.parts)
}

// accept makes what goes the best choice, if it is permitted and the planner finds places.
func (e *exact) accept() bool {
	picks, pending := len(e.picks), slices.Clone(e.pending)
	for more := true; more; {
		more = false
		pending = slices.DeleteFunc(pending, func(p pick) bool {
			if !e.permits.push(e.holdings[p.holding].gang, e.goes(p)) {
				return false
			}
			e.picks, more = append(e.picks, p), true
			return true
		})
	}
	ok := len(pending) == 0 && (!e.binding || e.permits.permit.Enough())
	if ok {
		e.planned += e.costOfPlan()
		ok = e.search.accept(e.domain, e.picks, e.damage)
	}
	for len(e.picks) > picks {
		e.permits.pop()
		e.picks = e.picks[:len(e.picks)-1]
	}
	return ok
}

// less reports whether a damage is less than that of the best choice.
func (e *exact) less(d Damage) bool {
	return e.search.best == nil || d.Compare(e.search.best.damage) < 0
}

// promising reports whether what is not decided may bring what is missing, with less damage
// than that of the best choice.
func (e *exact) promising() bool {
	e.planned += len(e.parts) / 8
	e.bound.allowed = math.MaxInt64
	if best := e.search.best; best != nil && best.damage.Priority == e.priority {
		e.bound.allowed = best.damage.Ended - e.damage.Ended
	}
	ended, lost, ok := e.bound.least(e.now, e.ceiling)
	least := e.damage
	least.Priority, least.Ended, least.Lost = e.priority, sum(least.Ended, ended), sum(least.Lost, lost)
	if !ok || !e.less(least) {
		return false
	}
	gangs := e.bound.gangs(e.now)
	least.Gangs, least.Pods = least.Gangs+gangs, least.Pods+gangs
	return e.less(least)
}

// costOfPlan returns how many steps a plan counts: what is given back and taken.
func (e *exact) costOfPlan() int {
	steps := 0
	for _, w := range e.wanted {
		steps += w.Wanted
	}
	return steps + e.damage.Pods
}
