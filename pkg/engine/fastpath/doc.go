// Package fastpath decides where a pod goes, at a cost that does not grow with the cluster. It replaces
// Scheduler.SchedulePod:
//
//	PreFilter plugins ─► the node that the index offers first ─► all Filter plugins on it
//	                          ▲                                      │ refused
//	                          └───────── the next, a few times ◄─────┘
//
// The index proposes and the plugins decide. So a wrong index costs quality, and not correctness. A pod
// that the index cannot judge takes the full path through the framework, and is counted by podshape.Reason.
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
// Pods of one shape get the same answers, which package podshape remembers. A pod for which no node is
// left gets the diagnosis that upstream would give, from the counts of the answers. If pods of a lower
// priority run somewhere, it also gets the status of each node, from which preemption chooses. Package
// requeue sees to it that such a pod is neither tried nor looked at again for what cannot help it.
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
// Files: path.go (set-up), cache.go (what feeds the index, and the inventory of devices), schedule.go (the
// way of a pod), diagnosis.go (why there is no place), plan.go (gangs with a topology), verify.go (do nodes
// take what is planned), never.go (what the empty cluster could not hold), reservations.go (who goes, and
// for whom room is kept), running.go (among whom victims are searched), replacements.go (room for gangs
// that lost members), spares.go (nodes that count as full), inspect.go (what the next decision rests on,
// and whether the index agrees with the listers), census.go (devices by what is done with them),
// metrics.go.
package fastpath
