package integration

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// on keeps a pod to one node.
func on(node string) func(*corev1.Pod) {
	return func(p *corev1.Pod) { p.Spec.NodeSelector = map[string]string{corev1.LabelHostname: node} }
}

func (e *environment) deletePod(t *testing.T, namespace, name string) {
	t.Helper()
	now := int64(0)
	if err := e.client.CoreV1().Pods(namespace).Delete(t.Context(), name, metav1.DeleteOptions{GracePeriodSeconds: &now}); err != nil {
		t.Fatalf("deleting pod %q: %v", name, err)
	}
}

// An elastic gang: its least size together, the rest as room comes.
func TestElasticGang(t *testing.T) {
	e := stock(t)
	e.scheduler(t)
	ns := e.namespace(t)
	e.create(t, ns, pod("tenant", 6, on("node-00001")))
	e.expectBound(t, ns, 1)
	gang := gangOf("p", 3, 2, ours("g", 2), on("node-00001"))
	e.create(t, ns, gang...)
	e.expectHeld(t, ns, "p-0", corev1.PodReasonUnschedulable)
	e.deletePod(t, ns, "tenant")
	e.expectBound(t, ns, 3)
	e.create(t, ns, pod("p-3", 2, ours("g", 2), on("node-00001")), pod("p-4", 2, ours("g", 2), on("node-00001")))
	e.expectBound(t, ns, 4)
	e.deletePod(t, ns, "p-0")
	e.expectBound(t, ns, 4)
}

// A pod group that is deleted or resized while its gang waits, and one that grows
// while its gang runs.
func TestPodGroupChangesHalfWay(t *testing.T) {
	e := stock(t)
	e.scheduler(t)
	e.define(t, "scheduler-plugins", podGroups)
	ns := e.namespace(t)
	groups := e.dynamic.Resource(podGroups).Namespace(ns)
	declare := func() {
		t.Helper()
		e.declare(t, ns, podGroups, `{apiVersion: scheduling.x-k8s.io/v1alpha1, kind: PodGroup, metadata: {name: g}, spec: {minMember: 3}}`)
	}
	member := labels("scheduling.x-k8s.io/pod-group", "g")

	// Too large to fit: the gang is admitted and refused.
	declare()
	e.create(t, ns, gangOf("p", 3, 4, member, on("node-00001"))...)
	e.expectHeld(t, ns, "p-0", corev1.PodReasonUnschedulable)
	if err := groups.Delete(t.Context(), "g", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	e.expectHeld(t, ns, "p-0", "GangNotDeclared")
	declare()
	e.expectHeld(t, ns, "p-0", corev1.PodReasonUnschedulable)
	// Resized to what fits.
	if _, err := groups.Patch(t.Context(), "g", types.MergePatchType, []byte(`{"spec":{"minMember":2}}`), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	e.expectBound(t, ns, 2)
	// Grown while it runs: what runs goes on, and the new members join.
	if _, err := groups.Patch(t.Context(), "g", types.MergePatchType, []byte(`{"spec":{"minMember":4}}`), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	e.create(t, ns, gangOf("q", 2, 1, member)...)
	e.expectBound(t, ns, 4)
}
