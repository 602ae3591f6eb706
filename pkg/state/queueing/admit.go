package queueing

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/berth-dev/berth/pkg/core/admission"
	"github.com/berth-dev/berth/pkg/core/quota"
	"github.com/berth-dev/berth/pkg/state/workload"
)

// News is sent to when somebody may be admitted.
func (q *Queues) News() <-chan struct{} { return q.news }

// Admit admits those whose turn it is, and returns a pod of each, in their order.
func (q *Queues) Admit() []*corev1.Pod {
	q.mu.Lock()
	defer q.mu.Unlock()
	active := q.settled()
	if active && q.resized {
		q.resized = false
		q.line.SetCapacity(q.capacity())
	}
	out := append(q.released, q.claims...)
	q.released, q.claims = nil, nil
	for spared := 0; active; {
		next, ok := q.choose()
		if !ok {
			q.endRound()
			return out
		}
		w := q.byName[next.Name]
		if !q.inVain(w, next) {
			out = append(out, q.let(w))
			continue
		}
		w.refused = q.line.Refused(w.name)
		if spared++; spared == mostSpared {
			// Others wait for the lock.
			q.tell()
			return out
		}
	}
	return out
}

// mostSpared is how many tries in vain are spared before others get the lock.
const mostSpared = 256

// inVain reports whether a gang that is next needs not be tried: it was refused before, and so
// was one of its class in this round. One that may have others evicted is tried, for that is how
// it comes to do so.
func (q *Queues) inVain(w *waiter, g admission.Gang) bool {
	_, refused := q.refusedClasses[w.class]
	return refused && !w.came && !q.mayEvict(g)
}

// noRoomFor takes in that there was no room for a gang in this round.
func (q *Queues) noRoomFor(w *waiter) {
	if w.class != "" {
		q.refusedClasses[w.class] = struct{}{}
	}
}

// retryShare has those that had no room be tried again at most one part in so many of the
// time.
const retryShare = 4

// Retry has all those tried again for which there was no room, if room may have come free
// since: somebody has left, or a node has come or has more. It is to be called often: what
// failed takes no more than its share of the time. The scheduling queue by itself would wait for
// a minute or more.
func (q *Queues) Retry() {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := q.clock.Now()
	if !q.freed || !q.round.IsZero() || now.Before(q.rest) || !q.settled() {
		return
	}
	q.freed, q.round = false, now
	clear(q.refusedClasses)
	q.line.Retry()
	q.tell()
}

// Freed says that there may be room for other reasons.
func (q *Queues) Freed() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.freed = true
}

// endRound ends a round of tries if all of them have ended.
func (q *Queues) endRound() {
	if now := q.clock.Now(); !q.round.IsZero() && q.line.InFlight() == 0 {
		q.rest = now.Add((retryShare - 1) * now.Sub(q.round))
		q.round = time.Time{}
	}
}

// choose returns who is admitted next, and tells how long that took.
func (q *Queues) choose() (next admission.Gang, ok bool) {
	start := q.clock.Now()
	next, ok = q.line.Next(quota.Time(start.UnixNano()))
	if q.chose != nil {
		q.chose(q.clock.Since(start))
	}
	return next, ok
}

// OnChoice has f hear how long each choice takes of who is admitted, or of nobody. It is to be
// called before Open, and f must not call back.
func (q *Queues) OnChoice(f func(took time.Duration)) { q.chose = f }

// OnAdmitted has f hear of each gang or plain pod that got a place, with the queue that pays
// and how long ago the first of its pods was made. It is to be called before Open, and f must
// not call back.
func (q *Queues) OnAdmitted(f func(queue string, waited time.Duration)) { q.admitted = f }

// tellAdmitted tells of one that was made at a time.
func (q *Queues) tellAdmitted(queue string, made time.Time) {
	if _, known := q.tree.Queue(queue); known && q.admitted != nil {
		q.admitted(queue, max(0, q.clock.Now().Sub(made)))
	}
}

// Ended says that the scheduler has tried the gang of a pod, or a plain pod: it has its
// place if enough of it is charged, and else there was no room. Of one that came into the line
// anew during its try, only those that have their places are taken out.
func (q *Queues) Ended(pod *corev1.Pod) {
	if !q.some.Load() {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.settled() {
		return
	}
	w := q.waiting[workload.IDOf(pod)]
	if w == nil {
		return
	}
	tried := w.admitted
	w.admitted = false
	placed, charged, made := false, "", q.clock.Now()
	for uid := range w.pods {
		if p := q.charged[uid]; p != nil {
			placed, charged = true, p.queue
			if at := p.pod.CreationTimestamp.Time; !at.IsZero() && at.Before(made) {
				made = at
			}
			q.drop(w, uid)
		}
	}
	switch {
	case placed:
		q.tally(charged).Admitted++
		q.tellAdmitted(charged, made)
		if tried {
			q.line.Placed(w.name)
			w.queued, w.refused, w.hold = false, false, false
		}
		if !q.forgetEmpty(w, pod.Namespace) && (tried || w.queued) {
			// Those that a gang does not need go on waiting, by themselves.
			q.again(w)
		}
	case !tried:
		return
	case w.hold:
		q.line.Hold(w.name)
	default:
		w.refused = q.line.Refused(w.name)
		q.noRoomFor(w)
		if w.retry || !q.line.WithinLimits(w.name) {
			// That its queue has come to a limit meanwhile gives it its turn again, and no event.
			q.again(w)
		}
	}
	q.tell()
}

// Held says that something else holds a pod that was admitted, or its gang, outside of the
// scheduling queue: others go first, until Enter is asked for it again.
func (q *Queues) Held(pod *corev1.Pod) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if w := q.waiting[workload.IDOf(pod)]; w != nil && w.admitted && q.settled() {
		q.giveBack(w)
	}
}

// giveBack takes one that was admitted out of the line, until Enter is asked for it again.
func (q *Queues) giveBack(w *waiter) {
	q.line.Gone(w.name)
	w.ready, w.queued, w.refused, w.admitted = false, false, false, false
	q.tell()
}

// Overdue returns a pod each of the gangs and plain pods that were admitted so long ago and
// were not tried since. Whoever knows that they will not be calls Held.
func (q *Queues) Overdue(after time.Duration) []*corev1.Pod {
	if !q.some.Load() {
		return nil
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	now := q.clock.Now()
	var out []*corev1.Pod
	for len(q.tries) > 0 && now.Sub(q.tries[0].since) >= after {
		t := q.tries[0]
		q.tries = q.tries[1:]
		if q.waiting[t.of.id] == t.of && t.of.admitted && t.of.number == t.number {
			out = append(out, t.of.any())
			q.tries = append(q.tries, try{t.of, t.number, now})
		}
	}
	return out
}

// try is one that was admitted, under which number, and since when it is not overdue.
type try struct {
	of     *waiter
	number uint64
	since  time.Time
}

// Number returns the place of an entity of the scheduling queue, by a pod of it or its
// group: the lower was admitted first. 0 if it was not admitted.
func (q *Queues) Number(namespace, group string, uid types.UID) uint64 {
	id := workload.ID{UID: uid}
	if group != "" {
		id = workload.ID{Namespace: namespace, Group: group}
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if w := q.waiting[id]; w != nil {
		return w.number
	}
	return 0
}

// why says why a gang or plain pod waits; false if nothing is known of it.
func (q *Queues) why(w *waiter) (code, text string, known bool) {
	if w.refusal.Code != "" {
		return string(w.refusal.Code), w.refusal.Text, true
	}
	reason, known := q.line.Reason(w.name)
	return string(reason.Code), q.sentence(reason, w), known
}

// sentence says a reason in words to whoever reads them of one that waits.
func (q *Queues) sentence(reason admission.Reason, w *waiter) string {
	return reason.Sentence(q.tree, func(name string) string { return workload.Called(name, w.any().Namespace) })
}

// Why says why the queue of a pod does not let it, or its gang, be tried; false if it
// does.
func (q *Queues) Why(pod *corev1.Pod) (code, text string, holds bool) {
	if !q.some.Load() {
		return "", "", false
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.settled() {
		return "", "", false
	}
	w := q.waiting[workload.IDOf(pod)]
	if w == nil || !w.ready || w.admitted {
		return "", "", false
	}
	return q.why(w)
}

// Stuck is a gang or plain pod whose turn it never is, until somebody changes what is wrong.
type Stuck struct {
	// Pods are those that wait, by name.
	Pods       []*corev1.Pod
	Code, Text string
}

// Stuck returns those that are since the last call, each once for each reason.
func (q *Queues) Stuck() []Stuck {
	q.mu.Lock()
	defer q.mu.Unlock()
	all := q.stuck
	q.stuck = nil
	if !q.settled() {
		return nil
	}
	var out []Stuck
	for _, w := range all {
		if q.waiting[w.id] != w {
			continue
		}
		code, text, known := q.why(w)
		if !known || text == w.told {
			continue
		}
		w.told = text
		out = append(out, Stuck{Pods: w.byName(), Code: code, Text: text})
	}
	return out
}

// Again has a gang or plain pod tried again for which there was no room, after the try that is
// under way if one is; false if it waits no more, or for its turn.
func (q *Queues) Again(name string) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.settled() {
		return false
	}
	w := q.byName[name]
	switch {
	case w != nil && w.admitted:
		w.retry = true
	case w != nil && w.refused:
		q.again(w)
	default:
		return false
	}
	return true
}

// Ahead has a gang tried that waits for its turn, though others come before it: room is kept for
// it, which they do not get. It is for pods that come in place of others of a gang that runs, and
// does nothing while a limit holds it.
func (q *Queues) Ahead(name string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	w := q.byName[name]
	if w == nil || !w.queued || w.admitted || w.refused || w.hold || !q.settled() {
		return
	}
	if _, ok := q.line.Ahead(name); ok {
		q.claims = append(q.claims, q.let(w))
		q.tell()
	}
}

// TakeBack has the scheduling queue take a gang back that was tried and has ended: f does so.
// The queue then asks for all that is left of the gang, by Enter, though nothing has happened
// that makes room: whoever was refused is not tried again for that.
func (q *Queues) TakeBack(pod *corev1.Pod, f func() error) error {
	q.setBack(workload.IDOf(pod))
	defer q.setBack(workload.ID{})
	return f()
}

func (q *Queues) setBack(id workload.ID) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.back = id
}
