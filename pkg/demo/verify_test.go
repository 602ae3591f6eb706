package demo

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/berth-dev/berth/pkg/localcluster"
)

// testNode has 8 GPUs, 192 CPUs and 4 pods' room.
func testNode(name string) v1.Node {
	var node v1.Node
	node.Name = name
	node.Labels = map[string]string{localcluster.RackLabel: "rack-" + name, localcluster.BlockLabel: "block-1"}
	node.Status.Allocatable = v1.ResourceList{
		v1.ResourceCPU:           resource.MustParse("192"),
		v1.ResourceMemory:        resource.MustParse("2048Gi"),
		v1.ResourcePods:          resource.MustParse("4"),
		localcluster.GPUResource: resource.MustParse("8"),
	}
	return node
}

// seat is a pod of a submission on a node, "" for none.
func seat(s Submission, index int, node string, edits ...func(*v1.Pod)) v1.Pod {
	pod := podOf(s, index)
	pod.Spec.NodeName = node
	for _, edit := range edits {
		edit(pod)
	}
	return *pod
}

func holding(devices string) func(*v1.Pod) {
	return func(pod *v1.Pod) { pod.Annotations[DevicesAnnotation] = devices }
}

func phase(p v1.PodPhase) func(*v1.Pod) {
	return func(pod *v1.Pod) { pod.Status.Phase = p }
}

func asking(name v1.ResourceName, quantity string) func(*v1.Pod) {
	return func(pod *v1.Pod) { pod.Spec.Containers[0].Resources.Requests[name] = resource.MustParse(quantity) }
}

func TestVerify(t *testing.T) {
	gang := Submission{Name: "g", Dialect: "berth", Size: 2, GPUs: 4}
	single := Submission{Name: "s", Size: 1, GPUs: 4}
	w := Workload{Submissions: []Submission{gang, single}, Order: []int{0, 1}}
	others := func(pod *v1.Pod) { pod.Namespace = "kube-system" }
	for _, test := range []struct {
		name string
		pods []v1.Pod
		want Verdict
	}{
		{"all is well",
			[]v1.Pod{seat(gang, 0, "a"), seat(gang, 1, "a"), seat(single, 0, "b")},
			Verdict{Placed: []int{2, 1}, Bound: 3}},
		{"nothing is bound",
			[]v1.Pod{seat(gang, 0, ""), seat(gang, 1, ""), seat(single, 0, "")},
			Verdict{Placed: []int{0, 0}, Unbound: []string{"g-0", "g-1", "s"}}},
		{"a partial gang",
			[]v1.Pod{seat(gang, 0, "a"), seat(gang, 1, ""), seat(single, 0, "b")},
			Verdict{Placed: []int{1, 1}, Bound: 2, PartialGangs: []string{"g"}, Unbound: []string{"g-1"}}},
		{"a member is gone",
			[]v1.Pod{seat(gang, 1, "a"), seat(single, 0, "b")},
			Verdict{Placed: []int{1, 1}, Bound: 2, PartialGangs: []string{"g"}, Unbound: []string{"g-0"}}},
		{"a member failed",
			[]v1.Pod{seat(gang, 0, "a"), seat(gang, 1, "a", phase(v1.PodFailed)), seat(single, 0, "b")},
			Verdict{Placed: []int{1, 1}, Bound: 2, PartialGangs: []string{"g"}, Unbound: []string{"g-1"}}},
		{"a name elsewhere is another pod",
			[]v1.Pod{seat(gang, 0, "a"), seat(gang, 1, "a"), seat(single, 0, "b", others)},
			Verdict{Placed: []int{2, 0}, Bound: 2, Unbound: []string{"s"}}},
		{"a pod twice",
			[]v1.Pod{seat(gang, 0, "a"), seat(gang, 1, "a"), seat(gang, 1, "b", called("g-1-y")), seat(single, 0, "b")},
			Verdict{Placed: []int{2, 1}, Bound: 3, Problems: []string{"two pods are g-1, on nodes a and b"}}},
		{"more GPUs than there are",
			[]v1.Pod{seat(gang, 0, "a"), seat(gang, 1, "a"), seat(single, 0, "a", asking(localcluster.GPUResource, "3"))},
			Verdict{Placed: []int{2, 1}, Bound: 3, OversubscribedNodes: []string{"a"}, DoubleBookedGPUs: 3}},
		{"pods of others count",
			[]v1.Pod{seat(gang, 0, "a"), seat(gang, 1, "a"), seat(single, 0, "b"), seat(Submission{Name: "x", Size: 1, GPUs: 1}, 0, "a", others)},
			Verdict{Placed: []int{2, 1}, Bound: 3, OversubscribedNodes: []string{"a"}, DoubleBookedGPUs: 1}},
		{"what has ended holds nothing",
			[]v1.Pod{seat(gang, 0, "a", phase(v1.PodSucceeded)), seat(gang, 1, "a"), seat(single, 0, "a")},
			Verdict{Placed: []int{2, 1}, Bound: 3}},
		{"more CPU than there is",
			[]v1.Pod{seat(gang, 0, "a"), seat(gang, 1, "b"), seat(single, 0, "a", asking(v1.ResourceCPU, "128001m"))},
			Verdict{Placed: []int{2, 1}, Bound: 3, OversubscribedNodes: []string{"a"}}},
		{"more memory than there is",
			[]v1.Pod{seat(gang, 0, "a"), seat(gang, 1, "b"), seat(single, 0, "b", asking(v1.ResourceMemory, "1537Gi"))},
			Verdict{Placed: []int{2, 1}, Bound: 3, OversubscribedNodes: []string{"b"}}},
		{"more pods than there is room for",
			append([]v1.Pod{seat(gang, 0, "a"), seat(gang, 1, "b"), seat(single, 0, "b")}, crowd("b", 3)...),
			Verdict{Placed: []int{2, 1}, Bound: 3, OversubscribedNodes: []string{"b"}}},
		{"a node that there is not",
			[]v1.Pod{seat(gang, 0, "a"), seat(gang, 1, "a"), seat(single, 0, "nowhere")},
			Verdict{Placed: []int{2, 1}, Bound: 3, OversubscribedNodes: []string{"nowhere"}, DoubleBookedGPUs: 4}},
		{"a device that two hold",
			[]v1.Pod{
				seat(gang, 0, "a", holding(`{"main":["u1","u2","u3","u4"]}`)),
				seat(gang, 1, "a", holding(`{"main":["u4","u5","u6","u7"]}`)),
				seat(single, 0, "b", holding(`{"main":["u1","u2","u3","u4"]}`)),
			},
			Verdict{Placed: []int{2, 1}, Bound: 3, DoubleBookedGPUs: 1}},
		{"a GPU that is double-booked both ways counts once",
			[]v1.Pod{
				seat(gang, 0, "a", holding(`{"main":["u1","u2","u3","u4"]}`)),
				seat(gang, 1, "a", holding(`{"main":["u5","u6","u7","u8"]}`)),
				seat(single, 0, "a", holding(`{"main":["u8"]}`), asking(localcluster.GPUResource, "1")),
			},
			Verdict{Placed: []int{2, 1}, Bound: 3, OversubscribedNodes: []string{"a"}, DoubleBookedGPUs: 1}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := Verify(w, Moment{}, test.pods, []v1.Node{testNode("a"), testNode("b")})
			test.want.Used = []int{} // there are no queues
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// at gives a node a place in the fabric.
func at(node v1.Node, rack, block string) v1.Node {
	node.Labels = map[string]string{}
	if rack != "" {
		node.Labels[localcluster.RackLabel] = rack
	}
	if block != "" {
		node.Labels[localcluster.BlockLabel] = block
	}
	return node
}

func TestVerifyTopology(t *testing.T) {
	nodes := []v1.Node{
		at(testNode("a1"), "a", "1"), at(testNode("a2"), "a", "1"), at(testNode("b1"), "b", "1"),
		at(testNode("c1"), "c", "2"), at(testNode("other-a"), "a", "2"),
		at(testNode("bare"), "", ""), at(testNode("bare2"), "", ""), at(testNode("block-only"), "", "1"),
	}
	gang := []string{"g"}
	for _, test := range []struct {
		name                string
		required, preferred Level
		on                  []string
		oneRack, out        []string
	}{
		{"a rack that is required", rackLevel, "", []string{"a1", "a2", "a1"}, gang, nil},
		{"a rack that is required and violated", rackLevel, "", []string{"a1", "a2", "b1"}, nil, gang},
		{"two racks of one name", rackLevel, "", []string{"a1", "a2", "other-a"}, nil, gang},
		{"nodes without a label are in no rack", rackLevel, "", []string{"bare", "bare2", "bare"}, nil, gang},
		{"one node without a label", rackLevel, "", []string{"a1", "a2", "block-only"}, nil, gang},
		{"a node that there is not", rackLevel, "", []string{"a1", "a1", "nowhere"}, nil, gang},
		{"the bound part of a gang", rackLevel, "", []string{"a1", "", "a2"}, nil, nil},
		{"the bound part of a gang, violated", rackLevel, "", []string{"a1", "", "b1"}, nil, gang},
		{"nothing is bound", rackLevel, "", []string{"", "", ""}, nil, nil},
		{"a rack that is preferred", "", rackLevel, []string{"a1", "a2", "a1"}, gang, nil},
		{"a rack that is preferred and not had", "", rackLevel, []string{"a1", "a2", "c1"}, nil, nil},
		{"a block that is required", blockLevel, "", []string{"a1", "b1", "block-only"}, nil, nil},
		{"a block that is required and violated", blockLevel, "", []string{"a1", "a2", "other-a"}, nil, gang},
		{"a rack in a block", blockLevel, rackLevel, []string{"a1", "a1", "a2"}, gang, nil},
		{"a block for want of a rack", blockLevel, rackLevel, []string{"a1", "a1", "b1"}, nil, nil},
		{"nothing is asked for", "", "", []string{"a1", "a1", "a1"}, nil, nil},
		{"a block that is preferred and not had", "", blockLevel, []string{"a1", "c1", "bare"}, nil, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := Submission{Name: "g", Dialect: "berth", Size: 3, GPUs: 1, Required: test.required, Preferred: test.preferred}
			var pods []v1.Pod
			for i, node := range test.on {
				pods = append(pods, seat(s, i, node))
			}
			got := Verify(Workload{Submissions: []Submission{s}}, Moment{}, pods, nodes)
			if diff := cmp.Diff(test.oneRack, got.OneRack); diff != "" {
				t.Errorf("in one rack (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.out, got.OutOfDomain); diff != "" {
				t.Errorf("out of the domain (-want +got):\n%s", diff)
			}
		})
	}
}

// crowd is n pods that ask for nothing.
func crowd(node string, n int) []v1.Pod {
	pods := make([]v1.Pod, n)
	for i := range pods {
		pods[i].Namespace, pods[i].Name, pods[i].Spec.NodeName = "crowd", fmt.Sprint(i), node
	}
	return pods
}

func TestVerifyReportsWhatItCannotRead(t *testing.T) {
	single := Submission{Name: "s", Size: 1, GPUs: 4}
	w := Workload{Submissions: []Submission{single}, Order: []int{0}}
	withAnnotation := func(pod *v1.Pod) { pod.Annotations = map[string]string{DevicesAnnotation: "u1,u2"} }
	got := Verify(w, Moment{}, []v1.Pod{seat(single, 0, "a", withAnnotation)}, []v1.Node{testNode("a")})
	if len(got.Problems) != 1 || !strings.Contains(got.Problems[0], `annotation berth.dev/devices of pod "demo/s-x0"`) {
		t.Errorf("got problems %q", got.Problems)
	}
	if (Result{Verdict: got}).Err() == nil {
		t.Error("the result is not an error")
	}
}

func TestInitContainersRunBeforeTheOthers(t *testing.T) {
	single := Submission{Name: "s", Size: 1, GPUs: 4}
	w := Workload{Submissions: []Submission{single}, Order: []int{0}}
	for gpus, want := range map[string]int64{"8": 0, "9": 1} {
		pod := seat(single, 0, "a", func(pod *v1.Pod) {
			pod.Spec.InitContainers = []v1.Container{{Resources: v1.ResourceRequirements{
				Requests: v1.ResourceList{localcluster.GPUResource: resource.MustParse(gpus)}}}}
		})
		if got := Verify(w, Moment{}, []v1.Pod{pod}, []v1.Node{testNode("a")}).DoubleBookedGPUs; got != want {
			t.Errorf("with %s GPUs in an init container: %d double-booked, want %d", gpus, got, want)
		}
	}
}
