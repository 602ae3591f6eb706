// Package demo has Berth schedule a full day's queue on a simulated cluster of
// this machine, checks the outcome against the API, and reports it: as a table,
// as one line of JSON, and as a page that shows every GPU and who sits on it.
//
// Start brings up the cluster and the scheduler, Place submits the workload and
// waits until it is bound, Result holds what came of it.
//
// # The workload
//
// Generate makes it from a seed and the number of nodes: gangs of 2 to 512 pods,
// few big and many small, written in the words of every dialect in turn, mixed
// with single pods, together 80 % of the cluster's GPUs. No definition of any
// dialect is installed: each pod states the size of its gang. Pods run for ever.
//
// Gangs ask for a place in the network, in the words of their dialect where it has such,
// else in ours: racks of 32 nodes, and blocks of 8 racks. One that fits into a rack requires
// a rack or prefers one, and then requires a block if it can be sure of it and its dialect
// can say both; one that fits into a block requires it if it can be sure of it, else prefers
// it; larger ones ask for nothing.
//
// All of it can be bound at one time. A pod of 8 GPUs takes a node to itself; the
// others, of 4, 2 or 1 GPUs, share nodes. Their gangs may be confined to a rack or block,
// so let a scheduler open a new node for them only when no node in use in the same rack has
// room. Then it leaves in each rack at most one of the shared nodes with fewer than 5 GPUs
// taken, so that
//
//	pods of 8 GPUs + GPUs of the smaller pods / 5 + racks <= nodes
//
// is enough for everything to fit, in whatever order it comes. The same sum without the
// gang at hand says how many nodes are empty at least when its turn comes. A gang that takes
// k empty nodes requires a level only if its domains cannot each have k-1 of them or fewer:
//
//	sum of min(k-1, nodes of the domain) over the domains of the level < empty nodes
//
// Then one of them has k, wherever the others are. So a pod that stays unbound is a
// failure, and not bad luck.
//
// # The figures
//
// The clock starts with the request that creates the first pod. Before that, one
// pod without GPUs is scheduled and deleted, so that starting the scheduler is not
// measured. A bind is when a watch of this process receives the pod with its node.
//
//	nodes                    nodes of the cluster, 8 GPUs each
//	gangs                    gangs submitted
//	pods                     pods submitted, single ones among them
//	bound                    of those, pods that have a node and have not failed
//	partial_gangs            gangs with at least one pod bound, and fewer than their size
//	double_booked_gpus       GPUs requested beyond what their node has, summed over
//	                         nodes. Where pods carry the annotation berth.dev/devices,
//	                         a device that is held n times on its node counts n-1; of
//	                         the two counts for one node the larger is taken
//	oversubscribed_nodes     nodes whose pods request more of any resource, or are
//	                         more, than is allocatable
//	pods_per_second          binds seen / (last bind - start of the clock)
//	p50_ms, p99_ms           of the bound pods' latencies, the smallest that at least
//	                         50 or 99 % do not exceed. A latency is the time from when
//	                         the pod could first be scheduled until its bind. That is
//	                         when its creation was answered; for a member of a gang,
//	                         when that of the gang's last pod was. A bind seen before
//	                         that answer counts as 0 ms
//	scheduler_cpu_seconds    processor time of the scheduler's process, user and system,
//	                         from its start until the last bind was seen; 0 if it has
//	                         ended by itself
//	api_writes_by_scheduler  requests of the scheduler's service account from the start
//	                         of the clock until it writes no more, of any verb but get,
//	                         list and watch; from the API server's audit log
//	failed                   pods that should be bound and are not; of this workload,
//	                         all of them should be
//	gangs_in_one_rack        gangs that require a rack or prefer one, and of which all pods
//	                         are bound in one rack, by the labels of their nodes
//	topology_violations      gangs of which bound pods are not in one domain of the level
//	                         that the gang requires: in several, or on a node without its
//	                         label; 0 is as it should be
//
// bound, partial_gangs, double_booked_gpus, oversubscribed_nodes, failed,
// gangs_in_one_rack and topology_violations are read from the API alone, from a list
// of pods and nodes made after the last bind, by code that shares nothing with the
// scheduler (Verify).
//
// # Files
//
//	workload.go   the workload: what is submitted, and in which order
//	sizes.go      how big its gangs are
//	topology.go   which levels of the network they ask for
//	dialects.go   how each dialect says what gang a pod is in, and what that asks for
//	session.go    Start, Place, Stop: the order in which things happen
//	prepare.go    building the scheduler, applying manifests, waiting until it works
//	submit.go     creating the pods
//	observer.go   watching them being bound
//	progress.go   the line that says how far it is
//	verify.go     what the API says of the outcome
//	figures.go    the figures, and their arithmetic
//	table.go      the report for people
//	map.go        who sits where
//	page.go       the page, from page.html
package demo
