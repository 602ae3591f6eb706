package demo

import (
	"cmp"
	"slices"

	v1 "k8s.io/api/core/v1"

	"github.com/berth-dev/berth/pkg/localcluster"
)

// A Map says where in the cluster every pod of a workload sits, as the API has it.
type Map struct {
	Blocks []Block `json:"blocks"` // by name, as their racks and nodes are
}

// A Block is a group of racks.
type Block struct {
	Name  string `json:"name"`
	Racks []Rack `json:"racks"`
}

// A Rack is a group of nodes.
type Rack struct {
	Name  string `json:"name"`
	Nodes []Node `json:"nodes"`
}

// A Node has GPUs, and pods that take some of them.
type Node struct {
	Name string   `json:"name"`
	GPUs int      `json:"gpus"`
	Pods []Seated `json:"pods,omitempty"` // in the order of the workload's submissions
}

// Seated is a pod on a node: the index of its submission, its own index in that,
// and the GPUs that it takes.
type Seated [3]int

// mapOf draws the map of a workload. Pods that are not of the workload take no
// place on it, nor do those that have ended.
func mapOf(w Workload, pods []v1.Pod, nodes []v1.Node) Map {
	roster := w.roster()
	seated := map[string][]Seated{}
	for i := range pods {
		ref, ours := roster.ref(&pods[i])
		ended := pods[i].Status.Phase == v1.PodSucceeded || pods[i].Status.Phase == v1.PodFailed
		if node := pods[i].Spec.NodeName; ours && node != "" && !ended {
			seated[node] = append(seated[node], Seated{ref.Submission, ref.Index, w.Submissions[ref.Submission].GPUs})
		}
	}

	place := func(n *v1.Node) []string {
		return []string{n.Labels[localcluster.BlockLabel], n.Labels[localcluster.RackLabel], n.Name}
	}
	sorted := make([]*v1.Node, len(nodes))
	for i := range nodes {
		sorted[i] = &nodes[i]
	}
	slices.SortFunc(sorted, func(a, b *v1.Node) int { return slices.Compare(place(a), place(b)) })
	var m Map
	for _, node := range sorted {
		at := place(node)
		if n := len(m.Blocks); n == 0 || m.Blocks[n-1].Name != at[0] {
			m.Blocks = append(m.Blocks, Block{Name: at[0]})
		}
		block := &m.Blocks[len(m.Blocks)-1]
		if n := len(block.Racks); n == 0 || block.Racks[n-1].Name != at[1] {
			block.Racks = append(block.Racks, Rack{Name: at[1]})
		}
		rack := &block.Racks[len(block.Racks)-1]
		gpus := node.Status.Allocatable[localcluster.GPUResource]
		on := seated[node.Name]
		slices.SortFunc(on, func(a, b Seated) int { return cmp.Or(a[0]-b[0], a[1]-b[1]) })
		rack.Nodes = append(rack.Nodes, Node{Name: node.Name, GPUs: int(gpus.Value()), Pods: on})
	}
	return m
}

// racksOf counts the racks that each submission has pods in, by its index.
func (m Map) racksOf(submissions int) []int {
	racks := make([]int, submissions)
	for _, block := range m.Blocks {
		for _, rack := range block.Racks {
			here := map[int]bool{}
			for _, node := range rack.Nodes {
				for _, seated := range node.Pods {
					here[seated[0]] = true
				}
			}
			for s := range here {
				racks[s]++
			}
		}
	}
	return racks
}
