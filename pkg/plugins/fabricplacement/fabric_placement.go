// Package fabricplacement is the plugin that says in which domains of the fabric a gang is
// tried. It takes the place of TopologyPlacementGenerator, which has every domain of the
// required level tried, one after another, and knows no other wish.
//
// A gang is planned as a whole (see package plan): the plugin returns the one to three best
// domains, of which each has a plan. They are tried in this order, and once a plan was
// carried out, the rest are not. The plugin's score of a placement is 100 for the first,
// and 10 less for each that comes after, so that there is no tie.
//
// Where no plan can be made, as on the snapshot of a preemption that is tried out, all
// domains of the required level are returned, by path; that of members that run, if there
// are any. Preferred levels and segments are not looked at then.
//
// A gang that asks for no topology is tried on all nodes.
package fabricplacement

import (
	"context"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	schedulingv1beta1 "k8s.io/api/scheduling/v1beta1"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"

	"github.com/berth-dev/berth/pkg/core/fabric"
	"github.com/berth-dev/berth/pkg/core/pack"
	"github.com/berth-dev/berth/pkg/dialect"
	"github.com/berth-dev/berth/pkg/state/gangtable"
)

// Name is the plugin's name in a profile.
const Name = "FabricPlacement"

// Planner plans gangs.
type Planner interface {
	// Place returns where a group is tried, best first, or a status that says why it has
	// no place. Planned is false if no plan could be made.
	Place(group fwk.PodGroupInfo, parent *fwk.Placement) (placements []*fwk.Placement, status *fwk.Status, planned bool)
	// Order returns the place of a placement among those of the last plan, from 0.
	Order(placement *fwk.Placement) int
}

// FabricPlacement generates placements by plan.
type FabricPlacement struct {
	planner Planner
	handle  fwk.Handle
}

var (
	_ fwk.PlacementGeneratePlugin = &FabricPlacement{}
	_ fwk.PlacementScorePlugin    = &FabricPlacement{}
	_ fwk.EnqueueExtensions       = &FabricPlacement{}
)

// New returns the plugin.
func New(planner Planner, handle fwk.Handle) *FabricPlacement {
	return &FabricPlacement{planner: planner, handle: handle}
}

// Name returns the plugin's name.
func (*FabricPlacement) Name() string { return Name }

// GeneratePlacements returns where a group is tried.
func (f *FabricPlacement) GeneratePlacements(_ context.Context, _ fwk.PodGroupCycleState, group fwk.PodGroupInfo, parent *fwk.Placement) (*fwk.GeneratePlacementsResult, *fwk.Status) {
	placements, status, planned := f.planner.Place(group, parent)
	if !planned {
		placements, status = f.everyDomain(group, parent)
	}
	return &fwk.GeneratePlacementsResult{Placements: placements}, status
}

// EventsToRegister are the events that may give a gang a place that had none: a node has
// more, or is in another domain; a pod leaves a node, or takes less of it; the gang asks for
// less.
func (*FabricPlacement) EventsToRegister(context.Context) ([]fwk.ClusterEventWithHint, error) {
	return []fwk.ClusterEventWithHint{
		{Event: fwk.ClusterEvent{Resource: fwk.Node, ActionType: fwk.Add | fwk.UpdateNodeAllocatable | fwk.UpdateNodeLabel | fwk.UpdateNodeTaint}},
		{Event: fwk.ClusterEvent{Resource: fwk.AssignedPod, ActionType: fwk.Delete | fwk.UpdatePodScaleDown}},
		{Event: fwk.ClusterEvent{Resource: fwk.PodGroup, ActionType: fwk.Update}, QueueingHintFn: asksForLess},
	}, nil
}

// asksForLess queues a pod whose group asks for another topology, or for fewer pods. The
// conditions that the scheduler writes on a group change neither.
func asksForLess(_ klog.Logger, pod *corev1.Pod, oldObj, newObj any) (fwk.QueueingHint, error) {
	before, ok := oldObj.(*schedulingv1beta1.PodGroup)
	now, also := newObj.(*schedulingv1beta1.PodGroup)
	if !ok || !also {
		return fwk.Queue, nil
	}
	group := pod.Spec.SchedulingGroup
	if group == nil || group.PodGroupName == nil || *group.PodGroupName != now.Name || pod.Namespace != now.Namespace {
		return fwk.QueueSkip, nil
	}
	was, is := before.Spec.SchedulingPolicy.Gang, now.Spec.SchedulingPolicy.Gang
	if gangtable.TopologyOf(before) != gangtable.TopologyOf(now) || was != nil && (is == nil || is.MinCount < was.MinCount) {
		return fwk.Queue, nil
	}
	return fwk.QueueSkip, nil
}

// everyDomain returns the domains of the required level that the group may be in, by path.
func (f *FabricPlacement) everyDomain(group fwk.PodGroupInfo, parent *fwk.Placement) ([]*fwk.Placement, *fwk.Status) {
	key := ""
	if pg := group.GetPodGroup(); pg != nil {
		key = gangtable.TopologyOf(pg).Required
	}
	if key == "" {
		return []*fwk.Placement{parent}, nil
	}
	levels := fabric.New(treeOf(key))
	level := levels.LevelOf(key)
	numbers := make(map[string]pack.NodeID, len(parent.Nodes))
	for i, node := range parent.Nodes {
		id := pack.NodeID(i)
		numbers[node.Node().Name] = id
		levels.Set(id, node.Node().Name, node.Node().Labels)
	}
	domains := slices.Clone(levels.Of(level))
	if len(domains) == 0 {
		return nil, fwk.NewStatus(fwk.Unschedulable, "no node has the label "+key)
	}
	running, err := f.running(group)
	if err != nil {
		return nil, fwk.AsStatus(err)
	}
	for _, pod := range running {
		id, known := numbers[pod.Spec.NodeName]
		if !known {
			continue // its node is gone, and it will be
		}
		if domains = slices.DeleteFunc(domains, func(d pack.DomainID) bool { return d != levels.At(id, level) }); len(domains) == 0 {
			return nil, fwk.NewStatus(fwk.Unschedulable, "pods of the gang run in no domain of "+key+", or in several")
		}
	}
	slices.SortFunc(domains, func(a, b pack.DomainID) int {
		return strings.Compare(levels.Domain(a).Path, levels.Domain(b).Path)
	})
	out := make([]*fwk.Placement, len(domains))
	for i, d := range domains {
		domain := levels.Domain(d)
		out[i] = &fwk.Placement{Name: domain.Name}
		for id, ok := domain.Nodes.Next(0); ok; id, ok = domain.Nodes.Next(id + 1) {
			out[i].Nodes = append(out[i].Nodes, parent.Nodes[id])
		}
	}
	return out, nil
}

// treeOf returns the tree of levels that a label key is in; one of its own if it is in none.
func treeOf(key string) []string {
	for _, tree := range dialect.FabricTrees() {
		if slices.Contains(tree, key) {
			return tree
		}
	}
	return []string{key}
}

// running returns the members of a group that have a node.
func (f *FabricPlacement) running(group fwk.PodGroupInfo) ([]*corev1.Pod, error) {
	members, err := f.handle.SnapshotSharedLister().PodGroupStates().Get(group.GetNamespace(), group.GetName())
	if err != nil {
		return nil, err
	}
	return members.ScheduledPods(), nil
}

// ScorePlacement scores a placement by its place in the plan.
func (f *FabricPlacement) ScorePlacement(_ context.Context, _ fwk.PlacementCycleState, _ fwk.PodGroupInfo, assignments *fwk.PodGroupAssignments) (int64, *fwk.Status) {
	return max(0, fwk.MaxScore-10*int64(f.planner.Order(assignments.Placement))), nil
}

// PlacementScoreExtensions returns nil: scores are of 100 already.
func (*FabricPlacement) PlacementScoreExtensions() fwk.PlacementScoreExtensions { return nil }
