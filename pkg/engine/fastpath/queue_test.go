package fastpath

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler"
	"k8s.io/kubernetes/pkg/scheduler/framework"
)

// queueRig is a rig whose pods go through the scheduling queue.
type queueRig struct{ *rig }

func newQueueRig(t testing.TB) *queueRig {
	q := &queueRig{rig: newRig(t, "")}
	// As upstream, without the writes.
	q.sched.FailureHandler = func(_ context.Context, _ framework.Framework, info *framework.QueuedPodInfo, status *fwk.Status, _ *fwk.NominatingInfo, _ time.Time) {
		if fit, ok := status.AsError().(*framework.FitError); ok {
			info.UnschedulablePlugins = fit.Diagnosis.UnschedulablePlugins
		}
		q.must(q.sched.SchedulingQueue.AddUnschedulablePodIfNotPresent(klog.Background(), info, q.sched.SchedulingQueue.SchedulingCycle()))
	}
	return q
}

// pend has the scheduler refuse pods.
func (q *queueRig) pend(pods ...*corev1.Pod) {
	q.t.Helper()
	for _, pod := range pods {
		// Preemption looks the pod up.
		q.must(q.informers.Core().V1().Pods().Informer().GetIndexer().Add(pod))
		q.sched.SchedulingQueue.Add(q.t.Context(), pod)
		q.sched.ScheduleOne(q.t.Context())
	}
	names := q.names()
	for _, pod := range pods {
		if !slices.Contains(names, pod.Name) {
			q.t.Fatalf("pod %q was not refused; these are: %v", pod.Name, names)
		}
	}
}

func (q *queueRig) waiting() []*corev1.Pod { return q.sched.SchedulingQueue.UnschedulablePods() }

// tell has the pods that wait be told so, which comes back as an update of each.
func (q *queueRig) tell() {
	q.t.Helper()
	for _, pod := range q.waiting() {
		told := pod.DeepCopy()
		told.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable}}
		q.sched.SchedulingQueue.Update(q.t.Context(), pod, told)
	}
}

// names of the pods that wait for an event.
func (q *queueRig) names() []string {
	out := []string{}
	for _, pod := range q.waiting() {
		out = append(out, pod.Name)
	}
	slices.Sort(out)
	return out
}

// gone removes a pod as the scheduler's handlers do.
func (q *queueRig) gone(pod *corev1.Pod) {
	q.t.Helper()
	q.remove(pod)
	q.sched.SchedulingQueue.MoveAllToActiveOrBackoffQueue(klog.Background(), framework.EventAssignedPodDelete, pod, nil, nil)
}

func (q *queueRig) expect(when string, want ...string) {
	q.t.Helper()
	if diff := cmp.Diff(want, q.names(), cmpopts.EquateEmpty()); diff != "" {
		q.t.Errorf("%s, these wait for an event (-want +got):\n%s", when, diff)
	}
}

// A pod that is gone has those tried again that may find room on its node, and no
// others.
func TestGonePodWakesWhoMayFit(t *testing.T) {
	q := newQueueRig(t)
	var running []*corev1.Pod
	for i := range 3 {
		q.addNode(testNode(nodeName(i), 8, 64, 512))
		for k := range 8 {
			running = append(running, q.bind(testPod(fmt.Sprintf("on-%d-%d", i, k), 1, 1, 1), nodeName(i)))
		}
	}
	q.begin()
	q.pend(testPod("two", 2, 1, 1), testPod("eight", 8, 1, 1), testPod("cpu", 0, 100, 1))
	q.expect("at first", "cpu", "eight", "two")
	q.tell()
	q.gone(running[0])
	q.expect("with one GPU free", "cpu", "eight", "two")
	q.gone(running[8])
	q.expect("with one GPU free on each of two nodes", "cpu", "eight", "two")
	// Before and after the next snapshot is taken; and that it is going says nothing yet.
	q.begin()
	going := running[1].DeepCopy()
	going.DeletionTimestamp = &metav1.Time{}
	q.must(q.sched.Cache.UpdatePod(klog.Background(), running[1], going))
	q.gone(running[1])
	q.expect("with two GPUs free on one node", "cpu", "eight")
	for _, pod := range running[2:7] {
		q.gone(pod)
	}
	q.expect("with seven GPUs free", "cpu", "eight")
	q.gone(running[7])
	q.expect("with a node free", "cpu")
}

// What is not only the pod's going is not judged.
func TestOtherChangesWake(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(q *queueRig, on *corev1.Pod)
	}{
		{"the node grew", func(q *queueRig, _ *corev1.Pod) { q.addNode(testNode("n", 16, 64, 512)) }},
		{"a gang is tried", func(q *queueRig, _ *corev1.Pod) { q.path.Touched("n") }},
		{"a pod shrank", func(q *queueRig, on *corev1.Pod) {
			less := testPod("b", 0, 1, 1)
			less.Spec.NodeName = on.Spec.NodeName
			q.must(q.sched.Cache.UpdatePod(klog.Background(), on, less))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			q := newQueueRig(t)
			q.addNode(testNode("n", 8, 64, 512))
			first, second := q.bind(testPod("a", 4, 1, 1), "n"), q.bind(testPod("b", 4, 1, 1), "n")
			q.begin()
			q.pend(testPod("eight", 8, 1, 1))
			c.change(q, second)
			q.gone(first)
			q.expect("after " + c.name)
		})
	}
}

// A pod that may preempt, or waits for other pods, is tried again as upstream would.
func TestWhoWaitsForOthersIsWoken(t *testing.T) {
	q := newQueueRig(t)
	q.addNode(testNode("n", 8, 64, 512))
	first := q.bind(testPod("a", 4, 1, 1), "n")
	q.bind(testPod("b", 4, 1, 1), "n")
	q.begin()
	priority := int32(10)
	q.pend(testPod("preempts", 8, 1, 1, func(p *corev1.Pod) {
		p.Spec.Priority = &priority
		never := corev1.PreemptNever
		p.Spec.PreemptionPolicy = &never
	}))
	q.pend(testPod("equal", 8, 1, 1), testPod("affine", 0, 1, 1, func(p *corev1.Pod) {
		p.Labels = map[string]string{"app": "x"}
		p.Spec.Affinity = &corev1.Affinity{PodAffinity: &corev1.PodAffinity{RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{{
			TopologyKey: corev1.LabelHostname, LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "y"}},
		}}}}
	}))
	q.expect("at first", "affine", "equal", "preempts")
	placed := q.bind(testPod("y", 0, 1, 1, func(p *corev1.Pod) { p.Labels = map[string]string{"app": "y"} }), "n")
	q.sched.SchedulingQueue.MoveAllToActiveOrBackoffQueue(klog.Background(), framework.EventAssignedPodAdd, nil, placed, nil)
	q.expect("after the pod came that one has affinity to", "equal", "preempts")
	q.gone(first)
	q.expect("after a pod has gone", "equal")
}

// With nobody who waits for other pods, a placed pod costs no look at the others.
func TestPlacedPodCostsNothing(t *testing.T) {
	q := newQueueRig(t)
	q.addNode(testNode("n", 8, 64, 512))
	q.begin()
	for i := range 20 {
		q.pend(testPod(fmt.Sprint("p-", i), 9, 1, 1))
	}
	looked := 0
	look := func(*corev1.Pod) bool { looked++; return true }
	placed := q.bind(testPod("placed", 1, 1, 1), "n")
	for _, event := range []fwk.ClusterEvent{framework.EventAssignedPodAdd, framework.EventAssignedPodUpdate, framework.EventUnscheduledPodAdd} {
		q.sched.SchedulingQueue.MoveAllToActiveOrBackoffQueue(klog.Background(), event, nil, placed, look)
	}
	if looked > 0 {
		t.Errorf("%d pods were looked at, want none", looked)
	}
	q.path.queue.Spreads()
	q.sched.SchedulingQueue.MoveAllToActiveOrBackoffQueue(klog.Background(), framework.EventAssignedPodAdd, nil, placed, look)
	if looked != 20 {
		t.Errorf("%d pods were looked at, want all of them", looked)
	}
	for _, pod := range q.waiting() {
		q.sched.SchedulingQueue.Delete(klog.Background(), pod)
	}
	if n := q.path.queue.Remembered(); n > 0 {
		t.Errorf("%d pods are remembered, want none", n)
	}
}

// Where an event can help nobody, nobody is looked at; and the pod that is being tried
// meanwhile is tried again if it may help that one.
func TestGonePodWhileAnotherIsTried(t *testing.T) {
	q := newQueueRig(t)
	q.addNode(testNode("n", 8, 64, 512))
	first, second, third := q.bind(testPod("a", 1, 1, 1), "n"), q.bind(testPod("b", 1, 1, 1), "n"), q.bind(testPod("c", 6, 1, 1), "n")
	q.begin()
	q.pend(testPod("eight", 8, 1, 1))
	looked := 0
	look := func(*corev1.Pod) bool { looked++; return true }
	q.remove(first)
	q.sched.SchedulingQueue.MoveAllToActiveOrBackoffQueue(klog.Background(), framework.EventAssignedPodDelete, first, nil, look)
	if looked > 0 {
		t.Errorf("%d pods were looked at, want none", looked)
	}
	next := q.sched.SchedulePod
	var during func()
	q.sched.SchedulePod = func(ctx context.Context, fw framework.Framework, state fwk.CycleState, info *framework.QueuedPodInfo) (scheduler.ScheduleResult, error) {
		during()
		return next(ctx, fw, state, info)
	}
	try := func(pod *corev1.Pod) {
		q.must(q.informers.Core().V1().Pods().Informer().GetIndexer().Add(pod))
		q.sched.SchedulingQueue.Add(t.Context(), pod)
		q.sched.ScheduleOne(t.Context())
	}
	during = func() { q.gone(second) }
	try(testPod("two", 2, 1, 1))
	q.expect("with room for two given back while it is tried", "eight")
	during = func() {}
	try(testPod("three", 3, 1, 1))
	q.expect("with no room", "eight", "three")
	during = func() { q.gone(third) }
	try(testPod("four", 4, 1, 1))
	q.expect("with the node free")
}

// A pod that may preempt is tried again after each pod that is gone, also once it has
// been told why it waits.
func TestToldPodIsWoken(t *testing.T) {
	q := newQueueRig(t)
	q.addNode(testNode("n", 8, 64, 512))
	first := q.bind(testPod("a", 4, 1, 1), "n")
	q.bind(testPod("b", 4, 1, 1), "n")
	q.begin()
	priority, never := int32(10), corev1.PreemptNever
	q.pend(testPod("preempts", 8, 1, 1, func(p *corev1.Pod) { p.Spec.Priority, p.Spec.PreemptionPolicy = &priority, &never }))
	q.tell()
	q.expect("once told", "preempts")
	q.gone(first)
	q.expect("after a pod has gone")
}
