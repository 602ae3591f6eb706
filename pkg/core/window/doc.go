// Package window bounds how many gangs and pods of one namespace are tried while no queue decides.
// Without it, a namespace with thousands of pods that fit nowhere would keep the scheduler busy with
// them alone.
//
//	New(size) -> Window
//	Enter(entity) -> bool             may a gang or plain pod be tried now?
//	Refused, Impossible, Gone(id)     how its try ended
//	Again(id), MayFit()               it has changed, or the cluster has
//	Round(freed)                      begins a round: namespaces may have more tried
//	Next() -> id                      an entity that was held and may be tried now
//
// # The rule
//
// In one round, at most size entities of each namespace are being tried or have failed:
//
//	trying + failed <= size
//
// An entity that gets a place no longer counts, so a namespace whose pods fit is never held. All
// others wait for the next round, in this order: by priority; those that were never tried before
// those that were; by arrival. The caller decides when a round begins. It paces rounds by the time
// that failed tries took in the last round, so failed tries take a bounded part of all its time. If
// nothing is being tried and something never was, the caller need not wait: see Fresh.
//
// # After a refusal
//
// For up to size refused entities of a namespace, the scheduling queue decides: it tries them again
// when an event may help them. These entities are called open. All other refused entities rest until
// a round begins in which room may have come free, and all entities of their namespace that were
// never tried have been tried. An entity that not even an empty cluster could hold waits until nodes
// change.
//
// # Cost
//
// Enter, and each call that ends a try, cost log(waiting entities of the namespace). A round costs the
// number of namespaces in which something waits, and the number of entities that go back in line.
//
// Files: window.go (the rule), line.go (who waits in a namespace).
package window
