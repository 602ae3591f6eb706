package cluster

import (
	"slices"

	"github.com/berth-dev/berth/pkg/core/pack"
	"github.com/berth-dev/berth/pkg/core/topology"
)

// Version is the version of the file that is written, and the only one that is read.
const Version = 1

// Snapshot is a cluster at one moment, as a decision sees it.
type Snapshot struct {
	Version int    `json:"version"`
	Policy  Policy `json:"policy"`
	// Sizes weigh how many devices pods ask for at once, by size; see topology.Sizes.
	Sizes []Size `json:"sizes"`
	// Devices are the resources that are devices: the one at i is of kind i+1.
	Devices []string `json:"devices"`
	// Fabric are the trees of levels, each a list of label keys, widest first.
	Fabric [][]string `json:"fabric"`
	// Machines are those whose links are known, Nodes all nodes by their number.
	Machines []Machine `json:"machines"`
	Nodes    []Node    `json:"nodes"`
}

// The values of Policy.Order.
const (
	Pack   = "Pack"
	Spread = "Spread"
)

// Policy is how nodes are ranked; see pack.Policy.
type Policy struct {
	// Order is Pack or Spread.
	Order        string `json:"order"`
	CPUWeight    int32  `json:"cpuWeight"`
	MemoryWeight int32  `json:"memoryWeight"`
}

// Size weighs pods of so many devices.
type Size struct {
	Devices int   `json:"devices"`
	Weight  uint8 `json:"weight"`
}

// Node is a node with what it has free.
type Node struct {
	Name string `json:"name"`
	// Labels are those of fabric levels.
	Labels map[string]string `json:"labels,omitempty"`
	// Device is the resource of its devices, empty if it has none; Devices are those free.
	Device  string `json:"device,omitempty"`
	Devices int32  `json:"devices"`
	// CPU is in thousandths of a core, Memory in bytes.
	CPU    int64 `json:"cpu"`
	Memory int64 `json:"memory"`
	// Pods is how many more pods it takes, Held how many are on it.
	Pods int32 `json:"pods"`
	Held int32 `json:"held"`
	// Machine is the name of its machine, empty if devices are only counted. Free are the
	// numbers of the devices that are free, lowest first.
	Machine string `json:"machine,omitempty"`
	Free    []int  `json:"free,omitempty"`
	// Taints are those that keep pods away.
	Taints []Taint `json:"taints,omitempty"`
}

// Taint is a taint of effect NoSchedule or NoExecute.
type Taint struct {
	Key    string `json:"key"`
	Value  string `json:"value,omitempty"`
	Effect string `json:"effect"`
}

// PolicyOf returns a policy of the core as a snapshot has it.
func PolicyOf(p pack.Policy) Policy {
	order := Pack
	if p.Spread {
		order = Spread
	}
	return Policy{Order: order, CPUWeight: p.CPU, MemoryWeight: p.Memory}
}

// SizesOf returns sizes of the core as a snapshot has them.
func SizesOf(sizes topology.Sizes) []Size {
	out := []Size{}
	for devices, weight := range sizes {
		if devices > 0 && weight > 0 {
			out = append(out, Size{Devices: devices, Weight: weight})
		}
	}
	return out
}

// FreeOf returns a set of devices as a node has it.
func FreeOf(set topology.Mask) []int { return slices.Collect(set.Each()) }

// policy, sizes and free are the values of the core.

func (s *Snapshot) policy() pack.Policy {
	return pack.Policy{Spread: s.Policy.Order == Spread, CPU: s.Policy.CPUWeight, Memory: s.Policy.MemoryWeight}
}

func (s *Snapshot) sizes() (out topology.Sizes) {
	for _, size := range s.Sizes {
		out[size.Devices] = size.Weight
	}
	return out
}

func (n *Node) free() (set topology.Mask) {
	for _, d := range n.Free {
		set |= 1 << d
	}
	return set
}
