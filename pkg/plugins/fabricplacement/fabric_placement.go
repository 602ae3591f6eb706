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
// domains of the required level are returned, by name.
//
// A gang that asks for no topology is tried on all nodes.
package fabricplacement

import (
	"context"
	"slices"
	"strings"

	fwk "k8s.io/kube-scheduler/framework"

	"github.com/berth-dev/berth/pkg/state"
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

// EventsToRegister are the events that may give a gang a place that had none.
func (*FabricPlacement) EventsToRegister(context.Context) ([]fwk.ClusterEventWithHint, error) {
	return []fwk.ClusterEventWithHint{
		{Event: fwk.ClusterEvent{Resource: fwk.Node, ActionType: fwk.Add | fwk.UpdateNodeAllocatable | fwk.UpdateNodeLabel | fwk.UpdateNodeTaint}},
		{Event: fwk.ClusterEvent{Resource: fwk.AssignedPod, ActionType: fwk.Delete}},
	}, nil
}

// everyDomain returns the domains of the required level that the group may be in, by name.
func (f *FabricPlacement) everyDomain(group fwk.PodGroupInfo, parent *fwk.Placement) ([]*fwk.Placement, *fwk.Status) {
	key := ""
	if pg := group.GetPodGroup(); pg != nil {
		key = state.TopologyOf(pg).Required
	}
	if key == "" {
		return []*fwk.Placement{parent}, nil
	}
	running, err := f.running(group, key)
	if err != nil {
		return nil, fwk.AsStatus(err)
	}
	if len(running) > 1 {
		return nil, fwk.NewStatus(fwk.Unschedulable, "members run in several domains of the level "+key)
	}
	byName := map[string]*fwk.Placement{}
	var out []*fwk.Placement
	for _, node := range parent.Nodes {
		name, ok := node.Node().Labels[key]
		if !ok || len(running) > 0 && !slices.Contains(running, name) {
			continue
		}
		if byName[name] == nil {
			byName[name] = &fwk.Placement{Name: name}
			out = append(out, byName[name])
		}
		byName[name].Nodes = append(byName[name].Nodes, node)
	}
	slices.SortFunc(out, func(a, b *fwk.Placement) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// running returns the domains that members of a group run in.
func (f *FabricPlacement) running(group fwk.PodGroupInfo, key string) ([]string, error) {
	lister := f.handle.SnapshotSharedLister()
	members, err := lister.PodGroupStates().Get(group.GetNamespace(), group.GetName())
	if err != nil {
		return nil, err
	}
	var out []string
	for _, pod := range members.ScheduledPods() {
		node, err := lister.NodeInfos().Get(pod.Spec.NodeName)
		if err != nil {
			return nil, err
		}
		if name, ok := node.Node().Labels[key]; ok && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out, nil
}

// ScorePlacement scores a placement by its place in the plan.
func (f *FabricPlacement) ScorePlacement(_ context.Context, _ fwk.PlacementCycleState, _ fwk.PodGroupInfo, assignments *fwk.PodGroupAssignments) (int64, *fwk.Status) {
	return max(0, fwk.MaxScore-10*int64(f.planner.Order(assignments.Placement))), nil
}

// PlacementScoreExtensions returns nil: scores are of 100 already.
func (*FabricPlacement) PlacementScoreExtensions() fwk.PlacementScoreExtensions { return nil }
