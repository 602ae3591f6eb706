package preempt

import (
	"cmp"
	"slices"
	"strings"

	"github.com/berth-dev/berth/pkg/core/fabric"
	"github.com/berth-dev/berth/pkg/core/pack"
	"github.com/berth-dev/berth/pkg/core/plan"
)

// DefaultSteps is how often a search looks at a node, if nothing else is said.
const DefaultSteps = 200_000

// search is one call of Victims.
type search struct {
	planner    plan.Planner
	request    plan.Request
	permit     Permit
	trial      *plan.Trial
	candidates []*candidate

	wanted                []plan.Alike
	by                    measure
	need                  int64
	segmentSize, segments int
	// binding says that the permit may ask for more victims than the gang needs to have room:
	// the gang is above a limit, or some may go only after others.
	binding bool

	// levels are those that were tried, in their order; domains are those of all levels.
	levels  []tried
	domains []*domain
	// steps are those that are left.
	steps int
	best  *choice
}

// tried is a level with its domains.
type tried struct {
	level fabric.Level
	// scattered says that members which run are in none of its domains, or in several.
	scattered bool
	domains   []*domain
}

// choice is a set of victims that makes a plan possible in a domain.
type choice struct {
	domain    *domain
	picks     []pick
	damage    Damage
	candidate plan.Candidate
}

func newSearch(p plan.Planner, request plan.Request, running []Gang, permit Permit, steps int) *search {
	s := &search{planner: p, request: request, permit: permit, trial: p.Trial(request), candidates: candidates(running, permit), steps: steps}
	s.wanted = s.trial.Wanted()
	s.by, s.need = measureOf(s.wanted)
	s.segmentSize, s.segments = s.trial.LargestSegment()
	s.binding = !permit.Enough() || slices.ContainsFunc(s.candidates, func(t *candidate) bool { return t.later })
	for order, level := range s.trial.Levels() {
		ids, ok := s.trial.Domains(level)
		b := builder{search: s, level: level, order: order}
		one := tried{level: level, scattered: !ok, domains: b.build(ids...)}
		s.levels = append(s.levels, one)
		s.domains = append(s.domains, one.domains...)
	}
	s.domains = slices.DeleteFunc(s.domains, func(d *domain) bool { return d.from < 0 })
	return s
}

// first makes a good choice, if there is any: in each domain that may do better than those
// before, by what costs least for the slots that it gains, and exchanges.
func (s *search) first() {
	slices.SortStableFunc(s.domains, func(a, b *domain) int {
		return cmp.Or(cmp.Compare(a.order, b.order), a.least.Compare(b.least), strings.Compare(a.path(), b.path()))
	})
	if s.binding && !s.enough() {
		return // not before all sets are searched, if there is any
	}
	// Half of the steps are for the second part.
	second := s.steps / 2
	s.steps -= second
	for i, d := range s.domains {
		if s.best == nil || s.worthwhile(d) {
			s.solve(s.ready(i), s.steps/min(len(s.domains)-i, mostShares))
		}
	}
	s.steps = max(s.steps, 0) + second
}

// worthwhile reports whether a domain may do better than the best choice, or as well at a
// tighter level; and if no steps are left, with victims of a lower priority.
func (s *search) worthwhile(d *domain) bool {
	if s.steps <= 0 && d.least.Priority >= s.best.damage.Priority {
		return false
	}
	return cmp.Or(d.least.Compare(s.best.damage), cmp.Compare(d.order, s.best.domain.order)) <= 0
}

// ready returns a domain with all that may have to go: with a binding permit, that is more
// than has pods there, and too much to look at in each domain.
func (s *search) ready(i int) *domain {
	if d := s.domains[i]; s.binding && !d.binding {
		b := builder{search: s, level: d.level, order: d.order, binding: true}
		s.domains[i] = b.build(d.id)[0]
	}
	return s.domains[i]
}

// mostShares is in how many parts the steps are divided that are left to better the first
// choice of a domain: one is for it, the others are for those after it.
const mostShares = 4

// solve makes a choice in a domain with victims of the lowest priority that will do, and
// takes about so many steps to better it.
func (s *search) solve(d *domain, share int) {
	before := d.draft.steps
	defer func() { s.steps -= d.draft.steps - before }()
	last := len(d.cutoffs) - 1
	for s.best != nil && last > d.from && d.priority(last) > s.best.damage.Priority {
		last--
	}
	lowest := d.from
	picks, ok := d.attempt(d.cutoffs[lowest])
	if !ok && last > lowest {
		// Who has room with victims up to some priority has it with those up to a higher one.
		if picks, ok = d.attempt(d.cutoffs[last]); !ok {
			return
		}
		lowest++
		for high := last; lowest < high; {
			middle := (lowest + high) / 2
			if some, ok := d.attempt(d.cutoffs[middle]); ok {
				high, picks = middle, some
			} else {
				lowest = middle + 1
			}
		}
	}
	if !ok {
		return
	}
	if d.draft.start(picks, terms{upTo: d.cutoffs[lowest], banned: noneBanned}) {
		d.draft.exchange(d.draft.steps + share)
		if picks = d.draft.picks(); d.draft.enough() {
			s.accept(d, picks, d.damage(picks))
		}
	}
	d.draft.permits.clear()
}

// attempt makes a choice in a domain of some holdings, of which each victim is needed: by
// device-seconds, or else by pods.
func (d *domain) attempt(upTo int) ([]pick, bool) {
	defer d.draft.permits.clear()
	for _, few := range []bool{false, true} {
		if picks, ok := d.draft.compose(terms{upTo: upTo, banned: noneBanned, few: few}); ok || !d.draft.limited() {
			return picks, ok
		}
	}
	return nil, false
}

// compose makes a choice by some terms, of which each victim is needed.
func (d *draft) compose(by terms) ([]pick, bool) {
	if !d.start(nil, by) || !d.grow() {
		return nil, false
	}
	grown := d.picks()
	d.prune(d.holds)
	if picks := d.picks(); d.works(picks) {
		return picks, true
	}
	// Counts say too much: the planner is asked for each victim.
	if !d.start(grown, by) || !d.widen() {
		return nil, false
	}
	d.prune(func() bool { return d.holds() && d.works(d.picks()) })
	return d.picks(), true
}

// limited reports whether somebody was not permitted to go.
func (d *draft) limited() bool {
	return slices.Contains(d.refused, true) || slices.Contains(d.blocked, true)
}

// accept makes a permitted choice the best, if it is and the planner finds places. Of equal
// damages, the tighter level comes first, then the domain with the fewest devices left.
func (s *search) accept(d *domain, picks []pick, damage Damage) bool {
	order := -1
	if s.best != nil {
		order = cmp.Or(damage.Compare(s.best.damage), cmp.Compare(d.order, s.best.domain.order))
	}
	if order > 0 || order == 0 && s.best != nil && d == s.best.domain {
		return false
	}
	var candidate plan.Candidate
	ok := false
	d.without(picks, func() { candidate, ok = d.trial.In(d.level, d.id) })
	if !ok || order == 0 && cmp.Or(cmp.Compare(candidate.Left, s.best.candidate.Left), strings.Compare(d.path(), s.best.domain.path())) >= 0 {
		return false
	}
	s.best = &choice{domain: d, picks: slices.Clone(picks), damage: damage, candidate: candidate}
	for i := range s.best.picks {
		s.best.picks[i].parts = slices.Clone(picks[i].parts)
	}
	return true
}

// better looks in each domain for less damage than that of the best choice, until none is
// left that could be better or the steps are spent. Small domains come first.
func (s *search) better() {
	slices.SortStableFunc(s.domains, func(a, b *domain) int { return cmp.Compare(len(a.holdings), len(b.holdings)) })
	for i, d := range s.domains {
		if !s.settled(d) {
			spent := s.ready(i).searchAll(s, s.steps/(len(s.domains)-i))
			s.steps = max(s.steps-spent, 0)
		}
	}
}

// settled reports whether it is known that a domain can do no better than the best choice.
func (s *search) settled(d *domain) bool {
	return d.searched || s.best != nil && d.least.Compare(s.best.damage) >= 0
}

// choice returns the best choice.
func (s *search) choice() Choice {
	out := Choice{Candidate: s.best.candidate, Damage: s.best.damage, Exact: true}
	for _, d := range s.domains {
		out.Exact = out.Exact && s.settled(d)
	}
	for _, p := range s.best.picks {
		h := &s.best.domain.holdings[p.holding]
		one := Eviction{Gang: h.gang, Members: h.members, Whole: true}
		if !p.whole {
			one.Members = s.best.domain.members(p.holding, p.parts)
			one.Whole = len(one.Members) == len(h.members)
		}
		out.Evict = append(out.Evict, one)
	}
	return out
}

// damage returns what picks cost.
func (d *domain) damage(picks []pick) (sum Damage) {
	for _, p := range picks {
		sum = sum.and(d.damageOf(p))
	}
	return sum
}

// damageOf returns what one pick costs.
func (d *domain) damageOf(p pick) Damage {
	h := &d.holdings[p.holding]
	if p.whole {
		return Damage{Priority: h.gang.Priority, Ended: h.ended, Lost: h.lost, Gangs: 1, Pods: len(h.members)}
	}
	out := Damage{Priority: h.gang.Priority, Gangs: 1, Pods: len(p.parts)}
	for _, part := range p.parts {
		out.Lost = sum(out.Lost, h.members[d.parts[part].member].Lost)
	}
	if len(p.parts) == len(h.members) {
		out.Ended = h.ended
	}
	return out
}

// without asks something of the index as it would be without the victims.
func (d *domain) without(picks []pick, ask func()) {
	index := d.planner.Index
	var undo []pack.Undo
	give := func(m *Member) {
		if m.Node < 0 {
			return
		}
		if _, ok := index.Free(m.Node); ok {
			undo = append(undo, index.Give(m.Node, m.Request, m.Held))
		}
	}
	for _, p := range picks {
		h := &d.holdings[p.holding]
		if p.whole {
			for _, m := range d.given(h) {
				give(&h.members[m])
			}
		}
		for _, one := range p.parts {
			give(&h.members[d.parts[one].member])
		}
	}
	ask()
	for _, one := range slices.Backward(undo) {
		index.Revert(one)
	}
}

// works reports whether the planner finds places once some have gone.
func (d *domain) works(picks []pick) (ok bool) {
	d.without(picks, func() { ok = d.trial.Fits(d.id) })
	return ok
}

// path is for comparing domains of a level.
func (d *domain) path() string { return d.planner.Fabric.Domain(d.id).Path }

// priority returns the priority of the holdings up to a cutoff; that of no holdings is the
// lowest.
func (d *domain) priority(cutoff int) int32 {
	if cutoff == 0 {
		return -1 << 31
	}
	return d.holdings[d.cutoffs[cutoff]-1].gang.Priority
}
