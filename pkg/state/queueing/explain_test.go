package queueing

import (
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/berth-dev/berth/pkg/state/statetest"
)

// Pods that their queue holds are told why after a while, once for each reason, and not all
// at once.
func TestExplain(t *testing.T) {
	b := newQueuesRig(t)
	b.SetNode(&corev1.Node{Status: corev1.NodeStatus{Allocatable: corev1.ResourceList{statetest.Gpu: resource.MustParse("100")}}})
	b.SetQueue(queue("a", "", 0, 8))
	pass := func(d time.Duration) { b.table.clock.SetTime(b.table.clock.Now().Add(d)) }
	told := func() (out []string) {
		for _, e := range b.Explain() {
			for _, pod := range e.Pods {
				out = append(out, fmt.Sprintf("%s %s: %s", pod.Name, e.Code, e.Text))
			}
		}
		return out
	}
	runs := statetest.GPUPod("runs", 8, statetest.InQueue("a"), statetest.OnNode)
	b.tell(runs)
	first, second := statetest.GPUPod("first", 2, statetest.InQueue("a")), statetest.GPUPod("second", 8, statetest.InQueue("a"))
	second.CreationTimestamp.Time = first.CreationTimestamp.Add(time.Second)
	b.enter(first, second)
	expectNames(t, "the limit holds them", b.admittedNames(), nil)
	expectNames(t, "at once", told(), nil)
	pass(explainAfter)
	expectNames(t, "after a while", told(), []string{
		`first QueueAtLimit: queue "a" uses 8 of nvidia.com/gpu, and with 2 more it would pass its limit of 8`,
		`second QueueAtLimit: queue "a" uses 8 of nvidia.com/gpu, and with 8 more it would pass its limit of 8`,
	})
	pass(time.Hour)
	expectNames(t, "what they were told already", told(), nil)

	b.forget(runs)
	expectNames(t, "the limit lets one in", b.admittedNames(), []string{"first"})
	pass(time.Hour)
	expectNames(t, "the reason is the same", told(), nil)
	b.Ended(first)
	expectNames(t, "the other has its turn", b.admittedNames(), []string{"second"})
	b.Ended(second)
	pass(time.Hour)
	expectNames(t, "the scheduler has told that there is no room", told(), nil)
	b.tell(runs)
	b.enter(first)
	pass(time.Hour)
	expectNames(t, "another reason than the last", told(), []string{
		`first QueueAtLimit: queue "a" uses 8 of nvidia.com/gpu, and with 2 more it would pass its limit of 8`,
	})

	for i := range 50 {
		b.enter(statetest.GPUPod(fmt.Sprintf("more-%02d", i), 1, statetest.InQueue("a")))
	}
	pass(explainAfter)
	for i, want := range []int{explainPods, explainPods, explainPods, 50 - 3*explainPods, 0} {
		if got := len(told()); got != want {
			t.Errorf("call %d tells %d pods, want %d", i, got, want)
		}
	}
}
