package plan

import (
	"cmp"
	"slices"

	"github.com/berth-dev/berth/pkg/core/fabric"
	"github.com/berth-dev/berth/pkg/core/pack"
)

// mostTied is how many domains with equally much left are laid out to compare how many
// narrower domains they use.
const mostTied = 4

// levels tries the levels of a gang, and returns the candidates of the first at which the
// wanted pods fit, or why there is none.
func (a *attempt) levels(want counts) ([]Candidate, *Reason) {
	reason := &Reason{}
	for _, level := range a.tried() {
		pinned, ok := a.pinned(level)
		if !ok {
			if level == a.request.Required {
				reason.Levels = append(reason.Levels, LevelReason{Level: level, Closest: fabric.NoDomain, Scattered: true})
				return nil, reason.settle()
			}
			continue
		}
		if found, why := a.level(level, pinned, want); len(found) > 0 {
			return found, nil
		} else {
			reason.Levels = append(reason.Levels, why)
		}
	}
	return nil, reason.settle()
}

// tried are the levels to try, in their order; fabric.NoLevel is the whole cluster.
func (a *attempt) tried() []fabric.Level {
	r := a.request
	var out []fabric.Level
	if r.Preferred != fabric.NoLevel && r.Preferred != r.Required {
		for level := r.Preferred; level != fabric.NoLevel && level != r.Required; level = a.Fabric.Wider(level) {
			out = append(out, level)
		}
	}
	return append(out, r.Required)
}

// pinned returns the domain that members which run are in; fabric.NoDomain if there are
// none, false if they are in none or in several.
func (a *attempt) pinned(level fabric.Level) (pack.DomainID, bool) {
	if level == fabric.NoLevel {
		return fabric.NoDomain, true
	}
	pinned := fabric.NoDomain
	for _, r := range a.request.Running {
		d := a.Fabric.At(r.Node, level)
		if d == fabric.NoDomain || pinned != fabric.NoDomain && d != pinned {
			return fabric.NoDomain, false
		}
		pinned = d
	}
	return pinned, true
}

// domains returns the domains of a level in which the gang may be, the pinned one if there
// is one. Some may have no room.
func (a *attempt) domains(level fabric.Level, pinned pack.DomainID) []pack.DomainID {
	all := []pack.DomainID{fabric.Root}
	switch {
	case pinned != fabric.NoDomain:
		all = []pack.DomainID{pinned}
	case level != fabric.NoLevel:
		all = a.Fabric.Of(level)
	}
	may := make([]pack.DomainID, 0, len(all))
	for _, d := range all {
		if a.Fabric.Domain(d).Nodes.Len() > 0 && a.allowed(level, d) {
			may = append(may, d)
		}
	}
	return may
}

// level tries the domains of one level.
func (a *attempt) level(level fabric.Level, pinned pack.DomainID, want counts) ([]Candidate, LevelReason) {
	domains := a.domains(level, pinned)
	rooms := make([]room, 0, len(domains))
	closest := closest{}
	for _, d := range domains {
		if r := a.room(d); a.holds(r, want) {
			rooms = append(rooms, r)
		} else {
			closest.consider(a, r, want)
		}
	}
	// Fewest left first; what the gang takes is the same in all.
	slices.SortFunc(rooms, func(x, y room) int {
		return cmp.Or(cmp.Compare(x.free, y.free), a.byPath(x.domain, y.domain))
	})
	var found []Candidate
	for i := 0; i < len(rooms) && len(found) < a.request.Candidates; {
		tied := i + 1
		for tied < len(rooms) && tied < i+mostTied && rooms[tied].free == rooms[i].free {
			tied++
		}
		var some []Candidate
		for _, r := range rooms[i:tied] {
			if c, ok := a.in(level, r.domain, want); ok {
				some = append(some, c)
			} else {
				closest.consider(a, r, want)
			}
		}
		slices.SortStableFunc(some, func(x, y Candidate) int { return slices.Compare(x.Used, y.Used) })
		found = append(found, some[:min(len(some), a.request.Candidates-len(found))]...)
		i = tied
	}
	return found, closest.reason(a, level, want)
}

// allowed reports whether a domain of a level that is tried lies within one of the
// required level.
func (a *attempt) allowed(level fabric.Level, d pack.DomainID) bool {
	required := a.request.Required
	if required == fabric.NoLevel || level == required {
		return true
	}
	nodes := &a.Fabric.Domain(d).Nodes
	first, _ := nodes.Next(0)
	of := a.Fabric.At(first, required)
	return of != fabric.NoDomain && (a.Fabric.Within(d, of) || a.common(d, of).Len() == nodes.Len())
}

// in lays the wanted pods out in a domain, with as many of the rest as fit beside them.
func (a *attempt) in(level fabric.Level, d pack.DomainID, want counts) (Candidate, bool) {
	defer a.revert(0)
	assign, ok := a.place(d, want)
	if !ok {
		return Candidate{}, false
	}
	return a.candidate(level, d, assign()), true
}

// place takes places for the wanted pods in a domain. assign takes such for as many of the
// rest as fit beside them, and gives all out.
func (a *attempt) place(d pack.DomainID, want counts) (assign func() []Assignment, ok bool) {
	if a.request.SegmentSize > 0 {
		return a.placeSegments(d, want)
	}
	if !a.whole(&a.Fabric.Domain(d).Nodes, want, func(rest counts) { a.layOut(d, rest) }) {
		return nil, false
	}
	return func() []Assignment {
		extra := make(counts, len(a.classes))
		for c := range extra {
			extra[c] = len(a.classes[c].pods) - want[c]
		}
		if extra.total() > 0 {
			a.layOut(d, extra)
		}
		return a.assignByRank()
	}, true
}

// candidate makes a candidate of the places that are taken.
func (a *attempt) candidate(level fabric.Level, d pack.DomainID, assignments []Assignment) Candidate {
	c := Candidate{Domain: d, Level: level, Assignments: assignments, Left: a.Index.DevicesFree(d, a.kind), Used: make([]int, a.Fabric.Levels())}
	for l := range fabric.Level(a.Fabric.Levels()) {
		if len(a.Fabric.Of(l)) == 0 {
			continue // as most of the levels that are known
		}
		in := map[pack.DomainID]bool{}
		for i := range assignments {
			if assignments[i].Node != NoNode {
				in[a.Fabric.At(assignments[i].Node, l)] = true
			}
		}
		for _, r := range a.request.Running {
			in[a.Fabric.At(r.Node, l)] = true
		}
		delete(in, fabric.NoDomain)
		c.Used[l] = len(in)
	}
	for i := range assignments {
		if assignments[i].Node != NoNode {
			c.Placed++
		}
	}
	return c
}
