// Command scale measures schedulers from outside: etcd, API server and scheduler are
// processes of their own, and the scheduler is a released program with its flags. It asks
// what whoever runs a cluster of thousands of nodes asks: how soon a scheduler is of use
// after it starts, what it keeps in memory, what it costs to watch a cluster in which
// nothing is to be decided, what pods that fit nowhere do to those that do, and how fast
// pods and gangs are bound while they are being made.
//
// # Scenarios
//
// A cluster is made for each number of nodes. On the empty cluster:
//
//	backlog   pods that were made before the scheduler starts
//	gangs     1,000 gangs of 4 at once
//	racks     64 gangs of 16 pods of 8 GPUs, each to be in one rack
//	spike     a Deployment goes from 0 to 5,000 pods, by the real controllers
//
// Then ten pods are put on each node, one of which takes five of its eight GPUs:
//
//	start     from the start of the process to the first binding; memory
//	takeover  from when a standby has the lease to its first binding
//	events    processor time and allocations for each event that changes no decision
//	reasons   what it costs to tell, and to ask, why 2,000 gangs wait
//	losses    from the loss of a pod of a gang, or of a node, to the binding of its replacement
//	pending   gangs that fit, behind pods that fit nowhere
//
// # How it is measured
//
// Contenders take turns on one cluster, all of them in each round, and the pods of a run
// are deleted before the next. Each run starts a new process. Bindings are seen by a watch
// of this program. Processor time and peak memory are what Linux says of the scheduler's
// process; allocations are what its own metrics say; writes are counted from the audit log
// by the user that the scheduler is. Pods look as real ones do: some 5 KiB each, with
// environment, volumes, tolerations and managed fields.
//
// All share the cores of one machine. So ratios of one run count, and not amounts of
// several.
//
// Files: main.go (flags), run.go (rounds and results), contenders.go (who takes part),
// null.go (the scheduler that does not look), world.go (the cluster), objects.go (pods and
// gangs), observer.go (when pods are bound), process.go (what a process uses), and one file
// for each group of scenarios: binding.go, starting.go, watching.go, losses.go, pending.go, and reasons.go
// with profile.go.
package main
