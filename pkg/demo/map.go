package demo

import (
	"cmp"
	"slices"
	"strings"

	v1 "k8s.io/api/core/v1"

	"github.com/berth-dev/berth/pkg/localcluster"
	"github.com/berth-dev/berth/pkg/webpage"
)

// seated says who of a workload sits on which node, as the API has it: nodes by block, rack and
// name. Pods that are not of the workload take no place, nor do those that have ended.
func seated(w Workload, pods []v1.Pod, nodes []v1.Node) []webpage.Node {
	roster := w.roster()
	seats := map[string][]webpage.Seat{}
	for i := range pods {
		ref, ours := roster.ref(&pods[i])
		ended := pods[i].Status.Phase == v1.PodSucceeded || pods[i].Status.Phase == v1.PodFailed
		if node := pods[i].Spec.NodeName; ours && node != "" && !ended {
			s := &w.Submissions[ref.Submission]
			seats[node] = append(seats[node], webpage.Seat{Gang: s.key(), Pod: namespace + "/" + pods[i].Name, GPUs: s.GPUs})
		}
	}
	out := make([]webpage.Node, 0, len(nodes))
	for i := range nodes {
		n := &nodes[i]
		gpus := n.Status.Allocatable[localcluster.GPUResource]
		on := seats[n.Name]
		slices.SortFunc(on, func(a, b webpage.Seat) int {
			return cmp.Or(strings.Compare(a.Gang, b.Gang), strings.Compare(a.Pod, b.Pod))
		})
		out = append(out, webpage.Node{
			Name: n.Name, Block: n.Labels[localcluster.BlockLabel], Rack: n.Labels[localcluster.RackLabel], GPUs: int(gpus.Value()), Pods: on,
		})
	}
	slices.SortFunc(out, func(a, b webpage.Node) int {
		return cmp.Or(strings.Compare(a.Block, b.Block), strings.Compare(a.Rack, b.Rack), strings.Compare(a.Name, b.Name))
	})
	return out
}

// key is that of a submission on the page.
func (s Submission) key() string {
	if s.Dialect == "" {
		return webpage.PodKey(namespace, s.Name)
	}
	return webpage.GangKey(namespace, s.Name)
}

// racksOf counts the racks that each submission has pods in, by its key.
func racksOf(nodes []webpage.Node) map[string]int {
	type place struct{ key, block, rack string }
	seen, racks := map[place]bool{}, map[string]int{}
	for _, n := range nodes {
		for _, seat := range n.Pods {
			if at := (place{seat.Gang, n.Block, n.Rack}); !seen[at] {
				seen[at] = true
				racks[seat.Gang]++
			}
		}
	}
	return racks
}
