// Package fastpath decides where a pod goes at a cost that does not follow the size
// of the cluster. It stands in for Scheduler.SchedulePod:
//
//	PreFilter plugins ─► the node that the index offers first ─► all Filter plugins on it
//	                          ▲                                      │ refused
//	                          └───────── the next, a few times ◄─────┘
//
// The index proposes and the plugins decide, so an index that is wrong costs quality
// and not correctness. What the index cannot judge takes the framework's own way,
// and is counted by reason: see [Reason].
//
// # What the index knows
//
// The index is fed from the scheduler's snapshot. The scheduler's cache is wrapped
// (cache.go): each change notes its node, and each UpdateSnapshot reads the noted
// nodes anew, so that at the start of a cycle the index agrees with the snapshot,
// node by node. Within a pod-group cycle the snapshot changes in another way; the
// plugin NodePacking notes the nodes on which pods are reserved and given back, and
// they are read anew before the next pod. A generation says nothing there: the
// snapshot restores it. While upstream simulates preemption the snapshot holds other
// nodes altogether; that is seen, and the framework's own way taken.
//
// # A pod that nothing can help
//
// Pods of one shape (what they request and which nodes they may use, shape.go) get
// the same answers. A node that refused one is not asked again until it changes
// (pack.Verdicts), if the plugin that refused looks at nothing but the node and the
// shape. A pod for which no node is left gets the same diagnosis as from upstream,
// from the counts of the answers. If pods of lower priority are somewhere, it also
// gets the status of each node, for preemption to choose from.
//
// The scheduling queue is wrapped (queue.go), so that pods that come and go elsewhere
// do not have such a pod tried again, nor looked at one by one.
//
// # Gangs that wait for their queue
//
// Thousands of gangs may wait outside of the heaps until their queue lets them in. Upstream
// looks at each of them for every event, and for every snapshot. Here the scheduling queue is
// told whom an event may help (requeueindex.go), and the cache does without the gangs that are held
// (groupcache.go), so that neither follows their number. Nor does a snapshot follow that of the
// gangs that have their places (placed.go).
//
// # Ranks
//
// The order of nodes is that of the plugin NodePacking, whose scores put the same
// node first. Other Score plugins are not asked: a pod with a preference of its own that
// they would weigh takes the framework's own way, and nodes with a taint of effect
// PreferNoSchedule that the pod does not tolerate come last. What has no say are the
// preferences of others: of running pods that would rather not have this one near, and
// of a profile with further Score plugins, soft spreading by default or an added node
// affinity. What such pods and profiles require is kept, by the Filter plugins.
//
// # A gang with a topology
//
// The plugin FabricPlacement asks for a plan (plan.go): domains, best first, and in each a
// node for every pod. A planned node is asked first; if it refuses, another of the same
// domain, or segment, is looked for. Before a plan is used, one pod of each shape is tried
// on the nodes that no such pod was tried on yet, and a node that refuses is planned around
// (verify.go). Once a plan is carried out, the other domains are not tried.
//
// # Room for those that wait
//
// Whose going makes room for a gang is worked out on the same index (reservations.go). The room is
// kept until the gang has it: the index has so much less free, but while the gang itself is
// tried.
//
// # Nodes that count as full
//
// A spare (label berth.dev/spare) counts as full, but for a gang that lacks members and has room
// nowhere else; and so does a node whose kubelet refused a pod of a gang, while that gang is tried
// (spares.go). The index and the Filter plugin QueueReclaim agree on it.
//
// Files: path.go (set-up), cache.go (what feeds the index), schedule.go (the way of a
// pod), queue.go (who is tried again), requeueindex.go (whom an event may help), groupcache.go
// and placed.go (gangs that nothing is done with), reason.go (who takes the framework's way), shape.go
// (which pods are alike), filterresults.go (what nodes said), diagnosis.go (why there is no
// place), devices.go (what feeds the inventory of devices), plan.go (gangs with a
// topology), verify.go (do nodes take what is planned), reservations.go (who goes, and for whom
// room is kept), running.go (among whom victims are searched), replacements.go (room for gangs that lost members), spares.go (nodes that
// count as full), snapshot.go and inquiry.go
// (what the next decision rests on), drift.go (does the index
// agree with the listers), census.go (devices by what is done with them), metrics.go.
package fastpath
