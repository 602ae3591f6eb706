package queueadmission

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	fwk "k8s.io/kube-scheduler/framework"

	"github.com/berth-dev/berth/pkg/state/queueing"
)

// queues admit those of a name, and refuse to have more than one pay.
type queues struct {
	in    string
	asked []string
	pays  string
}

func (q *queues) Enter(pod *corev1.Pod) bool {
	q.asked = append(q.asked, pod.Name)
	return pod.Name == q.in
}

func (q *queues) Check(pod *corev1.Pod) (queueing.Refusal, bool) {
	return queueing.Refusal{Code: queueing.QueueLimit, Text: "the limit is 1"}, q.pays == "" || q.pays == pod.Name
}

func (q *queues) Reserve(pod *corev1.Pod) (queueing.Refusal, bool) {
	refusal, ok := q.Check(pod)
	if ok {
		q.pays = pod.Name
	}
	return refusal, ok
}

func (q *queues) Unreserve(*corev1.Pod) { q.pays = "" }

func named(name string, gates ...string) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name}}
	for _, g := range gates {
		p.Spec.SchedulingGates = append(p.Spec.SchedulingGates, corev1.PodSchedulingGate{Name: g})
	}
	return p
}

func TestPreEnqueue(t *testing.T) {
	q := &queues{in: "a"}
	p := New(q)
	if s := p.PreEnqueue(t.Context(), named("a")); !s.IsSuccess() {
		t.Errorf("one that is admitted is held: %s", s.Message())
	}
	if s := p.PreEnqueue(t.Context(), named("b")); s.Code() != fwk.UnschedulableAndUnresolvable {
		t.Errorf("one that is not admitted gets %s", s.Code())
	}
	if s := p.PreEnqueue(t.Context(), named("a", "gate")); s.IsSuccess() {
		t.Error("one with a scheduling gate passes")
	}
	if diff := cmp.Diff([]string{"a", "b"}, q.asked); diff != "" {
		t.Errorf("whose turn was asked for: one with a gate takes no turn (-want +got):\n%s", diff)
	}
}

func TestLimit(t *testing.T) {
	p := New(&queues{})
	if s := p.Reserve(t.Context(), nil, named("a"), "n"); !s.IsSuccess() {
		t.Errorf("the first is refused: %s", s.Message())
	}
	for what, s := range map[string]*fwk.Status{
		"PreFilter": func() *fwk.Status { _, s := p.PreFilter(t.Context(), nil, named("b"), nil); return s }(),
		"Reserve":   p.Reserve(t.Context(), nil, named("b"), "n"),
	} {
		if s.Code() != fwk.UnschedulableAndUnresolvable || s.Message() != "the limit is 1" {
			t.Errorf("%s of one past the limit: %s, %q", what, s.Code(), s.Message())
		}
	}
	p.Unreserve(t.Context(), nil, named("a"), "n")
	if s := p.Reserve(t.Context(), nil, named("b"), "n"); !s.IsSuccess() {
		t.Errorf("nobody pays any more, and it is refused: %s", s.Message())
	}
}
