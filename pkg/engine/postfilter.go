package engine

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler"
	"k8s.io/kubernetes/pkg/scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins/names"
)

// guardPostFilters keeps a scheduler from asking who could be preempted for a gang of
// which no member was looked at.
//
// Upstream runs the PodGroupPostFilter plugins after every refusal. The one of dynamic
// resources fails with "not found" if no member of the gang has reached PreFilter: if
// the gang had no domain, or lost members while it was in the queue. The framework then
// drops the other plugins, and the failure hides why the gang waits.
func guardPostFilters(sched *scheduler.Scheduler) {
	for name, f := range sched.Profiles {
		sched.Profiles[name] = guardedFramework{f}
	}
}

// guardedFramework is the framework of one profile.
type guardedFramework struct {
	framework.Framework
}

// RunPodGroupPostFilterPlugins runs the plugins if preemption could help: not if the
// gang has fewer members than it needs.
func (f guardedFramework) RunPodGroupPostFilterPlugins(ctx context.Context, state *framework.CycleState, group fwk.PodGroupInfo, schedule fwk.PodGroupSchedulingFunc) (*fwk.PodGroupPostFilterResult, *fwk.Status) {
	pods := group.GetUnscheduledPods()
	if have, need := f.members(group), leastOf(group); have < need {
		return nil, fwk.NewStatus(fwk.Unschedulable, fmt.Sprintf("%d pods of the gang are there, and %d are needed", have, need))
	}
	if _, err := state.Read(names.DynamicResources); errors.Is(err, fwk.ErrNotFound) && len(pods) > 0 {
		f.preFilter(ctx, state, pods[0])
	}
	return f.Framework.RunPodGroupPostFilterPlugins(ctx, state, group, schedule)
}

// preFilter has the plugins look at a member, in the cycle of its gang. What they say of
// it is not asked: the gang is refused already.
func (f guardedFramework) preFilter(ctx context.Context, group *framework.CycleState, pod *corev1.Pod) {
	state := framework.NewCycleState()
	state.SetPodGroupSchedulingCycle(group)
	_, _, _ = f.RunPreFilterPlugins(ctx, state, pod)
}

// members returns how many members of a group have a place or wait for one.
func (f guardedFramework) members(group fwk.PodGroupInfo) int {
	have := len(group.GetUnscheduledPods())
	if state, err := f.SnapshotSharedLister().PodGroupStates().Get(group.GetNamespace(), group.GetName()); err == nil {
		have += state.ScheduledPodsCount()
	}
	return have
}

// leastOf returns the least count of a group.
func leastOf(group fwk.PodGroupInfo) int {
	if pg := group.GetPodGroup(); pg != nil && pg.Spec.SchedulingPolicy.Gang != nil {
		return int(pg.Spec.SchedulingPolicy.Gang.MinCount)
	}
	return 1
}
