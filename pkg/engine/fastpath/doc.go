// Package fastpath decides where a pod goes, at a cost that does not grow with the cluster. It replaces
// Scheduler.SchedulePod:
//
//	PreFilter plugins ─► the node that the index offers first ─► all Filter plugins on it
//	                          ▲                                      │ refused
//	                          └───────── the next, a few times ◄─────┘
//
// The index proposes and the plugins decide. So a wrong index costs quality, and not correctness. A pod
// that the index cannot judge takes the full path through the framework, and is counted by [Reason].
//
// # What the index knows
//
// The index is fed from the scheduler's snapshot. The scheduler's cache is wrapped (cache.go): each
// change marks its node, and each UpdateSnapshot reads the marked nodes again. So the index agrees
// with the snapshot, node by node, when a cycle starts. Within a pod-group cycle the snapshot changes
// without the cache. There plugin NodePacking marks the nodes on which pods are reserved and
// unreserved, and they are read again before the next pod. The generation of a node does not help
// there, because the snapshot restores it. While upstream simulates preemption, the snapshot holds
// different nodes; the fast path notices that, and leaves the pod to the framework.
//
// # A pod that nothing can help
//
// Pods of one shape (what they request, and which nodes they may use: shape.go) get the same answers.
// If a node refused a pod, it is not asked again for that shape until it changes (pack.Verdicts), as
// long as the plugin that refused looks only at the node and the shape. A pod for which no node is
// left gets the diagnosis that upstream would give, from the counts of the answers. If pods of a lower
// priority run somewhere, it also gets the status of each node, from which preemption chooses.
//
// The scheduling queue is wrapped (queue.go), so that pods that come and go on other nodes neither
// cause another try of such a pod, nor a look at it.
//
// # Gangs that wait for their queue
//
// Thousands of gangs may wait outside of the heaps until their queue admits them. Upstream looks at each
// of them for every event, and for every snapshot. Here an index tells the scheduling queue which pods
// an event may help (requeueindex.go), and the cache leaves held gangs out of snapshots
// (groupcache.go). Gangs that have their places are left out as well (placed.go). So the cost of an
// event or a snapshot does not grow with the number of these gangs.
//
// # Ranks
//
// Nodes are offered in the order of plugin NodePacking, whose scores put the same node first. Other Score
// plugins are not asked. A pod with a preference of its own takes the full path. Nodes with a taint of
// effect PreferNoSchedule that the pod does not tolerate come last. Preferences that are not the pod's
// own are ignored: preferred anti-affinity of running pods, and a profile's further Score plugins,
// default soft spreading or added node affinity. Their requirements are kept, by the Filter plugins.
//
// # A gang with a topology
//
// Plugin FabricPlacement asks for a plan (plan.go): domains, best first, and in each a node for every
// pod. The planned node is asked first. If it refuses, another node of the same domain or segment is
// offered. Before a plan is used, one pod of each shape is tried on those of its nodes on which no such
// pod was tried yet; if a node refuses, the gang is planned again without it (verify.go). Once a plan
// is carried out, the other domains are not tried.
//
// # Room for those that wait
//
// Victims for a gang are chosen on the same index (reservations.go). Their room is reserved until the
// gang has it: the index counts it as taken, except while the gang itself is tried.
//
// # Nodes that count as full
//
// A spare (label berth.dev/spare) counts as full, except for a gang that lacks members and has room
// nowhere else. A node whose kubelet refused a pod of a gang counts as full while that gang is tried
// (spares.go). The index and the Filter plugin QueueReclaim agree on both.
//
// Files: path.go (set-up), cache.go (what feeds the index), schedule.go (the way of a pod),
// queue.go (who is tried again), requeueindex.go (whom an event may help), groupcache.go and
// placed.go (gangs that nothing is done with), reason.go (who takes the framework's way), shape.go
// (which pods are alike), filterresults.go (what nodes said), diagnosis.go (why there is no place),
// devices.go (what feeds the inventory of devices), plan.go (gangs with a topology), verify.go (do
// nodes take what is planned), reservations.go (who goes, and for whom room is kept), running.go
// (among whom victims are searched), replacements.go (room for gangs that lost members), spares.go
// (nodes that count as full), snapshot.go and inquiry.go (what the next decision rests on),
// drift.go (does the index agree with the listers), census.go (devices by what is done with them),
// metrics.go.
package fastpath
