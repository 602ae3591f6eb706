package demo

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	v1 "k8s.io/api/core/v1"
)

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func TestObserver(t *testing.T) {
	gang := Submission{Name: "g", Dialect: "berth", Size: 2, GPUs: 8}
	single := Submission{Name: "s", Size: 1, GPUs: 1}
	late := Submission{Name: "l", Size: 1, GPUs: 1, Late: true}
	o := newObserver(Workload{Submissions: []Submission{gang, single, late}, Order: []PodRef{{0, 1}, {1, 0}, {0, 0}}, Late: []PodRef{{2, 0}}})
	begin := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	after := func(seconds int) time.Time { return begin.Add(time.Duration(seconds) * time.Second) }
	early := o.want(func(submission int) bool { return submission < 2 })
	for i, name := range []string{"g-0", "warm-up", "s", "s", "g-1"} {
		if isClosed(early) {
			t.Fatalf("all are bound before %s was", name)
		}
		o.see(name, after(i))
	}
	if !isClosed(early) {
		t.Fatal("all are bound, and nobody is told")
	}
	if pods, gangs := o.progress(); pods != 3 || gangs != 1 {
		t.Errorf("%d pods and %d gangs are bound, want 3 and 1", pods, gangs)
	}

	// The gang goes, one pod of it after the other came back.
	all := o.want(func(int) bool { return true })
	o.leave("g-0", true, after(5))
	o.see("g-0", after(6))
	o.leave("g-1", true, after(7))
	o.leave("g-0", true, after(8))
	o.leave("s", false, after(9))
	if diff := cmp.Diff(Evictions{Times: []int{3, 0, 0}, Pods: []int{2, 0, 0}}, o.evictions()); diff != "" {
		t.Errorf("evictions (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"s"}, o.vanished()); diff != "" {
		t.Errorf("gone and not evicted (-want +got):\n%s", diff)
	}
	if o.gone.Len() != 2 {
		t.Errorf("%d pods are to be created anew, want 2", o.gone.Len())
	}
	for i, name := range []string{"g-0", "g-1", "l"} {
		o.see(name, after(10+i))
	}
	if isClosed(all) {
		t.Error("all are said to be bound while one is gone")
	}
	o.see("s", after(13))
	if !isClosed(all) {
		t.Error("all are bound, and nobody is told")
	}
	if got := o.quietFor(after(20)); got != 7*time.Second {
		t.Errorf("it was quiet for %s, want 7s", got)
	}
	bound, last := o.seen()
	want := []time.Time{after(4), after(2), begin, after(12)}
	if diff := cmp.Diff(want, bound); diff != "" || last != after(13) {
		t.Errorf("last %s (-want +got):\n%s", last, diff)
	}
	if !isClosed(o.want(func(submission int) bool { return submission == 1 })) {
		t.Error("what is bound already is waited for")
	}
}

func TestWasEvicted(t *testing.T) {
	pod := &v1.Pod{}
	if wasEvicted(pod) {
		t.Error("a pod that was deleted counts as evicted")
	}
	pod.Status.Conditions = []v1.PodCondition{{Type: v1.DisruptionTarget, Status: v1.ConditionTrue, Reason: "PreemptionByScheduler"}}
	if wasEvicted(pod) {
		t.Error("a pod that was deleted by a scheduler counts as evicted")
	}
	pod.Status.Conditions[0].Reason = "EvictionByEvictionAPI"
	if !wasEvicted(pod) {
		t.Error("a pod that was evicted does not count")
	}
}
