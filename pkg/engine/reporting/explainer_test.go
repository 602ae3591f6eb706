package reporting

import (
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/berth-dev/berth/pkg/api/v1alpha1"
	"github.com/berth-dev/berth/pkg/core/admission"
	"github.com/berth-dev/berth/pkg/dialect"
	"github.com/berth-dev/berth/pkg/engine/enginetest"
	"github.com/berth-dev/berth/pkg/engine/measure"
	"github.com/berth-dev/berth/pkg/engine/podgroups"
	"github.com/berth-dev/berth/pkg/engine/waitreason"
	"github.com/berth-dev/berth/pkg/state/queueing"
	"github.com/berth-dev/berth/pkg/state/workload"
)

// explainerRig is an explainer that leads, over gangs and queues that the test fills. No scheduler
// is attached.
type explainerRig struct {
	*reporterRig
	explainer *Explainer
	queues    *queueing.Queues
}

func newExplainerRig(t *testing.T) *explainerRig {
	t.Helper()
	r := &explainerRig{reporterRig: newReporterRig(t, dialect.SchedulerPlugins)}
	r.queues = queueing.New(r.gangs, workload.Requests, func() []*corev1.Pod { return nil }, admission.Config{Window: 4, Overtaking: 4, Backlog: 1000}, r.clock)
	gate := podgroups.NewGate()
	gate.Gangs = r.gangs
	r.explainer = NewExplainer(ExplainerParts{Clock: r.clock, Ours: enginetest.Ours, Gangs: r.gangs, Queues: r.queues, Gate: gate, Conditions: r.conditions})
	r.explainer.leads = true
	return r
}

// come makes a pod of a gang of some size, or a plain pod if the gang is "".
func (r *explainerRig) come(name, of string, size int) *corev1.Pod {
	pod := enginetest.Pod(name)
	pod.CreationTimestamp = metav1.NewTime(r.clock.Now())
	if of != "" {
		group := "berth:" + of
		pod.Labels = map[string]string{"berth.dev/gang": of}
		pod.Annotations = map[string]string{"berth.dev/gang-size": fmt.Sprint(size)}
		pod.Spec.SchedulingGroup = &corev1.PodSchedulingGroup{PodGroupName: &group}
	}
	r.tell(pod)
	return pod
}

// tell has all hear of a pod.
func (r *explainerRig) tell(pod *corev1.Pod) {
	r.set(pod)
	r.queues.SetPod(pod)
	r.explainer.SetPod(pod)
}

// lookAtDue looks at those that are due now, and returns them.
func (r *explainerRig) lookAtDue() []measure.Who {
	due := r.explainer.due()
	for _, who := range due {
		r.explainer.Look(who)
	}
	return due
}

// A pod that nobody told why it waits is told, once.
func TestSilenceIsBroken(t *testing.T) {
	r := newExplainerRig(t)
	pod := r.come("g-0", "g", 2)
	name := types.NamespacedName{Namespace: pod.Namespace, Name: pod.Name}
	who := measure.WhoOf(pod)
	again := func(list *[]dueLook) time.Duration {
		r.explainer.first, r.explainer.again = nil, nil
		r.explainer.Look(who)
		if len(*list) != 1 || len(r.explainer.first)+len(r.explainer.again) != 1 {
			t.Fatalf("the pod is looked at again %d times before it is told, and %d times after that", len(r.explainer.first), len(r.explainer.again))
		}
		return (*list)[0].at.Sub(r.clock.Now())
	}
	if after := again(&r.explainer.first); after <= 0 || len(r.conditions.pending) > 0 {
		t.Fatalf("the others were given no time to be created: again after %s, asked for %v", after, r.conditions.pending)
	}
	r.clock.Step(incompleteDelay + unexplainedDelay)
	if after := again(&r.explainer.again); after != reexplainDelay {
		t.Fatalf("the pod is looked at again after %s", after)
	}
	asked, found := r.conditions.pending[name]
	if !found || asked.condition.Reason != "GangIncomplete" || asked.condition.Message == "" {
		t.Fatalf("the condition asked for is %+v", asked)
	}
	told := pod.DeepCopy()
	told.Status.Conditions = []corev1.PodCondition{waitreason.Condition("GangIncomplete", "said")}
	r.tell(told)
	delete(r.conditions.pending, name)
	r.explainer.Look(who)
	if len(r.conditions.pending) > 0 {
		t.Errorf("what was said is said again: %v", r.conditions.pending)
	}
}

// Those that others of their queues come before are told so a few at a time while pods are
// bound, and all at once when none is.
func TestThoseInLineAreTold(t *testing.T) {
	const pods = 100
	r := newExplainerRig(t)
	r.queues.SetQueue(&v1alpha1.Queue{ObjectMeta: metav1.ObjectMeta{Name: "q"}, Spec: v1alpha1.QueueSpec{Namespaces: []string{"ns"}}})
	r.queues.Open()
	for i := range pods {
		r.come(fmt.Sprintf("p%02d", i), "", 0)
	}
	for i := range pods {
		pod, _, _ := r.pods.GetByKey(fmt.Sprintf("ns/p%02d", i))
		r.queues.Enter(pod.(*corev1.Pod))
	}
	admitted := len(r.queues.Admit())
	r.clock.Step(unexplainedDelay)
	for len(r.lookAtDue()) > 0 {
	}
	line := len(r.explainer.line)
	if line <= 2*inLineWhileBusy || line+admitted != pods {
		t.Fatalf("%d are in line and %d were admitted, of %d", line, admitted, pods)
	}
	r.explainer.lastBind = r.clock.Now()
	r.explainer.tellInLine()
	if n := len(r.conditions.pending); n != inLineWhileBusy {
		t.Errorf("while pods are bound, %d were told, want %d", n, inLineWhileBusy)
	}
	r.clock.Step(busyDelay)
	r.explainer.tellInLine()
	if n := len(r.conditions.pending); n != min(line, inLineWhileBusy+inLineAtATime) {
		t.Errorf("%d of %d in line were told once no pod was bound", n, line)
	}
	for len(r.explainer.line) > 0 {
		r.explainer.tellInLine()
	}
	if len(r.explainer.again) != line {
		t.Errorf("%d are looked at again, want %d", len(r.explainer.again), line)
	}
}

// However many were told why they wait, it is looked at a few at a time whether that still holds,
// and one that was told nothing does not wait behind them.
func TestToldAreLookedAtSlowly(t *testing.T) {
	const gangs = 50
	r := newExplainerRig(t)
	for i := range gangs {
		r.come(fmt.Sprintf("g%02d-0", i), fmt.Sprintf("g%02d", i), 2)
	}
	r.clock.Step(incompleteDelay + unexplainedDelay)
	if n := len(r.lookAtDue()); n != gangs {
		t.Fatalf("%d of %d that were told nothing are looked at", n, gangs)
	}
	r.clock.Step(reexplainDelay)
	late := measure.WhoOf(r.come("late-0", "late", 2))
	r.clock.Step(incompleteDelay + unexplainedDelay)
	told, silent := 0, 0
	for _, who := range r.lookAtDue() {
		if who == late {
			silent++
		} else {
			told++
		}
	}
	if told != againAtATime || silent != 1 {
		t.Errorf("%d that were told are looked at in one period, want %d; and %d of 1 that was not", told, againAtATime, silent)
	}
}

// A pod that comes late to a gang of which others were told is looked at as soon as any other.
func TestLatePodsAreLookedAt(t *testing.T) {
	r := newExplainerRig(t)
	look := func(after time.Duration) {
		for range int(after / time.Second) {
			r.clock.Step(time.Second)
			r.lookAtDue()
		}
	}
	r.come("g-0", "g", 3)
	look(incompleteDelay + unexplainedDelay + time.Second)
	for i := 1; i < 3; i++ {
		late := r.come(fmt.Sprintf("g-%d", i), "g", 3)
		look(unexplainedDelay + time.Second)
		if _, told := r.conditions.pending[types.NamespacedName{Namespace: "ns", Name: late.Name}]; !told {
			t.Errorf("pod %q is not told why it waits %s after it was made", late.Name, unexplainedDelay+time.Second)
		}
	}
}
