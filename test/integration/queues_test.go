package integration

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"github.com/berth-dev/berth/pkg/api/v1alpha1"
)

var queues = v1alpha1.QueuesResource

// The API server refuses what it can see to be wrong, and says which field.
func TestQueueIsValidated(t *testing.T) {
	e := stock(t)
	for i, c := range []struct {
		name, spec string
		refused    string // "" for a queue that is taken
	}{
		{"nothing", `{}`, ""},
		{"everything", `{namespaces: [a, b], namespaceSelector: {matchLabels: {team: red}}, resources: [{name: nvidia.com/gpu, guaranteed: 8, limit: "16", weight: 3}, {name: memory, guaranteed: 1Ti, limit: 2Ti}], order: FIFO, preemption: {withinQueue: Never, reclaim: LowerPriority, minRuntime: 10m, graceBeforeReclaim: 5m}, fairShareHalfLife: 24h, spares: [{level: topology.kubernetes.io/rack, nodes: 1}, {level: pod, nodes: 2}]}`, ""},
		{"all namespaces", `{namespaceSelector: {}}`, ""},
		{"no namespace", `{namespaces: []}`, "spec.namespaces"},
		{"a namespace without a name", `{namespaces: [""]}`, "spec.namespaces[0]"},
		{"a namespace twice", `{namespaces: [a, a]}`, "Duplicate value"},
		{"limit is guarantee", `{resources: [{name: cpu, guaranteed: "1", limit: 1000m}]}`, ""},
		{"limit below guarantee", `{resources: [{name: nvidia.com/gpu, guaranteed: 9, limit: 8}]}`, "spec.resources[0]: Invalid value: limit must be at least guaranteed"},
		{"limit below guarantee in other units", `{resources: [{name: memory, guaranteed: 1Ti, limit: 1000Gi}]}`, "limit must be at least guaranteed"},
		{"negative guarantee", `{resources: [{name: cpu, guaranteed: -1}]}`, "spec.resources[0].guaranteed: Invalid value: -1: guaranteed must be a quantity, and not negative"},
		{"negative limit", `{resources: [{name: cpu, limit: "-1"}]}`, "limit must be a quantity, and not negative"},
		{"no quantity", `{resources: [{name: cpu, limit: many}]}`, `spec.resources[0].limit: Invalid value: "many": limit must be a quantity`},
		{"negative weight", `{resources: [{name: cpu, weight: -1}]}`, "spec.resources[0].weight"},
		{"one resource twice", `{resources: [{name: cpu}, {name: cpu}]}`, "Duplicate value"},
		{"its own parent", `{parent: NAME}`, "spec.parent: a queue cannot be its own parent"},
		{"no such order", `{order: Random}`, `Unsupported value: "Random": supported values: "Fair", "Priority", "FIFO"`},
		{"no such policy", `{preemption: {withinQueue: Any}}`, `Unsupported value: "Any"`},
		{"negative time", `{preemption: {minRuntime: -1m}}`, "minRuntime must not be negative"},
		{"more grace than anybody waits", `{preemption: {graceBeforeReclaim: 2h}}`, "graceBeforeReclaim must be from 0s to 1h"},
		{"no spares", `{spares: [{level: rack, nodes: 0}]}`, "spec.spares[0].nodes"},
		{"spares without a number", `{spares: [{level: rack}]}`, "spec.spares[0].nodes: Required value"},
		{"spares of no level", `{spares: [{level: "a rack", nodes: 1}]}`, `spec.spares[0].level: Invalid value: "a rack": level must be the key of a label`},
		{"spares of one level twice", `{spares: [{level: rack, nodes: 1}, {level: rack, nodes: 2}]}`, "Duplicate value"},
		{"no time", `{fairShareHalfLife: soon}`, "fairShareHalfLife"},
		{"half-life of nothing", `{fairShareHalfLife: 0s}`, "fairShareHalfLife must be from 1s to 8760h"},
	} {
		t.Run(c.name, func(t *testing.T) {
			name := fmt.Sprintf("validated-%d", i)
			text := "apiVersion: berth.dev/v1alpha1\nkind: Queue\nmetadata: {name: " + name + "}\nspec: " + strings.ReplaceAll(c.spec, "NAME", name)
			object := &unstructured.Unstructured{}
			if err := yaml.Unmarshal([]byte(text), &object.Object); err != nil {
				t.Fatal(err)
			}
			_, err := e.dynamic.Resource(queues).Create(t.Context(), object, metav1.CreateOptions{})
			if err == nil {
				t.Cleanup(func() {
					if err := e.dynamic.Resource(queues).Delete(context.Background(), name, metav1.DeleteOptions{}); err != nil {
						t.Error(err)
					}
				})
			}
			switch {
			case c.refused == "" && err != nil:
				t.Error(err)
			case c.refused != "" && err == nil:
				t.Errorf("it was taken; want a refusal with %q", c.refused)
			case c.refused != "" && !strings.Contains(err.Error(), c.refused):
				t.Errorf("it was refused with %q; want %q in it", err, c.refused)
			}
		})
	}
}

// bothWays runs a test where there is no queue, so that everybody is tried as upstream has it,
// and where queues let everybody in.
func bothWays(t *testing.T, test func(t *testing.T, e *environment, queued bool)) {
	t.Helper()
	e := stock(t)
	t.Run("without queues", func(t *testing.T) { test(t, e, false) })
	t.Run("with queues", func(t *testing.T) {
		e.queue(t, "some", `{resources: [{name: nvidia.com/gpu}]}`)
		test(t, e, true)
	})
}

// queue makes a queue for the time of a test.
func (e *environment) queue(t *testing.T, name, spec string) {
	t.Helper()
	object := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte("apiVersion: berth.dev/v1alpha1\nkind: Queue\nmetadata: {name: "+name+"}\nspec: "+spec), &object.Object); err != nil {
		t.Fatal(err)
	}
	if _, err := e.dynamic.Resource(queues).Create(t.Context(), object, metav1.CreateOptions{}); err != nil {
		t.Fatalf("creating queue %q: %v", name, err)
	}
	t.Cleanup(func() { e.deleteQueue(t, name) })
}

func (e *environment) deleteQueue(t *testing.T, name string) {
	t.Helper()
	if err := e.dynamic.Resource(queues).Delete(context.Background(), name, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
		t.Errorf("deleting queue %q: %v", name, err)
	}
}

func inQueue(name string) func(*corev1.Pod) { return labels("berth.dev/queue", name) }

// boundByQueue returns how many pods of each queue have a node.
func (e *environment) boundByQueue(ctx context.Context, namespace string) (map[string]int, error) {
	pods, err := e.client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{ResourceVersion: "0"})
	if err != nil {
		return nil, err
	}
	out := map[string]int{}
	for i := range pods.Items {
		if p := &pods.Items[i]; p.Spec.NodeName != "" {
			out[p.Labels["berth.dev/queue"]]++
		}
	}
	return out, nil
}

func (e *environment) expectByQueue(t *testing.T, namespace string, want map[string]int) {
	t.Helper()
	eventually(t, fmt.Sprintf("pods are bound as in %v", want), func(ctx context.Context) error {
		got, err := e.boundByQueue(ctx, namespace)
		if err == nil && !maps.Equal(got, want) {
			err = fmt.Errorf("they are as in %v", got)
		}
		return err
	})
}

// A limit holds for all in the queue and in those within it, whoever comes first, and what
// waits goes on when something of it is gone. Held pods are not marked unschedulable.
func TestQueueLimit(t *testing.T) {
	e := stock(t)
	ns := e.namespace(t)
	e.queue(t, "limited", `{resources: [{name: nvidia.com/gpu, limit: 12}], preemption: {reclaim: Never}}`)
	e.queue(t, "limited-part", `{parent: limited}`)
	e.scheduler(t)
	e.create(t, ns, gangOf("part", 10, 1, inQueue("limited-part"))...)
	e.expectByQueue(t, ns, map[string]int{"limited-part": 10})
	e.create(t, ns, gangOf("whole", 4, 1, inQueue("limited"), ours("whole", 4))...)
	e.create(t, ns, gangOf("small", 2, 1, inQueue("limited"), ours("small", 2))...)
	// The gang of 4 does not fit within the limit, and the later one of 2 does.
	e.expectByQueue(t, ns, map[string]int{"limited-part": 10, "limited": 2})
	held, err := e.client.CoreV1().Pods(ns).Get(t.Context(), "whole-0", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range held.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Reason == corev1.PodReasonUnschedulable {
			t.Errorf("an autoscaler would buy a node for a pod that a limit holds: %s", c.Message)
		}
	}
	e.expectReason(t, ns, "whole-0", "QueueAtLimit")
	for i := range 4 {
		e.deletePod(t, ns, fmt.Sprintf("part-%d", i))
	}
	e.expectByQueue(t, ns, map[string]int{"limited-part": 6, "limited": 6})
}

// expectReason waits until a pod is told a reason for which it has no place.
func (e *environment) expectReason(t *testing.T, namespace, name, reason string) {
	t.Helper()
	eventually(t, fmt.Sprintf("pod %s is told %s", name, reason), func(ctx context.Context) error {
		p, err := e.client.CoreV1().Pods(namespace).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		for _, c := range p.Status.Conditions {
			if c.Type == corev1.PodScheduled && c.Reason == reason {
				return nil
			}
		}
		return fmt.Errorf("its conditions are %v", p.Status.Conditions)
	})
}

// Two queues that both want all of a full cluster get it by their weights, and each whole
// gangs only.
func TestQueuesShareByWeight(t *testing.T) {
	e := stock(t)
	ns := e.namespace(t)
	e.queue(t, "one", `{resources: [{name: nvidia.com/gpu, weight: 1}]}`)
	e.queue(t, "three", `{resources: [{name: nvidia.com/gpu, weight: 3}]}`)
	// All wait before the scheduler comes, those of the first queue longest.
	for i := range 20 {
		e.create(t, ns, gangOf(fmt.Sprintf("one-%d", i), 4, 8, inQueue("one"), ours(fmt.Sprintf("one-%d", i), 4))...)
	}
	for i := range 20 {
		e.create(t, ns, gangOf(fmt.Sprintf("three-%d", i), 4, 8, inQueue("three"), ours(fmt.Sprintf("three-%d", i), 4))...)
	}
	e.scheduler(t)
	// 16 gangs of 4 nodes fit on 64 nodes.
	e.expectByQueue(t, ns, map[string]int{"one": 16, "three": 48})
}

// What names a queue that is not there waits until it is, and others do not wait with it.
func TestQueueThatIsNotThere(t *testing.T) {
	e := stock(t)
	ns := e.namespace(t)
	e.scheduler(t)
	e.create(t, ns, pod("free", 1, inQueue("later")))
	// Without any queue, its name means nothing.
	e.expectByQueue(t, ns, map[string]int{"later": 1})
	e.queue(t, "there", `{}`)
	e.create(t, ns, pod("waits", 1, inQueue("later")), pod("goes", 1, inQueue("there")), pod("unnamed", 1))
	e.expectByQueue(t, ns, map[string]int{"later": 1, "there": 1, "": 1})
	e.expectReason(t, ns, "waits", "QueueNotFound")
	e.queue(t, "later", `{}`)
	e.expectByQueue(t, ns, map[string]int{"later": 2, "there": 1, "": 1})
	// When the last queue goes, nobody waits for one.
	e.create(t, ns, pod("last", 1, inQueue("nowhere")))
	e.deleteQueue(t, "later")
	e.deleteQueue(t, "there")
	e.expectByQueue(t, ns, map[string]int{"later": 2, "there": 1, "": 1, "nowhere": 1})
}

// A new leader charges what runs before it places anything.
func TestQueueLimitHoldsOverRestart(t *testing.T) {
	e := stock(t)
	ns := e.namespace(t)
	e.queue(t, "limited", `{resources: [{name: nvidia.com/gpu, limit: 5}]}`)
	first := e.scheduler(t)
	e.create(t, ns, gangOf("p", 20, 1, inQueue("limited"))...)
	e.expectByQueue(t, ns, map[string]int{"limited": 5})
	first.Kill()
	e.scheduler(t)
	e.deletePod(t, ns, "p-0")
	e.create(t, ns, pod("other", 1))
	e.expectBound(t, ns, 6)
	never(t, "the queue passed its limit", 3*time.Second, func(ctx context.Context) (bool, error) {
		got, err := e.boundByQueue(ctx, ns)
		return got["limited"] > 5, err
	})
}

// The status of a queue says what it uses, who is next and why that waits; and what is
// wrong with a queue that makes no sense.
func TestQueueStatus(t *testing.T) {
	e := stock(t)
	ns := e.namespace(t)
	e.queue(t, "limited", `{namespaceSelector: {}, resources: [{name: nvidia.com/gpu, guaranteed: 2, limit: 4}]}`)
	e.queue(t, "orphan", `{parent: nobody}`)
	e.scheduler(t)
	e.create(t, ns, gangOf("p", 4, 1, inQueue("limited"))...)
	e.expectByQueue(t, ns, map[string]int{"limited": 4})
	e.create(t, ns, gangOf("g", 2, 1, inQueue("limited"), ours("g", 2))...)
	e.create(t, ns, pod("o", 1, inQueue("orphan")))
	eventually(t, "the statuses are written", func(ctx context.Context) error {
		limited, err := e.queueStatus(ctx, "limited")
		if err != nil {
			return err
		}
		orphan, err := e.queueStatus(ctx, "orphan")
		if err != nil {
			return err
		}
		used, share := resource.MustParse("4"), resource.MustParse("4")
		head := &v1alpha1.QueueHead{Gang: ns + "/g", Reason: "QueueAtLimit",
			Message: `queue "limited" uses 4 of nvidia.com/gpu, and with 2 more it would pass its limit of 4`}
		got := []any{limited.Resources, limited.PendingGangs, limited.RunningGangs, limited.Head, readiness(limited), readiness(orphan), orphan.Head.Reason}
		want := []any{[]v1alpha1.QueueUsage{{Name: "nvidia.com/gpu", Used: used, Share: &share}}, int32(1), int32(4), head,
			"True Admits", "False QueueParentNotFound", "QueueFaulty"}
		if diff := cmp.Diff(want, got); diff != "" {
			return fmt.Errorf("(-want +got):\n%s", diff)
		}
		return nil
	})
}

func (e *environment) queueStatus(ctx context.Context, name string) (v1alpha1.QueueStatus, error) {
	u, err := e.dynamic.Resource(queues).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return v1alpha1.QueueStatus{}, err
	}
	q := v1alpha1.Queue{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, &q); err != nil {
		return v1alpha1.QueueStatus{}, err
	}
	if q.Status.Head == nil {
		return v1alpha1.QueueStatus{}, fmt.Errorf("queue %q says of nobody that it is next", name)
	}
	return q.Status, nil
}

// readiness is status and reason of a queue's condition.
func readiness(s v1alpha1.QueueStatus) string {
	for _, c := range s.Conditions {
		if c.Type == v1alpha1.ConditionReady {
			return string(c.Status) + " " + c.Reason
		}
	}
	return ""
}
