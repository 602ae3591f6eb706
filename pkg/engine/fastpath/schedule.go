package fastpath

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler"
	"k8s.io/kubernetes/pkg/scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins/names"
	schedulermetrics "k8s.io/kubernetes/pkg/scheduler/metrics"

	"github.com/berth-dev/berth/pkg/core/pack"
	"github.com/berth-dev/berth/pkg/engine/podshape"
)

// refusalsBorne is how many nodes may refuse a pod in a way that cannot be kept before
// the framework looks for one itself. Refusals that are kept do not count: each node
// gives one to a shape of pods, and then none until it changes.
const refusalsBorne = 8

// schedulePod is Scheduler.SchedulePod.
func (p *Path) schedulePod(ctx context.Context, schedFramework framework.Framework, cycle fwk.CycleState, info *framework.QueuedPodInfo) (scheduler.ScheduleResult, error) {
	result, reason, err := p.try(ctx, schedFramework, cycle, info)
	if reason == "" {
		return result, err
	}
	p.queue.Judged(info.Pod)
	fullWay.WithLabelValues(string(reason)).Inc()
	restore, fit := p.restrict(info.Pod)
	defer restore()
	if fit != nil {
		return result, fit
	}
	if result, err = p.original(ctx, schedFramework, cycle, info); err == nil {
		p.followed(info.Pod.UID, cycle)
	}
	return result, err
}

// try looks for a node by the index. A reason says that the framework's own way is
// to be taken; result and err mean nothing then.
func (p *Path) try(ctx context.Context, schedFramework framework.Framework, cycle fwk.CycleState, info *framework.QueuedPodInfo) (result scheduler.ScheduleResult, reason podshape.Reason, err error) {
	profile := p.profiles[schedFramework.ProfileName()]
	if profile == nil {
		return result, podshape.ReasonProfile, nil
	}
	if reason := podshape.ReasonOf(info.Pod); reason != "" {
		return result, reason, nil
	}
	if len(p.sched.Extenders) > 0 && podshape.Extended(p.sched.Extenders, info.Pod) {
		return result, podshape.ReasonExtender, nil
	}
	requested := info.CalculateResource().Resource
	if podshape.Claimed(schedFramework, requested) {
		return result, podshape.ReasonClaim, nil
	}

	p.mu.Lock()
	defer p.mu.Unlock()
	if p.unread || p.snapshot.NumNodesInPlacement() == 0 {
		return result, podshape.ReasonNoNodes, nil
	}
	if !p.inStep() {
		return result, podshape.ReasonSimulation, nil
	}
	p.readTouched()
	if fit := p.refusedByPlan(info.Pod); fit != nil {
		return result, "", fit
	}
	only, status, _ := schedFramework.RunPreFilterPlugins(ctx, cycle, info.Pod)
	if !status.IsSuccess() || !only.AllNodes() {
		return result, podshape.ReasonPreFilter, nil
	}

	s := p.newSearch(ctx, schedFramework, cycle, info, profile)
	start := time.Now()
	found := s.follow(profile.ranking)
	code := fwk.Success
	switch {
	case s.failed != nil:
		code = fwk.Error
	case !found:
		code = fwk.Unschedulable
	}
	schedulermetrics.FrameworkExtensionPointDuration.WithLabelValues(schedulermetrics.Filter, code.String(), schedFramework.ProfileName()).
		Observe(time.Since(start).Seconds())
	switch {
	case s.failed != nil:
		return result, "", s.failed
	case found:
		fastWay.WithLabelValues(outcomePlaced).Inc()
		p.queue.Placed(info.Pod)
		return scheduler.ScheduleResult{SuggestedHost: s.node, EvaluatedNodes: s.asked, FeasibleNodes: 1}, "", nil
	case s.unkept > 0:
		return result, podshape.ReasonRefused, nil
	}
	fastWay.WithLabelValues(outcomeRefused).Inc()
	preempts := p.mayPreempt(info.Pod)
	if preempts {
		p.queue.Judged(info.Pod)
	} else {
		p.queue.NoRoom(info.Pod, s.request)
	}
	// For a member of a gang nobody looks at the status of each node: preemption is for
	// the whole gang.
	return result, "", p.diagnose(info.Pod, s.shape, preempts && !cycle.IsPodGroupSchedulingCycle())
}

// inStep reports whether the snapshot has the nodes that the index read: it has
// copies of them while preemption of groups is simulated.
func (p *Path) inStep() bool {
	id, ok := p.index.Any()
	if !ok {
		return false
	}
	read := p.index.Info(id)
	now, err := p.snapshot.Get(read.Node().Name)
	return err == nil && now == read
}

// placementSet returns the nodes that the group of this cycle is restricted to, nil
// if to none.
func (p *Path) placementSet() *pack.Set {
	placement := p.snapshot.GetPlacement()
	if placement == nil {
		return nil
	}
	if placement != p.placement {
		p.placement, p.placementNodes = placement, pack.Set{}
		for _, info := range placement.Nodes {
			if id, ok := p.index.ID(info.Node().Name); ok {
				p.placementNodes.Add(id)
			}
		}
	}
	return &p.placementNodes
}

// search is the search for a node for one pod.
type search struct {
	path      *Path
	ctx       context.Context
	framework framework.Framework
	cycle     fwk.CycleState
	pod       *corev1.Pod
	request   pack.Amounts
	shape     *podshape.Shape
	// open are the nodes that may be asked, roomy those that may have room.
	open, roomy pack.Among

	// node is what was found, failed an error of a plugin.
	node   string
	failed error
	// asked counts the nodes that were asked, unkept those whose refusal could not
	// be kept.
	asked, unkept int
}

func (p *Path) newSearch(ctx context.Context, schedFramework framework.Framework, cycle fwk.CycleState, info *framework.QueuedPodInfo, profile *profile) *search {
	requested := info.CalculateResource().Resource
	shape := p.shapeOf(profile, info.Pod, requested)
	s := &search{
		path: p, ctx: ctx, framework: schedFramework, cycle: cycle, pod: info.Pod,
		request: p.request(info.Pod, requested), shape: shape,
	}
	p.common.Note(s.request)
	s.open.In, s.roomy.In = []*pack.Set{shape.Open()}, []*pack.Set{shape.Roomy()}
	s.roomy.NoRoom = shape.NoRoom
	if nodes := p.placementSet(); nodes != nil {
		s.open.In, s.roomy.In = append(s.open.In, nodes), append(s.roomy.In, nodes)
	}
	return s
}

// run looks for a node. If it finds none and nothing failed, either every node has
// refused, or some have in a way that cannot be kept: then the framework is to look.
func (s *search) run(ranking *pack.Ranking) bool {
	disliked := s.shape.Disliked(s.path.index, s.pod)
	if disliked != nil {
		liked := s.roomy
		liked.Not = disliked
		if s.offered(ranking, liked) {
			return true
		}
	}
	if s.failed == nil && s.unkept == 0 && s.offered(ranking, s.roomy) {
		return true
	}
	return s.failed == nil && s.unkept == 0 && s.others()
}

// offered asks the nodes that the index offers.
func (s *search) offered(ranking *pack.Ranking, among pack.Among) bool {
	for id := range ranking.Offer(s.request, among) {
		if s.ask(id) {
			return true
		}
		if s.failed != nil || s.unkept >= refusalsBorne {
			return false
		}
	}
	return false
}

// others asks the nodes that have no room, as far as the index knows, and were not
// asked since they changed: what they say is the diagnosis. One that takes the pod
// after all is as good as any: the index was wrong.
func (s *search) others() bool {
	for id := range s.open.Each() {
		if s.ask(id) {
			indexMisses.Inc()
			return true
		}
		if s.failed != nil || s.unkept > 0 {
			return false
		}
	}
	return false
}

// ask runs the Filter plugins on one node.
func (s *search) ask(id pack.NodeID) bool {
	info := s.path.index.Info(id)
	s.asked++
	nominated := s.nominated(info)
	status := s.framework.RunFilterPluginsWithNominatedPods(s.ctx, s.cycle, s.pod, info)
	if status.IsSuccess() {
		s.node = info.Node().Name
		return true
	}
	if status.Code() == fwk.Error {
		s.failed = status.AsError()
		return false
	}
	if status.Plugin() == names.PodTopologySpread {
		s.path.queue.Spreads()
	}
	// Pods nominated to a node are there for the plugins, and no change of the node
	// tells when they are not. They may come and go meanwhile.
	nominated = nominated || s.nominated(info)
	if podshape.CacheabilityOf(status.Plugin()) == podshape.UntilChange && nominated || !s.shape.Keep(id, status) {
		s.unkept++
	}
	return false
}

func (s *search) nominated(node fwk.NodeInfo) bool {
	return len(s.framework.NominatedPodsForNode(node.Node().Name)) > 0
}
