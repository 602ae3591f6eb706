package preempt

import (
	"fmt"
	"strings"

	"github.com/berth-dev/berth/pkg/core/fabric"
	"github.com/berth-dev/berth/pkg/core/pack"
)

// Code is a typed reason.
type Code string

const (
	// Protected: nobody who runs may go.
	Protected Code = "Protected"
	// NotEnough: if all went that may, there would be no room for the gang.
	NotEnough Code = "NotEnough"
	// AboveLimit: if all went that may, the gang would still be above a limit of its queue.
	AboveLimit Code = "AboveLimit"
	// NotFound: no set of victims was found, within the bounds of the search.
	NotFound Code = "NotFound"
	// NoDomain: there is no domain of the level.
	NoDomain Code = "NoDomain"
	// Scattered: members of the gang that run are in no domain of the level, or in several.
	Scattered Code = "Scattered"
)

// Reason says why nobody's going makes room for a gang: for each level that was tried, in
// their order.
type Reason struct {
	Code   Code
	Levels []LevelReason
}

// LevelReason says which domain of a level comes closest.
type LevelReason struct {
	// Level is fabric.NoLevel for the whole cluster.
	Level fabric.Level
	// Closest is the domain that would hold most of the gang if all went that may;
	// fabric.NoDomain if there is none.
	Closest pack.DomainID
	// Placed are the pods that would find a place there then, of those Wanted.
	Placed, Wanted int
	// Scattered says that members run in no domain of the level, or in several.
	Scattered bool
}

// why returns why there is no choice.
func (s *search) why() *Reason {
	r := &Reason{Code: NotEnough}
	for _, one := range s.levels {
		r.Levels = append(r.Levels, s.closest(one))
	}
	searched := true
	for _, d := range s.domains {
		searched = searched && d.searched
	}
	switch last := r.Levels[len(r.Levels)-1]; {
	case last.Scattered:
		r.Code = Scattered
	case last.Closest == fabric.NoDomain:
		r.Code = NoDomain
	case len(s.candidates) == 0:
		r.Code = Protected
	case s.binding && !s.enough():
		r.Code = AboveLimit
	case !searched:
		r.Code = NotFound
	}
	return r
}

// enough reports whether the gang may come if all go that may.
func (s *search) enough() bool {
	p := permits{permit: s.permit}
	defer p.clear()
	gone := make([]bool, len(s.candidates))
	for more := true; more; {
		more = false
		for i := range s.candidates {
			if t := s.candidates[i]; !gone[i] && t.whole && p.push(t.gang, t.members) {
				gone[i], more = true, true
			}
		}
	}
	return s.permit.Enough()
}

// closest returns which domain of a level comes closest, by the counts, and then by a plan.
func (s *search) closest(one tried) LevelReason {
	r := LevelReason{Level: one.level, Closest: fabric.NoDomain, Scattered: one.scattered}
	for _, w := range s.wanted {
		r.Wanted += w.Wanted
	}
	var best *domain
	for _, d := range one.domains {
		d.draft.all()
		if best == nil || d.draft.placed() > best.draft.placed() || d.draft.placed() == best.draft.placed() && d.path() < best.path() {
			best = d
		}
	}
	if best == nil {
		return r
	}
	r.Closest = best.id
	best.without(best.draft.picks(), func() { r.Placed = best.trial.Most(best.id) })
	return r
}

// all lets go whoever may, least damaging first.
func (d *draft) all() {
	d.start(nil, terms{upTo: len(d.holdings), banned: noneBanned})
	for d.fresh = true; d.fresh; {
		d.forget()
		for i := range d.holdings {
			for _, p := range d.holdings[i].parts {
				if _, may := d.price(p); may && !d.out[p] && !d.put(p) {
					break
				}
			}
		}
	}
	d.permits.clear()
}

// Sentence says why nobody's going helps, level by level.
func (r *Reason) Sentence(f *fabric.Fabric) string {
	switch r.Code {
	case Protected:
		return "no gang that runs may be evicted for it"
	case AboveLimit:
		return "if all that may be evicted went, it would still be above a limit of its queue"
	}
	parts := make([]string, 0, len(r.Levels))
	for _, l := range r.Levels {
		parts = append(parts, l.Sentence(f))
	}
	return strings.Join(parts, "; ")
}

// Sentence says what came closest.
func (l LevelReason) Sentence(f *fabric.Fabric) string {
	level := "the cluster"
	if l.Level != fabric.NoLevel {
		level = f.Key(l.Level)
	}
	switch {
	case l.Scattered:
		return fmt.Sprintf("pods of the gang run in no domain of %s, or in several", level)
	case l.Closest == fabric.NoDomain && l.Level == fabric.NoLevel:
		return "the cluster has no nodes"
	case l.Closest == fabric.NoDomain:
		return fmt.Sprintf("no node has the label %s", level)
	case l.Level == fabric.NoLevel:
		return fmt.Sprintf("if all that may be evicted went, the cluster would hold %d of %d pods", l.Placed, l.Wanted)
	}
	return fmt.Sprintf("if all that may be evicted went, no domain of %s would hold %d pods: %q comes closest, with %d", level, l.Wanted, f.Domain(l.Closest).Name, l.Placed)
}
