package admission

import (
	"slices"

	"github.com/berth-dev/berth/pkg/core/quota"
)

// Next lets in the gang that is next at an instant, and returns it; false if the window is
// full, or if nobody may go now. Until it is placed, refused or gone, it counts as using
// what it asks for.
func (a *Admission) Next(now quota.Time) (Gang, bool) {
	a.refresh(now)
	if a.inside >= a.config.Window {
		return Gang{}, false
	}
	e := a.find(quota.RootID, nil)
	if e == nil {
		return Gang{}, false
	}
	if _, err := a.all.Charge(e.leaf, e.gang.Asks); err != nil {
		return Gang{}, false
	}
	a.inside++
	queue := &a.gangs[e.leaf]
	queue.take(e)
	e.stage = letIn
	queue.put(e)
	queue.overtake(e, 1)
	a.update(e.leaf)
	return e.gang, true
}

// Inside returns how many gangs are let in whose try has not ended.
func (a *Admission) Inside() int { return a.inside }

// Placed says that a gang that was let in has its place: it waits no more, and counts as
// far as it is charged, which is the caller's to do. It reports whether it was let in.
func (a *Admission) Placed(name string) bool {
	e := a.byName[name]
	if e == nil || e.stage != letIn {
		return false
	}
	a.leave(e)
	delete(a.byName, name)
	a.update(e.leaf)
	return true
}

// Refused says that there was no room for a gang that was let in. It waits until Retry, and
// those that it had passed were not overtaken. It reports whether it was let in.
func (a *Admission) Refused(name string) bool {
	e := a.byName[name]
	if e == nil || e.stage != letIn {
		return false
	}
	queue := &a.gangs[e.leaf]
	queue.overtake(e, -1)
	a.leave(e)
	e.stage = refused
	queue.put(e)
	if len(queue.refused) == 1 {
		a.waiters = append(a.waiters, e.leaf)
	}
	a.update(e.leaf)
	return true
}

// Retry says that there may be room for gangs that were refused. The cost is that of the
// gangs that were refused since the last time.
func (a *Admission) Retry() {
	for _, q := range a.waiters {
		queue := &a.gangs[q]
		for _, e := range queue.refused {
			e.stage = waiting
			queue.put(e)
		}
		queue.refused = queue.refused[:0]
		a.update(q)
	}
	a.waiters = a.waiters[:0]
}

// Gone takes out a gang, wherever it is. It reports whether there was one of that name.
func (a *Admission) Gone(name string) bool {
	e := a.byName[name]
	if e == nil {
		return false
	}
	queue := &a.gangs[e.leaf]
	if e.stage == letIn {
		queue.overtake(e, -1)
		a.leave(e)
	} else {
		queue.take(e)
	}
	if e.stage == refused && len(queue.refused) == 0 {
		a.waiters = slices.DeleteFunc(a.waiters, func(q quota.QueueID) bool { return q == e.leaf })
	}
	delete(a.byName, name)
	a.update(e.leaf)
	return true
}

// leave takes a gang out of the window.
func (a *Admission) leave(e *entry) {
	a.gangs[e.leaf].take(e)
	a.inside--
	// It was charged when it was let in, so there is as much to release.
	_, _ = a.all.Release(e.leaf, e.gang.Asks)
}
