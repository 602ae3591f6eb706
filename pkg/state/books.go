package state

import (
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/berth-dev/berth/pkg/core/admission"
	"github.com/berth-dev/berth/pkg/core/quota"
)

// Books are what queues use and who is charged for it, at one moment, to be looked at without
// a lock. They are read only.
type Books struct {
	Used *quota.Usage
	// Charges are in no order.
	Charges []Charge
}

// Charge is what a pod with a place is charged.
type Charge struct {
	Pod   *corev1.Pod
	Queue quota.QueueID
	By    quota.Vector
}

// Books returns what queues use; false where there are none. The cost, and for how long
// queues are locked, is a copy of a few words for each pod with a place.
func (q *Queues) Books() (Books, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.settled() {
		return Books{}, false
	}
	b := Books{Used: q.line.Used().Clone(), Charges: make([]Charge, 0, len(q.charged))}
	for _, p := range q.charged {
		b.Charges = append(b.Charges, Charge{Pod: p.pod, Queue: p.account.id, By: p.by})
	}
	return b, true
}

// Line is the place of a gang, or a plain pod, in its queue, at one moment.
type Line struct {
	Tree  *quota.Tree
	Queue quota.QueueID
	// Name is that of the queue, which may be one that is not there: then Refusal says so.
	Name    string
	Refusal Refusal
	// Queued says that it is in the line; what follows is 0 otherwise.
	Queued bool
	Reason admission.Reason
	// Asks is what those of its pods ask for that must have a place together.
	Asks quota.Vector
	// Waiting is how many wait in the queue itself, and Ahead the first of those before it.
	Waiting int
	Ahead   []Ahead
	// Position is the place of its queue among its siblings, from 1, 0 if it has none; and
	// QueuesAhead are the first of those that are served before it.
	Position    int
	QueuesAhead []quota.QueueID
}

// Ahead is one who comes before another in a queue.
type Ahead struct {
	Name     string
	Priority int32
	Arrived  time.Time
	Asks     quota.Vector
}

// Line returns the place of the gang of a pod, or of a plain pod, that waits, with at most so
// many of those ahead; false where there are no queues, or if it does not wait. The cost is
// that of those ahead.
func (q *Queues) Line(pod *corev1.Pod, most int) (Line, bool) {
	if !q.some.Load() {
		return Line{}, false
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	w := q.waiting[waiterOf(pod)]
	if w == nil || !q.settled() {
		return Line{}, false
	}
	l := Line{Tree: q.tree, Name: q.queueNow(pod), Refusal: w.refusal, Asks: q.asks(w, w.byName())}
	id, refusal, ok := q.find(l.Name, pod.Namespace)
	l.Queue = id
	if !ok {
		l.Queue, l.Refusal = quota.RootID, refusal
		return l, true
	}
	l.Waiting, l.Position = q.line.Size(id), q.line.Position(id)
	l.QueuesAhead = slices.DeleteFunc(q.line.QueuesBefore(id, most), q.standsForParent)
	if l.Reason, l.Queued = q.line.Reason(w.name); !l.Queued {
		return l, true
	}
	for _, g := range q.line.Before(w.name, most) {
		l.Ahead = append(l.Ahead, Ahead{Name: g.Name, Priority: g.Priority, Arrived: time.Unix(0, int64(g.Arrived)), Asks: g.Asks})
	}
	return l, true
}

// QueueNow returns the queue of a pod, by what it and its gang say now; "" where there are no
// queues.
func (q *Queues) QueueNow(pod *corev1.Pod) string {
	if !q.some.Load() {
		return ""
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.settled() {
		return ""
	}
	if p := q.charged[pod.UID]; p != nil {
		return p.queue
	}
	return q.queueNow(pod)
}
