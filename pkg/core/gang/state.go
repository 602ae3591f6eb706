package gang

import "slices"

// State is what a member is to its gang.
type State uint8

// The states of a member, from the moment that an object announces it. A pod is in
// exactly one of them.
const (
	// Declared: an object says that there will be such a pod. It does not exist yet.
	Declared State = iota
	// Gated: the pod is pending, and a scheduling gate keeps every scheduler off it.
	Gated
	// Waiting: the pod is pending, and may be placed.
	Waiting
	// Assumed: the scheduler has given the pod a node, and is writing that down.
	Assumed
	// Bound: the pod has a node, and no container of it has started.
	Bound
	// Running: the pod runs.
	Running
	// Lost: the pod has a node that no longer exists, and is still an object.
	Lost
	// Leaving: the pod is being deleted. Its containers may run for a long time yet.
	Leaving
	// Succeeded: the pod has done its work.
	Succeeded
	// Failed: a container of the pod failed for good.
	Failed
	// Refused: the kubelet did not take the pod that was bound to its node.
	Refused
	// Replaced: the pod has succeeded, and another one stands for its rank, or its
	// controller was made again.
	Replaced
)

// Effect is what a member counts for.
type Effect struct {
	// Counts: the member counts towards the size of its gang.
	Counts bool
	// Placed: the member shows that its gang was placed.
	Placed bool
	// Holds: what the member asks for is taken from its node.
	Holds bool
	// Pins: the gang stays in the domain that the member is in.
	Pins bool
	// Charged: the queue of the gang pays for the member.
	Charged bool
	// Ranked: nobody else gets the rank of the member.
	Ranked bool
}

// effects is the one definition of membership. The verdict on a gang, the engine's
// groups, the planner, the queues and the ranks follow it.
var effects = [...]Effect{
	Declared:  {},
	Gated:     {Ranked: true},
	Waiting:   {Counts: true, Ranked: true},
	Assumed:   {Counts: true, Placed: true, Holds: true, Pins: true, Charged: true, Ranked: true},
	Bound:     {Counts: true, Placed: true, Holds: true, Pins: true, Charged: true, Ranked: true},
	Running:   {Counts: true, Placed: true, Holds: true, Pins: true, Charged: true, Ranked: true},
	Lost:      {Counts: true, Placed: true, Charged: true, Ranked: true},
	Leaving:   {Holds: true, Charged: true},
	Succeeded: {Counts: true, Placed: true, Ranked: true},
	Failed:    {},
	Refused:   {},
	Replaced:  {},
}

// Effect returns what a member in the state counts for. A member that is leaving
// without ever having had a node holds nothing and is not charged.
func (s State) Effect() Effect { return effects[s] }

var stateNames = [...]string{
	"declared", "gated", "waiting", "assumed", "bound", "running", "lost", "leaving", "succeeded", "failed", "refused", "replaced",
}

// String returns the name of the state in lower case.
func (s State) String() string { return stateNames[s] }

// State returns the state of a member as far as its own pod says it: not that it is
// assumed, lost with its node, or replaced.
func (m *Member) State() State {
	switch {
	case m.Leaving:
		return Leaving
	case m.Succeeded:
		return Succeeded
	case m.Node == "" && m.Gate != "":
		return Gated
	case m.Node == "":
		return Waiting
	case m.Running:
		return Running
	}
	return Bound
}

// tally is how many members a gang has, by what they count for.
type tally struct {
	// waiting may be placed, gated may not yet; standing have a place, and done have
	// had one and need none any more.
	waiting, gated, standing, done int
	// extra are those that the declared size does not include, of waiting, standing and done;
	// extraPlaced leaves out those that wait.
	extra, extraPlaced int
}

// placed is how many members show that the gang was placed, of those that its declared size
// includes.
func (t tally) placed() int { return t.standing + t.done - t.extraPlaced }

// tallyOf counts members. Those that are replaced count for nothing.
func tallyOf(members []Member) tally {
	var t tally
	replaced := replacedAmong(members)
	for i := range members {
		m := &members[i]
		s := m.State()
		if s == Succeeded && replaced(m) {
			s = Replaced
		}
		switch {
		case s == Gated:
			t.gated++
		case s == Waiting:
			t.waiting++
		case s == Succeeded:
			t.done++
		case s.Effect().Counts:
			t.standing++
		}
		if m.Extra && s.Effect().Counts {
			t.extra++
		}
		if m.Extra && s.Effect().Placed {
			t.extraPlaced++
		}
	}
	return t
}

// Done returns how many members have succeeded, and are not replaced.
func Done(members []Member) int { return tallyOf(members).done }

// place is what one member stands for in its gang.
type place struct {
	role string
	rank int64
}

// replacedAmong reports of a member that has succeeded whether another one, which was
// made no earlier, has taken its rank, or comes from a controller of the same name
// that is not the same: the gang was made again.
func replacedAmong(members []Member) func(*Member) bool {
	if !slices.ContainsFunc(members, func(m Member) bool { return m.State() == Succeeded }) {
		return func(*Member) bool { return false }
	}
	ranks := map[place]int64{}
	controllers := map[string]map[string]int64{}
	for i := range members {
		m := &members[i]
		if s := m.State(); s == Leaving || s == Succeeded {
			continue
		}
		if m.Rank >= 0 {
			at := place{m.Role, m.Rank}
			ranks[at] = max(ranks[at], m.Created+1)
		}
		if m.Controller.UID != "" {
			of := controllers[m.Controller.Name]
			if of == nil {
				of = map[string]int64{}
				controllers[m.Controller.Name] = of
			}
			of[m.Controller.UID] = max(of[m.Controller.UID], m.Created+1)
		}
	}
	return func(m *Member) bool {
		if m.Rank >= 0 && ranks[place{m.Role, m.Rank}] > m.Created {
			return true
		}
		for uid, latest := range controllers[m.Controller.Name] {
			if uid != m.Controller.UID && latest > m.Created {
				return true
			}
		}
		return false
	}
}
