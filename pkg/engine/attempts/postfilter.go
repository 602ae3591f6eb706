package attempts

import (
	"context"
	"errors"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler"
	"k8s.io/kubernetes/pkg/scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins/names"

	"github.com/berth-dev/berth/pkg/state/gangtable"
)

// GuardPostFilters keeps a scheduler from asking who could be preempted for a gang where
// nobody could be, or of which no member was looked at. anyBelow says whether anything of
// a lower priority than a pod runs, and reclaims whether there are queues, whose rules
// have others go for a gang.
//
// Upstream runs the PodGroupPostFilter plugins after every refusal. Preemption begins
// with a copy of the state of all gangs, whether anybody is there to go or not: half of
// what a refusal costs where many gangs wait. And the plugin of dynamic resources fails
// with "not found" if no member of the gang has reached PreFilter: if the gang had no
// domain, or lost members while it was in the queue. The framework then drops the other
// plugins, and the failure hides why the gang waits.
func GuardPostFilters(sched *scheduler.Scheduler, anyBelow func(pod *corev1.Pod) bool, reclaims func() bool) {
	for name, f := range sched.Profiles {
		sched.Profiles[name] = guardedFramework{f, anyBelow, reclaims}
	}
}

// guardedFramework is the framework of one profile.
type guardedFramework struct {
	framework.Framework
	anyBelow func(pod *corev1.Pod) bool
	reclaims func() bool
}

// RunPodGroupPostFilterPlugins runs the plugins if they could help: not if the gang has
// fewer members than it needs, nor if nobody may go for it and it has no claims that
// could be given back.
func (f guardedFramework) RunPodGroupPostFilterPlugins(ctx context.Context, state *framework.CycleState, group fwk.PodGroupInfo, schedule fwk.PodGroupSchedulingFunc) (*fwk.PodGroupPostFilterResult, *fwk.Status) {
	pods := group.GetUnscheduledPods()
	if have, need := f.members(group), leastOf(group); have < need {
		return nil, fwk.NewStatus(fwk.Unschedulable, fmt.Sprintf("%d pods of the gang are there, and %d are needed", have, need))
	}
	if len(pods) > 0 && !f.reclaims() && !slices.ContainsFunc(pods, hasClaims) && !f.anyBelow(pods[0]) {
		return nil, fwk.NewStatus(fwk.Unschedulable)
	}
	if _, err := state.Read(names.DynamicResources); errors.Is(err, fwk.ErrNotFound) && len(pods) > 0 {
		f.preFilter(ctx, state, pods[0])
	}
	return f.Framework.RunPodGroupPostFilterPlugins(ctx, state, group, schedule)
}

// hasClaims reports whether a pod has resource claims.
func hasClaims(pod *corev1.Pod) bool {
	return len(pod.Spec.ResourceClaims) > 0 || pod.Status.ExtendedResourceClaimStatus != nil
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
	if pg := group.GetPodGroup(); pg != nil {
		return int(gangtable.LeastCount(pg))
	}
	return 1
}
