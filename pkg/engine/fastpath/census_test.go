package fastpath

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/berth-dev/berth/pkg/core/pack"
)

// TestCensus counts a cluster of two racks, of which one node is cordoned and one has no CPU
// left.
func TestCensus(t *testing.T) {
	r := newRig(t, "")
	rack := func(name string) func(*corev1.Node) {
		return func(n *corev1.Node) { n.Labels["topology.kubernetes.io/rack"] = name }
	}
	cordoned := func(n *corev1.Node) { n.Spec.Unschedulable = true }
	broken := func(n *corev1.Node) {
		n.Status.Capacity = n.Status.Capacity.DeepCopy()
		n.Status.Capacity["nvidia.com/gpu"] = resource.MustParse("8")
	}
	r.addNode(testNode("a0", 8, 64, 512, rack("a")))
	r.addNode(testNode("a1", 8, 64, 512, rack("a")))
	r.addNode(testNode("a2", 8, 64, 512, rack("a"), cordoned))
	r.addNode(testNode("b0", 8, 64, 512, rack("b")))
	r.addNode(testNode("b1", 6, 64, 512, rack("b"), broken))
	r.bind(testPod("cpu", 0, 64, 8), "b0")
	r.bind(testPod("gpus", 3, 8, 8), "a1")
	r.place(testPod("usual", 4, 16, 32))

	got := r.path.Census()
	want := []DeviceCensus{{
		// 38 are offered by 40 that there are. The cordoned node has 8 of those that nobody
		// gets. All 8 of b0 are stranded for want of CPU, 1 of the 5 of a1 and 2 of the 6 of b1
		// because pods of 4 are asked for.
		Resource: "nvidia.com/gpu", Allocated: 3, Idle: 8 + 5 + 8 + 6, Unavailable: 8 + 2, Stranded: 8 + 1 + 2,
	}}
	if diff := cmp.Diff(want, got.Devices); diff != "" {
		t.Errorf("devices (-want +got):\n%s", diff)
	}
	largest := map[string]int64{}
	for _, l := range got.Largest {
		if l.Size == 4 {
			largest[l.Level] = l.Pods
		}
	}
	if diff := cmp.Diff(map[string]int64{WholeCluster: 4, "topology.kubernetes.io/rack": 3}, largest); diff != "" {
		t.Errorf("the largest gang of pods of 4 (-want +got):\n%s", diff)
	}

	// Room that is kept is reserved, and neither idle nor given to a gang.
	r.path.Keep("somebody", Reservation{"a0": pack.Amounts{Kind: 1, Devices: 8, Pods: 1}})
	got = r.path.Census()
	want[0].Reserved, want[0].Idle = 8, want[0].Idle-8
	if diff := cmp.Diff(want, got.Devices); diff != "" {
		t.Errorf("devices with room that is kept (-want +got):\n%s", diff)
	}
}

func TestCensusWithoutNodes(t *testing.T) {
	if got := New().Census(); len(got.Devices)+len(got.Largest) > 0 {
		t.Errorf("a path without an index counts %+v", got)
	}
	if got := newRig(t, "").path.Census(); len(got.Devices)+len(got.Largest) > 0 {
		t.Errorf("without nodes, the census is %+v", got)
	}
}
