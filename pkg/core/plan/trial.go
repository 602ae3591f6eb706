package plan

import (
	"slices"

	"github.com/berth-dev/berth/pkg/core/fabric"
	"github.com/berth-dev/berth/pkg/core/pack"
)

// Trial is a gang that is planned in one domain at a time, for who asks what would be if the
// index were another: it may change between two questions. As many pods are wanted as the
// gang needs, the first by rank.
type Trial struct {
	attempt *attempt
	want    counts
}

// Alike are the pods of a gang that are alike.
type Alike struct {
	Request pack.Amounts
	// Open are the nodes that may take them; nil for all.
	Open *pack.Set
	// Wanted is how many of them must be placed.
	Wanted int
}

// Trial returns a gang to be tried.
func (p Planner) Trial(request Request) *Trial {
	a := newAttempt(p, &request)
	return &Trial{attempt: a, want: a.wanted(request.Least)}
}

// Levels returns the levels that Plan would try, in its order; fabric.NoLevel is the whole
// cluster.
func (t *Trial) Levels() []fabric.Level { return t.attempt.tried() }

// Domains returns the domains of a level in which the gang may be, with room or without;
// false if members that run are in no domain of the level, or in several.
func (t *Trial) Domains(level fabric.Level) ([]pack.DomainID, bool) {
	pinned, ok := t.attempt.pinned(level)
	if !ok {
		return nil, false
	}
	return t.attempt.domains(level, pinned), true
}

// Wanted returns the pods that must be placed, by what they ask for.
func (t *Trial) Wanted() []Alike {
	out := make([]Alike, len(t.attempt.classes))
	for c, class := range t.attempt.classes {
		out[c] = Alike{Request: class.request, Open: class.open, Wanted: t.want[c]}
	}
	return out
}

// LargestSegment returns how many of the wanted pods the largest segment has, and how many
// segments have as many; 0 without segments.
func (t *Trial) LargestSegment() (size, segments int) {
	if t.attempt.request.SegmentSize == 0 {
		return 0, 0
	}
	all, _ := t.attempt.segments(t.want.total())
	for _, s := range all {
		switch n := len(s.pods); {
		case n > size:
			size, segments = n, 1
		case n == size:
			segments++
		}
	}
	return size, segments
}

// Fits reports whether Plan would find places for the wanted pods in a domain. The index is
// as it was when it returns.
func (t *Trial) Fits(d pack.DomainID) bool {
	if !t.attempt.holds(t.attempt.room(d), t.want) {
		return false
	}
	defer t.attempt.revert(0)
	_, ok := t.attempt.place(d, t.want)
	return ok
}

// In returns how Plan would place the gang in a domain of a level, with as many of the pods
// that are not wanted as fit besides; false if it would not. The index is as it was when
// it returns.
func (t *Trial) In(level fabric.Level, d pack.DomainID) (Candidate, bool) {
	if !t.attempt.holds(t.attempt.room(d), t.want) {
		return Candidate{}, false
	}
	return t.attempt.in(level, d, t.want)
}

// Most returns how many of the wanted pods find a place in a domain, if they need not all;
// with segments, those of the whole segments that are placed before the first that is not.
// The index is as it was when it returns.
func (t *Trial) Most(d pack.DomainID) int {
	defer t.attempt.revert(0)
	if t.attempt.request.SegmentSize > 0 {
		t.attempt.place(d, t.want)
	} else {
		t.attempt.layOut(d, slices.Clone(t.want))
	}
	return len(t.attempt.slots)
}
