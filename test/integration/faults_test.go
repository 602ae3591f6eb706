package integration

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// expectHeld waits until a pod's condition names a reason.
func (e *environment) expectHeld(t *testing.T, namespace, name, reason string) {
	t.Helper()
	eventually(t, fmt.Sprintf("pod %q says %s", name, reason), func(ctx context.Context) error {
		p, err := e.client.CoreV1().Pods(namespace).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		for _, c := range p.Status.Conditions {
			if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse && c.Reason == reason && c.Message != "" {
				return nil
			}
		}
		return fmt.Errorf("its conditions are %v", p.Status.Conditions)
	})
}

// eventsOf counts the events of a namespace by reason.
func (e *environment) eventsOf(ctx context.Context, namespace string) (map[string]int, error) {
	events, err := e.client.EventsV1().Events(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	counts := map[string]int{}
	for i := range events.Items {
		n := 1
		if s := events.Items[i].Series; s != nil {
			n = int(s.Count)
		}
		counts[events.Items[i].Reason] += n
	}
	return counts, nil
}

func (e *environment) patchPod(t *testing.T, namespace, name, patch string) {
	t.Helper()
	if _, err := e.client.CoreV1().Pods(namespace).Patch(t.Context(), name, types.MergePatchType, []byte(patch), metav1.PatchOptions{}); err != nil {
		t.Fatalf("patching pod %q: %v", name, err)
	}
}

// priorityClass makes a priority class for the rest of the test.
func (e *environment) priorityClass(t *testing.T, class *schedulingv1.PriorityClass) {
	t.Helper()
	classes := e.client.SchedulingV1().PriorityClasses()
	if _, err := classes.Create(t.Context(), class, metav1.CreateOptions{}); err != nil {
		t.Fatalf("creating priority class %q: %v", class.Name, err)
	}
	t.Cleanup(func() { _ = classes.Delete(context.Background(), class.Name, metav1.DeleteOptions{}) })
}

// replace deletes a pod and creates another in its stead, as the owner of a pod
// does whose immutable field was wrong.
func (e *environment) replace(t *testing.T, namespace string, p *corev1.Pod) {
	t.Helper()
	now := int64(0)
	if err := e.client.CoreV1().Pods(namespace).Delete(t.Context(), p.Name, metav1.DeleteOptions{GracePeriodSeconds: &now}); err != nil {
		t.Fatalf("deleting pod %q: %v", p.Name, err)
	}
	e.create(t, namespace, p)
}

// Each fault of a gang is shown in the condition of its pods and in one event, and
// the gang is placed as soon as the fault is mended.
func TestFaultsAreShownAndMended(t *testing.T) { bothWays(t, testFaultsAreShownAndMended) }

func testFaultsAreShownAndMended(t *testing.T, e *environment, _ bool) {
	e.scheduler(t)
	polite := corev1.PreemptNever
	e.priorityClass(t, &schedulingv1.PriorityClass{ObjectMeta: metav1.ObjectMeta{Name: "polite"}, PreemptionPolicy: &polite})
	e.priorityClass(t, &schedulingv1.PriorityClass{ObjectMeta: metav1.ObjectMeta{Name: "urgent"}, Value: 1000})
	for _, f := range []struct {
		name   string
		gang   []*corev1.Pod
		reason string
		mend   func(t *testing.T, namespace string)
		bound  int
	}{
		{
			name:   "nothing declares the gang",
			gang:   gangOf("p", 2, 1, labels("berth.dev/gang", "g")),
			reason: "GangNotDeclared",
			mend: func(t *testing.T, ns string) {
				e.patchPod(t, ns, "p-0", `{"metadata":{"annotations":{"berth.dev/gang-size":"2"}}}`)
			},
			bound: 2,
		},
		{
			name:   "a size of zero",
			gang:   gangOf("p", 2, 1, ours("g", 0)),
			reason: "GangSizeInvalid",
			mend: func(t *testing.T, ns string) {
				for _, name := range []string{"p-0", "p-1"} {
					e.patchPod(t, ns, name, `{"metadata":{"annotations":{"berth.dev/gang-size":"2"}}}`)
				}
			},
			bound: 2,
		},
		{
			name:   "a size that is no number",
			gang:   gangOf("p", 1, 1, ours("g", 1), annotations("berth.dev/gang-size", "many")),
			reason: "GangMalformed",
			mend: func(t *testing.T, ns string) {
				e.patchPod(t, ns, "p-0", `{"metadata":{"annotations":{"berth.dev/gang-size":"1"}}}`)
			},
			bound: 1,
		},
		{
			name:   "two sizes",
			gang:   append(gangOf("p", 1, 1, ours("g", 2)), gangOf("q", 1, 1, ours("g", 3))...),
			reason: "GangSizesDisagree",
			mend: func(t *testing.T, ns string) {
				e.patchPod(t, ns, "q-0", `{"metadata":{"annotations":{"berth.dev/gang-size":"2"}}}`)
			},
			bound: 2,
		},
		{
			name:   "two schedulers",
			gang:   append(gangOf("p", 1, 1, ours("g", 2)), pod("q-0", 1, ours("g", 2), func(p *corev1.Pod) { p.Spec.SchedulerName = "other" })),
			reason: "GangSchedulersDisagree",
			mend: func(t *testing.T, ns string) {
				e.replace(t, ns, pod("q-0", 1, ours("g", 2)))
			},
			bound: 2,
		},
		{
			name:   "two preemption policies",
			gang:   append(gangOf("p", 1, 1, ours("g", 2)), pod("q-0", 1, ours("g", 2), func(p *corev1.Pod) { p.Spec.PriorityClassName = "polite" })),
			reason: "GangPreemptionDisagrees",
			mend: func(t *testing.T, ns string) {
				e.replace(t, ns, pod("q-0", 1, ours("g", 2)))
			},
			bound: 2,
		},
		{
			name:   "two priorities",
			gang:   append(gangOf("p", 1, 1, ours("g", 2)), pod("q-0", 1, ours("g", 2), func(p *corev1.Pod) { p.Spec.PriorityClassName = "urgent" })),
			reason: "GangPrioritiesDisagree",
			mend: func(t *testing.T, ns string) {
				e.replace(t, ns, pod("q-0", 1, ours("g", 2)))
			},
			bound: 2,
		},
		{
			name: "two topologies",
			gang: append(gangOf("p", 1, 1, ours("g", 2), annotations("berth.dev/required-topology", "topology.kubernetes.io/rack")),
				gangOf("q", 1, 1, ours("g", 2), annotations("berth.dev/required-topology", "topology.kubernetes.io/block"))...),
			reason: "GangTopologiesDisagree",
			mend: func(t *testing.T, ns string) {
				e.patchPod(t, ns, "q-0", `{"metadata":{"annotations":{"berth.dev/required-topology":"topology.kubernetes.io/rack"}}}`)
			},
			bound: 2,
		},
		{
			name: "two dialects on one pod",
			gang: gangOf("p", 1, 1, ours("g", 1), labels("scheduling.x-k8s.io/pod-group", "h")),
			// The pod waits alone: it blocks neither gang.
			reason: "GangAmbiguous",
			mend: func(t *testing.T, ns string) {
				e.patchPod(t, ns, "p-0", `{"metadata":{"labels":{"scheduling.x-k8s.io/pod-group":null}}}`)
			},
			bound: 1,
		},
		{
			name:   "too few pods",
			gang:   gangOf("p", 2, 1, ours("g", 3)),
			reason: "GangIncomplete",
			mend:   func(t *testing.T, ns string) { e.create(t, ns, pod("p-2", 1, ours("g", 3))) },
			bound:  3,
		},
	} {
		t.Run(f.name, func(t *testing.T) {
			ns := e.namespace(t)
			e.create(t, ns, f.gang...)
			e.expectHeld(t, ns, f.gang[0].Name, f.reason)
			eventually(t, "there is one event", func(ctx context.Context) error {
				events, err := e.eventsOf(ctx, ns)
				if err == nil && events[f.reason] != 1 {
					err = fmt.Errorf("events are %v", events)
				}
				return err
			})
			f.mend(t, ns)
			e.expectBound(t, ns, f.bound)
			events, err := e.eventsOf(t.Context(), ns)
			if err != nil || events[f.reason] != 1 {
				t.Errorf("after the cure, events are %v (%v); want one %s", events, err, f.reason)
			}
		})
	}
}

// A refused gang is told once, however often it is tried.
func TestRepeatedRefusalsAreSaidOnce(t *testing.T) { bothWays(t, testRepeatedRefusalsAreSaidOnce) }

func testRepeatedRefusalsAreSaidOnce(t *testing.T, e *environment, _ bool) {
	e.scheduler(t)
	ns := e.namespace(t)
	e.create(t, ns, gangOf("big", nodes+1, nodeGPUs, ours("big", nodes+1))...)
	// More nodes would help, and what there is never could hold it.
	const short = "even if nothing else ran"
	e.expectHeld(t, ns, "big-0", corev1.PodReasonUnschedulable)
	eventually(t, "every pod says what was short", func(ctx context.Context) error {
		pods, err := e.client.CoreV1().Pods(ns).List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		for i := range pods.Items {
			said := fmt.Sprint(pods.Items[i].Status.Conditions)
			if !strings.Contains(said, short) {
				return fmt.Errorf("the conditions of pod %q are %s", pods.Items[i].Name, said)
			}
		}
		return nil
	})
	// Each pod that ends makes the scheduler try the gang anew.
	for i := range 5 {
		name := fmt.Sprintf("short-%d", i)
		e.create(t, ns, pod(name, 1))
		e.expectBound(t, ns, 1)
		now := int64(0)
		if err := e.client.CoreV1().Pods(ns).Delete(t.Context(), name, metav1.DeleteOptions{GracePeriodSeconds: &now}); err != nil {
			t.Fatal(err)
		}
		e.expectBound(t, ns, 0)
	}
	never(t, "a refusal was told twice", 3*time.Second, func(ctx context.Context) (bool, error) {
		events, err := e.client.EventsV1().Events(ns).List(ctx, metav1.ListOptions{FieldSelector: "reason=FailedScheduling"})
		if err != nil || len(events.Items) < 2 {
			return false, err
		}
		for i := range events.Items {
			t.Logf("event about %s: %s", events.Items[i].Regarding.Name, events.Items[i].Note)
		}
		return true, nil
	})
}

// A gang that is open is not open to everybody: a pod that comes later is bound
// only once it is known to agree with the others.
func TestLateMembersAreJudgedFirst(t *testing.T) { bothWays(t, testLateMembersAreJudgedFirst) }

func testLateMembersAreJudgedFirst(t *testing.T, e *environment, _ bool) {
	e.scheduler(t)
	ns := e.namespace(t)
	const gangs = 10
	var pods, expected []*corev1.Pod
	for i := range gangs {
		name := fmt.Sprintf("m%d", i)
		pods = append(pods, gangOf(name, 2, 1, ours(name, 2))...)
		bad := pod(name+"-bad", 1, ours(name, 2), annotations("berth.dev/gang-size", "abc"))
		pods = append(pods, bad)
		expected = append(expected, bad)
	}
	for _, p := range pods {
		e.create(t, ns, p)
	}
	for _, p := range expected {
		e.expectHeld(t, ns, p.Name, "GangMalformed")
		got, err := e.client.CoreV1().Pods(ns).Get(t.Context(), p.Name, metav1.GetOptions{})
		if err != nil || got.Spec.NodeName != "" {
			t.Errorf("pod %q is on node %q (%v), want none", p.Name, got.Spec.NodeName, err)
		}
	}
}

// A required level that no node has: the gang waits at no cost, says so, and is
// placed when a node comes that has it.
func TestRequiredLevelThatNoNodeHas(t *testing.T) { bothWays(t, testRequiredLevelThatNoNodeHas) }

func testRequiredLevelThatNoNodeHas(t *testing.T, e *environment, _ bool) {
	e.scheduler(t)
	ns := e.namespace(t)
	e.create(t, ns, gangOf("p", 2, 1, ours("g", 2), annotations("berth.dev/required-topology", "example.com/pod"))...)
	e.expectHeld(t, ns, "p-1", corev1.PodReasonUnschedulable)
	got, err := e.client.CoreV1().Pods(ns).Get(t.Context(), "p-1", metav1.GetOptions{})
	if err != nil || !strings.Contains(fmt.Sprint(got.Status.Conditions), "example.com/pod") {
		t.Errorf("the conditions do not name the level (%v): %v", err, got.Status.Conditions)
	}
	label := func(patch string) error {
		_, err := e.client.CoreV1().Nodes().Patch(context.Background(), "node-00002", types.MergePatchType, []byte(patch), metav1.PatchOptions{})
		return err
	}
	t.Cleanup(func() { _ = label(`{"metadata":{"labels":{"example.com/pod":null}}}`) })
	if err := label(`{"metadata":{"labels":{"example.com/pod":"1"}}}`); err != nil {
		t.Fatal(err)
	}
	e.expectBound(t, ns, 2)
}
