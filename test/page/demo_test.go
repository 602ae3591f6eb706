package page

import (
	"fmt"
	"testing"

	"github.com/berth-dev/berth/pkg/demo"
	"github.com/berth-dev/berth/pkg/webpage"
)

// demoResult is what comes of the demo's workload if it is placed node after node, without what
// comes late.
func demoResult(t *testing.T, nodes int) demo.Result {
	t.Helper()
	w, err := demo.Generate(nodes, 1)
	if err != nil {
		t.Fatal(err)
	}
	r := demo.Result{Workload: w, Figures: demo.Figures{Nodes: nodes, Gangs: w.Gangs(), Pods: len(w.AllPods())}}
	r.Verdict.Placed = make([]int, len(w.Submissions))
	for i := range nodes {
		r.Nodes = append(r.Nodes, webpage.Node{
			Name: fmt.Sprintf("node-%05d", i+1), Rack: fmt.Sprintf("rack-%04d", i/32+1), Block: fmt.Sprintf("block-%03d", i/256+1), GPUs: gpusOfNode,
		})
	}
	for _, ref := range w.Pods(w.Order) {
		s := &w.Submissions[ref.Submission]
		if s.Late {
			continue
		}
		key := webpage.GangKey("demo", s.Name)
		if s.Dialect == "" {
			key = webpage.PodKey("demo", s.Name)
		}
		for i := range r.Nodes {
			free := gpusOfNode
			for _, seat := range r.Nodes[i].Pods {
				free -= seat.GPUs
			}
			if free >= s.GPUs {
				r.Nodes[i].Pods = append(r.Nodes[i].Pods, webpage.Seat{Gang: key, Pod: fmt.Sprintf("demo/%s-%d", s.Name, ref.Index), GPUs: s.GPUs})
				r.Verdict.Placed[ref.Submission]++
				r.Figures.Bound++
				break
			}
		}
	}
	used := make([]int, len(w.Queues))
	r.Stages = []demo.Stage{{When: "at the end", Used: used}}
	return r
}
