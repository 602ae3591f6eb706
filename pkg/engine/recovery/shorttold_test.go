package recovery

import (
	"slices"
	"strings"
	"testing"
	"time"

	schedulingv1beta1 "k8s.io/api/scheduling/v1beta1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/berth-dev/berth/pkg/core/gang"
	"github.com/berth-dev/berth/pkg/dialect"
	"github.com/berth-dev/berth/pkg/engine/fastpath"
	"github.com/berth-dev/berth/pkg/engine/preemption"
)

// A native pod group says that its gang is short, and that it is no more; what others say on it
// stays.
func TestNativeGroupSaysThatItIsShort(t *testing.T) {
	group := &schedulingv1beta1.PodGroup{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "g"}}
	group.Status.Conditions = []metav1.Condition{{Type: "Other", Status: metav1.ConditionTrue, Reason: "R"}}
	client := fake.NewClientset(group)
	r := NewRepairer(preemption.New(preemption.Parts{Path: fastpath.New(), Client: client, Clock: clocktesting.NewFakeClock(time.Unix(1_000_000, 0))}), nil, 0, nil)
	expect := func(want string) {
		t.Helper()
		got, err := client.SchedulingV1beta1().PodGroups("ns").Get(t.Context(), "g", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		var said []string
		for _, c := range got.Status.Conditions {
			said = append(said, c.Type+" "+string(c.Status)+" "+c.Reason)
		}
		slices.Sort(said)
		if text := strings.Join(said, ", "); text != want {
			t.Errorf("it says %q, want %q", text, want)
		}
	}
	native := gang.Key{Namespace: "ns", Dialect: gang.Native, Name: "g"}
	r.mark(t.Context(), gang.Key{Namespace: "ns", Dialect: dialect.Berth, Name: "g"}, metav1.ConditionTrue, "another gang")
	expect("Other True R")
	r.mark(t.Context(), native, metav1.ConditionTrue, "short")
	expect("Other True R, berth.dev/Short True GangShort")
	r.mark(t.Context(), native, metav1.ConditionFalse, "whole")
	expect("Other True R, berth.dev/Short False GangRepaired")
	r.mark(t.Context(), gang.Key{Namespace: "ns", Dialect: gang.Native, Name: "gone"}, metav1.ConditionTrue, "short")
}
