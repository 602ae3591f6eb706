// Package queueadmission is the plugin by which queues decide which pods are tried, and which get a
// place.
//
// A pod that its queue has not admitted, or whose queue is at its limit, is held outside of the active
// queue. It costs no cycle. It is not marked unschedulable, so no autoscaler buys nodes for it. The
// queue that admits a pod activates it, so no event needs to do that. Reserve charges a pod that is
// tried, and refuses it if its queue would pass a limit. Unreserve takes the charge back.
package queueadmission

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	fwk "k8s.io/kube-scheduler/framework"

	"github.com/berth-dev/berth/pkg/state/queueing"
)

// Name is the plugin's name in a profile.
const Name = "QueueAdmission"

// Queues say who may be tried and who pays.
type Queues interface {
	// Enter reports whether a pod may be tried now. It is asked under the scheduling queue's
	// lock, and must not call back.
	Enter(pod *corev1.Pod) bool
	// Check reports whether a pod's queue may have what the pod asks for, and Reserve has it
	// pay, until Unreserve, or until the pod is gone.
	Check(pod *corev1.Pod) (queueing.Refusal, bool)
	Reserve(pod *corev1.Pod) (queueing.Refusal, bool)
	Unreserve(pod *corev1.Pod)
}

// QueueAdmission holds pods whose queue does not admit them.
type QueueAdmission struct {
	queues Queues
}

var (
	_ fwk.PreEnqueuePlugin  = &QueueAdmission{}
	_ fwk.PreFilterPlugin   = &QueueAdmission{}
	_ fwk.ReservePlugin     = &QueueAdmission{}
	_ fwk.EnqueueExtensions = &QueueAdmission{}
)

// New returns the plugin.
func New(queues Queues) *QueueAdmission { return &QueueAdmission{queues: queues} }

// Name returns the plugin's name.
func (*QueueAdmission) Name() string { return Name }

// PreEnqueue rejects a pod that may not be tried now. One with a scheduling gate is not
// anybody's turn.
func (a *QueueAdmission) PreEnqueue(_ context.Context, pod *corev1.Pod) *fwk.Status {
	if len(pod.Spec.SchedulingGates) == 0 && a.queues.Enter(pod) {
		return nil
	}
	return fwk.NewStatus(fwk.UnschedulableAndUnresolvable, "waiting for its queue")
}

// EventsToRegister returns none: whoever admits a pod activates it. With an event, the
// scheduling queue would ask for each pod that is held whenever the event comes.
func (*QueueAdmission) EventsToRegister(context.Context) ([]fwk.ClusterEventWithHint, error) {
	return nil, nil
}

// PreFilter rejects a pod with which its queue would pass a limit. No other node would do.
func (a *QueueAdmission) PreFilter(_ context.Context, _ fwk.CycleState, pod *corev1.Pod, _ []fwk.NodeInfo) (*fwk.PreFilterResult, *fwk.Status) {
	if refusal, ok := a.queues.Check(pod); !ok {
		return nil, refused(refusal)
	}
	return nil, nil
}

// PreFilterExtensions returns nil: what runs on nodes does not matter.
func (*QueueAdmission) PreFilterExtensions() fwk.PreFilterExtensions { return nil }

// Reserve charges a pod.
func (a *QueueAdmission) Reserve(_ context.Context, _ fwk.CycleState, pod *corev1.Pod, _ string) *fwk.Status {
	if refusal, ok := a.queues.Reserve(pod); !ok {
		return refused(refusal)
	}
	return nil
}

// Unreserve takes the charge back.
func (a *QueueAdmission) Unreserve(_ context.Context, _ fwk.CycleState, pod *corev1.Pod, _ string) {
	a.queues.Unreserve(pod)
}

func refused(r queueing.Refusal) *fwk.Status {
	return fwk.NewStatus(fwk.UnschedulableAndUnresolvable, r.Text)
}
