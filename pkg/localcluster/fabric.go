package localcluster

import (
	"fmt"
	"strconv"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Labels that say where in the fabric a node is, besides
// topology.kubernetes.io/zone. A block is a group of racks.
const (
	RackLabel  = "topology.kubernetes.io/rack"
	BlockLabel = "topology.kubernetes.io/block"
)

// Labels of GPU feature discovery.
const (
	gpuProductLabel = "nvidia.com/gpu.product"
	gpuCountLabel   = "nvidia.com/gpu.count"
	gpuMemoryLabel  = "nvidia.com/gpu.memory"
)

// Defaults of Nodes.
const (
	DefaultRackSize  = 32
	DefaultBlockSize = 8
	DefaultZone      = "local-1"
)

// Nodes describes a pool of nodes that are alike.
type Nodes struct {
	Count     int
	RackSize  int     // nodes a rack; 0 means DefaultRackSize
	BlockSize int     // racks a block; 0 means DefaultBlockSize
	Zone      string  // its label; "" means DefaultZone
	Model     Machine // the zero value means the first of Machines
}

// withDefaults fills in what is zero, and refuses what makes no sense.
func (n Nodes) withDefaults() (Nodes, error) {
	if n.Count < 0 || n.RackSize < 0 || n.BlockSize < 0 {
		return n, fmt.Errorf("the number of nodes, nodes a rack and racks a block cannot be negative, got %d, %d and %d", n.Count, n.RackSize, n.BlockSize)
	}
	if n.RackSize == 0 {
		n.RackSize = DefaultRackSize
	}
	if n.BlockSize == 0 {
		n.BlockSize = DefaultBlockSize
	}
	if n.Zone == "" {
		n.Zone = DefaultZone
	}
	if n.Model == (Machine{}) {
		n.Model = Machines()[0]
	}
	return n, n.Model.validate()
}

// A position is the next free place in the fabric. Nodes, racks and blocks are
// each numbered from 1 through the whole cluster.
type position struct {
	node, rack, block int
}

// layOut returns the nodes of a pool that begins at a position, and the
// position after it. A pool begins with a new rack in a new block, so a rack
// holds one model of machine only.
func layOut(at position, pool Nodes) ([]*v1.Node, position) {
	nodes := make([]*v1.Node, pool.Count)
	for i := range nodes {
		rack := i / pool.RackSize
		nodes[i] = newNode(position{at.node + i, at.rack + rack, at.block + rack/pool.BlockSize}, pool.Zone, pool.Model)
	}
	racks := (pool.Count + pool.RackSize - 1) / pool.RackSize
	blocks := (racks + pool.BlockSize - 1) / pool.BlockSize
	return nodes, position{at.node + pool.Count, at.rack + racks, at.block + blocks}
}

// newNode is a healthy node at a position in a zone, as its kubelet would register it.
func newNode(at position, zone string, model Machine) *v1.Node {
	name := fmt.Sprintf("node-%05d", at.node)
	labels := map[string]string{
		v1.LabelHostname:           name,
		v1.LabelArchStable:         model.Arch,
		v1.LabelOSStable:           "linux",
		v1.LabelInstanceTypeStable: model.Name,
		v1.LabelTopologyRegion:     "local",
		v1.LabelTopologyZone:       zone,
		BlockLabel:                 fmt.Sprintf("block-%03d", at.block),
		RackLabel:                  fmt.Sprintf("rack-%04d", at.rack),
	}
	if model.GPUs > 0 {
		labels[gpuProductLabel] = model.GPU
		labels[gpuCountLabel] = strconv.FormatInt(model.GPUs, 10)
		labels[gpuMemoryLabel] = strconv.FormatInt(model.GPUMemory, 10)
	}
	capacity := model.capacity()
	return &v1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels},
		Status: v1.NodeStatus{
			Capacity:    capacity,
			Allocatable: capacity,
			Conditions: []v1.NodeCondition{{
				Type:    v1.NodeReady,
				Status:  v1.ConditionTrue,
				Reason:  "KubeletReady",
				Message: "simulated by berth-local",
			}},
			Addresses: []v1.NodeAddress{
				{Type: v1.NodeHostName, Address: name},
				{Type: v1.NodeInternalIP, Address: fmt.Sprintf("10.%d.%d.%d", 128+at.node>>16&0x7f, at.node>>8&0xff, at.node&0xff)},
			},
			NodeInfo: v1.NodeSystemInfo{
				Architecture:            model.Arch,
				OperatingSystem:         "linux",
				KubeletVersion:          kubernetesVersion,
				ContainerRuntimeVersion: "simulated",
			},
		},
	}
}
