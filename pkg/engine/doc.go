// Package engine runs upstream's scheduler with Berth around it. It is the only
// importer of k8s.io/kubernetes/pkg/scheduler.
//
// Upstream has a native gang engine, the pod-group cycle: it tries a whole group against one
// snapshot and commits all of it or nothing. Package podgroups opens it to every cluster and every
// dialect: a gang reaches the scheduler only once it is whole and without fault.
//
// Where there are queues, a gang or plain pod also waits for its turn: the plugin
// QueueAdmission holds it, queueing.Queues lets so many in at a time, neediest queue first, and
// hears how each try ends (queues.go). What has a place is charged in Reserve. Who is entitled
// to a place that others have gets it by the plugin QueueReclaim: one batch of evictions at a
// time for each gang, none of which begins unless the gang fits without the victims, and
// the room is kept until it is taken or given up (reclaim.go, batch.go). Victims go whole or
// not at all: their disruption budgets are counted before, and a batch that is cut short all
// the same is undone (eviction.go, repair.go).
//
// Where there is none, unqueued.Windows has so many of each namespace tried at a time that find no
// place, and the others wait for the next round (windows.go, package window): what 10,000
// gangs of one namespace cost that fit nowhere is a quarter of the loop's time at most, and
// once it is known that no node would do, nothing until nodes change.
//
// What the scheduler writes passes a budget. It gets a client and recorders of ours:
//
//   - a bind is one write, and few are under way at once (package boundedbinder);
//   - a bind whose answer is lost has not failed: see below;
//   - the condition of a pod that waits is written later, once, and only if it says
//     something new (conditions.go);
//   - the status of a translated group goes to the object that declared the gang,
//     and the events of its pods become one for the gang (reporter.go);
//   - a pod to which none of them has spoken is told why it waits (explain.go, explainer.go);
//   - a plain pod keeps its events, less repetitions, and less those of its placing
//     when many are placed at once (recorder.go).
//
// After the death of a leader between two binds, the next cycle finishes the gang,
// for bound members count and keep the rest in their domain. recovery.go evicts the
// bound ones if that does not come to pass in time.
//
// # Lost answers
//
// What a bind came to is known only from a definite answer of the server. A connection that
// is reset, a timeout and a 5xx may each follow a store, or come before one. Upstream takes
// them for failures and gives the room away, while the bind is stored and the watch has not
// told of it. Here the pod keeps its room, devices and charge until it is known what became of
// the bind (package binder). Nothing rests on how late the watch is: what this process bound is in
// the scheduler's cache from the decision on, and leaves it by a definite word alone. An eviction
// whose answer is lost is followed up in the same way; room is free once the pod is gone, and not
// before.
//
// # Losses
//
// A gang that loses members after it was placed is short: gangtable.Table knows which are, of whom
// and why, package repair decides, and short.go does it. Room for those that come in the place of
// the lost ones is looked for when a snapshot is taken, before anybody gets a place in it, so
// nobody can be faster (package fastpath). A restart goes the way of any eviction (restart.go). What other
// schedulers do to the same nodes is neighbours.go's to notice.
//
// What each odd gang gets for an answer is package gang's to say; see its Code.
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
