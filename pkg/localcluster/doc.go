// Package localcluster runs a real Kubernetes control plane on this machine,
// with simulated GPU nodes: for the demo, for integration tests and for
// benchmarks. It needs no container runtime and no network.
//
// # What runs
//
// [Start] runs etcd 3.7, kube-apiserver and, if [Options.Controllers] names any,
// kube-controller-manager 1.37.2, each as its own process, so that the API server
// has its own feature gates: stock ones, unless
// [Options.FeatureGates] says otherwise. Both listen on this machine only:
// etcd on a socket in the state directory, the API server on 127.0.0.1 and a
// free port, with certificates made for this cluster. RBAC is on, and every
// admission plugin that is on by default is on.
//
// No kube-scheduler runs. Without controllers, one thing of theirs is done here all
// the same, for nothing works without it: each namespace gets its ServiceAccount
// "default" (serviceaccounts.go), which ServiceAccount admission asks for before it
// lets a pod in.
//
// Three things are not as in production, to leave two cores to what is being
// measured: etcd does not fsync, API priority and fairness is off with the
// limits on requests in flight raised, and there is no audit log unless
// [Options.AuditLog] asks for one.
//
// # Nodes and pods
//
// [Cluster.AddNodes] lays nodes out in racks, blocks and a zone (fabric.go),
// each a copy of one [Machine] (machine.go). A node costs two writes: its
// creation, Ready and with its capacity, and the removal of the taint
// node.kubernetes.io/not-ready, which admission puts on each new node and
// nothing else would take away without the node lifecycle controller. With
// [Options.Heartbeat], its lease is renewed, which that controller goes by.
//
// [Cluster.StartKubelets] stands in for the kubelets (kubelets.go), and does what
// they do as far as others see it: admission by what is free on the node (admit.go);
// init containers in their order, readiness, restart policies, deadlines, the grace
// period and the terminal phase of a pod that is deleted (podstep.go); and the status
// of all that (podstatus.go), with an address that no other pod has (addresses.go). Annotations of the pod say what its containers do. A pod
// without any runs from one write of its status until it is deleted.
//
// The simulation is ours, in this process, and not kwok, which was tried first.
// kwok 0.8.0 as its own process, with stages of ours and without leases, at
// 2,500 nodes and 3,000 pods that were bound before, on 2 shared cores, three
// runs each:
//
//	            running/s   CPU s, itself   CPU s, API server and etcd
//	kwok        290-555     3.5-3.9         6.6-8.4
//	kubelets.go 820-930     1.0-1.1         4.8-5.4
//
// kwok is fast enough, but costs nearly twice the CPU. It writes some pods
// twice (3,064 and 3,119 writes in two audited runs, where ours makes 3,000),
// which spoils a test that counts writes. And a change to a running pod starts
// its run time anew. BenchmarkCluster measures ours again.
//
// # Processes
//
// All that is started ends with the program that started it, also when that
// program is killed (process.go). The binaries are built from the module's
// pinned versions on first use, and kept (binaries.go).
//
// # Files
//
//	cluster.go          Options, Start, Wait, Stop: the order in which things happen
//	statedir.go         the directory that holds all of a cluster's files
//	etcd.go             etcd's flags, and when it is ready
//	apiserver.go        kube-apiserver's flags, and when it is ready
//	process.go          starting processes that cannot outlive us, and ending them
//	program.go          further processes, such as a scheduler, beside the cluster
//	faults.go           killing the API server or the controllers, and hanging a program
//	binaries.go         finding or building etcd and kube-apiserver
//	scheduler.go        building Berth, and kube-scheduler
//	release.go          building programs of other modules, such as operators
//	certificates.go     CA, serving and client certificates, service account key
//	kubeconfig.go       kubeconfigs for the admin, any user, any service account
//	machine.go          the table of machine models
//	fabric.go           names and labels of nodes, racks, blocks
//	nodes.go            writing the nodes
//	serviceaccounts.go  the ServiceAccount "default" of each namespace
//	controllers.go      kube-controller-manager's flags
//	kubelets.go         the simulated kubelets: watching and writing pods
//	admit.go            whether a kubelet takes a pod
//	podstep.go          what a kubelet does next to a pod
//	podstatus.go        what it reports of it
//	heartbeat.go        the leases of nodes
//	objects.go          creating objects of any kind
//	audit.go            counting requests by user and verb
package localcluster
