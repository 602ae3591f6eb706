package device

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/berth-dev/berth/pkg/api/v1alpha1"
	"github.com/berth-dev/berth/pkg/core/topology"
)

// NodeDevices says who holds the devices of a node.
type NodeDevices struct {
	Node string `json:"node"`
	// Free are the devices that may be given out, Unhealthy those that must not.
	Free      []string `json:"free"`
	Unhealthy []string `json:"unhealthy,omitempty"`
	// Held are the devices of each pod, by namespace/name.
	Held []HeldDevices `json:"held,omitempty"`
}

// HeldDevices are the devices of a pod.
type HeldDevices struct {
	Pod     string   `json:"pod"`
	Devices []string `json:"devices"`
	// Reported says that the node says so.
	Reported bool `json:"reported,omitempty"`
}

// Dump returns who holds what on all nodes with a NodeTopology, by name. It is the same
// whenever the API server has the same objects.
func (v *Inventory) Dump() []NodeDevices {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.dump()
}

func (v *Inventory) dump() []NodeDevices {
	out := []NodeDevices{}
	for name, n := range v.nodes {
		if n.machine == nil {
			continue
		}
		one := NodeDevices{Node: name, Free: n.machine.Names(n.free), Unhealthy: n.machine.Names(topology.All(n.machine.Matrix.Devices) & n.machine.Whole &^ n.machine.Healthy)}
		for _, h := range n.pods {
			if h.set != 0 {
				one.Held = append(one.Held, HeldDevices{Pod: h.name.String(), Devices: n.machine.Names(h.set), Reported: h.reported})
			}
		}
		slices.SortFunc(one.Held, func(a, b HeldDevices) int { return strings.Compare(a.Pod, b.Pod) })
		out = append(out, one)
	}
	slices.SortFunc(out, func(a, b NodeDevices) int { return strings.Compare(a.Node, b.Node) })
	return out
}

// Differs makes an inventory anew from objects, and returns a sentence for each node on
// which it has other devices free or held.
func (v *Inventory) Differs(nodes []*corev1.Node, pods []*corev1.Pod, topologies []*v1alpha1.NodeTopology) map[string]string {
	v.mu.Lock()
	defer v.mu.Unlock()
	anew := NewInventory()
	anew.Count(v.devices)
	anew.Pick(v.picker, v.sizes)
	// The classes are the same, and cost much to make.
	anew.classes, anew.machines = maps.Clone(v.classes), slices.Clone(v.machines)
	for _, t := range topologies {
		anew.SetTopology(t)
	}
	for _, node := range nodes {
		anew.SetNode(node)
	}
	for _, pod := range pods {
		if pod.Spec.NodeName != "" {
			anew.SetPod(pod)
		}
	}
	byNode := func(dump []NodeDevices) map[string]NodeDevices {
		out := map[string]NodeDevices{}
		for _, one := range dump {
			out[one.Node] = one
		}
		return out
	}
	has, should := byNode(v.dump()), byNode(anew.dump())
	out := map[string]string{}
	for name, want := range should {
		if got, known := has[name]; !known || !reflect.DeepEqual(got, want) {
			out[name] = fmt.Sprintf("node %q has devices %+v, and the inventory says %+v", name, want, got)
		}
	}
	for name := range has {
		if _, known := should[name]; !known {
			out[name] = fmt.Sprintf("node %q has devices in the inventory and no NodeTopology", name)
		}
	}
	return out
}
