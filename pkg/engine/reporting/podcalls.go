package reporting

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	fwk "k8s.io/kube-scheduler/framework"
	podutil "k8s.io/kubernetes/pkg/api/v1/pod"
	"k8s.io/kubernetes/pkg/scheduler"
	"k8s.io/kubernetes/pkg/scheduler/util"
)

// podCalls writes pods for upstream's scheduler, in the place of its API cacher. Without one,
// upstream encodes a refused pod's status twice and compares the two, in the scheduling
// cycle, to make a patch of one condition. The condition is handed on as it is instead.
type podCalls struct {
	ctx    context.Context
	client *Client
}

var _ fwk.APICacher = podCalls{}

// WritePods has a scheduler write pods by the client. The context ends the writes.
func WritePods(ctx context.Context, sched *scheduler.Scheduler, client *Client) {
	for _, profile := range sched.Profiles {
		profile.SetAPICacher(podCalls{ctx, client})
	}
}

// PatchPodStatus takes the reason why a pod got no place, and has it written later. Whatever
// else is to change is written at once, as a nomination; what waits is outdated by it.
func (c podCalls) PatchPodStatus(pod *corev1.Pod, conditions []*corev1.PodCondition, nominating *fwk.NominatingInfo) (<-chan error, error) {
	nominates := nominating.Mode() == fwk.ModeOverride && pod.Status.NominatedNodeName != nominating.NominatedNodeName
	if len(conditions) == 1 && !nominates && refuses(conditions[0]) {
		c.client.refused(pod, *conditions[0])
		return ended(nil), nil
	}
	next, changed := pod.Status.DeepCopy(), nominates
	for _, condition := range conditions {
		changed = podutil.UpdatePodCondition(next, condition) || changed
	}
	if !changed {
		return ended(nil), nil
	}
	if nominates {
		next.NominatedNodeName = nominating.NominatedNodeName
	}
	c.client.conditions.forget(types.NamespacedName{Namespace: pod.Namespace, Name: pod.Name})
	return ended(nil), util.PatchPodStatus(c.ctx, c.client, pod.Name, pod.Namespace, &pod.Status, next)
}

// refuses reports whether a condition says why a pod has no place.
func refuses(c *corev1.PodCondition) bool {
	return c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse && c.Reason != ""
}

// BindPod binds a pod, and has done so when it returns.
func (c podCalls) BindPod(binding *corev1.Binding) (<-chan error, error) {
	return ended(c.client.CoreV1().Pods(binding.Namespace).Bind(c.ctx, binding, metav1.CreateOptions{})), nil
}

// WaitOnFinish returns what became of a call.
func (c podCalls) WaitOnFinish(ctx context.Context, finished <-chan error) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case err := <-finished:
		return err
	}
}

// ended is a call that has ended so.
func ended(err error) <-chan error {
	done := make(chan error, 1)
	done <- err
	return done
}
