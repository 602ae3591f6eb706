package queueing

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/berth-dev/berth/pkg/api/v1alpha1"
	"github.com/berth-dev/berth/pkg/dialect"
	"github.com/berth-dev/berth/pkg/state/statetest"
)

func namespaced(name string, keysAndValues ...string) *corev1.Namespace {
	n := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{}}}
	for i := 0; i < len(keysAndValues); i += 2 {
		n.Labels[keysAndValues[i]] = keysAndValues[i+1]
	}
	return n
}

func in(namespace string) func(*corev1.Pod) {
	return func(p *corev1.Pod) { p.Namespace = namespace }
}

// restricted is a queue that says nothing of who may use it.
func restricted(name string, guaranteed int64, with ...func(*v1alpha1.Queue)) *v1alpha1.Queue {
	q := queue(name, "", guaranteed, 0)
	q.Spec.NamespaceSelector = nil
	for _, f := range with {
		f(q)
	}
	return q
}

// Whoever may use a guarantee may have others evicted for it, so nobody takes one by a label
// on a pod, in whichever words.
func TestQueueNotAllowed(t *testing.T) {
	b := newQueuesRig(t)
	b.SetNamespace(namespaced("home", "berth.dev/queue", "owned"))
	b.SetNamespace(namespaced("red", "team", "red"))
	b.SetNamespace(namespaced("other"))
	b.SetQueue(restricted("owned", 4))
	b.SetQueue(restricted("named", 4, func(q *v1alpha1.Queue) { q.Spec.Namespaces = []string{"other"} }))
	b.SetQueue(restricted("selected", 4, func(q *v1alpha1.Queue) {
		q.Spec.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"team": "red"}}
	}))
	b.SetQueue(restricted("free", 0))
	b.SetElasticQuota(&unstructured.Unstructured{Object: map[string]any{
		"metadata": map[string]any{"namespace": "elastic", "name": "quota"},
		"spec":     map[string]any{"min": map[string]any{statetest.Gpu: int64(4)}},
	}})
	b.SetElasticQuota(&unstructured.Unstructured{Object: map[string]any{
		"metadata": map[string]any{"namespace": "most", "name": "quota"},
		"spec":     map[string]any{"max": map[string]any{statetest.Gpu: int64(4)}},
	}})
	kueue := func(name string) func(*corev1.Pod) {
		return func(p *corev1.Pod) { p.Labels["kueue.x-k8s.io/queue-name"] = name }
	}
	for i, c := range []struct {
		with []func(*corev1.Pod)
		text string // "" if it may
	}{
		{[]func(*corev1.Pod){in("home")}, ""},
		{[]func(*corev1.Pod){in("home"), statetest.InQueue("owned")}, ""},
		{[]func(*corev1.Pod){in("other"), statetest.InQueue("owned")}, `namespace "other" may not use queue "owned", which has a guarantee and names no namespaces; have an administrator add the namespace to spec.namespaces of the queue, or label the namespace berth.dev/queue=owned, or name another queue`},
		{[]func(*corev1.Pod){in("other"), kueue("owned")}, `namespace "other" may not use queue "owned"`},
		{[]func(*corev1.Pod){in("other"), statetest.InQueue("named")}, ""},
		{[]func(*corev1.Pod){in("home"), statetest.InQueue("named")}, `namespace "home" may not use queue "named": neither spec.namespaces nor spec.namespaceSelector of queue "named" has it; have its administrator add the namespace there`},
		{[]func(*corev1.Pod){in("red"), statetest.InQueue("selected")}, ""},
		{[]func(*corev1.Pod){in("other"), statetest.InQueue("selected")}, `may not use queue "selected"`},
		{[]func(*corev1.Pod){in("other"), statetest.InQueue("free")}, ""},
		{[]func(*corev1.Pod){in("other")}, ""},
		{[]func(*corev1.Pod){in("elastic")}, ""},
		{[]func(*corev1.Pod){in("other"), statetest.InQueue("elastic")}, `queue "elastic" is the ElasticQuota of namespace "elastic", and of no other: name another queue`},
		{[]func(*corev1.Pod){in("other"), statetest.InQueue("most")}, `queue "most" is the ElasticQuota of namespace "most"`}, // also without a guarantee
		{[]func(*corev1.Pod){in("most")}, ""},
	} {
		pod := statetest.GPUPod("p"+string(rune('a'+i)), 1, c.with...)
		refusal, ok := b.Check(pod)
		if ok != (c.text == "") || !ok && (refusal.Code != QueueNotAllowed || !strings.Contains(refusal.Text, c.text)) {
			t.Errorf("case %d: %t, %+v, want %q", i, ok, refusal, c.text)
		}
	}
}

// A queue "default" that is guaranteed something is for namespaces that have no other.
func TestDefaultQueueWithAGuarantee(t *testing.T) {
	b := newQueuesRig(t)
	b.SetNamespace(namespaced("home", "berth.dev/queue", "owned"))
	b.SetQueue(restricted("owned", 4))
	b.SetQueue(restricted(DefaultQueue, 4))
	if refusal, ok := b.Check(statetest.GPUPod("p", 1, in("any"))); !ok {
		t.Error(refusal.Text)
	}
	if _, ok := b.Check(statetest.GPUPod("p", 1, in("home"), statetest.InQueue(DefaultQueue))); ok {
		t.Error("a namespace with a queue of its own takes what the others are guaranteed")
	}
}

func TestOpenToAll(t *testing.T) {
	b := newQueuesRig(t)
	b.OpenToAll()
	b.SetQueue(restricted("owned", 4, func(q *v1alpha1.Queue) { q.Spec.Namespaces = []string{"home"} }))
	if refusal, ok := b.Check(statetest.GPUPod("p", 1, in("other"), statetest.InQueue("owned"))); !ok {
		t.Error(refusal.Text)
	}
}

// Who waits is judged anew when the labels of its namespace or the spec of its queue change,
// and nobody else is looked at. Who has a place keeps it, and its charge.
func TestJudgedAnew(t *testing.T) {
	b := newQueuesRig(t)
	b.SetNode(&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n"}, Status: corev1.NodeStatus{Allocatable: statetest.GPUPod("", 100).Spec.Containers[0].Resources.Requests}})
	b.SetNamespace(namespaced("team"))
	owned := restricted("owned", 8)
	b.SetQueue(owned)
	b.SetQueue(restricted("free", 0))
	waits := statetest.GPUPod("waits", 1, in("team"), statetest.InQueue("owned"))
	beside := statetest.GPUPod("beside", 1, in("else"), statetest.InQueue("owned"))
	for _, p := range []*corev1.Pod{waits, beside} {
		b.tell(p)
		b.Enter(p)
	}
	refused := func() int {
		for _, r := range b.Report() {
			if r.Name == "owned" {
				return r.Refused
			}
		}
		return -1
	}
	if len(b.Admit()) > 0 || refused() != 2 {
		t.Fatalf("%d are refused, want 2", refused())
	}
	if code, _, _ := b.Why(waits); code != "QueueNotAllowed" {
		t.Errorf("it waits for %q", code)
	}
	stuck := b.Stuck()
	if len(stuck) != 2 || !strings.Contains(stuck[0].Text, `label the namespace berth.dev/queue=owned`) {
		t.Errorf("they are told %+v", stuck)
	}

	b.SetNamespace(namespaced("team", "berth.dev/queue", "owned"))
	if b.stale {
		t.Error("all queues are made anew for the label of a namespace")
	}
	if let := b.Admit(); len(let) != 1 || let[0].Name != "waits" || refused() != 1 {
		t.Fatalf("admitted are %v, and %d are refused", let, refused())
	}
	if _, ok := b.Reserve(waits); !ok {
		t.Fatal("it may not have its place")
	}
	b.Ended(waits)

	// The label goes while it has its place: it is paid for as before, also by a scheduler that
	// starts anew, and another pod does not follow.
	b.SetNamespace(namespaced("team"))
	bound := waits.DeepCopy()
	bound.Spec.NodeName = "n"
	bound.Annotations = map[string]string{dialect.ChargedQueueAnnotation: b.ChargedQueue(waits.UID)}
	b.tell(bound)
	second := statetest.GPUPod("second", 1, in("team"), statetest.InQueue("owned"))
	b.tell(second)
	b.Enter(second)
	if got := b.used("owned"); got != 1 || refused() != 2 {
		t.Errorf("the queue pays for %d, want 1, and refuses %d, want 2", got, refused())
	}
	anew := newQueuesRig(t)
	anew.SetQueue(owned)
	anew.tell(bound)
	if got := anew.used("owned"); got != 1 {
		t.Errorf("after a restart the queue pays for %d, want 1", got)
	}

	if stuck := b.Stuck(); len(stuck) != 1 || stuck[0].Pods[0].Name != "second" {
		t.Errorf("the later one is told %+v", stuck)
	}

	// The spec names the other one.
	more := owned.DeepCopy()
	more.Generation, more.Spec.Namespaces = 2, []string{"else"}
	b.SetQueue(more)
	if let := b.Admit(); !slices.ContainsFunc(let, func(p *corev1.Pod) bool { return p.Name == "beside" }) || refused() != 1 {
		t.Errorf("admitted are %v, and %d are refused", let, refused())
	}
	if got := b.used("owned"); got != 1 {
		t.Errorf("the queue pays for %d, want 1", got)
	}
	// Nothing is kept of those that are gone.
	for _, p := range []*corev1.Pod{bound, second, beside} {
		b.forget(p)
	}
	if refused() != 0 || len(b.waitingIn) != 0 || len(b.denied) != 0 {
		t.Errorf("all are gone, and %d are refused, %v, %v", refused(), b.waitingIn, b.denied)
	}
}

// A pod that its maker has put on a node without asking is charged to nobody if it names a
// queue that is not open to it: it would use up what others are guaranteed.
func TestPlacedByOthers(t *testing.T) {
	b := newQueuesRig(t)
	owned := restricted("owned", 8)
	b.SetQueue(owned)
	b.tell(statetest.GPUPod("p", 3, in("team"), statetest.InQueue("owned"), statetest.OnNode))
	if got := b.used("owned"); got != 0 {
		t.Errorf("the queue pays for %d, want 0", got)
	}
	// A claim that it is paid for means nothing on a pod without a node.
	forged := statetest.GPUPod("forged", 1, in("team"), statetest.InQueue("owned"))
	forged.Annotations = map[string]string{dialect.ChargedQueueAnnotation: "owned"}
	b.tell(forged)
	if _, ok := b.Check(forged); ok {
		t.Error("it may use the queue")
	}
	b.SetNamespace(namespaced("team", "berth.dev/queue", "owned"))
	if got := b.used("owned"); got != 3 {
		t.Errorf("its namespace has the queue now, which pays for %d, want 3", got)
	}
	b.SetNamespace(namespaced("team"))
	if got := b.used("owned"); got != 0 {
		t.Errorf("it has not any more, and pays for %d, want 0", got)
	}
	more := owned.DeepCopy()
	more.Generation, more.Spec.Namespaces = 2, []string{"team"}
	b.SetQueue(more)
	if got := b.used("owned"); got != 3 {
		t.Errorf("it may use the queue now, which pays for %d, want 3", got)
	}
}

// A selector that cannot be read opens the queue to nobody, and is its fault.
func TestSelectorInvalid(t *testing.T) {
	b := newQueuesRig(t)
	b.SetQueue(restricted("q", 0, func(q *v1alpha1.Queue) {
		q.Spec.NamespaceSelector = &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "team", Operator: "Near"}}}
	}))
	if _, ok := b.Check(statetest.GPUPod("p", 1, statetest.InQueue("q"))); ok {
		t.Error("it may use the queue")
	}
	if r := b.Report(); r[0].Fault == nil || r[0].Fault.Code != "QueueSelectorInvalid" {
		t.Errorf("the fault is %+v", r[0].Fault)
	}
}
