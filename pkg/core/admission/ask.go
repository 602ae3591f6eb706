package admission

import "github.com/berth-dev/berth/pkg/core/quota"

// Overtaken returns how often a gang was overtaken by others that were placed, as Push takes
// it; 0 if there is none of that name.
func (a *Admission) Overtaken(name string) int {
	e := a.byName[name]
	if e == nil {
		return 0
	}
	queue := &a.gangs[e.leaf]
	queue.line.settle(&e.node)
	return queue.passed(e)
}

// WithinLimits reports whether the limits of its path would let a gang in now, whatever its
// turn is; false if there is none of that name.
func (a *Admission) WithinLimits(name string) bool {
	e := a.byName[name]
	if e == nil {
		return false
	}
	_, ok := a.all.CanCharge(e.leaf, e.gang.Asks)
	return ok
}

// Waiting returns how many gangs of a queue itself are not placed, and the first of them by
// the order of the queue; false if there is none.
func (a *Admission) Waiting(q quota.QueueID) (first Gang, n int, some bool) {
	queue := &a.gangs[a.tree.Own(q)]
	var least *entry
	queue.all(func(e *entry) bool {
		n++
		if least == nil || compareEntries(e, least) < 0 {
			least = e
		}
		return true
	})
	if least == nil {
		return Gang{}, 0, false
	}
	return least.gang, n, true
}

// Asked returns what the gangs of a queue itself that are not placed ask for, in sum.
func (a *Admission) Asked(q quota.QueueID) quota.Vector {
	sum := a.vector()
	a.gangs[a.tree.Own(q)].all(func(e *entry) bool {
		sum = sum.Plus(e.gang.Asks)
		return true
	})
	return sum
}

// Position returns the place of a queue among its siblings in the order in which they are
// served, from 1; 0 if there is nobody in it who may be let in.
func (a *Admission) Position(q quota.QueueID) int {
	n := &a.queues[q]
	if q == quota.RootID || !n.in {
		return 0
	}
	return a.lines[a.tree.Parent(q)].before(&n.key) + 1
}
