package quota

import "time"

// Root is the name of what all queues are in, as a parent.
const Root = ""

// Spec is what is said of a queue.
type Spec struct {
	Name string
	// Parent is the name of the queue that this one is in, or Root.
	Parent string
	// Resources are the quotas by resource. A resource that is not named has the zero Quota.
	Resources map[string]Quota
	// Order is the order in which the children and the own gangs of the queue are served.
	Order      Order
	Preemption Preemption
	// HalfLife is the time after which past usage counts half. 0 is that of the parent; at
	// the top, past usage does not count.
	HalfLife time.Duration
	// Access says which namespaces may use the queue.
	Access Access
}

// Quota is what a queue may have of one resource. What is nil has a default.
type Quota struct {
	// Guaranteed is what the queue gets whenever it asks. By default, it is what the
	// children of the queue are guaranteed in sum, and nothing without children.
	Guaranteed *Amount
	// Limit is what the queue never passes. By default, it is Unlimited.
	Limit *Amount
	// Weight is the part of the queue, among its siblings, in what nobody is guaranteed or
	// those do not ask for. By default, it is what is guaranteed. A queue without weight
	// gets what the others leave.
	Weight *Amount
}

// Order says who is served first. Whatever the order is, a queue whose next gang stays
// within what the queue is guaranteed comes before one that borrows; and the last
// comparison is by name.
type Order uint8

const (
	// Fair serves the child with the least Ratio first, and own gangs by priority and
	// arrival.
	Fair Order = iota
	// Priority serves the child whose next gang has the highest priority, and among equals
	// as Fair does.
	Priority
	// FIFO serves the child whose next gang arrived first, and own gangs by arrival alone.
	FIFO
)

// Preemption says whom the gangs of a queue may have evicted. The rules are those of the
// queue that claims, but for MinRuntime and Grace.
type Preemption struct {
	// WithinQueue is LowerPriority or Never; Any means LowerPriority.
	WithinQueue Whom
	// Reclaim is about gangs of other queues, which borrow.
	Reclaim Whom
	// MinRuntime protects the gangs of this queue: one that has run for less is not evicted.
	MinRuntime time.Duration
	// Grace is how long gangs of this queue have to save their work before they are evicted.
	Grace time.Duration
}

// Whom says which gangs may be evicted.
type Whom uint8

const (
	// Any gang, whatever its priority.
	Any Whom = iota
	// LowerPriority is gangs of a lower priority than the one that claims.
	LowerPriority
	// Never is none.
	Never
)
