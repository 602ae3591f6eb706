package quota

import (
	"iter"
	"time"
)

// QueueID is the number of a queue in a tree, dense from 0, parents before children and
// siblings by name. RootID is what all queues are in.
//
// A queue with children has a second number, Tree.Own, for the gangs of its own: as if
// they were in a child without name.
type QueueID int32

const (
	// RootID is the root. It has no name, and Most as its limit.
	RootID QueueID = 0
	// NoQueue is no queue.
	NoQueue QueueID = -1
)

// Tree is the queues of a cluster and what they may have. It is immutable.
type Tree struct {
	resources []string
	byName    map[string]QueueID
	queues    []queue
	// Amounts by queue and resource: queue q has those from q * len(resources) on. They
	// make sense whatever the specs say: what is guaranteed is at most the limit, and in
	// sum over siblings at most what the parent is guaranteed.
	guaranteed, limit, weight []Amount
	// wanted is what a queue would be guaranteed if its siblings left enough.
	wanted []Amount
	// said is what the specs say, by queue.
	said []said
	// shared says which resources the children of a queue divide by what they are
	// guaranteed and by weight: those in which one of them has either, or all if there are none.
	shared []bool
}

// queue is the structure of a queue.
type queue struct {
	name   string
	parent QueueID
	// own is where the own gangs are charged: the queue itself if it has no children.
	own QueueID
	// The children are first to first + children - 1, that of the own gangs included.
	first, children QueueID
	depth           int
	order           Order
	preemption      Preemption
	halfLife        time.Duration
	fault           *Fault
	// access is what the queue says of who may use it, and accessOf the queue whose word
	// counts. closed says that it, or a queue around it, is guaranteed something.
	access   Access
	accessOf QueueID
	closed   bool
}

// said is what a spec says of a queue, as it says it. Of own gangs, nothing is said.
type said struct {
	// rank is the place among the specs.
	rank      int
	halfLife  time.Duration
	resources map[string]Quota
}

// Resources returns the names of the resources. The slice is read only.
func (t *Tree) Resources() []string { return t.resources }

// Len returns how many numbers of queues there are.
func (t *Tree) Len() int { return len(t.queues) }

// Queue returns the queue of a name; false if there is none.
func (t *Tree) Queue(name string) (QueueID, bool) {
	if name == Root {
		return RootID, true
	}
	id, ok := t.byName[name]
	return id, ok
}

// Name returns the name of a queue. That of own gangs is the name of their queue.
func (t *Tree) Name(q QueueID) string { return t.queues[q].name }

// Parent returns the queue that a queue is in; NoQueue for the root.
func (t *Tree) Parent(q QueueID) QueueID { return t.queues[q].parent }

// Own returns the number under which the own gangs of a queue are charged: that of the
// queue itself if it has no children.
func (t *Tree) Own(q QueueID) QueueID { return t.queues[q].own }

// Children returns the first of the children of a queue and how many there are, that of
// the own gangs, which is the first, included. Their numbers follow each other.
func (t *Tree) Children(q QueueID) (first QueueID, n int) {
	return t.queues[q].first, int(t.queues[q].children)
}

// Depth returns how many queues a queue is in, the root among them.
func (t *Tree) Depth(q QueueID) int { return t.queues[q].depth }

// Order returns the order in which what is in a queue is served.
func (t *Tree) Order(q QueueID) Order { return t.queues[q].order }

// Preemption returns whom the gangs of a queue may have evicted.
func (t *Tree) Preemption(q QueueID) Preemption { return t.queues[q].preemption }

// HalfLife returns the half-life of past usage; 0 if it does not count.
func (t *Tree) HalfLife(q QueueID) time.Duration { return t.queues[q].halfLife }

// Fault returns why a queue admits nothing: its own fault or that of the nearest queue
// around it with one; nil if there is none.
func (t *Tree) Fault(q QueueID) *Fault { return t.queues[q].fault }

// Guaranteed returns what a queue is guaranteed. The vector is read only.
func (t *Tree) Guaranteed(q QueueID) Vector { return t.row(t.guaranteed, q) }

// Limit returns the limits of a queue. The vector is read only.
func (t *Tree) Limit(q QueueID) Vector { return t.row(t.limit, q) }

// Weight returns the weights of a queue among its siblings. The vector is read only.
func (t *Tree) Weight(q QueueID) Vector { return t.row(t.weight, q) }

// Counted yields the resources, of those that are asked for, in which a queue and its
// siblings are held to what they are guaranteed and to their shares: those in which one of
// them is guaranteed anything or has a weight; all, if there is none. So where only GPUs
// have quotas, nobody borrows CPU.
func (t *Tree) Counted(q QueueID, asked Vector) iter.Seq[int] {
	shared := t.sharedBy(t.queues[q].parent)
	return func(yield func(int) bool) {
		any := false
		for r, amount := range asked {
			any = any || amount > 0 && shared[r]
		}
		for r, amount := range asked {
			if amount > 0 && (shared[r] || !any) && !yield(r) {
				return
			}
		}
	}
}

// sharedBy returns which resources the children of a queue share; none for NoQueue.
func (t *Tree) sharedBy(q QueueID) []bool {
	n := len(t.resources)
	if q == NoQueue {
		return make([]bool, n)
	}
	return t.shared[int(q)*n : (int(q)+1)*n]
}

// row returns the part of a queue in amounts by queue and resource.
func (t *Tree) row(amounts []Amount, q QueueID) Vector {
	n := len(t.resources)
	return Vector(amounts[int(q)*n : (int(q)+1)*n : (int(q)+1)*n])
}

// called is what a queue is called in a sentence.
func (t *Tree) called(q QueueID) string {
	if up := t.queues[q].parent; up != NoQueue && t.queues[up].own == q {
		return "the own gangs of " + t.called(up)
	}
	if q == RootID {
		return "the root"
	}
	return `queue "` + t.queues[q].name + `"`
}
