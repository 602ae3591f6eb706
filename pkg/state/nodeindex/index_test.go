package nodeindex

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/kubernetes/pkg/scheduler/framework"

	"github.com/berth-dev/berth/pkg/core/pack"
	"github.com/berth-dev/berth/pkg/state/device"
)

func testDevices(t *testing.T) *device.Kinds {
	t.Helper()
	d, err := device.NewKinds([]corev1.ResourceName{"nvidia.com/gpu", "amd.com/gpu"})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// read makes a node of the snapshot: pods are the priorities of its pods, each of
// which takes one core.
func read(node *corev1.Node, pods ...int32) *framework.NodeInfo {
	info := framework.NewNodeInfo()
	for i, priority := range pods {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprint(i), UID: "u"}}
		pod.Spec.Priority = &priority
		pod.Spec.Containers = []corev1.Container{{Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1")}}}}
		info.AddPod(pod)
	}
	info.SetNode(node)
	return info
}

func indexNode(name string, amounts map[corev1.ResourceName]string) *corev1.Node {
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}, Status: corev1.NodeStatus{Allocatable: corev1.ResourceList{}}}
	for resourceName, amount := range amounts {
		node.Status.Allocatable[resourceName] = resource.MustParse(amount)
	}
	return node
}

func TestAmounts(t *testing.T) {
	d := testDevices(t)
	for _, c := range []struct {
		name string
		node map[corev1.ResourceName]string
		pods int
		want pack.Amounts
	}{
		{"nothing", nil, 0, pack.Amounts{}},
		{"without devices", map[corev1.ResourceName]string{"cpu": "8", "memory": "1Ki", "pods": "10", "rdma/hca": "4"}, 2,
			pack.Amounts{CPU: 6000, Memory: 1024, Pods: 8, Held: 2}},
		{"devices", map[corev1.ResourceName]string{"cpu": "8", "amd.com/gpu": "4"}, 0, pack.Amounts{Kind: 2, Devices: 4, CPU: 8000}},
		{"two kinds count as the first", map[corev1.ResourceName]string{"amd.com/gpu": "4", "nvidia.com/gpu": "2"}, 0, pack.Amounts{Kind: 1, Devices: 2}},
		{"a kind of which there is none", map[corev1.ResourceName]string{"amd.com/gpu": "4", "nvidia.com/gpu": "0"}, 0, pack.Amounts{Kind: 2, Devices: 4}},
		{"filled past its capacity", map[corev1.ResourceName]string{"cpu": "1", "pods": "1"}, 2, pack.Amounts{CPU: -1000, Pods: -1, Held: 2}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := d.Free(read(indexNode("n", c.node), make([]int32, c.pods)...))
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("free (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNumbersAreGivenAgain(t *testing.T) {
	ix := New(testDevices(t), device.NewInventory())
	for _, name := range []string{"a", "b", "c"} {
		ix.Set(read(indexNode(name, nil)))
	}
	ix.Remove("a")
	ix.Remove("nobody")
	ix.Set(read(indexNode("d", nil)))
	ix.Set(read(indexNode("e", nil)))
	for name, want := range map[string]pack.NodeID{"d": 0, "b": 1, "c": 2, "e": 3} {
		if got, ok := ix.ID(name); !ok || got != want {
			t.Errorf("node %s has number %d (%v), want %d", name, got, ok, want)
		}
	}
	if _, ok := ix.ID("a"); ok || ix.Len() != 4 {
		t.Errorf("%d nodes, one that is gone still known: %v", ix.Len(), ok)
	}
}

func TestLowerPriorities(t *testing.T) {
	ix := New(testDevices(t), device.NewInventory())
	ask := func(want ...bool) {
		t.Helper()
		for i, priority := range []int32{-10, 0, 5, 6} {
			if got := ix.AnyBelow(priority); got != want[i] {
				t.Errorf("any below %d: %v, want %v", priority, got, want[i])
			}
		}
	}
	node, other := indexNode("a", nil), indexNode("b", nil)
	ix.Set(read(node))
	ask(false, false, false, false)
	ix.Set(read(node, 7, 5))
	ask(false, false, false, true)
	ix.Set(read(other, -1))
	ask(false, true, true, true)
	ix.Remove("b")
	ix.Set(read(node, 7))
	ask(false, false, false, false)
}

// Answers that are kept up are those that are made anew, however far behind they
// were.
func TestCatchUp(t *testing.T) {
	const nodes = 20
	r := rand.New(rand.NewPCG(5, 5))
	ix := New(testDevices(t), device.NewInventory())
	labels := map[string]int{}
	set := func(i int, relabel bool) {
		name := fmt.Sprint(i)
		if relabel {
			labels[name]++
		}
		node := indexNode(name, map[corev1.ResourceName]string{"cpu": "8"})
		node.Labels = map[string]string{"version": fmt.Sprint(labels[name])}
		ix.Set(read(node))
	}
	for i := range nodes {
		set(i, true)
	}
	var kept Answers
	lapses := 0
	for round := range 40 {
		kept.CatchUp(ix, nil)
		refused := map[string]bool{} // to whether for good
		for i := range nodes {
			if id, ok := ix.ID(fmt.Sprint(i)); ok && kept.Open().Has(id) {
				lasting := i%2 == 0
				kept.Refuse(id, 1, lasting)
				refused[fmt.Sprint(i)] = lasting
			} else if ok {
				refused[fmt.Sprint(i)] = i%2 == 0
			}
		}
		changes := r.IntN(30)
		lapsed := round%10 == 9
		if lapsed {
			changes = 2*keptChanges + 1
			lapses++
		}
		for range changes {
			i := r.IntN(nodes)
			name := fmt.Sprint(i)
			switch relabel := r.IntN(3) == 0; {
			case r.IntN(6) == 0 && !lapsed:
				ix.Remove(name)
				delete(refused, name)
			default:
				set(i, relabel)
				if relabel || !refused[name] {
					delete(refused, name)
				}
			}
		}
		kept.CatchUp(ix, nil)
		for i := range nodes {
			name := fmt.Sprint(i)
			id, ok := ix.ID(name)
			if !ok {
				continue
			}
			_, stands := refused[name]
			if lapsed {
				stands = false
			}
			if kept.Open().Has(id) == stands {
				t.Fatalf("round %d: node %s is open: %v, and its refusal stands: %v", round, name, kept.Open().Has(id), stands)
			}
		}
		if kept.Open().Len()+kept.Count(1) != ix.Len() {
			t.Fatalf("round %d: %d open and %d refused of %d nodes", round, kept.Open().Len(), kept.Count(1), ix.Len())
		}
	}
	if lapses == 0 {
		t.Fatal("the log never was too short")
	}
}
