// Package cluster is every input of a gang's plan as one value, [Snapshot]: the nodes
// with what they have free and where they are, how their devices are linked, and how they
// are ranked. The same snapshot and gang give the same plan, on any machine:
//
//	Read(file) -> Snapshot -> Planner() -> plan.Planner
//
// # The file
//
// A snapshot is kept as JSON, CLUSTER.json. Equal snapshots are equal files: keys come in
// one order, there is a line for each machine and node, and all numbers are whole.
//
//	{
//	"version":1,
//	"policy":{"order":"Pack","cpuWeight":1,"memoryWeight":1},
//	"sizes":[{"devices":2,"weight":1},..],
//	"devices":["nvidia.com/gpu",..],
//	"fabric":[["topology.kubernetes.io/block","topology.kubernetes.io/rack"],..],
//	"machines":[
//	{"name":"m1","picker":"DevicePlugin","devices":8,"numa":[0,..],"nic":["PIX",..],
//	 "rates":{"nvlink":20600,"pcie":48000,"system":22000},
//	 "links":[{"a":0,"b":1,"path":"NODE","nvlinks":18,"switched":true},..]}
//	],
//	"nodes":[
//	{"name":"node-00001","labels":{"topology.kubernetes.io/rack":"rack-0001",..},
//	 "device":"nvidia.com/gpu","devices":3,"cpu":96000,"memory":549755813888,
//	 "pods":108,"held":2,"machine":"m1","free":[2,5,7],
//	 "taints":[{"key":"dedicated","value":"ml","effect":"NoSchedule"}]}
//	]
//	}
//
// version is [Version], and rises when a field changes its meaning or an older program
// would decide otherwise without a new one. cpu is in thousandths of a core, memory in
// bytes, rates in MB/s each way, pods, held and devices are counts; what is free may be
// negative on a node that was filled past its capacity. free are the numbers of the free
// devices, in the order of the machine, where it is known; the lower of their number and
// devices holds. numa is -1 where it is not known. Labels are those of fabric levels alone.
//
// The order of nodes is that of their numbers in the index, which decides between nodes
// that are alike; the order of devices is that of their kinds.
//
// What is not in it: node selectors, affinity and volumes are judged by plugins, on
// objects. Taints are in it for whoever has pods to judge by them.
//
// Files: snapshot.go (the value), machine.go (links), check.go (what makes sense), file.go
// (JSON), planner.go (the planner), synthetic.go (clusters that nobody has).
package cluster
