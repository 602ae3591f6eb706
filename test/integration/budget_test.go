package integration

import (
	"context"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// schedulerUser is who the scheduler is to the API server.
const schedulerUser = "system:serviceaccount:berth-system:berth"

// writes returns the scheduler's writes since an earlier count, but for its lease.
func (e *environment) writes(t *testing.T, since map[string]int) map[string]int {
	t.Helper()
	all, err := e.Writes(t.Context(), schedulerUser)
	if err != nil {
		t.Fatalf("counting the scheduler's writes: %v", err)
	}
	out := map[string]int{}
	for what, n := range all {
		if n -= since[what]; n > 0 {
			out[what] = n
		}
	}
	return out
}

// A gang of 64 costs 64 binds, one event and two statuses of its object, placed and
// running; counted by the API server.
func TestWritesForAGang(t *testing.T) {
	e := stock(t)
	e.scheduler(t)
	e.define(t, "scheduler-plugins", podGroups)
	// The scheduler knows the kind once it has placed a gang of it.
	ns := e.namespace(t)
	e.declare(t, ns, podGroups, `{apiVersion: scheduling.x-k8s.io/v1alpha1, kind: PodGroup, metadata: {name: first}, spec: {minMember: 1}}`)
	e.create(t, ns, pod("first", 1, labels("scheduling.x-k8s.io/pod-group", "first")))
	eventually(t, "the first gang's event is written", func(ctx context.Context) error {
		events, err := e.eventsOf(ctx, ns)
		if err == nil && events["Scheduled"] != 1 {
			err = fmt.Errorf("events are %v", events)
		}
		return err
	})
	eventually(t, "the first gang's status is written", func(ctx context.Context) error {
		got, err := e.dynamic.Resource(podGroups).Namespace(ns).Get(ctx, "first", metav1.GetOptions{})
		if err == nil && got.Object["status"] == nil {
			err = fmt.Errorf("the group has no status")
		}
		return err
	})

	before := e.writes(t, nil)
	e.declare(t, ns, podGroups, `{apiVersion: scheduling.x-k8s.io/v1alpha1, kind: PodGroup, metadata: {name: g}, spec: {minMember: 64}}`)
	e.create(t, ns, gangOf("p", 64, 1, labels("scheduling.x-k8s.io/pod-group", "g"))...)
	e.expectBound(t, ns, 65)
	eventually(t, "the gang's event and status are written", func(ctx context.Context) error {
		events, err := e.eventsOf(ctx, ns)
		if err == nil && events["Scheduled"] != 2 {
			err = fmt.Errorf("events are %v", events)
		}
		if err != nil {
			return err
		}
		got, err := e.dynamic.Resource(podGroups).Namespace(ns).Get(ctx, "g", metav1.GetOptions{})
		if err != nil {
			return err
		}
		phase, _, _ := unstructured.NestedString(got.Object, "status", "phase")
		if phase != "Running" {
			err = fmt.Errorf("the group is %q", phase)
		}
		return err
	})
	writes := e.writes(t, before)
	t.Logf("writes: %v", writes)
	if n := writes["create pods/binding"]; n != 64 {
		t.Errorf("%d binds, want 64", n)
	}
	delete(writes, "create pods/binding")
	others := 0
	for _, n := range writes {
		others += n
	}
	if others > 4 {
		t.Errorf("%d other writes, want at most 4: %v", others, writes)
	}
}

// Many gangs at once for which there is room: none of them is tried before all its
// pods are in the queue, so none is refused. Refusals would show as conditions.
func TestNoGangIsTriedInParts(t *testing.T) {
	e := stock(t)
	e.scheduler(t)
	ns := e.namespace(t)
	const gangs, size = 60, 8
	var pods []*corev1.Pod
	for i := range gangs {
		name := fmt.Sprintf("g%d", i)
		pods = append(pods, gangOf(name, size, 1, ours(name, size))...)
	}
	before := e.writes(t, nil)
	e.create(t, ns, pods...)
	e.expectBound(t, ns, gangs*size)
	eventually(t, "every gang has its event", func(ctx context.Context) error {
		events, err := e.eventsOf(ctx, ns)
		if err == nil && events["Scheduled"] != gangs {
			err = fmt.Errorf("events are %v", events)
		}
		return err
	})
	want := map[string]int{"create pods/binding": gangs * size, "create events": gangs}
	if diff := cmp.Diff(want, e.writes(t, before)); diff != "" {
		t.Errorf("writes (-want +got):\n%s", diff)
	}
}

// Plain pods keep the events that users know.
func TestPlainPodKeepsItsEvents(t *testing.T) {
	e := stock(t)
	e.scheduler(t)
	ns := e.namespace(t)
	e.create(t, ns, pod("fits", 1), pod("huge", nodeGPUs+1))
	e.expectBound(t, ns, 1)
	e.expectHeld(t, ns, "huge", corev1.PodReasonUnschedulable)
	eventually(t, "both pods have their event", func(ctx context.Context) error {
		events, err := e.eventsOf(ctx, ns)
		if err == nil && (events["Scheduled"] != 1 || events["FailedScheduling"] != 1) {
			err = fmt.Errorf("events are %v", events)
		}
		return err
	})
}
