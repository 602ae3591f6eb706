// Package admission decides which gang is tried next, and says why each other gang waits.
//
//	New(tree, capacity) -> Admission
//	Push(gang)                        a gang waits in its queue
//	Next(now) -> gang                 admits a gang, of the queue that needs it most
//	Claim(name) -> gang               admits a gang above a limit, so that it may preempt
//	Placed, Refused, Gone(name)       how its try ended
//	Hold, Resume(name)                its victims leave, and have left
//	Charge, Release(now, queue)       what runs, admitted here or not
//	Retry()                           room may have come free
//	Reason(name) -> code, sentence    why it waits
//
// # The window
//
// At most [Config].Window gangs are admitted at a time, so that the order is decided as late as
// possible. Until its try ends, a gang counts as using what it asks for, both for limits and for the
// order. Averages and [Admission.Used] count only what runs.
//
// # The order
//
// It is decided level by level, from the root: among the children of a queue, and again
// among those of the child. Of siblings, these come first, in this order:
//
//  1. those whose next gang stays within what the queue is guaranteed;
//  2. those that have a weight where one of their siblings has;
//  3. by the Order of the queue that they are in: Fair, the least quota.Ratio; Priority, the
//     highest priority of the next gang, then the least ratio; FIFO, the gang that arrived
//     first;
//  4. by name.
//
// The next gang of a queue is the first in its order that fits the limits of the queue and of the
// queues below it. The gang that is tried is the first one, in the order of the siblings at each
// level, that fits the limits of all queues above it as well. Gangs of one queue are ordered by
// priority, arrival and name, and with FIFO by arrival and name.
//
// # Overtaking
//
// A gang that is above a limit, or for which there was no room, may be overtaken by up to
// [Config].Overtaking gangs behind it in its queue. An overtaking is reserved when the other gang is
// admitted, and counted when it is placed. After that, the gangs behind it wait. Gangs also wait
// behind the last of [Config].Backlog gangs without room. A gang above a limit that it can never meet
// holds no gang up. A gang never holds up another queue: a large gang of a needy queue gets its room by
// reclaim, or from a caller that keeps freed room for the gang that it tried first.
//
// # Claims
//
// A gang above a limit is not admitted by Next, though it may be entitled to what others use within
// that limit: gangs of its own queue with a lower priority, or a sibling of a queue above it that has
// more than its guarantee. Claim admits it all the same. It can be held while its victims leave. It
// counts as using what it asks for, so no other gang gets their room.
//
// # Cost and exactness
//
// A change of a queue, and a choice, cost depth x log(siblings): each queue has its children
// in a line by rank, each node of which knows the least that is asked for below it, so
// that whole parts of a line for which there is no room are passed over. That bound is by
// resource: if it takes several together to refuse a gang, gangs are looked at one by one.
//
// With half-lives, ranks change while nothing happens. A rank is that of the last change of
// its queue, or of the last time that all were made anew: at most 1/256 of the shortest
// half-life ago, in which no average decays by more than 0.3 %. That, and what follows a
// change of capacity, costs queues x log(siblings).
//
// Files: admission.go (gangs come, usage changes), window.go (gangs are admitted), order.go
// (who is first), gang.go (gangs of one queue), line.go (the ordered line), reason.go (why
// a gang waits), adopt.go (from one tree to another), ask.go (who waits).
package admission
