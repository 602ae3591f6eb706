// Package attempts says who is tried next, and takes in how each attempt ends.
//
// [Attempts] stands between those who decide that and upstream's scheduling loop:
//
//	queueing.Queues, unqueued.Windows ── Admit ──► scheduling queue ──► NextEntity ──► cycle
//	            ▲                                                          │
//	            └───────── Began, Ended, Judged, TakeBack ◄────────────────┘
//
// Where Queue objects exist, queueing.Queues admits a few gangs and plain pods at a time, those of
// the neediest queue first. Where none exists, unqueued.Windows bounds how many of one namespace
// are tried without success before the other namespaces are served. So 10,000 gangs of one namespace
// that fit nowhere take a quarter of the scheduling loop at most. Once it is known that no node can
// hold them, they are refused at once, until nodes change.
//
// The package also spares the loop work for nothing: a gang is activated once and not once for each
// of its pods, and nobody looks for victims where there can be none.
//
// Files: attempts.go (how attempts end), admit.go (who is tried), plugins.go (what the plugins ask),
// impossible.go (what is refused at once), activator.go (when pods are woken), postfilter.go (when
// victims are looked for).
package attempts
