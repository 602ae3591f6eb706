package integration

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// inRack asks for one rack for the whole gang.
func inRack() func(*corev1.Pod) { return annotations("berth.dev/required-topology", "rack") }

// borrowers fill the cluster with gangs of 4 nodes, two in each rack.
func (e *environment) borrowers(t *testing.T, namespace string) {
	t.Helper()
	for i := range nodes / 4 {
		name := fmt.Sprintf("borrower-%02d", i)
		e.create(t, namespace, gangOf(name, 4, nodeGPUs, inQueue("borrower"), ours(name, 4), inRack())...)
	}
	e.expectByQueue(t, namespace, map[string]int{"borrower": nodes})
}

// gangsLeft returns how many pods of each gang have a node and stay.
func (e *environment) gangsLeft(ctx context.Context, namespace string) (map[string]int, error) {
	pods, err := e.client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{ResourceVersion: "0"})
	if err != nil {
		return nil, err
	}
	out := map[string]int{}
	for i := range pods.Items {
		if p := &pods.Items[i]; p.Spec.NodeName != "" && p.DeletionTimestamp == nil {
			out[p.Labels["berth.dev/gang"]]++
		}
	}
	return out, nil
}

// A queue below its guarantee gets it from those that borrow: a rack is emptied, by whole
// gangs, and no more of them go than it takes.
func TestReclaimEmptiesARack(t *testing.T) {
	e := stock(t)
	ns := e.namespace(t)
	e.queue(t, "owner", `{namespaceSelector: {}, resources: [{name: nvidia.com/gpu, guaranteed: 64, weight: 0}]}`)
	e.queue(t, "borrower", `{resources: [{name: nvidia.com/gpu, weight: 1}]}`)
	e.scheduler(t)
	e.borrowers(t, ns)
	e.create(t, ns, gangOf("owner", rackSize, nodeGPUs, inQueue("owner"), ours("owner", rackSize), inRack())...)
	e.expectByQueue(t, ns, map[string]int{"owner": rackSize, "borrower": nodes - rackSize})
	left, err := e.gangsLeft(t.Context(), ns)
	if err != nil {
		t.Fatal(err)
	}
	if len(left) != nodes/4-2+1 {
		t.Errorf("%d gangs are left, want all but two, and the owner's", len(left))
	}
	for name, n := range left {
		if name != "owner" && n != 4 {
			t.Errorf("of gang %q %d pods are left: it was evicted in part", name, n)
		}
	}
	e.expectOneDomain(t, ns, "owner")

	// The owner has what it is guaranteed, and nobody goes for more.
	e.create(t, ns, gangOf("more", rackSize, nodeGPUs, inQueue("owner"), ours("more", rackSize), inRack())...)
	never(t, "somebody went for a queue that has its guarantee", 3*time.Second, func(ctx context.Context) (bool, error) {
		got, err := e.boundByQueue(ctx, ns)
		return got["borrower"] != nodes-rackSize || got["owner"] != rackSize, err
	})
}

// expectOneDomain checks that all pods of a gang are in one rack.
func (e *environment) expectOneDomain(t *testing.T, namespace, gang string) {
	t.Helper()
	pods, err := e.client.CoreV1().Pods(namespace).List(t.Context(), metav1.ListOptions{LabelSelector: "berth.dev/gang=" + gang})
	if err != nil {
		t.Fatal(err)
	}
	var racks []string
	for i := range pods.Items {
		node, err := e.client.CoreV1().Nodes().Get(t.Context(), pods.Items[i].Spec.NodeName, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		racks = append(racks, node.Labels["topology.kubernetes.io/rack"])
	}
	slices.Sort(racks)
	if racks = slices.Compact(racks); len(racks) != 1 {
		t.Errorf("gang %q is in the racks %s", gang, strings.Join(racks, ", "))
	}
}

// Eight pods of one GPU go for one of eight, on one node, and not eight on several.
func TestReclaimForAPod(t *testing.T) {
	e := stock(t)
	ns := e.namespace(t)
	e.queue(t, "owner", `{namespaceSelector: {}, resources: [{name: nvidia.com/gpu, guaranteed: 8}]}`)
	e.queue(t, "borrower", `{}`)
	e.scheduler(t)
	e.create(t, ns, gangOf("b", nodes*nodeGPUs, 1, inQueue("borrower"))...)
	e.expectByQueue(t, ns, map[string]int{"borrower": nodes * nodeGPUs})
	e.create(t, ns, pod("owner", 8, inQueue("owner")))
	e.expectByQueue(t, ns, map[string]int{"owner": 1, "borrower": nodes*nodeGPUs - 8})
}

// A gang that the limit of its queue holds has those evicted that are of a lower priority in
// it, whole, and no others.
func TestReclaimWithinALimit(t *testing.T) {
	e := stock(t)
	ns := e.namespace(t)
	e.priorityClass(t, &schedulingv1.PriorityClass{ObjectMeta: metav1.ObjectMeta{Name: "urgent"}, Value: 1000})
	e.queue(t, "team", `{resources: [{name: nvidia.com/gpu, limit: 16}]}`)
	e.queue(t, "other", `{}`)
	e.scheduler(t)
	e.create(t, ns, gangOf("low", 2, nodeGPUs, inQueue("team"), ours("low", 2))...)
	e.create(t, ns, gangOf("other", 2, nodeGPUs, inQueue("other"), ours("other", 2))...)
	e.expectByQueue(t, ns, map[string]int{"team": 2, "other": 2})
	urgent := func(pod *corev1.Pod) { pod.Spec.PriorityClassName = "urgent" }
	e.create(t, ns, gangOf("high", 2, nodeGPUs, inQueue("team"), ours("high", 2), urgent)...)
	eventually(t, "the urgent gang has the limit", func(ctx context.Context) error {
		left, err := e.gangsLeft(ctx, ns)
		if err == nil && (left["high"] != 2 || left["low"] != 0 || left["other"] != 2) {
			err = fmt.Errorf("pods by gang: %v", left)
		}
		return err
	})
}

// A disruption budget protects all borrowers: none goes, not even in part, until it is gone.
func TestReclaimKeepsBudgets(t *testing.T) {
	e := stock(t)
	ns := e.namespace(t)
	e.queue(t, "owner", `{namespaceSelector: {}, resources: [{name: nvidia.com/gpu, guaranteed: 32}]}`)
	e.queue(t, "borrower", `{}`)
	e.scheduler(t)
	e.borrowers(t, ns)
	none := intstr.FromInt32(0)
	if _, err := e.client.PolicyV1().PodDisruptionBudgets(ns).Create(t.Context(), &policyv1.PodDisruptionBudget{
		ObjectMeta: metav1.ObjectMeta{Name: "all"},
		Spec:       policyv1.PodDisruptionBudgetSpec{MaxUnavailable: &none, Selector: &metav1.LabelSelector{}},
	}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	e.create(t, ns, gangOf("owner", 4, nodeGPUs, inQueue("owner"), ours("owner", 4), inRack())...)
	never(t, "a pod went that a budget protects", 5*time.Second, func(ctx context.Context) (bool, error) {
		left, err := e.gangsLeft(ctx, ns)
		return len(left) != nodes/4, err
	})
	if err := e.client.PolicyV1().PodDisruptionBudgets(ns).Delete(t.Context(), "all", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	e.expectByQueue(t, ns, map[string]int{"owner": 4, "borrower": nodes - 4})
}
