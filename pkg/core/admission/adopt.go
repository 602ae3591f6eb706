package admission

import (
	"slices"

	"github.com/berth-dev/berth/pkg/core/quota"
)

// Adopt takes over the gangs of an admission of another tree with the same resources, before
// the first call of Next: each in the queue that into says, none if it is false. They stay
// what they were, admitted, held or without room, and as often overtaken, unless they ask for
// more than a limit of their path now. The other admission is not used afterwards. What runs
// is not taken over.
func (a *Admission) Adopt(from *Admission, into func(Gang) (quota.QueueID, bool)) {
	for q := range from.gangs {
		queue := &from.gangs[q]
		queue.all(func(e *entry) bool {
			g := e.gang
			to, ok := into(g)
			if !ok {
				return true
			}
			g.Queue, g.Overtaken = to, queue.passed(e)
			if a.Push(g) != nil {
				return true // there is one of its name
			}
			if mine := a.byName[g.Name]; mine.stage != beyond {
				a.bring(mine, e.stage)
			}
			return true
		})
	}
}

// SetTree goes on with a tree in which one queue has another spec: see quota.Tree.With. Gangs stay
// what they are, unless they ask for more than a limit of their path now, or did before: the names
// of all those are returned. The cost is that of the gangs in the queue; and, if more changes than
// a limit, of the order of all queues.
func (a *Admission) SetTree(tree *quota.Tree, q quota.QueueID) []string {
	limited, sameShares := !slices.Equal(tree.Limit(q), a.tree.Limit(q)), tree.SameShares(a.tree)
	a.tree = tree
	for _, u := range [...]*quota.Usage{a.used, a.all} {
		u.SetTree(tree)
	}
	a.averages.SetTree(tree)
	if !sameShares {
		a.SetCapacity(a.capacity)
	}
	if !limited {
		return nil
	}
	var stopped []Gang
	a.stoppedIn(q, &stopped)
	names := make([]string, len(stopped))
	for i, g := range stopped {
		names[i] = g.Name
		a.Gone(g.Name)
		_ = a.Push(g) // it was there, and the resources are the same
	}
	return names
}

// stoppedIn finds the heads of a queue, and of all in it, anew, and appends the gangs that a limit
// stops for good, or did.
func (a *Admission) stoppedIn(q quota.QueueID, stopped *[]Gang) {
	first, children := a.tree.Children(q)
	for child := first; child < first+quota.QueueID(children); child++ {
		a.stoppedIn(child, stopped)
	}
	if children > 0 {
		return
	}
	queue := &a.gangs[q]
	queue.all(func(e *entry) bool {
		if _, never := a.exceeds(e); never || e.stage == beyond {
			g := e.gang
			g.Overtaken = queue.passed(e)
			*stopped = append(*stopped, g)
		}
		return true
	})
	a.update(q)
}

// bring has a gang that was just pushed be where it was elsewhere.
func (a *Admission) bring(e *entry, to stage) {
	queue := &a.gangs[e.leaf]
	switch to {
	case admitted:
		if _, err := a.all.Charge(e.leaf, e.gang.Asks); err == nil {
			a.enter(e)
		}
	case held:
		a.Hold(e.gang.Name)
	case refused:
		queue.take(e)
		e.stage = refused
		queue.put(e)
		if len(queue.refused) == 1 {
			a.waiters = append(a.waiters, e.leaf)
		}
		a.update(e.leaf)
	}
}

// passed returns how often a gang was overtaken by others that were placed, without those
// that are admitted. Nothing may be owed to its node.
func (g *gangs) passed(e *entry) int {
	if e.stage == beyond {
		return e.gang.Overtaken
	}
	at, _ := slices.BinarySearchFunc(g.admitted, e, compareEntries)
	if e.stage == admitted {
		at++
	}
	return e.node.overtaken - (len(g.admitted) - at)
}

// Has reports whether there is a gang of a name.
func (a *Admission) Has(name string) bool { return a.byName[name] != nil }

// IsAdmitted and IsRefused report whether a gang is admitted, or was without room.
func (a *Admission) IsAdmitted(name string) bool { return a.is(name, admitted) }

func (a *Admission) IsRefused(name string) bool { return a.is(name, refused) }

func (a *Admission) is(name string, s stage) bool {
	e := a.byName[name]
	return e != nil && e.stage == s
}
