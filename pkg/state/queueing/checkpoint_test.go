package queueing

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/berth-dev/berth/pkg/api/v1alpha1"
	"github.com/berth-dev/berth/pkg/dialect"
	"github.com/berth-dev/berth/pkg/state/statetest"
)

// A gang is told if its queue gives it time and a pod of it asks for it; and what it says of
// having been told makes it go sooner, and never protects it.
func TestGrace(t *testing.T) {
	at := func(offset time.Duration) string { return statetest.Epoch.Add(offset).Format(time.RFC3339) }
	const grace = 5 * time.Minute
	for _, c := range []struct {
		name              string
		signal, requested string
		grace             time.Duration
		granted           time.Duration
		told              bool
	}{
		{"asks to be told", "true", "", grace, grace, false},
		{"does not", "", "", grace, 0, false},
		{"says something else", "yes", "", grace, 0, false},
		{"its queue gives no time", "true", "", 0, 0, false},
		{"was told a minute ago", "true", at(-time.Minute), grace, grace, true},
		{"was told, and its grace is over", "true", at(-grace), grace, grace, true},
		{"was told long ago", "true", at(-grace - requestAge), grace, grace, false},
		{"says that it will be told", "true", at(time.Minute), grace, grace, false},
		{"says that it was told before it began", "true", at(-2 * time.Hour), 3 * time.Hour, 3 * time.Hour, false},
		{"says no time", "true", "soon", grace, grace, false},
		{"was told, it says, and does not ask to be", "", at(-time.Minute), grace, 0, false},
	} {
		b := newQueuesRig(t)
		b.SetQueue(queue("owner", "", 8, 0))
		borrower := queue("borrower", "", 0, 0)
		borrower.Spec.Preemption = v1alpha1.QueuePreemption{GraceBeforeReclaim: &metav1.Duration{Duration: c.grace}}
		b.SetQueue(borrower)
		pod := statetest.GPUPod("runs", 1, statetest.InQueue("borrower"), statetest.OnNode)
		pod.Status.StartTime = &metav1.Time{Time: statetest.Epoch.Add(-time.Hour)}
		pod.Annotations[dialect.CheckpointSignal], pod.Annotations[dialect.CheckpointRequestedAt] = c.signal, c.requested
		b.tell(pod)
		claimant := statetest.GPUPod("p", 4, statetest.InQueue("owner"))
		b.enter(claimant)
		got := b.Reclaim([]*corev1.Pod{claimant}, Others{}).Candidates[0]
		if got.Grace != c.granted || got.Told != c.told {
			t.Errorf("%s: it has %s and was told: %t; want %s, %t", c.name, got.Grace, got.Told, c.granted, c.told)
		}
	}
}

func TestSaved(t *testing.T) {
	requested := statetest.Epoch.Add(-time.Minute + 300*time.Millisecond)
	for _, c := range []struct {
		name string
		at   string
		want bool
	}{
		{"since", statetest.Epoch.Add(-time.Second).Format(time.RFC3339), true},
		{"in the same second", requested.Format(time.RFC3339), true},
		{"before", statetest.Epoch.Add(-2 * time.Minute).Format(time.RFC3339), false},
		{"in the future", statetest.Epoch.Add(time.Second).Format(time.RFC3339), false},
		{"no time", "done", false},
	} {
		pod := statetest.GPUPod("p", 1)
		pod.Status.StartTime = &metav1.Time{Time: statetest.Epoch.Add(-time.Hour)}
		pod.Annotations[dialect.CheckpointedAt] = c.at
		if got := Saved(pod, requested, statetest.Epoch); got != c.want {
			t.Errorf("%s: %t, want %t", c.name, got, c.want)
		}
	}
}
