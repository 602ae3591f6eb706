package demo

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// called gives a pod of the API a name of its own, as controllers do.
func called(name string) func(*v1.Pod) {
	return func(pod *v1.Pod) { pod.Name, pod.UID = name, types.UID(name) }
}

// beingEvicted is what the Eviction API says of a pod.
func beingEvicted(pod *v1.Pod) {
	pod.Status.Conditions = []v1.PodCondition{{Type: v1.DisruptionTarget, Status: v1.ConditionTrue, Reason: "EvictionByEvictionAPI"}}
}

func TestObserver(t *testing.T) {
	gang := Submission{Name: "g", Dialect: "berth", Size: 2, GPUs: 8}
	single := Submission{Name: "s", Size: 1, GPUs: 1}
	late := Submission{Name: "l", Size: 1, GPUs: 1, Late: true}
	o := newObserver(Workload{Submissions: []Submission{gang, single, late}, Order: []int{1, 0}, Late: []int{2}})
	begin := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	second := 0
	now := func() time.Time { return begin.Add(time.Duration(second) * time.Second) }
	// Each call is a second later than the one before.
	see := func(pod v1.Pod, gone bool) {
		o.see(&pod, gone, now())
		second++
	}
	all := func(int) bool { return true }
	early := o.want(func(submission int) bool { return submission < 2 })

	see(seat(gang, 0, "", called("g-0-a")), false) // at 0
	see(seat(gang, 1, "", called("g-1-a")), false)
	see(seat(single, 0, "n", called("s-a")), false)
	see(seat(gang, 0, "n", called("g-0-a")), false)
	see(seat(Submission{Name: "other", Size: 1}, 0, "n"), false)
	see(seat(gang, 0, "n", called("g-0-a")), false)
	if isClosed(early) {
		t.Fatal("all are said to be bound before the last is")
	}
	see(seat(gang, 1, "n", called("g-1-a")), false) // at 6
	if !isClosed(early) {
		t.Fatal("all are bound, and nobody is told")
	}
	if diff := cmp.Diff(advance{made: 3, bound: 3, whole: 1}, o.progress(), cmp.AllowUnexported(advance{})); diff != "" {
		t.Errorf("progress (-want +got):\n%s", diff)
	}

	// The gang is evicted: one pod is seen to fail, one is only seen to be gone. One that is
	// made again before the one in whose place it comes has ended is at its place all along.
	every := o.want(all)
	see(seat(gang, 0, "n", called("g-0-a"), beingEvicted, phase(v1.PodFailed)), false) // at 7
	see(seat(gang, 0, "n", called("g-0-a"), beingEvicted, phase(v1.PodFailed)), true)
	see(seat(gang, 1, "n", called("g-1-a"), beingEvicted), true)
	see(seat(gang, 0, "", called("g-0-b")), false)
	see(seat(single, 0, "m", called("s-b")), false)
	see(seat(single, 0, "n", called("s-a"), phase(v1.PodFailed)), false)
	want := Evictions{Times: []int{2, 0, 0}, Pods: []int{2, 0, 0}, MadeAgain: []int{1, 1, 0}}
	if diff := cmp.Diff(want, o.evictions()); diff != "" {
		t.Errorf("evictions (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"s-a"}, o.vanished()); diff != "" {
		t.Errorf("failed and not evicted (-want +got):\n%s", diff)
	}
	if a := o.progress(); a.made != 3 || a.bound != 1 || a.whole != 0 {
		t.Errorf("after the evictions: %+v", a)
	}
	see(seat(gang, 0, "n", called("g-0-b")), false) // at 13
	see(seat(gang, 1, "n", called("g-1-b")), false)
	if isClosed(every) {
		t.Error("all are said to be bound while one was never made")
	}
	see(seat(late, 0, "n", called("l-a")), false) // at 15
	if !isClosed(every) {
		t.Error("all are bound, and nobody is told")
	}
	see(seat(late, 0, "n", called("l-a"), phase(v1.PodSucceeded)), false)

	at := func(n int) time.Time { return begin.Add(time.Duration(n) * time.Second) }
	created, bound, last := o.seen()
	if diff := cmp.Diff([]time.Time{at(2), at(0), at(1), at(15)}, created); diff != "" {
		t.Errorf("first seen (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]time.Time{at(2), at(3), at(6), at(15)}, bound); diff != "" || last != at(15) {
		t.Errorf("first bound, last %s (-want +got):\n%s", last, diff)
	}
	if got := o.quietFor(at(20)); got != 5*time.Second {
		t.Errorf("it was quiet for %s, want 5s", got)
	}
	if i, ours := o.submissionOf("g-0-a"); i != 0 || !ours {
		t.Errorf("a pod that went is said to be of submission %d, %t", i, ours)
	}
	if !isClosed(o.want(func(submission int) bool { return submission == 1 })) {
		t.Error("what is bound already is waited for")
	}
}

// What is kept of a pod says the same to an observer as the whole pod.
func TestEssence(t *testing.T) {
	gang := Submission{Name: "g", Dialect: "kai", Size: 3, GPUs: 8}
	pod := seat(gang, 2, "n", called("g-2-x"), beingEvicted, phase(v1.PodFailed))
	kept, err := essence(&pod)
	if err != nil {
		t.Fatal(err)
	}
	small := kept.(*v1.Pod)
	r := Workload{Submissions: []Submission{gang}}.roster()
	if ref, ours := r.ref(small); !ours || ref != (PodRef{0, 2}) {
		t.Errorf("it is %v, %t", ref, ours)
	}
	if small.Name != pod.Name || small.UID != pod.UID || small.Spec.NodeName != "n" || small.Status.Phase != v1.PodFailed || !wasEvicted(small) {
		t.Errorf("kept is %+v", small)
	}
	if len(small.Annotations) > 0 || len(small.Spec.Containers) > 0 {
		t.Errorf("more than needed is kept: %+v", small)
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
