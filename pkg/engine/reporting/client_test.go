package reporting

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	schedulingv1beta1 "k8s.io/api/scheduling/v1beta1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
	corelisters "k8s.io/client-go/listers/core/v1"
	schedulinglisters "k8s.io/client-go/listers/scheduling/v1beta1"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/flowcontrol"
	"k8s.io/kubernetes/pkg/scheduler/util"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/berth-dev/berth/pkg/core/gang"
	"github.com/berth-dev/berth/pkg/dialect"
	"github.com/berth-dev/berth/pkg/engine/enginetest"
	"github.com/berth-dev/berth/pkg/state/gangtable"
)

// writerRig is the writing half of the engine over a fake API server, with listers that
// the test fills and a clock that it turns.
type writerRig struct {
	server     *fake.Clientset
	pods       cache.Indexer
	groups     cache.Indexer
	clock      *clocktesting.FakeClock
	reporter   *Reporter
	conditions *ConditionWriter
	client     *Client
}

func newWriterRig(t *testing.T, objects ...runtime.Object) *writerRig {
	t.Helper()
	indexers := cache.Indexers{cache.NamespaceIndex: cache.MetaNamespaceIndexFunc}
	b := &writerRig{
		server: fake.NewClientset(objects...),
		pods:   cache.NewIndexer(cache.MetaNamespaceKeyFunc, indexers),
		groups: cache.NewIndexer(cache.MetaNamespaceKeyFunc, indexers),
		clock:  clocktesting.NewFakeClock(enginetest.Epoch),
	}
	for _, o := range objects {
		switch o := o.(type) {
		case *corev1.Pod:
			b.see(t, o)
		case *schedulingv1beta1.PodGroup:
			if err := b.groups.Add(o); err != nil {
				t.Fatal(err)
			}
		}
	}
	gangs := gangtable.New(enginetest.Ours, enginetest.NoSink{}, b.clock)
	b.conditions = NewConditionWriter(b.server, corelisters.NewPodLister(b.pods), gangs, b.clock)
	b.reporter = NewReporter(ReporterParts{Clock: b.clock, Gangs: gangs, Conditions: b.conditions})
	b.conditions.limiter = flowcontrol.NewFakeAlwaysRateLimiter()
	b.client = NewClient(b.server, b.conditions, b.reporter, schedulinglisters.NewPodGroupLister(b.groups))
	t.Cleanup(b.conditions.ShutDown)
	t.Cleanup(b.reporter.ShutDown)
	return b
}

// see makes a pod known to the lister.
func (b *writerRig) see(t *testing.T, pod *corev1.Pod) {
	t.Helper()
	if err := b.pods.Update(pod); err != nil {
		t.Fatal(err)
	}
}

// patches are the bodies of what was patched, each after its object.
func (b *writerRig) patches() []string {
	var out []string
	for _, action := range b.server.Actions() {
		if p, ok := action.(clienttesting.PatchAction); ok {
			out = append(out, fmt.Sprintf("%s/%s %s", p.GetResource().Resource, strings.Join([]string{p.GetName(), p.GetSubresource()}, "/"), p.GetPatch()))
		}
	}
	return out
}

// written are the reasons and texts of the conditions written to pods.
func (b *writerRig) written(t *testing.T) []string {
	t.Helper()
	var out []string
	for _, action := range b.server.Actions() {
		p, ok := action.(clienttesting.PatchAction)
		if !ok {
			continue
		}
		var body corev1.Pod
		if err := json.Unmarshal(p.GetPatch(), &body); err != nil {
			t.Fatal(err)
		}
		for _, c := range body.Status.Conditions {
			out = append(out, fmt.Sprintf("%s (%s): %s: %s", p.GetName(), body.UID, c.Reason, c.Message))
		}
	}
	return out
}

func refused(message string) corev1.PodCondition {
	return corev1.PodCondition{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable, Message: message,
		LastTransitionTime: metav1.NewTime(enginetest.Epoch.Add(-time.Hour))}
}

// A victim's condition is the eviction's to write; beside another it passes.
func TestWhichPodPatchesPass(t *testing.T) {
	disruption := corev1.PodCondition{Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue, Reason: "PreemptionByScheduler"}
	old := corev1.PodStatus{Conditions: []corev1.PodCondition{refused("no room")}}
	for _, c := range []struct {
		name   string
		new    corev1.PodStatus
		passed int
	}{
		{"a victim", corev1.PodStatus{Conditions: []corev1.PodCondition{refused("no room"), disruption}}, 0},
		{"a victim that is refused", corev1.PodStatus{Conditions: []corev1.PodCondition{refused("taints"), disruption}}, 1},
		{"a victim that is nominated", corev1.PodStatus{Conditions: []corev1.PodCondition{refused("no room"), disruption}, NominatedNodeName: "n"}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			pod := enginetest.Pod("p")
			pod.Status = old
			b := newWriterRig(t, pod)
			if err := util.PatchPodStatus(t.Context(), b.client, "p", "ns", &old, &c.new); err != nil {
				t.Fatal(err)
			}
			if got := len(b.patches()); got != c.passed {
				t.Errorf("%d patches passed, want %d: %v", got, c.passed, b.patches())
			}
		})
	}
}

func initially(status metav1.ConditionStatus, reason, message string) schedulingv1beta1.PodGroupStatus {
	return schedulingv1beta1.PodGroupStatus{Conditions: []metav1.Condition{{
		Type: schedulingv1beta1.PodGroupInitiallyScheduled, Status: status, Reason: reason, Message: message}}}
}

func TestWhichPodGroupPatchesPass(t *testing.T) {
	none := schedulingv1beta1.PodGroupStatus{}
	refusal := func(text string) schedulingv1beta1.PodGroupStatus {
		return initially(metav1.ConditionFalse, schedulingv1beta1.PodGroupReasonUnschedulable, text)
	}
	for _, c := range []struct {
		name, group string
		// server is what the lister says; each patch leads from it to a next.
		server schedulingv1beta1.PodGroupStatus
		nexts  []schedulingv1beta1.PodGroupStatus
		passed int
		// decided is what the reporter knows in the end.
		decided string
	}{
		{"a translated group", "berth:g", none, []schedulingv1beta1.PodGroupStatus{refusal("no room")}, 0, "False Unschedulable no room"},
		{"a native group", "g", none, []schedulingv1beta1.PodGroupStatus{refusal("no room")}, 1, "False Unschedulable no room"},
		{"in other words", "g", refusal("no room"), []schedulingv1beta1.PodGroupStatus{refusal("taints")}, 1, "False Unschedulable taints"},
		{"other counts", "g", none, []schedulingv1beta1.PodGroupStatus{refusal("1 of 2 fit"), refusal("0 of 2 fit")}, 1, "False Unschedulable 0 of 2 fit"},
		{"words in turn", "g", none, []schedulingv1beta1.PodGroupStatus{refusal("a"), refusal("b"), refusal("a"), refusal("b")}, 2, "False Unschedulable b"},
		{"placed", "g", refusal("no room"), []schedulingv1beta1.PodGroupStatus{initially(metav1.ConditionTrue, "Scheduled", "")}, 1, "True Scheduled "},
	} {
		t.Run(c.name, func(t *testing.T) {
			pg := enginetest.NativeGroup(c.group, 2)
			pg.Status = c.server
			b := newWriterRig(t, pg)
			for _, next := range c.nexts {
				if err := util.PatchPodGroupStatus(t.Context(), b.client, c.group, "ns", &c.server, &next); err != nil {
					t.Fatal(err)
				}
			}
			if got := len(b.patches()); got != c.passed {
				t.Errorf("%d patches passed, want %d: %v", got, c.passed, b.patches())
			}
			d := b.reporter.news[gang.KeyOf("ns", c.group)].decided
			if d == nil {
				t.Fatal("the reporter was not told")
			}
			if got := fmt.Sprint(d.Status, " ", d.Reason, " ", d.Message); got != c.decided {
				t.Errorf("the reporter was told %q, want %q", got, c.decided)
			}
		})
	}
}

// Nothing is kept of groups that are gone, even if they are refused a moment later,
// and what was said of one is said again of the next.
func TestNativeGroupsAreForgotten(t *testing.T) {
	pg := enginetest.NativeGroup("g", 2)
	b := newWriterRig(t, pg)
	refuse := func() {
		t.Helper()
		next := initially(metav1.ConditionFalse, "Unschedulable", "no room")
		if err := util.PatchPodGroupStatus(t.Context(), b.client, "g", "ns", nil, &next); err != nil && !apierrors.IsNotFound(err) {
			t.Fatal(err)
		}
	}
	refuse()
	again := pg.DeepCopy()
	again.UID = "another"
	if err := b.groups.Update(again); err != nil {
		t.Fatal(err)
	}
	refuse()
	if n := len(b.patches()); n != 2 {
		t.Errorf("%d patches, want one for each of two groups of one name", n)
	}
	if err := b.groups.Delete(again); err != nil {
		t.Fatal(err)
	}
	b.client.ForgetNative(types.NamespacedName{Namespace: "ns", Name: "g"})
	refuse()
	if len(b.client.written) != 0 {
		t.Errorf("of groups that are gone, %v is kept", b.client.written)
	}
}

func TestBindPassesAtOnce(t *testing.T) {
	binding := &corev1.Binding{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "p"}, Target: corev1.ObjectReference{Name: "n"}}
	for name, bind := range map[string]func(b *writerRig) error{
		"client": func(b *writerRig) error { return util.BindPod(t.Context(), b.client, binding) },
		"API cacher": func(b *writerRig) error {
			calls := podCalls{t.Context(), b.client}
			done, err := calls.BindPod(binding)
			return errors.Join(err, calls.WaitOnFinish(t.Context(), done))
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newWriterRig(t, enginetest.Pod("p"))
			if err := bind(b); err != nil {
				t.Fatal(err)
			}
			actions := b.server.Actions()
			if len(actions) != 1 || !actions[0].Matches("create", "pods") || actions[0].GetSubresource() != "binding" {
				t.Errorf("the API server saw %v, want one binding", actions)
			}
		})
	}
}

func TestEventBudget(t *testing.T) {
	group := "berth:g"
	member := enginetest.Pod("member")
	member.Spec.SchedulingGroup = &corev1.PodSchedulingGroup{PodGroupName: &group}
	plain, gone := enginetest.Pod("plain"), enginetest.Pod("gone")
	b := newWriterRig(t, plain, member)
	budget := NewEventBudget(b.reporter, corelisters.NewPodLister(b.pods), 1, nil, nil)
	var got []string
	say := func(pod *corev1.Pod, reason, note string) {
		if budget.allows(pod, reason, note, nil) {
			got = append(got, pod.Name+" "+reason+" "+note)
		}
	}
	say(plain, eventFailedScheduling, "1 Insufficient cpu")
	say(plain, eventFailedScheduling, "2 Insufficient cpu") // the same again
	say(plain, eventFailedScheduling, "had taints")
	say(plain, eventFailedScheduling, "1 Insufficient cpu") // in turns
	say(plain, "Preempted", "by another")
	say(plain, "Preempted", "by another")
	say(plain, eventScheduled, "on n")
	say(member, eventFailedScheduling, "no room")
	say(member, eventScheduled, "on n")
	say(member, "Preempted", "by another")
	say(gone, eventFailedScheduling, "no room")
	want := []string{"plain FailedScheduling 1 Insufficient cpu", "plain FailedScheduling had taints", "plain Preempted by another",
		"plain Preempted by another", "plain Scheduled on n", "member Preempted by another", "gone FailedScheduling no room"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if d := b.reporter.news[gang.Key{Namespace: "ns", Dialect: dialect.Berth, Name: "g"}]; d.binds != 1 {
		t.Errorf("the reporter was told of %d binds, want 1", d.binds)
	}
	said := len(got)
	for range 3 * scheduledBurst {
		say(plain, eventScheduled, "on n")
	}
	if n := len(got) - said; n < scheduledBurst-1 || n > scheduledBurst+1 {
		t.Errorf("%d events of placed pods in a moment, want about %d", n, scheduledBurst)
	}
	none := NewEventBudget(b.reporter, corelisters.NewPodLister(b.pods), 0, nil, nil)
	if none.allows(plain, eventScheduled, "on n", nil) {
		t.Error("the event of a placed pod is written without any budget")
	}
	say(plain, eventFailedScheduling, "no room")
	budget.Forget(plain.UID)
	if len(budget.refused) != 0 {
		t.Errorf("%d pods are remembered, want none", len(budget.refused))
	}
}

// Upstream's preemption marks a pod and deletes it. Both come to one eviction, which asks
// disruption budgets.
func TestPreemptionEvicts(t *testing.T) {
	victim := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "p"}}
	b := newWriterRig(t, victim)
	marked := victim.Status.DeepCopy()
	marked.Conditions = append(marked.Conditions, corev1.PodCondition{Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue, Reason: corev1.PodReasonPreemptionByScheduler})
	if err := util.PatchPodStatus(t.Context(), b.client, "p", "ns", &victim.Status, marked); err != nil {
		t.Fatal(err)
	}
	if err := util.DeletePod(t.Context(), b.client, victim); err != nil {
		t.Fatal(err)
	}
	actions := b.server.Actions()
	if len(actions) != 1 || actions[0].GetVerb() != "create" || actions[0].GetSubresource() != "eviction" {
		t.Errorf("the API server gets %v, want one eviction", actions)
	}
}
