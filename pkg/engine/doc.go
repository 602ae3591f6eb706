// Package engine runs upstream's scheduler with Berth around it. It is the only
// importer of k8s.io/kubernetes/pkg/scheduler.
//
// Upstream has a native gang engine, the pod-group cycle: it tries a whole group
// against one snapshot and commits all of it or nothing. It wants pods with
// spec.schedulingGroup and PodGroups of scheduling.k8s.io, which a stock API server
// does not serve. The engine opens it to every cluster and every dialect:
//
//	pods ──────────► transform ──► spec.schedulingGroup, in memory ──► scheduler
//	foreign groups ► kindWatcher ─┐
//	native groups ──────────────► ├─ gangtable.Table ─ verdict ─ bridge ─► podGroupSource
//	sizes on pods ────────────────┘                                        │
//	scheduler ◄── PodGroup informer ◄──────────────────────────────────────┘
//
// A gang reaches the scheduler only once it is whole and without fault; until then
// its pods wait in the queue outside of every heap, and cost no cycle.
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
// told of it. Here the pod keeps its room, devices and charge until a read of the store, or
// a further answer, has said what it came to (binding.go). That is exact, for the same bind is
// sent again, to the same node: whichever request is stored first, the pod is where it is
// taken to be. It fails only once none that is under way can be stored: the store has the pod
// elsewhere, leaving, replaced or gone, or the server's own limit on a request has passed.
// Nothing rests on how late the watch is: what this process bound is in the scheduler's cache
// from the decision on, and leaves it by a definite word alone. An eviction whose answer is
// lost is followed up in the same way; room is free once the pod is gone, and not before.
//
// What another leader bound is known from the watch alone, so each leader begins only once
// the watch has told of every bind that the store has (takeover.go), and no bind of an earlier
// leader is sent or stored after that: a leader whose lease is not renewed binds no more, and
// tells the server to give up on each bind before the lease can be another's (fence.go).
// Without an election, a bind that a predecessor sent just before its end may come later still.
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
// Files: command.go and options.go (flags, set-up, run), profile.go (gates, built-in
// profile, what a user's configuration may not do), engine.go (wiring, leadership),
// embed.go (the engine without its command), informers.go and source.go (what the
// scheduler reads), absentapis.go (what the API server does not serve of that), ended.go (pods that have ended), kinds.go and bridge.go (where gangs
// come from), queues.go (where queues come from, and whose turn it is),
// windows.go (the same without queues), queuestatus.go
// (what is said of them), reclaim.go (who is evicted for whom), searchline.go (in which order that is searched), batch.go (for how long room
// is kept), eviction.go and evictionowners.go (how gangs go), checkpoint.go (how they save their work before),
// repair.go (what a batch that was cut short owes), short.go, shorttold.go
// and restart.go (gangs that lost members), nodes.go and neighbours.go (what becomes of nodes),
// illness.go (devices that fall ill under pods),
// gate.go (when a gang's pods may enter), activator.go (when they are woken),
// postfilter.go (when preemption is asked), client.go, binding.go, fence.go, takeover.go,
// conditions.go, conditionqueue.go (in which order), recorder.go, reporter.go, refusal.go,
// explain.go and explainer.go (what it writes), messagekey.go (what is news), recovery.go,
// insight.go (what is told to who asks, by package why), serve.go (health, metrics,
// debugging), metrics.go and collectors.go (what is measured), demand.go and timing.go (what
// waits, and how long things take), census.go (what is counted beside scheduling), sizes.go.
// Where pods go is decided in package fastpath, and
// how owners are suspended in package suspension. Package departures knows who would survive
// that.
package engine
