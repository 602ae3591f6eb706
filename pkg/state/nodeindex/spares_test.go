package nodeindex

import (
	"fmt"
	"math/rand/v2"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/kubernetes/pkg/scheduler/framework"

	"github.com/berth-dev/berth/pkg/core/pack"
	"github.com/berth-dev/berth/pkg/core/repair"
	"github.com/berth-dev/berth/pkg/state/device"
)

// Whatever becomes of nodes, of what is kept on them and of who is tried, the index has of each
// what follows from the node, and the spares are those that have the label.
func TestNodesThatCountAsFull(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 9))
	ix := New(testDevices(t), device.NewInventory())
	nodes, kept, turned := map[string]*corev1.Node{}, map[string]pack.Amounts{}, map[string]bool{}
	for step := range 5_000 {
		name := fmt.Sprint("n", random.IntN(6))
		switch random.IntN(6) {
		case 0, 1:
			node := indexNode(name, map[corev1.ResourceName]string{"nvidia.com/gpu": "8", "cpu": "8", "pods": "10"})
			node.Labels = map[string]string{SpareLabel: []string{"true", "true", "false", "yes", ""}[random.IntN(5)]}
			nodes[name] = node
			ix.Set(read(node))
		case 2:
			delete(nodes, name)
			ix.Remove(name)
		case 3:
			kept[name] = pack.Amounts{Kind: 1, Devices: int32(random.IntN(9))}
			if kept[name].Devices == 0 {
				kept[name] = pack.Amounts{}
			}
			ix.Keep(name, kept[name])
		default:
			turned = map[string]bool{}
			for i := range random.IntN(4) {
				turned[fmt.Sprint("n", (i*5+step)%6)] = random.IntN(2) == 0
			}
			ix.Turn(turned)
		}
		spares := 0
		for name, node := range nodes {
			want := pack.Amounts{Kind: 1, Devices: 8 - kept[name].Devices, CPU: 8000, Pods: 10}
			full, said := turned[name]
			if spare := node.Labels[SpareLabel] == "true"; spare {
				spares++
				full = full || !said
			}
			if full {
				want = pack.Amounts{Kind: 1}
			}
			id, _ := ix.ID(name)
			if got, _ := ix.Pack().Free(id); got != want {
				t.Fatalf("step %d: %s has %+v free, want %+v (kept %v, turned %v)", step, name, got, want, kept, turned)
			}
		}
		if got := ix.Spares().Len(); got != spares {
			t.Fatalf("step %d: %d spares, want %d", step, got, spares)
		}
	}
}

// Whatever becomes of nodes, their pods, what is kept on them and what queues claim, those are
// spares of queues that the keeper of package repair would keep of the nodes that are whole.
func TestSparesOfQueues(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 21))
	ix := New(testDevices(t), device.NewInventory())
	const rack = "topology.kubernetes.io/rack"
	claims := []repair.Claim{}
	type made struct {
		node *corev1.Node
		info *framework.NodeInfo
	}
	nodes, kept := map[string]made{}, map[string]bool{}
	seen := map[string]int{}
	for step := range 5_000 {
		name := fmt.Sprint("n", random.IntN(12))
		switch random.IntN(8) {
		case 0, 1, 2, 3:
			amounts := map[corev1.ResourceName]string{"nvidia.com/gpu": "8", "cpu": "8", "pods": "10"}
			if random.IntN(8) == 0 {
				amounts = map[corev1.ResourceName]string{"cpu": "8", "pods": "10"}
			}
			node := indexNode(name, amounts)
			node.Labels = map[string]string{rack: fmt.Sprint("r", random.IntN(3)), SpareLabel: []string{"true", "", "", "", ""}[random.IntN(5)]}
			node.Spec.Unschedulable = random.IntN(8) == 0
			if random.IntN(8) == 0 && len(amounts) == 3 {
				node.Status.Capacity = node.Status.Allocatable.DeepCopy() // one is ill
				node.Status.Allocatable["nvidia.com/gpu"] = resource.MustParse("7")
			}
			info := read(node)
			if random.IntN(3) == 0 {
				pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "p", UID: types.UID(fmt.Sprint(step))}}
				pod.Spec.Containers = []corev1.Container{{Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{"nvidia.com/gpu": resource.MustParse("1")}}}}
				info.AddPod(pod)
			}
			nodes[name] = made{node, info}
			ix.Set(info)
		case 4:
			delete(nodes, name)
			ix.Remove(name)
		case 5:
			kept[name] = !kept[name]
			room := pack.Amounts{}
			if kept[name] {
				room = pack.Amounts{Kind: 1, Devices: 2}
			}
			ix.Keep(name, room)
		case 6:
			if random.IntN(10) == 0 {
				claims = nil
				for _, queue := range []string{"b", "a"} {
					if random.IntN(3) > 0 {
						claims = append(claims, repair.Claim{Queue: queue, Level: []string{rack, "other"}[random.IntN(8)/7], Nodes: 1 + random.IntN(2)})
					}
				}
				ix.Claims(claims)
			}
		default:
			ix.Turn(map[string]bool{name: random.IntN(2) == 0})
			ix.Turn(nil)
		}
		keeper := repair.NewKeeper(claims)
		for name, one := range nodes {
			gpus := one.node.Status.Allocatable["nvidia.com/gpu"]
			if gpus.Value() == 8 && len(one.info.GetPods()) == 0 && !one.node.Spec.Unschedulable && !IsSpare(one.node) && !kept[name] {
				keeper.Add(name, func(level string) string {
					if level != rack {
						return ""
					}
					return "///" + one.node.Labels[rack]
				})
			}
		}
		for name, one := range nodes {
			want, is := keeper.For(name)
			is = is || IsSpare(one.node)
			queue, spare := ix.Spare(one.node)
			id, _ := ix.ID(name)
			free, _ := ix.Pack().Free(id)
			if queue != want || spare != is || ix.Spares().Has(id) != is || is && free.Devices != 0 {
				t.Fatalf("step %d: %s is a spare of %q: %t (in the set: %t, %d devices free); want %q, %t", step, name, queue, spare, ix.Spares().Has(id), free.Devices, want, is)
			}
			if !is && free.Devices == 0 && len(one.info.GetPods()) == 0 && one.node.Status.Allocatable.Name("nvidia.com/gpu", resource.DecimalSI).Value() > 2 {
				t.Fatalf("step %d: %s is no spare, and has nothing free", step, name)
			}
			seen[queue]++
		}
	}
	if seen["a"] < 500 || seen["b"] < 500 {
		t.Errorf("so many nodes were kept: %v", seen)
	}
}
