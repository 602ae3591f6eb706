// Command fragmentation measures over how many racks gangs are spread, by who schedules
// them, while gangs come and go.
//
// # The model
//
// A cluster of 78 racks of 32 nodes with 8 GPUs each, in blocks of up to 32 racks. Gangs of
// 2 to 64 pods come at random (a Poisson stream), and run for a random time (exponential)
// that does not depend on their size. Sizes are log-uniform: there are as many gangs of 2
// and 3 as of 4 to 7, and so on. Each pod takes a whole node. Time is counted in mean run
// times, and nobody waits for it to pass. At a load of 85, the nodes asked for in the mean
// are 85 % of all.
//
// Gangs are served first come, first served: one that does not fit waits, and all that come
// after it wait behind it, until gangs have ended and it fits. A scheduler is asked once a
// gang, when there is a place that meets what the gang requires: that it finds none then is
// an error, and so is a node with two pods.
//
// # Who takes part
//
//	berth           Berth as it is shipped; a gang requires one block, and prefers one rack
//	berth-required  the same; a gang that a rack can hold requires one rack, others one block
//	first-fit       no scheduler: the first nodes by name that are free
//	upstream        kube-scheduler as it is shipped, with its native gangs, which ask for no
//	                topology
//	upstream-tas    the same; a gang that a rack can hold requires one rack, others one
//	                block. It knows one level that is required, and no preference
//
// Schedulers are real, with their profiles and plugins, and place each gang by one pod-group
// cycle; see package bench/rig. Upstream breaks ties at random. The others place the same
// stream in the same way each time.
//
// # What is measured
//
// Gangs that come while the cluster fills up, in the first 10 mean run times, do not count.
// Of the others: in how many racks they are, how many of those that a rack can hold are in
// one, how long they wait, and how long the search for the places of a gang takes, as the
// scheduler's own metric has it. The nodes in use are a mean over the time from the end of
// the filling up until the last gang that counts comes.
//
// # Results
//
// Every placement of a contestant is kept, in a file of its own, and all figures are
// computed from these files and the stream. Gangs are placed in the order in which they
// come, so that a run that was stopped is the beginning of a longer one: contestants that
// got differently far are compared over the gangs that all of them have placed. A run can
// be continued: what was placed is put where it was, and the scheduler goes on from there.
//
// Files: main.go (flags), run.go (a contestant's run, and what is written meanwhile),
// stream.go (gangs), cluster.go (racks, and what is free), contestants.go (who takes part),
// scheduler.go (gangs through a real scheduler), firstfit.go (gangs without one), world.go
// (a cluster and a stream), record.go (files of placements), figures.go (rows made of
// them).
package main
