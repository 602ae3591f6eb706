// Command topology measures what it is worth to know how the GPUs of a machine are
// linked: the bandwidth that jobs get, by who schedules them and who picks their GPUs.
//
// # The model
//
// A cluster of DGX-1V, 16 by default, whose 8 GPUs are a mesh of uneven NVLinks. The
// bandwidth of a set of GPUs is that of rings, as package pkg/core/topology has it: 25
// GB/s for each ring of NVLinks that shares none with another, and 10 GB/s if there is
// none. For two GPUs it is 50, 25 or 10, at best 50; for three 25 or 10; for four 50, 25
// or 10.
//
// Jobs of 1, 2, 3 and 4 GPUs, at 35, 30, 5 and 30 %, come at random (a Poisson stream) and
// run for a random time (exponential). Time is counted in mean run times, and nobody
// waits for it to pass. At a load of 0.7, the GPUs asked for in the mean are 70 % of all.
//
// A job is one pod. Jobs are served first come, first served: one that does not fit
// waits, and those that come after it wait behind it, until jobs have ended and it fits.
// With --pass, each job that waits is tried whenever a job ends, in the order in which
// they came, and those that fit pass the others.
//
// # Who takes part
//
//	upstream       kube-scheduler as it is shipped, which scores by LeastAllocated on CPU
//	               and memory; jobs ask for these in proportion to GPUs. The device
//	               plugin picks.
//	upstream-pack  the same, scoring by MostAllocated on GPUs. The device plugin picks.
//	berth          Berth as it is shipped, on a stock cluster: it predicts what the device
//	               plugin will pick, and the device plugin picks. The agent's report of
//	               what it was is played back.
//	berth-exact    Berth with the picker Scheduler: a job gets the GPUs that Berth has
//	               taken for it.
//
// All are real schedulers with their profiles and plugins, and place each job by a
// scheduling cycle; see package bench/rig. Upstream breaks ties at random.
//
// The device plugin is simulated by its own policy, and shares no code with what Berth
// predicts by; see plugin.go. The order in which the GPUs that are free come to it is
// random, and depends on the seed and the job alone.
//
// # What is measured
//
// Over the jobs of more than one GPU: the mean of the bandwidth of the GPUs that a job
// got over the best that there is for its size, and the part of the jobs that has no ring
// of NVLinks. Jobs that come while the cluster fills up, in the first 10 mean run times,
// do not count. Every contestant sees the same jobs. A job that gets GPUs that another
// has, or waits while a node has room for it, is an error.
//
// Files: main.go (flags), stream.go (jobs), machine.go (bandwidths), plugin.go (the device
// plugin), contestants.go (who takes part), world.go (a cluster and a stream), tally.go
// (what is counted).
package main
