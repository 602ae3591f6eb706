// Package ganggate is the plugin that keeps the pods of a gang out of the active
// queue until all of them are in the scheduling queue and the verdict on the gang
// rests on each of them.
//
// The queue takes the members of a new pod group in one by one, and the scheduling
// loop may take the group out as soon as it holds the first: it would then try, and
// refuse, a part of the gang. And a pod that comes later, to a gang that is open,
// may disagree with the others: it must not be bound before that is known. The gate
// is shut meanwhile. Whoever opens it activates the group, so the plugin has no
// event that could reopen a pod.
package ganggate

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	fwk "k8s.io/kube-scheduler/framework"
)

// Name is the plugin's name in a profile.
const Name = "GangGate"

// Gate knows which pods may enter with their group. It is asked under the queue's
// lock and must not call back.
type Gate interface {
	Open(pod *corev1.Pod, group string) bool
}

// GangGate holds the pods of a group whose gate is shut.
type GangGate struct {
	gate Gate
}

var (
	_ fwk.PreEnqueuePlugin  = &GangGate{}
	_ fwk.EnqueueExtensions = &GangGate{}
)

// New returns the plugin.
func New(gate Gate) *GangGate { return &GangGate{gate: gate} }

// Name returns the plugin's name.
func (*GangGate) Name() string { return Name }

// EventsToRegister returns none: only the opening of the gate frees a pod, and who
// opens it activates the group.
func (*GangGate) EventsToRegister(context.Context) ([]fwk.ClusterEventWithHint, error) {
	return nil, nil
}

// PreEnqueue rejects a pod while its group's gate is shut. Plain pods pass.
func (g *GangGate) PreEnqueue(_ context.Context, pod *corev1.Pod) *fwk.Status {
	group := pod.Spec.SchedulingGroup
	if group == nil || group.PodGroupName == nil || g.gate.Open(pod, *group.PodGroupName) {
		return nil
	}
	return fwk.NewStatus(fwk.UnschedulableAndUnresolvable, "waiting for all pods of the gang to be in the scheduling queue")
}
