// Package admission decides which gang is tried next, and says why each other one waits.
//
//	New(tree, capacity) -> Admission
//	Push(gang)                        a gang waits in its queue
//	Next(now) -> gang                 one is admitted, of the queue that needs it most
//	Claim(name) -> gang               one is admitted that a limit holds, for others to go
//	Placed, Refused, Gone(name)       what became of it
//	Hold, Resume(name)                others leave for it, and have left
//	Charge, Release(now, queue)       what runs, for what was admitted and all else
//	Retry()                           there may be room again
//	Reason(name) -> code, sentence    why it waits
//
// # The window
//
// At most [Config].Window gangs are admitted at a time, so that the order is decided as late
// as can be. Until it is known what became of it, a gang counts as using what it asks for,
// for limits and for the order; averages and [Admission.Used] are of what runs.
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
// The next gang of a queue is the first of its order that its own limits, and those of the
// queues in it, let through. The gang that is tried is the first one, in the order of the
// siblings at each level, for which no queue around it is at its limit either. Gangs of one
// queue are ordered by priority, arrival and name, and with FIFO by arrival and name.
//
// # Overtaking
//
// A gang that would pass a limit, or for which there was no room, lets those behind it in its
// queue pass: up to [Config].Overtaking of them, counted when they are placed and reserved
// when they are admitted. After that they wait for it; so does everyone behind the last of
// [Config].Backlog gangs without room. A gang above a limit that it can never meet holds
// nobody. Between queues, nobody is held: large gangs of a needy queue get their room by
// reclaiming it, or from a caller that keeps what comes free for the one it tried first.
//
// # Claims
//
// A gang that a limit holds has no turn, though it may be entitled to what others have within
// that limit: its own queue's, if they are of a lower priority, or one above, if a sibling has
// more than it is guaranteed. Claim lets it in all the same, and it can be held while they
// leave: it counts as using what it asks for, so that nobody else gets what they leave.
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
