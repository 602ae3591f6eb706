package admission

import (
	"slices"

	"github.com/berth-dev/berth/pkg/core/quota"
)

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

// WithinLimits reports whether the limits of its path would admit a gang now, whatever its
// turn is; false if there is none of that name.
func (a *Admission) WithinLimits(name string) bool {
	e := a.byName[name]
	if e == nil {
		return false
	}
	_, ok := a.all.CanCharge(e.leaf, e.gang.Asks)
	return ok
}

// Above returns which limit of its path a gang would pass beside all that runs, whatever was let
// in beside that; false if it would pass none, or there is none of that name.
func (a *Admission) Above(name string) (quota.Refusal, bool) {
	e := a.byName[name]
	if e == nil {
		return quota.Refusal{}, false
	}
	refusal, ok := a.used.CanCharge(e.leaf, e.gang.Asks)
	return refusal, !ok
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
// served, from 1; 0 if there is nobody in it who may be admitted.
func (a *Admission) Position(q quota.QueueID) int {
	n := &a.queues[q]
	if q == quota.RootID || !n.in {
		return 0
	}
	return a.lines[a.tree.Parent(q)].before(&n.key) + 1
}

// Before returns the first gangs, at most so many, that come before one in its queue and are
// not placed, in the order of the queue.
func (a *Admission) Before(name string, most int) []Gang {
	e := a.byName[name]
	if e == nil || most <= 0 {
		return nil
	}
	queue := &a.gangs[e.leaf]
	var first []*entry
	queue.line.each(func(n *node) bool {
		first = append(first, n.gang)
		return len(first) < most
	})
	for _, list := range [...][]*entry{queue.refused, queue.admitted, queue.held} {
		first = append(first, list[:min(len(list), most)]...)
	}
	slices.SortFunc(first, compareEntries)
	var out []Gang
	for _, other := range first[:min(len(first), most)] {
		if compareEntries(other, e) >= 0 {
			break
		}
		out = append(out, other.gang)
	}
	return out
}

// QueuesBefore returns the siblings of a queue that are served before it, at most so many, in
// their order; none for one in which nobody may be admitted.
func (a *Admission) QueuesBefore(q quota.QueueID, most int) []quota.QueueID {
	if a.Position(q) == 0 || most <= 0 {
		return nil
	}
	var out []quota.QueueID
	a.lines[a.tree.Parent(q)].each(func(n *node) bool {
		if n.queue == q {
			return false
		}
		out = append(out, n.queue)
		return len(out) < most
	})
	return out
}

// Size returns how many gangs of a queue itself are not placed.
func (a *Admission) Size(q quota.QueueID) int {
	queue := &a.gangs[a.tree.Own(q)]
	return queue.line.root.count() + len(queue.refused) + len(queue.admitted) + len(queue.held) + len(queue.beyond)
}
