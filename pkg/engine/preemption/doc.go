// Package preemption gives a gang the place that its queue is entitled to, and that others occupy.
//
// [Reclaimer] is asked by plugin QueueReclaim after a refusal. queueing.Queues says which gangs may
// be evicted for the one that was refused, fastpath.Path which of them do the least damage, and
// disruption.Budgets whether they may go. Each preemptor has at most one batch of evictions at a
// time. A batch begins only if the gang fits once the victims are gone; their room is reserved until
// the gang takes it, or the reservation is given up.
//
// A gang is evicted whole or not at all. What the disruption budgets allow is read and counted before
// the first eviction. Owners that Berth may suspend are suspended in place of evictions. If a batch is
// cut short all the same, the room of the pods that are gone is kept for their gang, so that it
// becomes whole again.
//
// Files: reclaim.go (who is evicted for whom), searchline.go (in which order that is searched),
// batch.go (for how long room is reserved), eviction.go and evictpod.go (how gangs go),
// evictionowners.go (what their owners do), checkpoint.go (how they save their work before),
// undone.go (what a batch that was cut short owes), restart.go (a gang that goes for its own sake).
package preemption
