// Package drill does to a cluster that runs what happens to clusters: machines die, racks go
// dark, GPUs fall ill, the API is slow. It is for whoever wants to see what a scheduler, and
// the workloads it placed, make of that.
//
// A [Fault] can be applied and undone, by any program and as often as one likes: that it is
// in force is written in the cluster, and nowhere else. [Hold] applies one, waits, and undoes
// it, also when it is interrupted.
//
// There are two ways to a fault. Machines are simulated by the program that runs the cluster,
// so faults of machines are annotations of nodes that the simulated kubelets obey; package
// localcluster has them. Everything that follows is the work of the real controllers: a node
// whose lease is not renewed is marked as not ready and gets its taints, and its pods are
// evicted once they have tolerated these for long enough. The processes of the control plane
// are real, so faults of these are signals.
//
// # Files
//
//	fault.go    Fault, and how one is held for a while
//	choose.go   which nodes are meant: by name, rack, block or zone
//	nodes.go    faults of nodes: killed, dark, cordoned, refusing, with ill GPUs, relabelled
//	drain.go    evicting all pods of a node
//	flap.go     a node that comes and goes
//	process.go  faults of processes: etcd stops, the API is slow
//	watch.go    what becomes of nodes and their pods, in a line
package drill
