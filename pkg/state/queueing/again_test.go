package queueing

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/berth-dev/berth/pkg/api/v1alpha1"
	"github.com/berth-dev/berth/pkg/state/statetest"
	"github.com/berth-dev/berth/pkg/state/workload"
)

// Whoever had no room is tried again when that is asked for, also during the try.
func TestAgain(t *testing.T) {
	b := newQueuesRig(t)
	b.SetNode(&corev1.Node{Status: corev1.NodeStatus{Allocatable: corev1.ResourceList{statetest.Gpu: resource.MustParse("8")}}})
	b.SetQueue(queue("a", "", 0, 8))
	pod := statetest.GPUPod("waits", 1, statetest.InQueue("a"))
	name := workload.NameOf(pod)
	again := func(want bool) {
		t.Helper()
		if got := b.Again(name); got != want {
			t.Errorf("it is to be tried again: %t, want %t", got, want)
		}
	}
	again(false)
	b.enter(pod)
	again(false) // it waits for its turn
	expectNames(t, "its turn", b.admittedNames(), []string{"waits"})
	b.Ended(pod)
	expectNames(t, "it had no room", b.admittedNames(), nil)
	again(true)
	expectNames(t, "it is asked for", b.admittedNames(), []string{"waits"})
	again(true)
	expectNames(t, "it is being tried", b.admittedNames(), nil)
	b.Ended(pod)
	expectNames(t, "it was asked for during the try", b.admittedNames(), []string{"waits"})
	b.Ended(pod)
	expectNames(t, "once", b.admittedNames(), nil)
}

// Where one found no room, others of its class are not tried before some may have come free,
// beyond those that were admitted at the same time; but one that came since is, one of another
// class, and one that may have others evicted.
func TestClassesWithoutRoomAreNotTried(t *testing.T) {
	for _, c := range []struct {
		name string
		// classes are those of the pods in their order, a letter each; - is none.
		classes string
		// claims says that they are entitled to what others have.
		claims bool
		// do is what happens before they are tried again.
		do   func(b *queuesRig, pods []*corev1.Pod)
		want string
	}{
		{name: "of one class", classes: "xxxxxxx", want: "1 2 3 4"},
		{name: "of several classes", classes: "xxxxyxx", want: "1 2 3 4 5"},
		{name: "like no other", classes: "xxxxx--", want: "1 2 3 4 6 7"},
		{name: "entitled to what others have", classes: "xxxxxxx", claims: true, want: "1 2 3 4 5 6 7"},
		{name: "tried again for a reason of its own", classes: "xxxxxxx", want: "1 2 3 4 6",
			do: func(b *queuesRig, pods []*corev1.Pod) { b.Again(workload.NameOf(pods[5])) }},
		{name: "changed", classes: "xxxxxxx", want: "1 2 3 4 5",
			do: func(b *queuesRig, pods []*corev1.Pod) {
				changed := pods[4].DeepCopy()
				changed.Generation++
				b.SetPod(changed)
			}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newQueuesRig(t)
			b.SetNode(&corev1.Node{Status: corev1.NodeStatus{Allocatable: corev1.ResourceList{statetest.Gpu: resource.MustParse("8")}}})
			q := queue("q", "", 8, 8)
			if !c.claims {
				q.Spec.Preemption.Reclaim = v1alpha1.PreemptNever
			}
			b.SetQueue(q)
			pods := map[string]*corev1.Pod{}
			var inOrder []*corev1.Pod
			for i := range c.classes {
				pod := statetest.GPUPod(fmt.Sprint(i+1), 1, statetest.InQueue("q"))
				pods[pod.Name], inOrder = pod, append(inOrder, pod)
			}
			b.enter(inOrder...)
			// refuseAll tries all that may be, none of which has a place.
			refuseAll := func() (tried []string) {
				for next := b.admittedNames(); len(next) > 0; next = b.admittedNames() {
					for _, name := range next {
						b.Began(pods[name])
						b.Ended(pods[name])
					}
					tried = append(tried, next...)
				}
				return tried
			}
			expectNames(t, "at first", refuseAll(), strings.Fields("1 2 3 4 5 6 7"))
			for i, pod := range inOrder {
				b.Judged(pod, 1, strings.Trim(c.classes[i:i+1], "-"))
			}
			if c.do != nil {
				c.do(b, inOrder)
			}
			b.Freed()
			b.Retry()
			tried := refuseAll()
			slices.Sort(tried)
			expectNames(t, "again", tried, strings.Fields(c.want))
		})
	}
}
