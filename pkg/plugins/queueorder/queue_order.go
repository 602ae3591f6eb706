// Package queueorder is the plugin that orders the active queue: the workload that was admitted first
// by its queue goes first. The order of two workloads does not change while they are in the active
// queue, so the heap compares fixed numbers, and not what queues use at the moment.
//
// Without queues, and for workloads that no queue admitted, the order is upstream's: by priority, then
// by the time of waiting.
package queueorder

import (
	fwk "k8s.io/kube-scheduler/framework"
)

// Name is the plugin's name in a profile.
const Name = "QueueOrder"

// Numbers are the places of those that were admitted.
type Numbers interface {
	// Some reports whether there is any queue.
	Some() bool
	// Number returns the place of an entity of the scheduling queue; 0 if it was not admitted.
	Number(entity fwk.QueuedEntityInfo) uint64
}

// QueueOrder orders entities by when they were admitted.
type QueueOrder struct {
	numbers Numbers
}

var _ fwk.QueueSortPlugin = &QueueOrder{}

// New returns the plugin.
func New(numbers Numbers) *QueueOrder { return &QueueOrder{numbers: numbers} }

// Name returns the plugin's name.
func (*QueueOrder) Name() string { return Name }

// Less reports whether an entity goes before another. Those that were not admitted, as the
// few that were before there was any queue, go first: they wait for nobody.
func (o *QueueOrder) Less(a, b fwk.QueuedEntityInfo) bool {
	if o.numbers.Some() {
		if x, y := o.numbers.Number(a), o.numbers.Number(b); x != y {
			return x < y
		}
	}
	if x, y := a.GetPriority(), b.GetPriority(); x != y {
		return x > y
	}
	return a.GetTimestamp().Before(b.GetTimestamp())
}
