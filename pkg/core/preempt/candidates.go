package preempt

import (
	"cmp"
	"slices"
)

// candidate is a gang that runs and may go, or some of it.
type candidate struct {
	gang *Gang
	// members are in the order in which they would go alone.
	members []Member
	// lost are the device-seconds of all members, ended those that end for good with them.
	lost, ended int64
	// spare is how many members may go alone; 0 for all or none.
	spare int
	// whole says that all may go, alone which of the members may. later says that some of
	// that is permitted only after others have gone.
	whole bool
	alone []bool
	later bool
}

// candidates returns the gangs of which the permit lets go anything, at first or after others,
// least damaging first.
func candidates(running []Gang, permit Permit) []*candidate {
	all := make([]*candidate, len(running))
	made, members := make([]candidate, len(running)), make([]Member, 0, membersOf(running))
	for i := range running {
		from := len(members)
		members = append(members, running[i].Members...)
		made[i] = newCandidate(&running[i], members[from:len(members):len(members)])
		all[i] = &made[i]
	}
	slices.SortFunc(all, compareDamage)
	// Ask for each for itself; then for each after all that may go so far, and so on; and then
	// after all of which some members may.
	p := permits{permit: permit, undo: make([]func(), 0, len(all)+1)}
	gone := make([]bool, len(all))
	parts := false
	for round, more := 0, true; more; round++ {
		more = false
		for i := range all {
			if t := all[i]; !gone[i] && t.try(&p) {
				t.later, more = round > 0, true
			}
		}
		for i := range all {
			gone[i] = gone[i] || all[i].whole && p.push(all[i].gang, all[i].members)
		}
		if !more && !parts {
			parts = true
			for i := range all {
				if !gone[i] && all[i].leaveInPart(&p) {
					gone[i], more = true, true
				}
			}
		}
	}
	p.clear()
	return slices.DeleteFunc(all, func(t *candidate) bool { return !t.whole && !slices.Contains(t.alone, true) })
}

// compareDamage says which of two candidates does less damage. It compares no more than it has to:
// tens of thousands are sorted for each search.
func compareDamage(a, b *candidate) int {
	if c := cmp.Compare(a.gang.Priority, b.gang.Priority); c != 0 {
		return c
	}
	if c := cmp.Compare(a.ended, b.ended); c != 0 {
		return c
	}
	if c := cmp.Compare(a.lost, b.lost); c != 0 {
		return c
	}
	if c := cmp.Compare(len(a.members), len(b.members)); c != 0 {
		return c
	}
	return cmp.Compare(a.gang.Name, b.gang.Name)
}

// membersOf counts the members of all gangs.
func membersOf(gangs []Gang) (n int) {
	for i := range gangs {
		n += len(gangs[i].Members)
	}
	return n
}

// newCandidate makes a candidate of a gang, with members that it may change and sort.
func newCandidate(gang *Gang, members []Member) candidate {
	t := candidate{gang: gang, ended: max(gang.Ended, 0), members: members, spare: max(len(gang.Members)-max(gang.Least, 0), 0)}
	for i := range t.members {
		m := &t.members[i]
		m.Lost = max(m.Lost, 0)
		t.lost = sum(t.lost, m.Lost)
	}
	slices.SortFunc(t.members, func(a, b Member) int {
		return cmp.Or(cmp.Compare(a.Lost, b.Lost), cmp.Compare(b.Rank, a.Rank), cmp.Compare(b.Name, a.Name))
	})
	if t.spare > 0 {
		t.alone = make([]bool, len(t.members))
	}
	return t
}

// leaveInPart has the permit count as many members as gone as may go alone; false if none may.
func (t *candidate) leaveInPart(p *permits) bool {
	var members []Member
	for i, may := range t.alone {
		if may && len(members) < t.spare {
			members = append(members, t.members[i])
		}
	}
	for n := len(members); n > 0; n-- {
		if p.push(t.gang, members[:n]) {
			return true
		}
	}
	return false
}

// try asks what may go now of what might not before, and reports whether there is any.
func (t *candidate) try(p *permits) (more bool) {
	ask := func(may bool, members []Member) bool {
		if may || len(members) == 0 || !p.push(t.gang, members) {
			return may
		}
		p.pop()
		more = true
		return true
	}
	t.whole = ask(t.whole, t.members)
	for i := range t.alone {
		t.alone[i] = ask(t.alone[i], t.members[i:i+1])
	}
	return more
}
