// Package demo has Berth schedule a full day's queue on a simulated cluster of
// this machine, checks the outcome against the API, and reports it: as a table,
// as one line of JSON, and as a page that shows every GPU and who sits on it.
//
// Start brings up the cluster, its controllers and the scheduler, Place submits the workload
// in three stages and waits until it is bound, Result holds what came of it.
//
// # The workload
//
// Generate makes it from a seed and the number of nodes: gangs of 2 to 512 pods,
// few big and many small, written in the words of every dialect in turn, mixed
// with single pods, together 80 % of the cluster's GPUs. No definition of any
// dialect is installed: each pod states the size of its gang. Pods run for ever.
//
// What is submitted is a Job for each gang and a Deployment for each single pod, and
// kube-controller-manager makes the pods: a Job is Indexed, has as many completions, all at
// one time, as its gang has pods, and what the dialect says of the gang is in the template of
// its pods.
//
// Gangs ask for a place in the network, in the words of their dialect where it has such,
// else in ours: racks of 32 nodes, and blocks of 8 racks. One that fits into a rack requires
// a rack or prefers one, and then requires a block if it can be sure of it and its dialect
// can say both; one that fits into a block requires it if it can be sure of it, else prefers
// it; larger ones ask for nothing.
//
// # The queues
//
// Three queues pay: research for pods of 8 GPUs, serving for those that share nodes, and
// production, which comes late. They are guaranteed 10, 20 and 40 % of the GPUs, and limited
// to 90, 30 and 60 %; each dialect names them in its own words. The stages:
//
//  1. What does not come late is submitted and bound. Research borrows most of what it has.
//  2. Gangs of production are submitted, of pods of 8 GPUs on 5 % of the nodes more than can
//     be empty. They are within what it is guaranteed, so others have to go, until all of
//     them are bound. Some require one rack, the others prefer one. What is evicted comes
//     back because its controller makes it again, and waits.
//  3. Production's pods exit, and its Jobs are complete. What was evicted is bound again.
//
// Everything is verified after each stage, once nothing was made, bound or evicted for 2
// seconds.
//
// # Jobs that are evicted
//
// To a Job, a pod that was evicted is one that failed, and its defaults end a Job of seven
// pods or more whose gang is evicted: backoffLimit is 6. Two settings of a Job make it come
// back, and the demo's Jobs have both:
//
//   - podFailurePolicy, with the action Ignore on the condition DisruptionTarget: an eviction
//     is not counted against any limit.
//   - backoffLimitPerIndex. Without it, a Job waits before it makes pods again, and doubles
//     the wait with each pod that failed, those that are ignored among them: 10 s after one,
//     80 s after four, 10 minutes after seven. With it, each index waits for itself, 10 s the
//     first time, so that a gang of any size comes back after 10 s. With maxFailedIndexes 0 a
//     failure that counts still ends the whole Job.
//
// A Deployment makes its pod again at once.
//
// # What fits
//
// All that does not come late can be bound at one time. A pod of 8 GPUs takes a node to itself; the
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
// Then one of them has k, wherever the others are.
//
// Of what comes late, at most so many nodes have to be taken back as are asked for and not
// sure to be empty. Whole gangs of research go one by one, so that may be missed by one
// gang's size, and no more: research borrows at least so much,
//
//	nodes of production - nodes that are empty at least + the largest gang of research
//
// so that it keeps what it is guaranteed. This does not say that a rack can be emptied for
// those that require one. They are of at most half a rack, and come first, and racks in
// which nothing else lies than what research borrows are many.
//
// So a pod that stays unbound is a failure, and not bad luck.
//
// # The figures
//
// The clock starts with the request that creates the first Job or Deployment. Before that, a
// Job of one pod without GPUs is scheduled and deleted, so that starting the controllers and
// the scheduler is not measured. A pod was made when a watch of this process first receives
// it, and bound when the same watch receives it with its node. Times are of the first stage.
//
//	nodes                    nodes of the cluster, 8 GPUs each
//	gangs                    gangs submitted
//	pods                     pods submitted, single ones among them
//	bound                    of those, pods that have a node and have not failed, at the
//	                         end
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
//	                         when it was made; for a member of a gang, when the gang's
//	                         last pod was
//	scheduler_cpu_seconds    processor time of the scheduler's process, user and system,
//	                         from its start until the last bind was seen; 0 if it has
//	                         ended by itself
//	api_writes_by_scheduler  requests of the scheduler's service account from the start
//	                         of the clock until it writes no more after the last stage, of
//	                         any verb but get, list and watch; from the audit log
//	failed                   pods that should be bound and are not; of this workload,
//	                         all of them should be
//	gangs_in_one_rack        gangs that require a rack or prefer one, and of which all pods
//	                         are bound in one rack, by the labels of their nodes
//	topology_violations      gangs of which bound pods are not in one domain of the level
//	                         that the gang requires: in several, or on a node without its
//	                         label; 0 is as it should be
//	queue_violations         of each check, queues that hold more than their limit, and
//	                         gangs and single pods that wait although their queue has
//	                         less than it is guaranteed: they would be within it, or
//	                         were evicted; 0 is as it should be
//	reclaims                 gangs and single pods for which others were evicted, by the
//	                         events that say so
//	evicted_gangs            gangs and single pods that were evicted, by a watch that saw
//	                         pods go with the mark of the Eviction API
//	partial_evictions        of those, gangs of which not all pods went, or not all as
//	                         often; 0 is as it should be
//	jobs, deployments        of each, how many were submitted
//	pods_created_seconds     from the start of the clock until the last pod of the first
//	                         stage was made: pods_per_second cannot be more than what
//	                         the controllers make in this time
//	pods_made_again          pods that controllers made in place of others
//	lost_gangs               gangs and single pods that were evicted and at a check had
//	                         not come back within 90 seconds: some of their pods were not
//	                         made again, or wait and are not told why; 0 is as it should
//	                         be
//	failed_jobs              Jobs that have failed, which make no pod any more; 0 is as it
//	                         should be
//
// bound, partial_gangs, double_booked_gpus, oversubscribed_nodes, failed,
// gangs_in_one_rack, topology_violations, queue_violations, lost_gangs and failed_jobs are
// read from the API alone, from lists of pods, nodes and jobs made after each stage, by code that shares nothing with the
// scheduler (Verify). What was wrong after one stage counts, even if it was mended.
//
// # Files
//
//	workload.go   the workload: what is submitted, and in which order
//	sizes.go      how big its gangs are
//	topology.go   which levels of the network they ask for
//	objects.go    the Jobs and Deployments that it is submitted as
//	dialects.go   how each dialect says what gang a pod is in, and what that asks for
//	queues.go     who pays for it, and what comes late
//	session.go    Start and Stop, and what a session is made of
//	stages.go     Place: the stages, and the checks after each
//	prepare.go    applying manifests, starting the scheduler, waiting until it works
//	submit.go     creating the Jobs and Deployments
//	observer.go   watching their pods being made, bound and evicted
//	progress.go   the line that says how far it is
//	verify.go     what the API says of the outcome, verifyqueues.go of the queues, and
//	              verifycontrollers.go of what was evicted and should be back
//	figures.go    the figures, and their arithmetic
//	table.go      the report for people
//	map.go        who sits where
//	page.go       the page, from page.html and from what draws the scheduler's page
package demo
