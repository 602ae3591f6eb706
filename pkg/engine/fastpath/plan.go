package fastpath

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework"

	"github.com/berth-dev/berth/pkg/core/fabric"
	"github.com/berth-dev/berth/pkg/core/gang"
	"github.com/berth-dev/berth/pkg/core/pack"
	"github.com/berth-dev/berth/pkg/core/plan"
	"github.com/berth-dev/berth/pkg/engine/podshape"
	"github.com/berth-dev/berth/pkg/plugins/fabricplacement"
	"github.com/berth-dev/berth/pkg/state/device"
	"github.com/berth-dev/berth/pkg/state/gangtable"
	"github.com/berth-dev/berth/pkg/state/workload"
)

// mostPlacements is how many domains a gang is tried in, in one cycle.
const mostPlacements = 3

// plans are those of the gang that is being tried.
type plans struct {
	// byPlacement has the plan of each placement but one of all nodes, which the snapshot
	// takes for no placement: that is whole.
	byPlacement map[*fwk.Placement]*gangPlan
	whole       *gangPlan
	order       []*fwk.Placement
	// carried is the plan that all its pods followed; the rest need not be tried.
	carried *gangPlan
}

// gangPlan is where the pods of a gang go.
type gangPlan struct {
	pods map[types.UID]plannedPod
	// segmented says that a pod without a place in the plan has none.
	segmented bool
	// placed are those that have found a node.
	placed int
}

// plannedPod is where a pod goes.
type plannedPod struct {
	node pack.NodeID
	// within are the nodes of its segment; nil without segments.
	within *pack.Set
	// place is what is written on the pod.
	place *device.Place
}

// newFabricPlacement builds the plugin of one profile.
func (p *Path) newFabricPlacement(_ context.Context, _ runtime.Object, handle fwk.Handle) (fwk.Plugin, error) {
	return fabricplacement.New(p, handle), nil
}

// Order returns the place of a placement among those of the last plan, from 0.
func (p *Path) Order(placement *fwk.Placement) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return max(0, slices.Index(p.plans.order, placement))
}

// Place plans a group. Planned is false if the index knows nothing of the nodes at hand. A
// group that asks for no topology may go to all of them, and has no plan to follow.
func (p *Path) Place(group fwk.PodGroupInfo, parent *fwk.Placement) (placements []*fwk.Placement, status *fwk.Status, planned bool) {
	pg, pods := group.GetPodGroup(), group.GetUnscheduledPods()
	if pg == nil || len(pods) == 0 {
		return nil, nil, false
	}
	asked := gangtable.TopologyOf(pg)
	if asked == (gang.Topology{}) {
		return []*fwk.Placement{parent}, nil, true
	}
	if placements, yes := p.restricted(parent); yes {
		return placements, nil, true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.plans = plans{byPlacement: map[*fwk.Placement]*gangPlan{}}
	profile := p.profiles[pods[0].Spec.SchedulerName]
	if p.cache == nil || profile == nil || p.unread || len(parent.Nodes) != p.index.Len() || !p.inStep() {
		return nil, nil, false
	}
	p.readTouched()
	request, shapes, missing := p.planRequest(group, asked, profile)
	if missing != "" {
		return nil, p.noPlace(pods[0], missing), true
	}
	planner := plan.Planner{Index: p.index.Pack(), Fabric: p.index.Fabric(), Ranking: profile.ranking}
	result := p.newVerifier(&request, pods, shapes).plan(planner)
	if len(result.Candidates) == 0 {
		why := p.whyNoPlace(result.Reason, &request, shapes)
		return nil, p.noPlace(pods[0], why+p.whyFull(result.Reason, &request, pods, shapes, planner)), true
	}
	for _, candidate := range result.Candidates {
		placements = append(placements, p.placementOf(candidate, &request, pods, parent))
	}
	p.plans.order = placements
	return placements, nil, true
}

// planRequest translates a group. What is missing is empty, or says which level it has to
// have that is none.
func (p *Path) planRequest(group fwk.PodGroupInfo, asked gang.Topology, profile *profile) (_ plan.Request, _ []*podshape.Shape, missing string) {
	var running []*corev1.Pod
	if members, err := p.snapshot.PodGroupStates().Get(group.GetNamespace(), group.GetName()); err == nil {
		running = members.ScheduledPods()
	}
	pods := group.GetUnscheduledPods()
	r, shapes, key := p.requestOf(asked, pods, running, profile)
	if key != "" {
		return r, nil, fmt.Sprintf("no node has label %s, the topology level that it asks for", key)
	}
	r.Candidates = mostPlacements
	size := len(pods)
	if pg := group.GetPodGroup(); pg != nil && pg.Spec.SchedulingPolicy.Gang != nil {
		size = int(pg.Spec.SchedulingPolicy.Gang.MinCount)
	}
	r.Need(size)
	return r, shapes, ""
}

// requestOf translates pods that are to be placed together, beside those of their gang that run. A
// pod that the index cannot judge has no shape. A preferred level that no node has is not asked
// for; missing is the label of another level that no node has.
func (p *Path) requestOf(asked gang.Topology, pods, running []*corev1.Pod, profile *profile) (_ plan.Request, _ []*podshape.Shape, missing string) {
	p.index.LookAt(asked.Required, asked.Preferred, asked.SegmentLevel)
	if _, level := p.index.Level(asked.Preferred); !level {
		asked.Preferred = ""
	}
	r, missing := plan.NewRequest(asked, p.index.Level)
	if missing != "" {
		return r, nil, missing
	}
	ranks, runningRanks := workload.Ranks(pods, running)
	for i, pod := range running {
		if id, ok := p.index.ID(pod.Spec.NodeName); ok {
			r.Running = append(r.Running, plan.Running{Rank: runningRanks[i], Node: id})
		}
	}
	shapes := make([]*podshape.Shape, len(pods))
	for i, pod := range pods {
		requested := ResourceOf(pod)
		one := plan.Pod{Rank: ranks[i], Request: p.request(pod, requested)}
		if podshape.ReasonOf(pod) == "" {
			shapes[i] = p.shapeOf(profile, pod, requested)
			one.Open = shapes[i].Open()
		}
		r.Pods = append(r.Pods, one)
	}
	return r, shapes, ""
}

// placementOf makes a placement of a candidate, and notes its plan.
func (p *Path) placementOf(candidate plan.Candidate, request *plan.Request, pods []*corev1.Pod, parent *fwk.Placement) *fwk.Placement {
	placement := parent
	if candidate.Level != fabric.NoLevel {
		domain := p.index.Fabric().Domain(candidate.Domain)
		placement = &fwk.Placement{Name: domain.Name}
		for id, ok := domain.Nodes.Next(0); ok; id, ok = domain.Nodes.Next(id + 1) {
			placement.Nodes = append(placement.Nodes, p.index.Info(id))
		}
	}
	g := &gangPlan{pods: map[types.UID]plannedPod{}, segmented: request.SegmentSize > 0}
	for i, assignment := range candidate.Assignments {
		if assignment.Node == plan.NoNode {
			continue
		}
		one := plannedPod{node: assignment.Node, place: &device.Place{Domain: placement.Name, Rank: request.Pods[i].Rank}}
		if candidate.Level != fabric.NoLevel {
			one.place.Level = p.index.Fabric().Key(candidate.Level)
		}
		if assignment.Segment != fabric.NoDomain {
			one.within = &p.index.Fabric().Domain(assignment.Segment).Nodes
		}
		g.pods[pods[i].UID] = one
	}
	if len(placement.Nodes) == len(parent.Nodes) {
		p.plans.whole = g
	} else {
		p.plans.byPlacement[placement] = g
	}
	return placement
}

// planFor returns the plan of the present placement; nil if there is none.
func (p *Path) planFor() *gangPlan {
	if placement := p.snapshot.GetPlacement(); placement != nil {
		return p.plans.byPlacement[placement]
	}
	return p.plans.whole
}

// follow looks for a node by the plan, if there is one: the planned node, or, if that
// refuses, one around it, in the same segment.
func (s *search) follow(ranking *pack.Ranking) bool {
	g := s.path.planFor()
	if g == nil {
		return s.run(ranking)
	}
	planned, ok := g.pods[s.pod.UID]
	found := ok && s.ask(planned.node)
	if !found && s.failed == nil {
		if planned.within != nil {
			s.open.In, s.roomy.In = append(s.open.In, planned.within), append(s.roomy.In, planned.within)
		}
		found = s.run(ranking)
	}
	if found && ok {
		s.cycle.Write(device.PlaceKey, planned.place)
		s.path.plans.follows(g)
	}
	return found
}

// follows notes that one more pod has found a node by a plan.
func (p *plans) follows(g *gangPlan) {
	if g.placed++; g.placed == len(g.pods) {
		p.carried = g
	}
}

// followed notes that a pod has found a node in the framework's own way.
func (p *Path) followed(pod types.UID, cycle fwk.CycleState) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if g := p.planFor(); g != nil {
		if planned, ok := g.pods[pod]; ok {
			cycle.Write(device.PlaceKey, planned.place)
			p.plans.follows(g)
		}
	}
}

// refusedByPlan returns why a pod needs no node: another plan was carried out already, or
// its gang has segments and the pod is in none.
func (p *Path) refusedByPlan(pod *corev1.Pod) *framework.FitError {
	g := p.planFor()
	if g == nil {
		return nil
	}
	_, ok := g.pods[pod.UID]
	why := ""
	switch {
	case p.plans.carried != nil && p.plans.carried != g:
		why = "the gang has a better place"
	case g.segmented && !ok:
		why = "no domain has room for its segment"
	default:
		return nil
	}
	return p.noFit(pod, why)
}

// restrict restricts the framework's own way to what the plan leaves to a pod, until it is
// restored, or says why the pod needs no node.
func (p *Path) restrict(pod *corev1.Pod) (restore func(), fit *framework.FitError) {
	p.mu.Lock()
	defer p.mu.Unlock()
	restore = func() {}
	if p.cache == nil || p.unread || !p.inStep() {
		return restore, nil
	}
	if fit = p.refusedByPlan(pod); fit != nil {
		return restore, fit
	}
	g := p.planFor()
	if g == nil || g.pods[pod.UID].within == nil {
		return restore, nil
	}
	within := g.pods[pod.UID].within
	around := p.snapshot.GetPlacement()
	segment := &fwk.Placement{Name: "segment"}
	nodes := p.placementSet()
	for id, ok := within.Next(0); ok; id, ok = within.Next(id + 1) {
		if nodes == nil || nodes.Has(id) {
			segment.Nodes = append(segment.Nodes, p.index.Info(id))
		}
	}
	if err := p.snapshot.AssumePlacement(segment); err != nil {
		return restore, nil
	}
	p.plans.byPlacement[segment] = g
	return func() {
		// It was assumed before, so it can be again.
		_ = p.snapshot.AssumePlacement(around)
	}, nil
}

// noPlace is the status of a gang that has no place: it waits for what may change that.
func (p *Path) noPlace(pod *corev1.Pod, why string) *fwk.Status {
	return fwk.NewStatus(fwk.Unschedulable, why).WithError(p.noFit(pod, why))
}

// noFit is the error of a pod that no plan has a node for.
func (p *Path) noFit(pod *corev1.Pod, why string) *framework.FitError {
	diagnosis := framework.Diagnosis{NodeToStatus: framework.NewDefaultNodeToStatus(), PreFilterMsg: why}
	diagnosis.AddPluginStatus(fwk.NewStatus(fwk.Unschedulable, why).WithPlugin(fabricplacement.Name))
	return &framework.FitError{Pod: pod, NumAllNodes: p.index.Len(), Diagnosis: diagnosis}
}
