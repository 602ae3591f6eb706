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

func tallyPod(name string, gpus int64) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, UID: "u"},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{Resources: corev1.ResourceRequirements{
			Requests: corev1.ResourceList{"nvidia.com/gpu": *resource.NewQuantity(gpus, resource.DecimalSI)},
		}}}},
	}
}

// TestTallyAgainstTwin changes nodes at random, and counts anew what the index counts by
// differences.
func TestTallyAgainstTwin(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	ix := New(testDevices(t), device.NewInventory())
	type twin struct {
		want DeviceTally
		shut bool
	}
	nodes, kept := map[string]twin{}, map[string]int64{}
	infos := map[string]*framework.NodeInfo{}
	reserved := func(name string) int64 {
		w := nodes[name].want
		free := infos[name].GetAllocatable().GetScalarResources()["nvidia.com/gpu"] - w.Taken
		return min(kept[name], max(free, 0))
	}
	for step := range 5000 {
		name := fmt.Sprint("n", random.IntN(6))
		switch random.IntN(5) {
		case 0:
			ix.Remove(name)
			delete(nodes, name)
		case 1:
			kept[name] = int64(random.IntN(5))
			room := pack.Amounts{}
			if kept[name] > 0 {
				room = pack.Amounts{Kind: 1, Devices: int32(kept[name])}
			}
			ix.Keep(name, room)
		default:
			capacity, allocatable := int64(8), int64(random.IntN(9))
			node := indexNode(name, map[corev1.ResourceName]string{"nvidia.com/gpu": fmt.Sprint(allocatable)})
			node.Status.Capacity = corev1.ResourceList{"nvidia.com/gpu": *resource.NewQuantity(capacity, resource.DecimalSI)}
			node.Spec.Unschedulable = random.IntN(3) == 0
			info, taken := framework.NewNodeInfo(), int64(0)
			for i := range random.IntN(4) {
				n := int64(random.IntN(4))
				info.AddPod(tallyPod(fmt.Sprint(i), n))
				taken += n
			}
			info.SetNode(node)
			ix.Set(info)
			infos[name] = info
			// A node may be filled past what it offers: no more than that is taken.
			nodes[name] = twin{DeviceTally{Capacity: capacity, Taken: min(taken, allocatable)}, node.Spec.Unschedulable}
		}
		var want DeviceTally
		shut := 0
		for name, n := range nodes {
			n.want.Reserved = reserved(name)
			want.add(n.want, 1)
			if n.shut {
				shut++
			}
		}
		if diff := cmp.Diff(want, ix.DeviceTally(1)); diff != "" {
			t.Fatalf("step %d (-want +got):\n%s", step, diff)
		}
		if ix.Shut().Len() != shut {
			t.Fatalf("step %d: %d nodes are shut, want %d", step, ix.Shut().Len(), shut)
		}
	}
}
