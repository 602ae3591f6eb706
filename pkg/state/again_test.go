package state

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// Whoever had no room is tried again when that is asked for, also during the try.
func TestAgain(t *testing.T) {
	b := newQueuesRig(t)
	b.SetNode(&corev1.Node{Status: corev1.NodeStatus{Allocatable: corev1.ResourceList{gpu: resource.MustParse("8")}}})
	b.SetQueue(queue("a", "", 0, 8))
	pod := gpuPod("waits", 1, inQueue("a"))
	name := NameOf(pod)
	again := func(want bool) {
		t.Helper()
		if got := b.Again(name); got != want {
			t.Errorf("it is to be tried again: %t, want %t", got, want)
		}
	}
	again(false)
	b.enter(pod)
	again(false) // it waits for its turn
	expectNames(t, "its turn", b.letInNames(), []string{"waits"})
	b.Ended(pod)
	expectNames(t, "it had no room", b.letInNames(), nil)
	again(true)
	expectNames(t, "it is asked for", b.letInNames(), []string{"waits"})
	again(true)
	expectNames(t, "it is being tried", b.letInNames(), nil)
	b.Ended(pod)
	expectNames(t, "it was asked for during the try", b.letInNames(), []string{"waits"})
	b.Ended(pod)
	expectNames(t, "once", b.letInNames(), nil)
}
