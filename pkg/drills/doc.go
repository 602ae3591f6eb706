// Package drills plays what happens to clusters against a cluster of this machine that Berth
// schedules, one thing after another, and writes down what came of each: how long it took until
// Berth told of it and until every gang was whole again, which pods and how much work were lost,
// and whether anything was given out twice.
//
// [Play] starts a control plane with its real controllers, simulated nodes, and two replicas of
// Berth with the rights of its manifests and the one to suspend owners. Gangs are Indexed Jobs,
// whose pods the Job controller makes, and makes again. Package drill of localcluster does what
// goes wrong; everything after that is the work of the controllers and of Berth.
//
// # The drills
//
// Six gangs run, each of 7 pods of 8 GPUs that require a rack, in six of twelve racks of 8 nodes,
// four racks a zone. So each of these racks has a spare node, and six racks are empty. A drill
// begins when all gangs are whole, all nodes are ready, nothing is leaving and a replica leads; it
// ends when that is so again, what went wrong has been put right, and Berth has no more to tell.
//
// # The figures
//
// They come from watches of pods, events and nodes, by code that shares nothing with the
// scheduler. All times are since the fault was begun.
//
//	seen      the first node was not ready, by its condition: the node lifecycle controller knows
//	told      Berth's first event on the gang: GangShort or DeviceUnhealthy
//	whole     each gang had all of its pods running, on nodes that the fault does not concern
//	lost      pods that ran when the fault began and do not run at the end
//	work      of those, the seconds since each began times its GPUs
//
// # The invariants
//
// They are checked with each change of a pod, in the order in which the API made them:
//
//   - No node is over: its pods that have not ended request no more GPUs than it has. Where one
//     of them is another scheduler's, that is a conflict, which is counted: a kubelet decides it.
//   - No device is given out twice: among the pods that have not ended, each device of the
//     annotation berth.dev/devices is there once; and one that has fallen ill is not given out.
//   - No gang is half bound for long: some of its pods have a node while others wait for one,
//     for at most [HalfBoundLimit] beyond the time that the API was away.
//   - A gang that is whole is in one rack, which it requires.
//
// # Files
//
//	play.go     Play: starting everything, and the drills in their order
//	replicas.go the schedulers, which are started again when they end
//	course.go   what the drills are made of: to begin, to wait, to end
//	drills.go   the drills
//	spike.go    the one with queues
//	foreign.go  the one with kube-scheduler
//	gangs.go    the gangs, and the devices of nodes
//	watch.go    the watches
//	ledger.go   who holds what, and the invariants
//	report.go   what came of it
//	page.go     the page, from page.md
package drills
