package gangtable

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/berth-dev/berth/pkg/core/gang"
	"github.com/berth-dev/berth/pkg/dialect"
	"github.com/berth-dev/berth/pkg/state/workload"
)

// A refusal counts once for each pod, for its gang alone, and is forgotten in time.
func TestRefusalsOfAGang(t *testing.T) {
	clock := clocktesting.NewFakeClock(time.Unix(1_000_000, 0))
	g := New(func(string) bool { return true }, nil, clock)
	refused := func(name string) *corev1.Pod {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: name, UID: types.UID(name),
			Labels: map[string]string{"berth.dev/gang": "g"}, Annotations: map[string]string{"berth.dev/gang-size": "2"}}}
		pod.Spec.NodeName, pod.Spec.SchedulerName = "n1", "berth"
		pod.Status.Phase, pod.Status.Reason = corev1.PodFailed, "UnexpectedAdmissionError"
		return pod
	}
	name := workload.NameOfGang(gang.Key{Namespace: "ns", Dialect: dialect.Berth, Name: "g"})
	expect := func(when string, seconds int64, last int) {
		t.Helper()
		avoided, after := g.Avoided(name)
		left := int64(0)
		if len(avoided) > 0 {
			left = avoided[0].Until - clock.Now().Unix()
		}
		if left != seconds || len(after) != last {
			t.Errorf("%s: avoided for %d s, and %d come last; want %d s and %d", when, left, len(after), seconds, last)
		}
	}
	g.SetEnded(refused("g-0"))
	clock.Step(time.Second)
	g.SetEnded(refused("g-0"))
	g.SetEnded(refused("g-1"))
	expect("two were refused at once", 4, 0)
	if ended := g.AvoidanceEnded(); len(ended) != 0 {
		t.Errorf("%v are over", ended)
	}
	clock.Step(4 * time.Second)
	if ended := g.AvoidanceEnded(); len(ended) != 1 || ended[0] != name {
		t.Errorf("%v are over, want %s", ended, name)
	}
	expect("that is over", 0, 1)
	g.SetEnded(refused("g-0"))
	expect("it was told before", 0, 1)
	g.SetEnded(refused("g-2"))
	expect("a third was refused", 10, 0)
	if avoided, last := g.Avoided("ns/other"); len(avoided)+len(last) != 0 {
		t.Errorf("another gang avoids %v and %v", avoided, last)
	}
	failed := refused("g-3")
	failed.Spec.NodeName, failed.Status.Reason = "n2", "Error"
	g.SetEnded(failed)
	expect("one failed", 10, 0)
	clock.Step(time.Hour)
	g.AvoidanceEnded()
	if len(g.refusals)+len(g.avoiding) != 0 || g.someRefused.Load() {
		t.Errorf("%d refusals are remembered after an hour", len(g.refusals))
	}
}
