package demo

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/berth-dev/berth/pkg/localcluster"
)

// The queues of the demo.
const (
	researchQueue   = "research"
	servingQueue    = "serving"
	productionQueue = "production"
)

// A Queue is who pays for a part of the workload, in GPUs.
type Queue struct {
	Name       string `json:"name"`
	Guaranteed int    `json:"guaranteed"`
	Limit      int    `json:"limit"`
}

// queuesFor are the queues of a cluster of so many nodes, in the order of the reports.
func queuesFor(nodes int) []Queue {
	percent := func(n int) int { return nodes * nodeGPUs * n / 100 }
	return []Queue{
		{Name: researchQueue, Guaranteed: percent(10), Limit: percent(90)},
		{Name: servingQueue, Guaranteed: percent(20), Limit: percent(30)},
		{Name: productionQueue, Guaranteed: percent(40), Limit: percent(60)},
	}
}

// Object is the queue as its administrator would write it.
func (q Queue) Object() *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "berth.dev/v1alpha1",
		"kind":       "Queue",
		"metadata":   map[string]any{"name": q.Name},
		"spec": map[string]any{"namespaces": []any{namespace}, "resources": []any{map[string]any{
			"name":       string(localcluster.GPUResource),
			"guaranteed": int64(q.Guaranteed),
			"limit":      int64(q.Limit),
		}}},
	}}
}

// makeQueues makes the queues of the workload.
func (s *Session) makeQueues(ctx context.Context) error {
	var objects []*unstructured.Unstructured
	for _, q := range s.workload.Queues {
		objects = append(objects, q.Object())
	}
	return s.cluster.CreateObjects(ctx, objects)
}

// pay says which queue pays for what was submitted so far: research for pods of 8 GPUs, and
// serving for those that share nodes.
func (w *Workload) pay() {
	for i := range w.Submissions {
		s := &w.Submissions[i]
		if s.Queue = servingQueue; s.GPUs == nodeGPUs {
			s.Queue = researchQueue
		}
	}
}

// addLate adds what comes when everything else is placed: gangs of pods of 8 GPUs that take
// some nodes more than can be empty then, and are within what their queue is guaranteed.
// Those that require a rack come first.
func (w *Workload) addLate(r *rand.Rand) {
	left := w.mostEmpty() + max(w.Nodes/20, 1)
	var late []Submission
	for left >= 2 {
		sizes := [...]int{8, 12, 16, 24}
		size := rung(min(sizes[r.IntN(len(sizes))], left))
		gang := Submission{Size: size, GPUs: nodeGPUs, Preferred: rackLevel}
		if size <= localcluster.DefaultRackSize/2 && r.IntN(2) == 0 {
			gang.Required, gang.Preferred = rackLevel, ""
		}
		late = append(late, gang)
		left -= size
	}
	if left > 0 {
		late = append(late, Submission{Size: 1, GPUs: nodeGPUs})
	}
	slices.SortStableFunc(late, func(a, b Submission) int {
		first := func(s Submission) int {
			if s.Required != "" {
				return 0
			}
			return 1
		}
		return first(a) - first(b)
	})
	offset := r.IntN(len(dialects))
	for i, s := range late {
		s.Name, s.Queue, s.Late = fmt.Sprintf("release-%03d", i), productionQueue, true
		if s.Size > 1 {
			s.Dialect = dialects[(i+offset)%len(dialects)].name
		}
		w.Submissions = append(w.Submissions, s)
		w.Late = append(w.Late, len(w.Submissions)-1)
	}
}

// mostEmpty is how many nodes are empty at most once all is placed that does not come late.
func (w Workload) mostEmpty() int {
	whole, shared := w.taken()
	return w.Nodes - whole - (shared+nodeGPUs-1)/nodeGPUs
}
