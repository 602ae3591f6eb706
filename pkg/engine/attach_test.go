package engine

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// The scheduler makes no patch of a pod that it refuses: its condition waits to be written.
func TestSchedulerPatchesNoRefusedPod(t *testing.T) {
	h := newTestCluster(t, rackNodes(1, 1), testQueue{name: "owner", guaranteed: 32})
	plain := h.submit(testJob{name: "plain", queue: "owner", gpus: 9})
	h.settle()
	h.expectBound(plain, 0, "no node has nine GPUs")
	condition, waits := h.conditions.Pending(types.NamespacedName{Namespace: "ns", Name: h.told[plain.uids[0]].Name})
	if !waits || condition.Reason != corev1.PodReasonUnschedulable || h.patches != 0 {
		t.Errorf("a condition waits: %t, %+v; %d patches were made, want none", waits, condition, h.patches)
	}
}
