package admission

import (
	"slices"

	"github.com/berth-dev/berth/pkg/core/quota"
)

// Next admits the gang that is next at an instant, and returns it; false if the window is
// full, or if nobody may go now. Until it is placed, refused or gone, it counts as using
// what it asks for.
func (a *Admission) Next(now quota.Time) (Gang, bool) {
	a.refresh(now)
	if a.inFlight >= a.config.Window {
		return Gang{}, false
	}
	return a.admit(a.find(quota.RootID, nil))
}

// Claim admits a gang that waits for a limit, and not for one of its queue, for others to
// go; false if it does not, or if the window is full. It counts as Next has it.
func (a *Admission) Claim(name string) (Gang, bool) {
	if reason, _ := a.Reason(name); reason.Code != AtLimit || a.inFlight >= a.config.Window {
		return Gang{}, false
	}
	return a.admit(a.byName[name])
}

// Ahead admits a gang that waits, whoever comes before it: room is kept for it, which the others
// do not get. false if there is none of that name that waits, if it would pass a limit, or if the
// window is full. It counts as Next has it.
func (a *Admission) Ahead(name string) (Gang, bool) {
	e := a.byName[name]
	if e == nil || e.stage != waiting || a.inFlight >= a.config.Window {
		return Gang{}, false
	}
	if _, ok := a.all.CanCharge(e.leaf, e.gang.Asks); !ok {
		return Gang{}, false
	}
	return a.admit(e)
}

// admit admits a gang that waits; false if there is none.
func (a *Admission) admit(e *entry) (Gang, bool) {
	if e == nil {
		return Gang{}, false
	}
	if _, err := a.all.Charge(e.leaf, e.gang.Asks); err != nil {
		return Gang{}, false
	}
	a.enter(e)
	return e.gang, true
}

// enter puts a gang that counts into the window.
func (a *Admission) enter(e *entry) {
	a.inFlight++
	queue := &a.gangs[e.leaf]
	queue.take(e)
	e.stage = admitted
	queue.put(e)
	queue.overtake(e, 1)
	a.update(e.leaf)
}

// Hold says that others leave for a gang, which was admitted or waits: it is not admitted until
// Resume, and counts as using what it asks for, so that nobody else gets that of a limit which
// they leave. It reports whether there is one of that name for which they can.
func (a *Admission) Hold(name string) bool {
	e := a.byName[name]
	if e == nil || e.stage == held || e.stage == beyond {
		return false
	}
	queue := &a.gangs[e.leaf]
	if e.stage == admitted {
		queue.overtake(e, -1)
		a.inFlight--
	} else if _, err := a.all.Charge(e.leaf, e.gang.Asks); err != nil {
		return false
	}
	queue.take(e)
	a.forgetRefused(e)
	e.stage = held
	queue.put(e)
	a.update(e.leaf)
	return true
}

// Resume admits a gang that is held, whatever the limits are; false if it is not, or if the
// window is full.
func (a *Admission) Resume(name string) (Gang, bool) {
	e := a.byName[name]
	if e == nil || e.stage != held || a.inFlight >= a.config.Window {
		return Gang{}, false
	}
	a.enter(e)
	return e.gang, true
}

// forgetRefused takes in that a gang was taken from those that were refused, if it was.
func (a *Admission) forgetRefused(e *entry) {
	if e.stage == refused && len(a.gangs[e.leaf].refused) == 0 {
		a.waiters = slices.DeleteFunc(a.waiters, func(q quota.QueueID) bool { return q == e.leaf })
	}
}

// InFlight returns how many gangs are admitted whose try has not ended.
func (a *Admission) InFlight() int { return a.inFlight }

// Placed says that a gang that was admitted has its place: it waits no more, and counts as
// far as it is charged, which is the caller's to do. It reports whether it was admitted.
func (a *Admission) Placed(name string) bool {
	e := a.byName[name]
	if e == nil || e.stage != admitted {
		return false
	}
	a.leave(e)
	delete(a.byName, name)
	a.update(e.leaf)
	return true
}

// Refused says that there was no room for a gang that was admitted. It waits until Retry, and
// those that it had passed were not overtaken. It reports whether it was admitted.
func (a *Admission) Refused(name string) bool {
	e := a.byName[name]
	if e == nil || e.stage != admitted {
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
	switch e.stage {
	case admitted:
		queue.overtake(e, -1)
		a.leave(e)
	case held:
		queue.take(e)
		_, _ = a.all.Release(e.leaf, e.gang.Asks) // it was charged when it was held
	default:
		queue.take(e)
	}
	a.forgetRefused(e)
	delete(a.byName, name)
	a.update(e.leaf)
	return true
}

// leave takes a gang out of the window.
func (a *Admission) leave(e *entry) {
	a.gangs[e.leaf].take(e)
	a.inFlight--
	// It was charged when it was admitted, so there is as much to release.
	_, _ = a.all.Release(e.leaf, e.gang.Asks)
}
