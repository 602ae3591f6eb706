package device

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/kubernetes/pkg/scheduler/framework"

	"github.com/berth-dev/berth/pkg/core/pack"
)

// TestCountsOfAnySize has counts of devices that 32 bits do not hold.
func TestCountsOfAnySize(t *testing.T) {
	const gpu = corev1.ResourceName("nvidia.com/gpu")
	devices, err := NewKinds([]corev1.ResourceName{gpu})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name        string
		all, taken  int64
		free, asked int32
	}{
		{"eight", 8, 3, 5, 3},
		{"one more than 32 bits", 1<<32 + 1, 0, math.MaxInt32, 0},
		{"the sign bit", 1 << 31, 0, math.MaxInt32, 0},
		{"a request of one more than 32 bits", 8, 1<<32 + 1, math.MinInt32, math.MaxInt32},
		{"a request of the sign bit", 8, 1 << 31, 8 - 1<<31, math.MaxInt32},
	} {
		t.Run(test.name, func(t *testing.T) {
			amounts := func(count int64) corev1.ResourceList {
				return corev1.ResourceList{gpu: *resource.NewQuantity(count, resource.DecimalSI)}
			}
			node := framework.NewNodeInfo()
			node.SetNode(&corev1.Node{Status: corev1.NodeStatus{Allocatable: amounts(test.all)}})
			node.Requested.Add(amounts(test.taken))
			want := pack.Amounts{Kind: 1, Devices: test.free}
			if diff := cmp.Diff(want, devices.Free(node)); diff != "" {
				t.Errorf("free (-want +got):\n%s", diff)
			}
			want = pack.Amounts{Pods: 1}
			if test.taken > 0 {
				want = pack.Amounts{Kind: 1, Devices: test.asked, Pods: 1}
			}
			if diff := cmp.Diff(want, devices.Request(framework.NewResource(amounts(test.taken)))); diff != "" {
				t.Errorf("request (-want +got):\n%s", diff)
			}
		})
	}
}
