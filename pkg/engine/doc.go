// Package engine runs upstream's scheduler with Berth around it. It is the only importer of
// k8s.io/kubernetes/pkg/scheduler.
//
// # What it puts together
//
// Upstream has a native gang engine, the pod-group cycle. It tries a whole group against one
// snapshot, and commits all of it or nothing. Around it, the packages below do one thing each:
//
//   - podgroups opens that cycle to every cluster and every dialect: a gang reaches the scheduler only
//     once it is complete and valid;
//   - attempts says who is tried next, as queues or the windows of namespaces admit them;
//   - fastpath finds nodes by an index, and plans where a gang goes;
//   - preemption gives a gang the place that its queue is entitled to, and that others occupy;
//   - recovery sees to gangs that lost members, or never got all;
//   - binder follows up each bind until it is known what became of it;
//   - reporting tells users what becomes of gangs and pods, and record writes it;
//   - why answers who asks, by waitreason, and measure counts;
//   - suspension and departures know what the owners of pods do.
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
// Package gang says what becomes of each invalid gang: see its Code.
//
// Files: command.go and options.go (flags, set-up, run), profile.go (the built-in profile, what a
// user's configuration may not do), engine.go (wiring), watch.go (what is heard of nodes, queues and
// budgets), attach.go (what is replaced in upstream's scheduler, and leadership), embed.go (the engine
// without its command), neighbours.go (what other schedulers do to the same nodes), insight.go (what is
// told to who asks), serve.go and webpage.go (health, metrics, debugging, the page).
package engine
