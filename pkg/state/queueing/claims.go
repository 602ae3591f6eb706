package queueing

import (
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/berth-dev/berth/pkg/core/admission"
	"github.com/berth-dev/berth/pkg/core/quota"
	"github.com/berth-dev/berth/pkg/state/workload"
)

// leastClaimRest is how long a gang waits that was admitted as a claim before it is again. It
// doubles each time, up to mostClaimRest.
const (
	leastClaimRest = 5 * time.Second
	mostClaimRest  = 5 * time.Minute
)

// Claims admits gangs that wait for a limit and that may have others evicted: they have no
// turn until somebody has gone, and nobody goes unless they are tried. A limit of their own
// queue holds them where those of a lower priority run in it, and a limit above where a
// sibling has more than it is guaranteed. Of each queue it is the first gang. It is to be
// called every second or so; the cost is that of the queues.
func (q *Queues) Claims() {
	if !q.some.Load() {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.settled() {
		return
	}
	now := q.clock.Now()
	for id := range quota.QueueID(q.tree.Len()) {
		if q.standsForParent(id) {
			continue // its gangs are its parent's
		}
		first, _, some := q.line.Waiting(id)
		if !some {
			continue
		}
		w := q.byName[first.Name]
		if reason, _ := q.line.Reason(first.Name); reason.Code != admission.AtLimit || now.Before(w.claimed.Add(w.claimRest)) {
			continue
		}
		if !q.mayEvict(first) {
			continue
		}
		if _, ok := q.line.Claim(first.Name); !ok {
			continue
		}
		w.claimed, w.claimRest = now, min(max(leastClaimRest, 2*w.claimRest), mostClaimRest)
		q.claims = append(q.claims, q.let(w))
	}
	if len(q.claims) > 0 {
		q.tell()
	}
}

// mayEvict reports whether a gang in the line may have anybody evicted, by what runs now.
func (q *Queues) mayEvict(g admission.Gang) bool {
	return q.mayClaim(quota.Claim{Queue: g.Queue, Priority: g.Priority, Asks: g.Asks}, q.line.Used)
}

// Hold says that others leave for a gang or plain pod of that name. It is not tried before
// Ready is called for it, and nobody else gets what they leave of the limits that they share.
func (q *Queues) Hold(name string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	w := q.byName[name]
	if w == nil || !q.settled() {
		return
	}
	w.hold = true
	if w.queued && !w.admitted {
		w.refused = false
		q.line.Hold(name)
	}
}

// Ready has one tried for which others have left.
func (q *Queues) Ready(name string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	w := q.byName[name]
	if w == nil || !w.hold || w.admitted || !q.settled() {
		return
	}
	if _, ok := q.line.Resume(name); ok {
		q.claims = append(q.claims, q.let(w))
		q.tell()
	}
}

// Unhold says that nobody leaves for it any more.
func (q *Queues) Unhold(name string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	w := q.byName[name]
	if w == nil || !w.hold {
		return
	}
	w.hold = false
	if q.settled() && w.queued && !w.admitted {
		q.again(w)
	}
}

// AtLimit returns which limit the gang of a pod that waits would pass, or a plain pod; false
// if it would pass none.
func (q *Queues) AtLimit(pod *corev1.Pod) (text string, at bool) {
	if !q.some.Load() {
		return "", false
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	w := q.waiting[workload.IDOf(pod)]
	if w == nil || !q.settled() {
		return "", false
	}
	refusal, at := q.line.Above(w.name)
	if !w.queued {
		id, known := q.id(q.queueNow(pod))
		if !known {
			return "", false
		}
		refusal, at = q.line.Used().CanCharge(id, q.asks(w, w.byName()))
		at = !at
	}
	if !at || refusal.Fault != nil {
		return "", false
	}
	return refusal.Sentence(q.tree), true
}

// let notes that a gang is admitted, and returns a pod of it.
func (q *Queues) let(w *waiter) *corev1.Pod {
	q.admissions++
	w.admitted, w.number, w.refused, w.retry, w.came = true, q.admissions, false, false, false
	q.tries = append(q.tries, try{w, w.number, q.clock.Now()})
	return w.any()
}

// Try has the gang of a pod be tried out as if others had gone, until it is called for nil:
// limits do not hold it, for whoever evicts the others has seen to them, and it is not charged.
func (q *Queues) Try(pod *corev1.Pod) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.trial = workload.ID{}
	if pod != nil {
		q.trial = workload.IDOf(pod)
	}
}
