package integration

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

const (
	rackLabel  = "topology.kubernetes.io/rack"
	blockLabel = "topology.kubernetes.io/block"
)

// placed returns the nodes of the pods of a gang, in the order of their numbers.
func (e *environment) placed(t *testing.T, namespace, prefix string, n int) []*corev1.Node {
	t.Helper()
	out := make([]*corev1.Node, n)
	for i := range out {
		pod, err := e.client.CoreV1().Pods(namespace).Get(t.Context(), fmt.Sprintf("%s-%d", prefix, i), metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if out[i], err = e.client.CoreV1().Nodes().Get(t.Context(), pod.Spec.NodeName, metav1.GetOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// domains returns how many nodes are in each domain of a level.
func domains(nodes []*corev1.Node, label string) map[string]int {
	out := map[string]int{}
	for _, node := range nodes {
		out[node.Labels[label]]++
	}
	return out
}

// asks adds annotations that ask for a topology.
func asks(pairs ...string) func(*corev1.Pod) {
	for i := 0; i < len(pairs); i += 2 {
		pairs[i] = "berth.dev/" + pairs[i]
	}
	return annotations(pairs...)
}

// Racks have 8 nodes of 8 GPUs, and blocks 4 racks.
func TestGangsInTheFabric(t *testing.T) {
	e := stock(t)
	e.scheduler(t)
	gang := func(t *testing.T, ns, name string, n int, edits ...func(*corev1.Pod)) []*corev1.Node {
		t.Helper()
		e.create(t, ns, gangOf(name, n, nodeGPUs, append(edits, ours(name, n))...)...)
		eventually(t, "the gang is placed", func(ctx context.Context) error {
			for i := range n {
				pod, err := e.client.CoreV1().Pods(ns).Get(ctx, fmt.Sprintf("%s-%d", name, i), metav1.GetOptions{})
				if err != nil {
					return err
				}
				if pod.Spec.NodeName == "" {
					return fmt.Errorf("pod %q has no node: %v", pod.Name, pod.Status.Conditions)
				}
			}
			return nil
		})
		return e.placed(t, ns, name, n)
	}

	t.Run("a rack is required", func(t *testing.T) {
		ns := e.namespace(t)
		nodes := gang(t, ns, "g", rackSize, asks("required-topology", "rack"))
		if racks := domains(nodes, rackLabel); len(racks) != 1 {
			t.Errorf("the gang is in %v", racks)
		}
		pod, err := e.client.CoreV1().Pods(ns).Get(t.Context(), "g-3", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		at := nodes[3].Labels
		want := fmt.Sprintf(`{"level":%q,"domain":"local/local-1/%s/%s","rank":3}`, rackLabel, at[blockLabel], at[rackLabel])
		if got := pod.Annotations["berth.dev/placement"]; got != want {
			t.Errorf("annotation is %s, want %s", got, want)
		}
		if !slices.IsSortedFunc(nodes, func(a, b *corev1.Node) int { return strings.Compare(a.Name, b.Name) }) {
			t.Error("neighbours in rank are no neighbours in the fabric")
		}
	})
	t.Run("the rack that is left with least", func(t *testing.T) {
		ns := e.namespace(t)
		first := gang(t, ns, "first", 2, asks("required-topology", "rack"))
		second := gang(t, ns, "second", 6, asks("required-topology", "rack"))
		if racks := domains(append(first, second...), rackLabel); len(racks) != 1 {
			t.Errorf("the gangs are in %v", racks)
		}
		third := gang(t, ns, "third", 2, asks("preferred-topology", "rack"))
		if racks := domains(append(second, third...), rackLabel); len(racks) != 2 {
			t.Errorf("a gang that follows a full rack is in %v", racks)
		}
	})
	t.Run("a rack is preferred, and too small", func(t *testing.T) {
		nodes := gang(t, e.namespace(t), "g", 12, asks("preferred-topology", "rack"))
		if racks, blocks := domains(nodes, rackLabel), domains(nodes, blockLabel); len(racks) != 2 || len(blocks) != 1 {
			t.Errorf("the gang is in %v of %v", racks, blocks)
		}
	})
	t.Run("segments of a block", func(t *testing.T) {
		nodes := gang(t, e.namespace(t), "g", 18, asks("required-topology", "block", "segment-size", "3", "segment-topology", "rack"))
		if blocks := domains(nodes, blockLabel); len(blocks) != 1 {
			t.Errorf("the gang is in %v", blocks)
		}
		for i := 0; i < len(nodes); i += 3 {
			if racks := domains(nodes[i:i+3], rackLabel); len(racks) != 1 {
				t.Errorf("segment %d is in %v", i/3, racks)
			}
		}
	})
	t.Run("around nodes that are tainted", func(t *testing.T) {
		list, err := e.client.CoreV1().Nodes().List(t.Context(), metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		taint := func(ctx context.Context, node, taints string) error {
			_, err := e.client.CoreV1().Nodes().Patch(ctx, node, types.MergePatchType, []byte(`{"spec":{"taints":`+taints+`}}`), metav1.PatchOptions{})
			return err
		}
		// One node of each rack but of the last.
		racks := map[string]bool{}
		last := slices.Max(slices.Collect(maps.Keys(domains(pointers(list.Items), rackLabel))))
		for _, node := range list.Items {
			if rack := node.Labels[rackLabel]; rack != last && !racks[rack] {
				racks[rack] = true
				if err := taint(t.Context(), node.Name, `[{"key":"maintenance","effect":"NoSchedule"}]`); err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() {
					if err := taint(context.Background(), node.Name, "null"); err != nil {
						t.Error(err)
					}
				})
			}
		}
		nodes := gang(t, e.namespace(t), "g", rackSize, asks("required-topology", "rack"))
		if racks := domains(nodes, rackLabel); racks[last] != rackSize {
			t.Errorf("the gang is in %v; only %q has no tainted node", racks, last)
		}
	})
	t.Run("it says which rack comes closest", func(t *testing.T) {
		ns := e.namespace(t)
		e.create(t, ns, gangOf("g", rackSize+1, nodeGPUs, ours("g", rackSize+1), asks("required-topology", "rack"))...)
		want := fmt.Sprintf("no domain of %s holds %d pods", rackLabel, rackSize+1)
		eventually(t, "the reason", func(ctx context.Context) error {
			pod, err := e.client.CoreV1().Pods(ns).Get(ctx, "g-0", metav1.GetOptions{})
			if err != nil {
				return err
			}
			for _, c := range pod.Status.Conditions {
				if strings.Contains(c.Message, want) && strings.Contains(c.Message, "comes closest, 1 pods short of GPUs") {
					return nil
				}
			}
			return fmt.Errorf("conditions are %+v", pod.Status.Conditions)
		})
	})
}

func pointers(nodes []corev1.Node) []*corev1.Node {
	out := make([]*corev1.Node, len(nodes))
	for i := range nodes {
		out[i] = &nodes[i]
	}
	return out
}
