package fastpath

import (
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/kubernetes/pkg/scheduler/framework"

	"github.com/berth-dev/berth/pkg/core/fabric"
	"github.com/berth-dev/berth/pkg/core/pack"
	"github.com/berth-dev/berth/pkg/core/plan"
	"github.com/berth-dev/berth/pkg/engine/podshape"
)

const (
	// mostReplans is how often a gang is planned anew in one cycle, around nodes that
	// refuse its pods for what the index does not know.
	mostReplans = 8
	// mostAsked is how many times a node is asked for that, in one cycle.
	mostAsked = 1 << 16
)

// verifier asks nodes whether they take the pods of a gang, with one pod for each shape. An
// answer that is kept shuts a node to the shape, and the next plan goes round it.
type verifier struct {
	path    *Path
	request *plan.Request
	pods    []*corev1.Pod
	// shapes are those of the pods; nil for a pod that the index cannot judge.
	shapes []*podshape.Shape
	// searches ask for a pod of each shape; nil if the PreFilter plugins have something to
	// say.
	searches map[*podshape.Shape]*search
	asked    int
}

func (p *Path) newVerifier(request *plan.Request, pods []*corev1.Pod, shapes []*podshape.Shape) *verifier {
	return &verifier{path: p, request: request, pods: pods, shapes: shapes, searches: map[*podshape.Shape]*search{}}
}

// plan plans until the nodes of the best candidate take its pods. Nodes that refuse are
// seldom alone: after the first, all of the domain that have room are asked, and after the
// next, all that there are, so that few plans are made whatever the number of such nodes.
func (v *verifier) plan(planner plan.Planner) plan.Result {
	result := planner.Plan(*v.request)
	for round := 0; round < mostReplans && len(result.Candidates) > 0; round++ {
		best := result.Candidates[0]
		if v.verify(best) {
			break
		}
		domain := fabric.Root
		if round == 0 {
			domain = best.Domain
		}
		v.explore(planner, domain)
		result = planner.Plan(*v.request)
	}
	return result
}

// verify asks the nodes of a candidate that no pod of the shape was verified on. It is no
// good if one refuses in a way that is kept.
func (v *verifier) verify(candidate plan.Candidate) bool {
	good := true
	for i, assignment := range candidate.Assignments {
		if assignment.Node != plan.NoNode && !v.ask(i, assignment.Node) {
			good = false
		}
	}
	return good
}

// explore asks the nodes of a domain that have room for a pod.
func (v *verifier) explore(planner plan.Planner, domain pack.DomainID) {
	explored := map[*podshape.Shape]bool{}
	for i, s := range v.shapes {
		if s == nil || explored[s] {
			continue
		}
		explored[s] = true
		among := pack.Among{In: []*pack.Set{s.Roomy(), &planner.Fabric.Domain(domain).Nodes}}
		for _, node := range slices.Collect(planner.Ranking.Offer(v.request.Pods[i].Request, among)) {
			v.ask(i, node)
		}
	}
}

// ask asks a node for a pod, unless it took one of the shape; false if it refuses in a way
// that is kept.
func (v *verifier) ask(i int, node pack.NodeID) bool {
	s := v.shapes[i]
	if s == nil || s.Verified.Has(node) || v.asked == mostAsked {
		return true
	}
	search, known := v.searches[s]
	if !known {
		search = v.searchFor(i)
		v.searches[s] = search
	}
	if search == nil {
		return true
	}
	v.asked++
	unkept := search.unkept
	if search.ask(node) {
		s.Verified.Add(node)
		return true
	}
	return search.failed != nil || search.unkept > unkept
}

// searchFor returns a search that asks nodes for a pod; nil if the PreFilter plugins have
// something to say.
func (v *verifier) searchFor(i int) *search {
	pod := v.pods[i]
	schedFramework := v.path.sched.Profiles[pod.Spec.SchedulerName]
	cycle := framework.NewCycleState()
	ctx := context.Background()
	if only, status, _ := schedFramework.RunPreFilterPlugins(ctx, cycle, pod); !status.IsSuccess() || !only.AllNodes() {
		return nil
	}
	return &search{path: v.path, ctx: ctx, framework: schedFramework, cycle: cycle, pod: pod, request: v.request.Pods[i].Request, shape: v.shapes[i]}
}
