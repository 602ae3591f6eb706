package queueing

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/berth-dev/berth/pkg/api/v1alpha1"
	"github.com/berth-dev/berth/pkg/state/statetest"
)

// claimant is a bank of 16 GPUs in which 8 of a limit of 8 are taken, and a pod of 4 that
// waits for the limit.
func claimant(t *testing.T, queues []*v1alpha1.Queue, runs []*corev1.Pod, waits *corev1.Pod) *queuesRig {
	t.Helper()
	b := newQueuesRig(t)
	b.SetNode(&corev1.Node{Status: corev1.NodeStatus{Allocatable: corev1.ResourceList{statetest.Gpu: resource.MustParse("16")}}})
	for _, q := range queues {
		b.SetQueue(q)
	}
	for _, p := range runs {
		b.tell(p)
	}
	b.enter(waits)
	expectNames(t, "the limit holds it", b.admittedNames(), nil)
	return b
}

// Of those that a limit holds, whoever may have others evicted is tried, now and then.
func TestClaims(t *testing.T) {
	never := queue("a", "", 0, 8)
	never.Spec.Preemption.WithinQueue = v1alpha1.PreemptNever
	alone := []*v1alpha1.Queue{queue("a", "", 0, 8)}
	siblings := []*v1alpha1.Queue{queue("root", "", 8, 8), queue("a", "root", 4, 0), queue("b", "root", 4, 0)}
	for _, c := range []struct {
		name   string
		queues []*v1alpha1.Queue
		runs   []*corev1.Pod
		waits  *corev1.Pod
		want   []string
	}{
		{"a lower priority runs in its queue", alone, []*corev1.Pod{statetest.GPUPod("low", 8, statetest.InQueue("a"), statetest.OnNode)}, statetest.GPUPod("high", 4, statetest.InQueue("a"), priority(5)), []string{"high"}},
		{"none does", alone, []*corev1.Pod{statetest.GPUPod("same", 8, statetest.InQueue("a"), statetest.OnNode, priority(5))}, statetest.GPUPod("high", 4, statetest.InQueue("a"), priority(5)), nil},
		{"its queue lets nobody be preempted", []*v1alpha1.Queue{never}, []*corev1.Pod{statetest.GPUPod("low", 8, statetest.InQueue("a"), statetest.OnNode)}, statetest.GPUPod("high", 4, statetest.InQueue("a"), priority(5)), nil},
		{"a sibling has more than it is guaranteed", siblings, []*corev1.Pod{statetest.GPUPod("borrows", 8, statetest.InQueue("b"), statetest.OnNode)}, statetest.GPUPod("due", 4, statetest.InQueue("a")), []string{"due"}},
		{"it asks for more than its queue is entitled to", siblings, []*corev1.Pod{statetest.GPUPod("has", 4, statetest.InQueue("a"), statetest.OnNode), statetest.GPUPod("b", 4, statetest.InQueue("b"), statetest.OnNode)}, statetest.GPUPod("more", 4, statetest.InQueue("a")), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := claimant(t, c.queues, c.runs, c.waits)
			b.Claims()
			expectNames(t, "as a claim", b.admittedNames(), c.want)
			if c.want == nil {
				return
			}
			if _, ok := b.Check(c.waits); ok {
				t.Error("the limit does not hold any more")
			}
			b.Try(c.waits)
			if refusal, ok := b.Check(c.waits); !ok {
				t.Errorf("it cannot be tried what would be without others: %s", refusal.Text)
			}
			b.Try(nil)
			if _, ok := b.Check(c.waits); ok {
				t.Error("the limit does not hold after the trial")
			}
			b.Ended(c.waits)
			b.Claims()
			expectNames(t, "at once, if nothing came of it", b.admittedNames(), nil)
			b.table.clock.SetTime(b.table.clock.Now().Add(leastClaimRest))
			b.Claims()
			expectNames(t, "after a while", b.admittedNames(), c.want)
		})
	}
}

// What victims leave of a limit is for whoever they left for.
func TestHold(t *testing.T) {
	siblings := []*v1alpha1.Queue{queue("root", "", 8, 8), queue("a", "root", 4, 0), queue("b", "root", 4, 0)}
	first, second := statetest.GPUPod("b1", 4, statetest.InQueue("b"), statetest.OnNode), statetest.GPUPod("b2", 4, statetest.InQueue("b"), statetest.OnNode)
	due := statetest.GPUPod("due", 4, statetest.InQueue("a"))
	start := func(t *testing.T) *queuesRig {
		b := claimant(t, siblings, []*corev1.Pod{first, second}, due)
		b.Claims()
		expectNames(t, "a claim", b.admittedNames(), []string{"due"})
		b.Hold("ns/due (pod)")
		b.Ended(due)
		b.Claims()
		b.table.clock.SetTime(b.table.clock.Now().Add(time.Minute))
		b.Claims()
		expectNames(t, "while others leave", b.admittedNames(), nil)
		if code, _, _ := b.Why(due); code != "EvictsOthers" {
			t.Errorf("it waits for %s", code)
		}
		b.forget(first)
		b.enter(statetest.GPUPod("back", 2, statetest.InQueue("b")))
		expectNames(t, "the limit is held for it", b.admittedNames(), nil)
		return b
	}
	t.Run("they have left", func(t *testing.T) {
		b := start(t)
		b.Ready("ns/due (pod)")
		expectNames(t, "it is tried", b.admittedNames(), []string{"due"})
		b.Ended(due)
		expectNames(t, "it was too soon", b.admittedNames(), nil)
		b.Ready("ns/due (pod)")
		expectNames(t, "it is tried again", b.admittedNames(), []string{"due"})
		if refusal, ok := b.Reserve(due); !ok {
			t.Fatal(refusal.Text)
		}
		b.Ended(due)
		expectNames(t, "the limit is reached", b.admittedNames(), nil)
		if got := b.used("root"); got != 8 {
			t.Errorf("%d GPUs are used, want 8", got)
		}
	})
	t.Run("it is given up", func(t *testing.T) {
		b := start(t)
		b.Unhold("ns/due (pod)")
		expectNames(t, "its turn, and then that of the other", b.admittedNames(), []string{"due"})
	})
	t.Run("it goes", func(t *testing.T) {
		b := start(t)
		b.forget(due)
		b.Unhold("ns/due (pod)")
		expectNames(t, "the limit is free", b.admittedNames(), []string{"back"})
	})
}
