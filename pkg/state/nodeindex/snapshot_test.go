package nodeindex

import (
	"bytes"
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/berth-dev/berth/pkg/api/v1alpha1"
	"github.com/berth-dev/berth/pkg/core/cluster"
	"github.com/berth-dev/berth/pkg/core/gang"
	"github.com/berth-dev/berth/pkg/core/pack"
	"github.com/berth-dev/berth/pkg/core/topology"
	"github.com/berth-dev/berth/pkg/dialect"
	"github.com/berth-dev/berth/pkg/state/device"
	"github.com/berth-dev/berth/pkg/state/workload"
)

func quantities(amounts ...string) corev1.ResourceList {
	list := corev1.ResourceList{}
	for i := 0; i < len(amounts); i += 2 {
		list[corev1.ResourceName(amounts[i])] = resource.MustParse(amounts[i+1])
	}
	return list
}

func snapshotNode(name string, allocatable corev1.ResourceList, change ...func(*corev1.Node)) *corev1.Node {
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{}}, Status: corev1.NodeStatus{Allocatable: allocatable}}
	for _, c := range change {
		c(node)
	}
	return node
}

func snapshotPod(name, node string, requests corev1.ResourceList) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: name, UID: types.UID(name)},
		Spec:       corev1.PodSpec{NodeName: node, Containers: []corev1.Container{{Name: "c", Resources: corev1.ResourceRequirements{Requests: requests}}}},
	}
}

// pair is a machine of two GPUs.
func pair(name string) *v1alpha1.NodeTopology {
	zero := int32(0)
	return &v1alpha1.NodeTopology{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: v1alpha1.NodeTopologySpec{
			Resource: "nvidia.com/gpu",
			Devices:  []v1alpha1.Device{{UUID: name + "-a", NUMANode: &zero}, {UUID: name + "-b", NUMANode: &zero}},
			Links:    []v1alpha1.Link{{A: 0, B: 1, Path: "PIX", NVLinks: 4}},
			Rates:    &v1alpha1.Rates{NVLink: 25000, PCIe: 12000, System: 9000},
		},
	}
}

func TestSnapshotOf(t *testing.T) {
	gpus := quantities("cpu", "4", "memory", "8Gi", "pods", "10", "nvidia.com/gpu", "2")
	objects := Objects{
		Nodes: []*corev1.Node{
			snapshotNode("shared", quantities("cpu", "4", "memory", "8Gi", "pods", "10", "nvidia.com/gpu", "8")),
			snapshotNode("cordoned", gpus, func(n *corev1.Node) {
				n.Spec.Unschedulable = true
				n.Spec.Taints = []corev1.Taint{{Key: "soft", Effect: corev1.TaintEffectPreferNoSchedule}, {Key: "hard", Value: "v", Effect: corev1.TaintEffectNoExecute}}
			}),
			snapshotNode("marked", nil, func(n *corev1.Node) {
				n.Spec.Unschedulable = true
				n.Spec.Taints = []corev1.Taint{{Key: corev1.TaintNodeUnschedulable, Effect: corev1.TaintEffectNoSchedule}}
			}),
			snapshotNode("known", gpus, func(n *corev1.Node) {
				n.Labels = map[string]string{"topology.kubernetes.io/rack": "r", "example.com/row": "", "else": "x"}
			}),
			snapshotNode("huge", corev1.ResourceList{"memory": *resource.NewQuantity(math.MaxInt64, resource.BinarySI), "pods": *resource.NewQuantity(math.MaxInt64, resource.DecimalSI)}),
		},
		Pods: []*corev1.Pod{
			snapshotPod("one", "known", quantities("cpu", "1500m", "memory", "1Gi", "nvidia.com/gpu", "1")),
			snapshotPod("over", "cordoned", quantities("cpu", "9", "nvidia.com/gpu", "3")),
			snapshotPod("waits", "", quantities("cpu", "1")),
			snapshotPod("lost", "nowhere", quantities("cpu", "1")),
		},
		Topologies: []*v1alpha1.NodeTopology{pair("shared"), pair("known"), pair("nowhere")},
	}
	settings := Settings{
		Policy: pack.Policy{Spread: true, Memory: 2}, Devices: []corev1.ResourceName{"amd.com/gpu", "nvidia.com/gpu"},
		Picker: topology.Scheduler, Sizes: topology.Sizes{2: 5}, Levels: []string{"example.com/row", "topology.kubernetes.io/rack"},
	}
	requests := func(pod *corev1.Pod) corev1.ResourceList { return pod.Spec.Containers[0].Resources.Requests }
	got, err := SnapshotOf(objects, settings, requests)
	if err != nil {
		t.Fatal(err)
	}
	unschedulable := cluster.Taint{Key: corev1.TaintNodeUnschedulable, Effect: "NoSchedule"}
	want := &cluster.Snapshot{
		Version: cluster.Version, Policy: cluster.Policy{Order: cluster.Spread, MemoryWeight: 2}, Sizes: []cluster.Size{{Devices: 2, Weight: 5}},
		Devices: []string{"amd.com/gpu", "nvidia.com/gpu"}, Fabric: append(dialect.FabricTrees(), []string{"example.com/row"}),
		Machines: []cluster.Machine{{
			Name: "m1", Picker: cluster.Scheduler, Devices: 2, NUMA: []int16{0, 0}, NIC: []string{"N/A", "N/A"},
			Rates: cluster.Rates{NVLink: 25000, PCIe: 12000, System: 9000}, Links: []cluster.Link{{A: 0, B: 1, Path: "PIX", NVLinks: 4}},
		}},
		Nodes: []cluster.Node{
			{Name: "cordoned", Device: "nvidia.com/gpu", Devices: -1, CPU: -5000, Memory: 8 << 30, Pods: 9, Held: 1, Taints: []cluster.Taint{{Key: "hard", Value: "v", Effect: "NoExecute"}, unschedulable}},
			{Name: "huge", Memory: cluster.MaxAmount, Pods: math.MaxInt32},
			{
				Name: "known", Labels: map[string]string{"topology.kubernetes.io/rack": "r", "example.com/row": ""},
				Device: "nvidia.com/gpu", Devices: 1, CPU: 2500, Memory: 7 << 30, Pods: 9, Held: 1, Machine: "m1", Free: []int{1},
			},
			{Name: "marked", Taints: []cluster.Taint{unschedulable}},
			{Name: "shared", Device: "nvidia.com/gpu", Devices: 8, CPU: 4000, Memory: 8 << 30, Pods: 10},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if err := got.Write(&bytes.Buffer{}); err != nil {
		t.Error(err)
	}

	slices.Reverse(objects.Nodes)
	slices.Reverse(objects.Pods)
	slices.Reverse(objects.Topologies)
	if again, err := SnapshotOf(objects, settings, requests); err != nil || !cmp.Equal(got, again) {
		t.Errorf("in another order (%v): -want +got:\n%s", err, cmp.Diff(got, again))
	}
	if _, err := SnapshotOf(objects, Settings{Devices: []corev1.ResourceName{"a", "a"}}, requests); err == nil {
		t.Error("a device that is named twice is no error")
	}
}

func TestRequestOfList(t *testing.T) {
	devices, err := device.NewKinds([]corev1.ResourceName{"amd.com/gpu", "nvidia.com/gpu"})
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		list corev1.ResourceList
		want pack.Amounts
	}{
		"nothing":         {nil, pack.Amounts{Pods: 1}},
		"counted":         {quantities("cpu", "1500m", "memory", "1Ki", "ephemeral-storage", "1Gi", "nvidia.com/gpu", "4"), pack.Amounts{CPU: 1500, Memory: 1024, Pods: 1, Kind: 2, Devices: 4}},
		"several devices": {quantities("nvidia.com/gpu", "4", "amd.com/gpu", "1"), pack.Amounts{Pods: 1, Kind: 1, Devices: 1}},
		"no device":       {quantities("nvidia.com/mig-1g.5gb", "4", "nvidia.com/gpu", "0"), pack.Amounts{Pods: 1}},
		"too many":        {quantities("nvidia.com/gpu", "9G"), pack.Amounts{Pods: 1, Kind: 2, Devices: math.MaxInt32}},
	} {
		if diff := cmp.Diff(test.want, devices.RequestOfList(test.list)); diff != "" {
			t.Errorf("%s: -want +got:\n%s", name, diff)
		}
	}
}

func TestMemberOf(t *testing.T) {
	pod := snapshotPod("a", "n", nil)
	if _, _, ok := workload.MemberOf(pod); ok {
		t.Error("a plain pod is in a gang")
	}
	pod.Labels = map[string]string{"berth.dev/gang": "g"}
	pod.Annotations = map[string]string{"berth.dev/gang-size": "2"}
	key, member, ok := workload.MemberOf(pod)
	if want := (gang.Key{Namespace: "ns", Dialect: dialect.Berth, Name: "g"}); !ok || key != want || member.Name != "a" || *member.Claims.Size != 2 || member.Node != "n" {
		t.Errorf("got %v, %+v, %v", key, member, ok)
	}
}
