// Package window bounds what one namespace can have tried where no queue decides: a
// namespace with thousands of pods that fit nowhere must not have the scheduler busy with
// them alone.
//
//	New(size) -> Window
//	Enter(entity) -> bool             may a gang or plain pod be tried now
//	Refused, Impossible, Gone(id)     what became of it
//	Again(id), MayFit()               it, or the cluster, is another
//	Round(freed)                      namespaces may have more tried
//	Next() -> id                      somebody may be tried who was held
//
// # The rule
//
// Of each namespace, at most size tries are under way or have failed in one round:
//
//	trying + failed <= size
//
// A try that ends with a place counts no more, so that a namespace whose pods fit is held up
// by nothing. The others wait for the next round: by priority, then those that were never
// tried before those that were, and then in the order of their coming. The caller says when a round begins: as it paces rounds by the time that the
// failed tries of the last one took, those take a bounded part of all its time. It need not
// wait where nobody is being tried and somebody never was: see Fresh.
//
// # Who was refused
//
// The scheduling queue tries a pod that was refused again when an event may help it, as far
// as size pods of a namespace go: they are open. All others that were refused rest until a
// round in which room may have come free, and until all of their namespace that were not
// tried yet have been. One that not even an empty cluster could hold does not rest: it waits
// for other nodes.
//
// # Cost
//
// Enter and what became of one cost log(waiting of the namespace); a round costs the number
// of namespaces that have anybody wait, and of those that are put back in line.
//
// Files: window.go (the rule), line.go (who waits in a namespace).
package window
