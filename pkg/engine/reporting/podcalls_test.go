package reporting

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	fwk "k8s.io/kube-scheduler/framework"

	"github.com/berth-dev/berth/pkg/engine/enginetest"
)

// What upstream asks to have written of a pod.
func TestWhichPodWritesAreDeferred(t *testing.T) {
	disruption := corev1.PodCondition{Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue, Reason: "PreemptionByScheduler"}
	nominate := func(node string) *fwk.NominatingInfo {
		return &fwk.NominatingInfo{NominatedNodeName: node, NominatingMode: fwk.ModeOverride}
	}
	other := corev1.PodCondition{Type: "Other", Status: corev1.ConditionTrue}
	for _, c := range []struct {
		name       string
		old        corev1.PodStatus
		conditions []corev1.PodCondition
		nominating *fwk.NominatingInfo
		// pending is what waits to be written; "" if nothing.
		pending string
		// passed is the status that is patched in; "" if nothing.
		passed string
	}{
		{
			name:       "the first refusal",
			conditions: []corev1.PodCondition{refused("no room")},
			pending:    "no room",
		},
		{
			name:       "a refusal in other words",
			old:        corev1.PodStatus{Conditions: []corev1.PodCondition{refused("no room")}},
			conditions: []corev1.PodCondition{refused("too many taints")},
			pending:    "too many taints",
		},
		{
			name:       "a refusal beside a condition of somebody else",
			old:        corev1.PodStatus{Conditions: []corev1.PodCondition{other}},
			conditions: []corev1.PodCondition{refused("no room")},
			pending:    "no room",
		},
		{
			name:       "what is said already",
			old:        corev1.PodStatus{Conditions: []corev1.PodCondition{refused("no room")}},
			conditions: []corev1.PodCondition{refused("no room")},
		},
		{
			name:       "a refusal that clears the nomination that there is not",
			conditions: []corev1.PodCondition{refused("no room")},
			nominating: nominate(""),
			pending:    "no room",
		},
		{
			name:       "a nomination",
			old:        corev1.PodStatus{Conditions: []corev1.PodCondition{refused("no room")}},
			conditions: []corev1.PodCondition{refused("preempting")},
			nominating: nominate("n"),
			passed:     "n False preempting",
		},
		{
			name:       "a nomination taken back",
			old:        corev1.PodStatus{NominatedNodeName: "n"},
			nominating: nominate(""),
			passed:     " ",
		},
		{
			name:       "no nomination to take back",
			nominating: nominate(""),
		},
		{
			name:       "two conditions at once",
			conditions: []corev1.PodCondition{refused("no room"), disruption},
			passed:     " False no room True ",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			pod := enginetest.Pod("p")
			pod.Status = c.old
			b := newWriterRig(t, pod)
			var conditions []*corev1.PodCondition
			for i := range c.conditions {
				conditions = append(conditions, &c.conditions[i])
			}
			calls := podCalls{t.Context(), b.client}
			done, err := calls.PatchPodStatus(pod, conditions, c.nominating)
			if err != nil {
				t.Fatal(err)
			}
			if err := calls.WaitOnFinish(t.Context(), done); err != nil {
				t.Fatal(err)
			}
			got := b.conditions.pending[types.NamespacedName{Namespace: "ns", Name: "p"}].condition
			want := corev1.PodCondition{}
			if c.pending != "" {
				want = refused(c.pending)
			}
			if got.Type != want.Type || got.Status != want.Status || got.Reason != want.Reason || got.Message != want.Message {
				t.Errorf("pending is %+v, want %+v", got, want)
			}
			passed := ""
			if patches := b.patches(); len(patches) == 1 {
				stored, err := b.server.CoreV1().Pods("ns").Get(t.Context(), "p", metav1.GetOptions{})
				if err != nil {
					t.Fatal(err)
				}
				passed = stored.Status.NominatedNodeName + " "
				for i, condition := range stored.Status.Conditions {
					if i > 0 {
						passed += " "
					}
					passed += fmt.Sprint(condition.Status, " ", condition.Message)
				}
			} else if len(patches) > 1 {
				t.Errorf("patches are %v", patches)
			}
			if passed != c.passed {
				t.Errorf("written is %q, want %q", passed, c.passed)
			}
		})
	}
}

// What was asked for before a write that passes with a newer condition is outdated.
func TestWriteThatPassesOutdatesWhatWaits(t *testing.T) {
	pod := enginetest.Pod("p")
	b := newWriterRig(t, pod)
	calls := podCalls{t.Context(), b.client}
	first, second := refused("no room"), refused("preempting")
	for _, call := range []struct {
		condition  *corev1.PodCondition
		nominating *fwk.NominatingInfo
	}{
		{&first, nil},
		{&second, &fwk.NominatingInfo{NominatedNodeName: "n", NominatingMode: fwk.ModeOverride}},
	} {
		if _, err := calls.PatchPodStatus(pod, []*corev1.PodCondition{call.condition}, call.nominating); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(b.conditions.pending); n != 0 {
		t.Errorf("%d conditions wait, want none", n)
	}
}
