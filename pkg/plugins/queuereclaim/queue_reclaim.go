// Package queuereclaim is the plugin that preempts for a gang, or a plain pod, whose queue is entitled
// to what others use. The victims are whole gangs that borrow, or that are of the same queue and a
// lower priority. The least damaging set is chosen (see package preempt).
//
// The chosen victims are taken out of the snapshot on trial. Nothing is evicted before upstream's own
// cycle has found a place for all pods of the gang there. While the victims leave, their room is
// reserved for the gang: Filter refuses it to others.
//
// Where queues exist, no other plugin preempts, because it would not know them.
package queuereclaim

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
)

// Name is the plugin's name in a profile.
const Name = "QueueReclaim"

// Reclaimer decides who goes, and has them evicted.
type Reclaimer interface {
	// Some reports whether there is any queue.
	Some() bool
	// Keeps says why a pod may not have room on a node, which is kept for others; "" if it may.
	Keeps(pod *corev1.Pod, node fwk.NodeInfo) string
	// Reclaim makes room for the pods of a group, or for a plain pod, if group is nil. fits
	// reports whether they have a place once others have gone. The text says what came of
	// it.
	Reclaim(pods []*corev1.Pod, group fwk.PodGroupInfo, fits func(gone []*corev1.Pod) bool) string
}

// QueueReclaim has gangs evicted for those who are entitled to their place.
type QueueReclaim struct {
	reclaimer Reclaimer
	handle    fwk.Handle
}

var (
	_ fwk.FilterPlugin             = &QueueReclaim{}
	_ fwk.PostFilterPlugin         = &QueueReclaim{}
	_ fwk.PodGroupPostFilterPlugin = &QueueReclaim{}
	_ fwk.EnqueueExtensions        = &QueueReclaim{}
)

// New returns the plugin.
func New(reclaimer Reclaimer, handle fwk.Handle) *QueueReclaim {
	return &QueueReclaim{reclaimer: reclaimer, handle: handle}
}

// Name returns the plugin's name.
func (*QueueReclaim) Name() string { return Name }

// EventsToRegister are those after which a pod may have a place that it had not: a pod that is
// gone leaves room, that for which it was evicted or other.
func (*QueueReclaim) EventsToRegister(context.Context) ([]fwk.ClusterEventWithHint, error) {
	return []fwk.ClusterEventWithHint{{Event: fwk.ClusterEvent{Resource: fwk.AssignedPod, ActionType: fwk.Delete}}}, nil
}

// Filter refuses a pod room that is kept for another.
func (r *QueueReclaim) Filter(_ context.Context, _ fwk.CycleState, pod *corev1.Pod, node fwk.NodeInfo) *fwk.Status {
	if why := r.reclaimer.Keeps(pod, node); why != "" {
		return fwk.NewStatus(fwk.Unschedulable, why)
	}
	return nil
}

// PostFilter makes room for a plain pod.
func (r *QueueReclaim) PostFilter(ctx context.Context, state fwk.CycleState, pod *corev1.Pod, _ fwk.NodeToStatusReader) (*fwk.PostFilterResult, *fwk.Status) {
	if !r.reclaimer.Some() {
		return nil, fwk.NewStatus(fwk.Unschedulable)
	}
	text := r.reclaimer.Reclaim([]*corev1.Pod{pod}, nil, func(gone []*corev1.Pod) bool { return r.fits(ctx, state, pod, gone) })
	return nil, fwk.NewStatus(fwk.UnschedulableAndUnresolvable, text)
}

// fits reports whether a pod passes the filters on a node of those that pods leave, once
// they have.
func (r *QueueReclaim) fits(ctx context.Context, state fwk.CycleState, pod *corev1.Pod, gone []*corev1.Pod) bool {
	logger := klog.FromContext(ctx)
	tried := map[string]bool{}
	for _, first := range gone {
		name := first.Spec.NodeName
		if tried[name] {
			continue
		}
		tried[name] = true
		info, err := r.handle.SnapshotSharedLister().NodeInfos().Get(name)
		if err != nil {
			continue
		}
		node, without := info.Snapshot(), state.Clone()
		ok := true
		for _, victim := range gone {
			if victim.Spec.NodeName != name {
				continue
			}
			for _, p := range info.GetPods() {
				if p.GetPod().UID == victim.UID {
					ok = ok && node.RemovePod(logger, victim) == nil && r.handle.RunPreFilterExtensionRemovePod(ctx, without, pod, p, node).IsSuccess()
				}
			}
		}
		if ok && r.handle.RunFilterPluginsWithNominatedPods(ctx, without, pod, node).IsSuccess() {
			return true
		}
	}
	return false
}

// PodGroupPostFilter makes room for a gang.
func (r *QueueReclaim) PodGroupPostFilter(ctx context.Context, _ fwk.PodGroupCycleState, group fwk.PodGroupInfo, schedule fwk.PodGroupSchedulingFunc) (*fwk.PodGroupPostFilterResult, *fwk.Status) {
	if !r.reclaimer.Some() {
		return nil, fwk.NewStatus(fwk.Unschedulable)
	}
	var failed error
	text := r.reclaimer.Reclaim(group.GetUnscheduledPods(), group, func(gone []*corev1.Pod) (fits bool) {
		fits, failed = r.without(ctx, gone, schedule)
		return fits
	})
	if failed != nil {
		return nil, fwk.AsStatus(failed)
	}
	return nil, fwk.NewStatus(fwk.UnschedulableAndUnresolvable, text)
}

// without reports whether a group can be scheduled on the snapshot less some pods.
func (r *QueueReclaim) without(ctx context.Context, gone []*corev1.Pod, schedule fwk.PodGroupSchedulingFunc) (fits bool, err error) {
	snapshot := r.handle.MutableSnapshotSharedLister()
	if err := snapshot.StartMutations(); err != nil {
		return false, err
	}
	defer func() {
		if end := snapshot.EndMutations(); end != nil && err == nil {
			fits, err = false, end
		}
	}()
	logger := klog.FromContext(ctx)
	for _, pod := range gone {
		if err := snapshot.RemovePod(logger, pod, pod.Spec.NodeName); err != nil {
			return false, err
		}
	}
	_, status := schedule(ctx)
	return status.IsSuccess(), nil
}
