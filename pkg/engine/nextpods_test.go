package engine

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// When all members of a gang have succeeded, the pods that come next are placed together: a
// Job with more completions than it runs at a time is one gang after another.
func TestNextPodsOfADoneGang(t *testing.T) {
	h := newTestCluster(t, rackNodes(2, 2))
	job := h.submit(testJob{name: "job", size: 2, gpus: 8})
	h.pass(2, time.Second) // they run
	if n := len(h.boundNodes(job)); n != 2 {
		t.Fatalf("%d of 2 pods are placed", n)
	}
	for _, uid := range job.uids {
		h.edit(uid, func(p *corev1.Pod) { p.Status.Phase = corev1.PodSucceeded })
	}
	h.pass(2, time.Second)
	blocker := h.submit(testJob{name: "blocker", gpus: 8})
	h.settle()
	var next []types.UID
	for i := range 2 {
		next = append(next, h.create(job.podOf(2+i)).UID)
	}
	placed := func() (n int) {
		for _, uid := range next {
			if h.pods[uid].Spec.NodeName != "" {
				n++
			}
		}
		return n
	}
	h.pass(2, time.Second)
	if n := placed(); n != 0 {
		t.Fatalf("%d of the next 2 pods are placed, and there is room for 1", n)
	}
	h.end(blocker.uids...)
	h.pass(2, time.Second)
	if n := placed(); n != 2 {
		t.Errorf("%d of the next 2 pods are placed once there is room: %+v", n, h.explainer.Why(h.told[next[0]]))
	}
	h.pass(2, time.Second)
	// One of them ends while the other runs: what comes in its place joins by itself.
	h.edit(next[0], func(p *corev1.Pod) { p.Status.Phase = corev1.PodSucceeded })
	next = []types.UID{h.create(job.podOf(4)).UID}
	h.pass(2, time.Second)
	if n := placed(); n != 1 {
		t.Errorf("the pod in the place of one that has succeeded waits, though the other runs: %+v", h.explainer.Why(h.told[next[0]]))
	}
}
