// Package engine runs upstream's scheduler with Berth around it. It is the only importer of
// k8s.io/kubernetes/pkg/scheduler.
//
// # Gangs
//
// Upstream has a native gang engine, the pod-group cycle. It tries a whole group against one
// snapshot, and commits all of it or nothing. Package podgroups opens that cycle to every cluster
// and every dialect. A gang reaches the scheduler only once it is complete and valid.
//
// # Admission
//
// Where Queue objects exist, a gang or plain pod waits until its queue admits it. Plugin
// QueueAdmission holds it at PreEnqueue. queueing.Queues admits a few at a time, those of the
// neediest queue first, and hears how each try ends (queues.go). Reserve charges what gets a place.
//
// Where no Queue exists, unqueued.Windows bounds how many gangs and pods of one namespace are tried
// without success before the other namespaces are served (windows.go, package window). So 10,000
// gangs of one namespace that fit nowhere take a quarter of the scheduling loop at most. Once Berth
// knows that no node can hold them, they take nothing until nodes change.
//
// # Preemption
//
// Plugin QueueReclaim gives a gang the place that its queue is entitled to, and that others occupy.
// Each preemptor has at most one batch of evictions at a time. A batch begins only if the gang fits
// once the victims are gone. The room is reserved until the gang takes it, or the reservation is
// given up (reclaim.go, batch.go). A gang is evicted whole or not at all. Berth counts what the
// disruption budgets allow before the first eviction. If a batch is cut short all the same, Berth
// makes the gang whole that lost pods (eviction.go, repair.go).
//
// # Writes
//
// The API is scarce, so the scheduler gets a client and recorders that limit what it writes:
//
//   - a bind is one write, and few binds are under way at once (package boundedbinder);
//   - a bind whose answer is lost is followed up, and not taken for failed (package binder);
//   - the condition of a waiting pod is written once, after a delay, and only if it says something
//     new (conditions.go);
//   - the status of a translated group goes to the object that declared the gang, and the events of
//     its pods become one event for the gang (reporter.go);
//   - a waiting pod to which nothing was said is told why it waits (explain.go, explainer.go);
//   - a plain pod keeps its events, without repetitions; when many pods are placed at once, some
//     events of placed pods are left out (recorder.go).
//
// If a leader dies between two binds of a gang, the next leader's first cycles finish the gang: bound
// members count, and keep the rest in their domain. If that does not succeed in time, recovery.go
// evicts the bound members.
//
// # Lost answers
//
// A reset connection, a timeout and a 5xx do not say whether the server stored a bind. Upstream takes
// them for failures and gives the room to others, while the bind may be stored. Here the pod keeps its
// room, devices and charge until a definite answer is known (package binder). This does not depend on
// how late the watch is: what this process bound is in the scheduler's cache from the decision on, and
// only a definite answer removes it. An eviction whose answer is lost is followed up in the same way;
// its room counts as free once the pod is gone, and not before.
//
// # Losses
//
// A gang that loses members after it was placed is short. gangtable.Table knows which members are
// missing, and why. Package repair decides what to do, and short.go does it. Room for replacements is
// reserved when a snapshot is taken, before anything else gets a place in it (package fastpath), so
// nothing can take that room first. A restart works like any eviction (restart.go). What other
// schedulers do to the same nodes is noticed in neighbours.go.
//
// Package gang says what becomes of each invalid gang: see its Code.
//
// Files: command.go and options.go (flags, set-up, run), profile.go (the built-in profile, what a
// user's configuration may not do), engine.go (wiring), attach.go (what is replaced in upstream's
// scheduler, and leadership), embed.go (the engine without its command), nodes.go and neighbours.go
// (what becomes of nodes), queues.go (where queues come from, and whose turn it is), windows.go (the
// same without queues), impossible.go (what is refused at once), activator.go (when pods are woken),
// postfilter.go (when preemption is asked), requests.go (what a pod asks for), reclaim.go (who is
// evicted for whom), searchline.go (in which order that is searched), batch.go (for how long room is
// kept), eviction.go and evictionowners.go (how gangs go), checkpoint.go (how they save their work
// before), repair.go (what a batch that was cut short owes), short.go, shorttold.go and restart.go
// (gangs that lost members), illness.go (devices that fall ill under pods), recovery.go (gangs that
// are bound by half), client.go, podcalls.go, conditions.go, conditionqueue.go (in which order),
// recorder.go, reporter.go, refusal.go, explain.go, explainer.go, queuestatus.go and announced.go
// (what it writes), messagekey.go (what is news), timing.go (how long things took), insight.go (what
// is told to who asks, by package why), serve.go and webpage.go (health, metrics, debugging, the
// page).
//
// Packages below: podgroups (where gangs come from), binder (each pod is bound once), fastpath (where
// pods go), waitreason (why pods wait), measure (metrics), suspension (how owners are suspended),
// departures (who would survive that), why (what is told to who asks).
package engine
