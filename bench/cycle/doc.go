// Command cycle measures scheduling cycles without an API server: from the
// scheduling queue to a pod that is assumed on a node, with a Bind plugin that does
// nothing. It shows what deciding costs, and how that follows the size of the
// cluster.
//
// The schedulers are upstream-pack, berth, berth-topology, floor and null: see package
// schedulers. What berth allocates beyond floor is its own, and what berth-topology
// takes beyond berth is what it costs to know how the GPUs of nodes are linked.
//
// # What is measured
//
// The schedulers run one after another in each round, in one process, each on a
// cluster of its own that is made the same way. No informer runs: what it would bring
// is put into the cache and the queue. The heap of one is free again before the next
// is made.
//
// Pods come in batches, so few that the cluster stays as full as it is. A batch is
// queued, scheduled, and removed again; only the scheduling is timed. Every pod must
// have been assumed on a node, or the program fails: refusals are cheap.
//
//   - Times are by the wall clock, of the goroutine that schedules. Bindings run
//     beside it and share the processors, for all schedulers alike.
//   - Allocations are those of the process until the batch is bound: the binding
//     cycle has its part, the same for all.
//   - All pods are alike, which suits upstream's batching (it hands results of one
//     cycle to the next) as well as Berth's index.
//   - A gang's algorithm is the search for places for all its pods, as the metric
//     scheduler_podgroup_scheduling_algorithm_duration_seconds has it. In the rest of
//     its cycle the framework assumes the pods and starts their bindings.
//
// # Links
//
// What links cost is little, and less than what times vary by from round to round. So
// berth and berth-topology are measured once more, in turn: on two clusters that are
// alike, batch by batch, or gang by gang, each of the two first every other time. What is
// taken is the time on processors, of all threads, which other programs disturb least; of
// a gang it is that of the whole cycle. The ratio is the median over all pairs. Each node
// has its NodeTopology from the beginning; reports that change it later are not in the
// time.
//
// # Packing
//
// Fast must not be worse. For each seed, pods of 1, 2, 4 and 8 GPUs come until 70 % of
// the GPUs are asked for, and then a random one goes for each that comes, until each was
// replaced twice in the mean. The nodes that are wholly free in the end are counted: the
// room for the next gang. All see the same history. Upstream scores a sample of the
// nodes, which is faster and may pack worse; so it packs once as it is, and once told
// to score every node. It breaks ties at random, so its numbers vary from run to run.
//
// # Plans
//
// Where a gang goes is decided by package plan, on the index alone: no scheduler takes part.
// A gang of 512 pods, of a whole node each, prefers a rack, and requires nothing or a block.
// It is planned many times on clusters of racks of 32 nodes and blocks of 32 racks, and
// between two plans pods of one GPU go and come elsewhere. Where it has no place, the answer
// is the reason why; then the largest gang is measured that has a place, of those halved
// again and again. The times are those of single plans, with what the garbage collector
// takes of them.
//
// # Queues
//
// What it costs to have many queues, each with gangs that wait, is measured on all of Berth:
// the engine with its informers, plugins and client is made as the command makes it, and
// reads from an API server in memory, which encodes nothing and answers at once (package
// rig). Queues are in cohorts of 25, some with limits, guarantees, weights and half-lives; on
// the nodes, gangs have 70 % of the GPUs. Thousands more wait, of 4 pods of 1, 2, 4 or 8
// GPUs.
//
// How many gangs the scheduling loop admits is measured batch by batch, as with pods: the loop runs
// so many cycles as batches of pods have gangs, and is timed, by the wall clock. Meanwhile queues
// admit others, and bindings begin, but nobody hears of what was bound. Then all of that is told,
// those that were bound run, as many others end, as many come, and the loop stands until the
// scheduler knows them all. A cycle in which a gang is refused counts with its time, and not as one
// that was admitted: whoever a limit holds is tried now and then, for others may be evicted for it.
//
// What all of Berth does with the same gangs, when nothing stands, is measured as well:
//
//   - Start-up is from when all objects are there to be listed. A gang is placed once its
//     last pod is bound. All gangs are known once their queues report as many as there are.
//   - Then, for each gang that is placed, its pods begin to run, the gang that ran for longest
//     goes, and another comes to its queue. So as many wait as in the beginning, everywhere:
//     what is measured is how fast gangs can be admitted and placed, with all that follows from
//     their coming and going. The loop is faster than the handlers of what follows, and fills
//     the cluster until it has to wait for them. Gangs a second are those that were placed, by
//     the wall clock. The time on processors has that of the API server in memory and of the
//     benchmark in it.
//   - A choice is one look for who is admitted next, as queueing.Queues has it, whether somebody is
//     or not; bringing the order up to date is in it, waiting for the lock is not.
//   - The same gangs come to a cluster without a Queue for comparison. All of them are in the
//     scheduling queue's heap then.
//
// What queues cost a pod without a gang is measured in turn, as with links: the cycles of
// pods that are admitted one after another by a thousand queues, over those of pods where
// there is none. Here nobody binds, and no informer runs.
//
// # Refusals
//
// What thousands of gangs of one namespace cost others that fit nowhere is measured by the
// subcommand refusals, on all of Berth and on kube-scheduler, each with the API server in
// memory: where there is no Queue, for kube-scheduler knows none.
//
// Files: main.go (flags, rounds), cluster.go (how full a cluster is), loop.go (a
// scheduler on a cluster), counter.go (nodes for floor and null), measure.go (pods and
// gangs), pairs.go (what links cost), quality.go (packing), plans.go (plans alone), queues.go
// (queues and their gangs), crowd.go (gangs that come and go), stepgate.go (how many the
// loop admits), admit.go (what is measured when nothing stands), queuepairs.go (what queues
// cost a pod), refusals.go (what cannot be placed), results.go (medians).
package main
