// Command perf measures schedulers in kube-scheduler's own harness, scheduler_perf:
// a real API server and etcd, 2,500 nodes of 8 GPUs, pods by the thousand.
//
// # A run
//
// One topic with one scheduler is a run, in a process of its own, so that no run
// inherits the heap, the feature gates or the metrics of another. The schedulers of a
// topic run one after another, and all of them again in the next round.
//
// The pods of a run are made first, and held in front of the scheduler until the last
// of them is in its queue (gate.go). Then it is let loose. So the rate is that of
// deciding on a backlog and binding it, and not that at which the harness makes pods.
//
//	pods_per_second            pods / (from letting loose to the last bind)
//	cycle_us_p50, _p99         from taking a pod or gang out of the queue to asking for
//	                           the next; the binding runs beside it
//	algorithm_ms_per_gang      the search for places for a whole gang, by the scheduler's
//	                           own metric
//	cpu_seconds_per_1000_pods  of the process: scheduler, API server and harness; etcd
//	                           is not in
//	peak_heap_mib              of the same process
//	api_writes_per_pod         binds, events and statuses that the scheduler wrote, by
//	                           the API server's own count
//
// The API server shares the machine with the scheduler, so null is what there is to
// reach: a scheduler that takes the next node, runs no plugin and writes no event.
//
// # As they are shipped
//
// upstream and upstream-pack run with the feature gates of a release, and those for
// gangs where there are gangs. Berth and null run with the gates that Berth sets. The
// harness makes the scheduler itself; Berth's hooks are put into it, and its budget of
// events. What bridges foreign gangs is not in the harness: gangs are native.
//
// Files: main.go (flags), rounds.go (rounds, processes), topics.go (what is scheduled),
// workload.go and objects/ (a topic in the words of scheduler_perf), run.go (one run),
// gate.go (holding and timing), events.go (who writes events), measure.go (processor,
// heap, writes).
package main
