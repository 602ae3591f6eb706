package cluster

import (
	"fmt"
	"math/rand/v2"

	"github.com/berth-dev/berth/pkg/core/topology"
)

// The levels of a synthetic cluster: racks in blocks of blockRacks.
const (
	BlockLevel = "topology.kubernetes.io/block"
	RackLevel  = "topology.kubernetes.io/rack"

	blockRacks = 8
)

// What a synthetic node is made of: eight H100 on a switch.
const (
	nodeDevices = 8
	nodeCPU     = 192_000
	nodeMemory  = 2 << 40
	nodePods    = 110
	// A device has an eighth of CPU and memory, less what the system takes.
	deviceCPU    = 22_000
	deviceMemory = 240 << 30
	// mostNodes bounds a synthetic cluster.
	mostNodes = 1_000_000

	device  = "nvidia.com/gpu"
	product = "NVIDIA H100 80GB HBM3"
)

// Racks is a number of racks, Percent a part of a whole.
type (
	Racks   int
	Percent int
)

// Synthetic returns a cluster of nodes with 8 devices each, spread evenly over racks of
// which 8 make a block. Pods of 1, 2, 4 and 8 devices have fill of all devices: they were
// packed, and others between them have ended. The same arguments give the same cluster.
func Synthetic(nodes int, racks Racks, fill Percent, seed uint64) (*Snapshot, error) {
	switch {
	case nodes < 1 || nodes > mostNodes:
		return nil, fmt.Errorf("a synthetic cluster of %d nodes: it must have from 1 to %d", nodes, mostNodes)
	case racks < 1 || int(racks) > nodes:
		return nil, fmt.Errorf("a synthetic cluster of %d racks: it must have from 1 to as many as nodes, %d", racks, nodes)
	case fill < 0 || fill > 100:
		return nil, fmt.Errorf("a synthetic cluster filled to %d percent: it must be from 0 to 100", fill)
	}
	s := &Snapshot{
		Version: Version, Policy: Policy{Order: Pack, CPUWeight: 1, MemoryWeight: 1}, Sizes: SizesOf(topology.DefaultSizes()),
		Devices: []string{device}, Fabric: [][]string{{BlockLevel, RackLevel}}, Machines: []Machine{switchMachine()},
	}
	for i := range nodes {
		rack := i * int(racks) / nodes
		s.Nodes = append(s.Nodes, Node{
			Name:   fmt.Sprintf("node-%05d", i+1),
			Labels: map[string]string{BlockLevel: fmt.Sprintf("block-%03d", rack/blockRacks+1), RackLevel: fmt.Sprintf("rack-%04d", rack+1)},
			Device: device, Devices: nodeDevices, CPU: nodeCPU, Memory: nodeMemory, Pods: nodePods,
			Machine: s.Machines[0].Name, Free: FreeOf(topology.All(nodeDevices)),
		})
	}
	s.fill(nodes*nodeDevices*int(fill)/100, rand.New(rand.NewPCG(seed, 0)))
	return s, nil
}

// switchMachine is a machine on which every set of a size is alike.
func switchMachine() Machine {
	matrix := topology.Matrix{Devices: nodeDevices}
	matrix.Rates, _ = topology.RatesOf(product)
	for a := range nodeDevices {
		matrix.NUMA[a], matrix.NIC[a] = int16(a/(nodeDevices/2)), topology.Bridge
		for b := range a {
			path := topology.System
			if matrix.NUMA[a] == matrix.NUMA[b] {
				path = topology.Node
			}
			matrix.Join(a, b, topology.Link{Path: path, NVLinks: 18, Switched: true})
		}
	}
	return MachineOf("m1", &matrix, topology.DevicePlugin)
}

// pod is a pod on a node, with its devices.
type pod struct {
	node int
	set  topology.Mask
}

// fill takes so many devices. It packs pods onto more of them than that, ends random ones,
// and packs once more where that were too many.
func (s *Snapshot) fill(devices int, random *rand.Rand) {
	all := len(s.Nodes) * nodeDevices
	pods := s.packed(devices+(all-devices)/2, random)
	taken := 0
	for _, p := range pods {
		taken += p.set.Len()
	}
	random.Shuffle(len(pods), func(a, b int) { pods[a], pods[b] = pods[b], pods[a] })
	for ; taken > devices; pods = pods[1:] {
		s.Nodes[pods[0].node].change(pods[0].set, -1)
		taken -= pods[0].set.Len()
	}
	s.packed(devices-taken, random)
}

// packed puts pods on the tightest nodes that have room, until they have so many devices:
// as many pods of each size, where there is room for them.
func (s *Snapshot) packed(devices int, random *rand.Rand) []pod {
	sizes := [...]int{1, 2, 4, 8}
	// byFree are the nodes with so many devices free, in random order.
	var byFree [nodeDevices + 1][]int
	for _, i := range random.Perm(len(s.Nodes)) {
		free := s.Nodes[i].Devices
		byFree[free] = append(byFree[free], i)
	}
	var pods []pod
	for devices > 0 {
		k := random.IntN(len(sizes))
		for k >= 0 && (sizes[k] > devices || tightest(&byFree, sizes[k]) > nodeDevices) {
			k--
		}
		if k < 0 {
			return pods
		}
		size, free := sizes[k], tightest(&byFree, sizes[k])
		last := len(byFree[free]) - 1
		i := byFree[free][last]
		byFree[free] = byFree[free][:last]
		byFree[free-size] = append(byFree[free-size], i)
		pods = append(pods, pod{i, s.Nodes[i].take(size, random)})
		devices -= size
	}
	return pods
}

// tightest returns the fewest free devices of a node that has room for a pod, more than a
// node has if none does.
func tightest(byFree *[nodeDevices + 1][]int, size int) int {
	free := size
	for free <= nodeDevices && len(byFree[free]) == 0 {
		free++
	}
	return free
}

// take puts a pod on a node, and returns its devices: which of the free ones is random, as
// if others came and went before it.
func (n *Node) take(size int, random *rand.Rand) (set topology.Mask) {
	for _, at := range random.Perm(len(n.Free))[:size] {
		set |= 1 << n.Free[at]
	}
	n.change(set, 1)
	return set
}

// change takes the devices of a pod, and what it has beside them, by 1, and gives them back
// by -1.
func (n *Node) change(set topology.Mask, by int) {
	n.Free = FreeOf(n.free() ^ set)
	devices := by * set.Len()
	n.Devices -= int32(devices)
	n.CPU -= int64(devices) * deviceCPU
	n.Memory -= int64(devices) * deviceMemory
	n.Pods -= int32(by)
	n.Held += int32(by)
}
