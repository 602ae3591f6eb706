package preempt

import (
	"cmp"
	"slices"
)

// tenant is a gang that runs and may go, or some of it.
type tenant struct {
	gang *Gang
	// members are in the order in which they would go alone.
	members []Member
	// lost are the device-seconds of all members.
	lost int64
	// spare is how many members may go alone; 0 for all or none.
	spare int
	// whole says that all may go, alone which of the members may.
	whole bool
	alone []bool
}

// tenants returns the gangs of which the permit lets go anything, least damaging first.
func tenants(running []Gang, permit Permit) []tenant {
	out := make([]tenant, 0, len(running))
	for i := range running {
		if t := newTenant(&running[i], permit); t.whole || slices.Contains(t.alone, true) {
			out = append(out, t)
		}
	}
	slices.SortFunc(out, func(a, b tenant) int {
		return cmp.Or(
			cmp.Compare(a.gang.Priority, b.gang.Priority),
			cmp.Compare(a.lost, b.lost),
			cmp.Compare(len(a.members), len(b.members)),
			cmp.Compare(a.gang.Name, b.gang.Name),
		)
	})
	return out
}

func newTenant(gang *Gang, permit Permit) tenant {
	t := tenant{gang: gang, members: slices.Clone(gang.Members), spare: min(max(len(gang.Members)-gang.Least, 0), len(gang.Members))}
	for i := range t.members {
		m := &t.members[i]
		m.Lost = max(m.Lost, 0)
		t.lost = sum(t.lost, m.Lost)
	}
	slices.SortFunc(t.members, func(a, b Member) int {
		return cmp.Or(cmp.Compare(a.Lost, b.Lost), cmp.Compare(b.Rank, a.Rank), cmp.Compare(b.Name, a.Name))
	})
	may := func(members []Member) bool {
		undo, ok := permit.Evict(gang, members)
		if ok {
			undo()
		}
		return ok
	}
	t.whole = len(t.members) > 0 && may(t.members)
	if t.spare > 0 {
		t.alone = make([]bool, len(t.members))
		for i := range t.members {
			t.alone[i] = may(t.members[i : i+1])
		}
	}
	return t
}
