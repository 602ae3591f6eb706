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
// which 8 make a block. Pods of 1, 2, 4 and 8 devices are on random nodes, and have fill of
// all devices. The same arguments give the same cluster.
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

// fill takes so many devices, by pods on random nodes: there are as many pods of each size.
func (s *Snapshot) fill(devices int, random *rand.Rand) {
	// roomy are the nodes that may have room for a pod of a size.
	sizes := [...]int{1, 2, 4, 8}
	var roomy [len(sizes)][]int
	for k := range sizes {
		for i := range s.Nodes {
			roomy[k] = append(roomy[k], i)
		}
	}
	for devices > 0 {
		k := random.IntN(len(sizes))
		for k > 0 && sizes[k] > devices {
			k--
		}
		n := s.room(&roomy[k], sizes[k], random)
		for n == nil && k > 0 {
			k--
			n = s.room(&roomy[k], sizes[k], random)
		}
		if n == nil {
			return
		}
		n.take(sizes[k], random)
		devices -= sizes[k]
	}
}

// room returns a random node of those that have room for a pod; nil if there is none.
func (s *Snapshot) room(among *[]int, size int, random *rand.Rand) *Node {
	for len(*among) > 0 {
		at := random.IntN(len(*among))
		if n := &s.Nodes[(*among)[at]]; int(n.Devices) >= size {
			return n
		}
		last := len(*among) - 1
		(*among)[at] = (*among)[last]
		*among = (*among)[:last]
	}
	return nil
}

// take puts a pod on a node. Which of the free devices it has is random: others came and
// went before it.
func (n *Node) take(size int, random *rand.Rand) {
	set := n.free()
	for _, at := range random.Perm(len(n.Free))[:size] {
		set &^= 1 << n.Free[at]
	}
	n.Free = FreeOf(set)
	n.Devices -= int32(size)
	n.CPU -= int64(size) * deviceCPU
	n.Memory -= int64(size) * deviceMemory
	n.Pods--
	n.Held++
}
