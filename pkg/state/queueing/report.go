package queueing

import (
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/berth-dev/berth/pkg/core/admission"
	"github.com/berth-dev/berth/pkg/core/quota"
	"github.com/berth-dev/berth/pkg/state/workload"
)

// QueueReport is what a queue uses and who waits in it, at one moment.
type QueueReport struct {
	Name string
	// Parent is the queue that it is in, "" at the top, and Depth how many it is in.
	Parent string
	Depth  int
	// Generation is that of the object; 0 for the queue of a namespace.
	Generation int64
	// Fault is why it admits nothing, its own or that of a queue around it; nil if it does.
	Fault *quota.Fault
	// Resources are in the order of their names in the tree.
	Resources []QueueAmounts
	// Pending are the gangs and plain pods of the queue itself that wait, Running those that
	// have a place.
	Pending, Running int
	// Refused are those that wait, name the queue and may not use it.
	Refused int
	// Head is the first that waits; nil if none does.
	Head *QueueHead
	QueueTally
}

// QueueTally counts gangs and plain pods of a queue since it is known.
type QueueTally struct {
	// Admitted are those that got a place, Taken those that were evicted for gangs of the
	// queue, from whichever queue, and Given those of the queue that were evicted for others.
	Admitted, Taken, Given uint64
}

// tally returns the counts of a queue; those of one that is not there go nowhere.
func (q *Queues) tally(queue string) *QueueTally {
	if _, known := q.tree.Queue(queue); !known {
		return &QueueTally{}
	}
	t := q.tallies[queue]
	if t == nil {
		t = &QueueTally{}
		q.tallies[queue] = t
	}
	return t
}

// Reclaimed counts a gang that is evicted for the one that waits.
func (q *Queues) Reclaimed(r *Reclaim, t *Candidate) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.settled() {
		q.tally(r.Claimant()).Taken++
		q.tally(r.Queue(t)).Given++
	}
}

// QueueAmounts are those of one resource, of the queue and all within it.
type QueueAmounts struct {
	Resource                string
	Used, Guaranteed, Share quota.Amount
	// Limit is quota.Most or more where there is none.
	Limit quota.Amount
	// Asked is what the gangs ask for that wait.
	Asked quota.Amount
}

// QueueHead is the gang of a queue that is next.
type QueueHead struct {
	Gang string
	// Position is the place of its queue among the siblings, from 1; 0 if none of the queue
	// may be admitted.
	Position   int
	Code, Text string
	// Arrived is when it was made.
	Arrived time.Time
}

// Names returns the queues that there are, in no order.
func (q *Queues) Names() []string {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.settled() {
		return nil
	}
	out := make([]string, 0, len(q.names))
	for _, name := range q.names {
		if _, known := q.tree.Queue(name); known {
			out = append(out, name)
		}
	}
	return out
}

// Report says what all queues use and who waits, by name; nothing where there is none. The
// cost is that of the queues. Shares are worked out while nobody waits for the lock.
func (q *Queues) Report() []QueueReport {
	out, ids, share := q.report()
	if out == nil {
		return nil
	}
	shares := share()
	for i := range out {
		for r := range out[i].Resources {
			out[i].Resources[r].Share = shares[ids[i]][r]
		}
	}
	return out
}

// report is Report without shares, with what works those out, and which queue of the tree each
// report is of.
func (q *Queues) report() (out []QueueReport, ids []quota.QueueID, shares func() []quota.Vector) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.settled() {
		return nil, nil, nil
	}
	asked, demand := q.demands()
	tree, capacity := q.tree, slices.Clone(q.capacity())
	shares = func() []quota.Vector { return tree.Shares(capacity, demand) }
	out, ids = make([]QueueReport, 0, len(q.names)), make([]quota.QueueID, 0, len(q.names))
	for _, name := range q.names {
		running := 0
		if a := q.accounts[name]; a != nil {
			running = len(a.gangs)
		}
		var tally QueueTally
		if t := q.tallies[name]; t != nil {
			tally = *t
		}
		id, ok := q.tree.Queue(name)
		if !ok {
			continue
		}
		r := QueueReport{Name: name, Generation: q.objects[name].generation, Fault: q.tree.Fault(id), Running: running, Refused: q.denied[name], QueueTally: tally}
		if up := q.tree.Parent(id); up != quota.NoQueue { // an object without a name stands for the root
			r.Parent, r.Depth = q.tree.Name(up), q.tree.Depth(id)-1
		}
		for i, name := range q.tree.Resources() {
			r.Resources = append(r.Resources, QueueAmounts{
				Resource: name, Used: q.line.Used().Of(id)[i], Guaranteed: q.tree.Guaranteed(id)[i], Limit: q.tree.Limit(id)[i],
				Asked: asked[id][i],
			})
		}
		if first, n, some := q.line.Waiting(id); some {
			reason, _ := q.line.Reason(first.Name)
			r.Pending = n
			r.Head = &QueueHead{
				Gang: first.Name, Position: q.line.Position(id), Code: string(reason.Code), Text: reason.Sentence(q.tree, func(name string) string { return workload.Called(name, "") }),
				Arrived: time.Unix(0, int64(first.Arrived)),
			}
		}
		out, ids = append(out, r), append(ids, id)
	}
	return out, ids, shares
}

// standsForParent reports whether a queue of the tree is none of its own, but has the own
// gangs of its parent.
func (q *Queues) standsForParent(id quota.QueueID) bool {
	parent := q.tree.Parent(id)
	return parent != quota.NoQueue && q.tree.Own(parent) == id
}

// demands returns what the gangs of each queue and those within it ask for that wait, and
// what the own gangs of each use and ask for together, as Tree.Shares takes it.
func (q *Queues) demands() (asked, demand []quota.Vector) {
	n := q.tree.Len()
	asked, demand = make([]quota.Vector, n), make([]quota.Vector, n)
	for id := range asked {
		asked[id] = make(quota.Vector, len(q.tree.Resources()))
	}
	for id := range quota.QueueID(n) {
		own := q.tree.Own(id)
		if q.standsForParent(id) {
			continue // counted as its parent's own
		}
		waits := q.line.Asked(id)
		demand[id] = waits.Plus(q.line.Used().Of(own))
		for up := id; up != quota.NoQueue; up = q.tree.Parent(up) {
			asked[up] = asked[up].Plus(waits)
		}
	}
	return asked, demand
}

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
	w := q.waiting[workload.IDOf(pod)]
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
