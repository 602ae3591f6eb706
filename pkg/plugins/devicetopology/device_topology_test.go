package devicetopology

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework"
	frameworkruntime "k8s.io/kubernetes/pkg/scheduler/framework/runtime"

	"github.com/berth-dev/berth/pkg/core/topology"
	"github.com/berth-dev/berth/pkg/dialect"
	"github.com/berth-dev/berth/pkg/state/device"
)

// fixture is an inventory with a DGX-1V "mesh", with devices 0 to 2 held; PCIe-only cards
// "cards", idle; and a node "plain" of which no links are known.
func fixture(t *testing.T) (*DeviceTopology, *device.Inventory, map[string]*framework.NodeInfo) {
	inventory := device.NewInventory()
	inventory.Pick(topology.Scheduler, topology.DefaultSizes())
	infos := map[string]*framework.NodeInfo{}
	for _, name := range []string{"mesh", "cards", "plain"} {
		node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}, Status: corev1.NodeStatus{Allocatable: gpus(8)}}
		inventory.SetNode(node)
		infos[name] = framework.NewNodeInfo()
		infos[name].SetNode(node)
	}
	mesh := nodeTopology(t, "mesh", "dgx1-v100")
	inventory.SetTopology(mesh)
	inventory.SetTopology(nodeTopology(t, "cards", "pcie-8x4090"))
	held := gpuPod("held", 3, "")
	held.Spec.NodeName = "mesh"
	held.Annotations = map[string]string{dialect.DevicesAnnotation: `{"c":["` + strings.Join([]string{mesh.Spec.Devices[0].UUID, mesh.Spec.Devices[1].UUID, mesh.Spec.Devices[2].UUID}, `","`) + `"]}`}
	inventory.SetPod(held)
	infos["mesh"].AddPod(held)
	return New(inventory), inventory, infos
}

func TestFilterAndScore(t *testing.T) {
	type verdict struct {
		Reason string
		Final  bool
		Score  int64
	}
	tests := []struct {
		name string
		gpus int64
		link string
		want map[string]verdict
	}{
		{"two of any", 2, "", map[string]verdict{"mesh": {Score: 93}, "cards": {Score: 93}, "plain": {Score: 100}}},
		{"two that are linked", 2, "nvlink", map[string]verdict{
			"mesh": {Score: 93}, "cards": {Reason: reasonNeverLinked, Final: true}, "plain": {Reason: reasonLinksUnknown, Final: true}}},
		{"one needs no link", 1, "nvlink", map[string]verdict{"mesh": {Score: 100}, "cards": {Score: 93}, "plain": {Score: 100}}},
		{"four in one socket", 4, "numa", map[string]verdict{"mesh": {Score: 86}, "cards": {Score: 93}, "plain": {Reason: reasonLinksUnknown, Final: true}}},
		// Device 3 has one link to the others: no ring of NVLinks passes through it.
		{"five", 5, "", map[string]verdict{"mesh": {Score: 38}, "cards": {Score: 86}, "plain": {Score: 100}}},
		{"six", 6, "", map[string]verdict{"mesh": {Reason: reasonTooFew}, "cards": {Score: 86}, "plain": {Score: 100}}},
		// Of a pair with two links, one is left.
		{"three on one bridge", 3, "pcie", map[string]verdict{"mesh": {Score: 90}, "cards": {Score: 93}, "plain": {Reason: reasonLinksUnknown, Final: true}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			plugin, _, infos := fixture(t)
			pod := gpuPod("p", test.gpus, test.link)
			cycle := framework.NewCycleState()
			if _, status := plugin.PreFilter(t.Context(), cycle, pod, nil); !status.IsSuccess() {
				t.Fatal(status)
			}
			got := map[string]verdict{}
			for name, info := range infos {
				var v verdict
				if status := plugin.Filter(t.Context(), cycle, pod, info); !status.IsSuccess() {
					v.Reason, v.Final = status.Message(), status.Code() == fwk.UnschedulableAndUnresolvable
				} else {
					v.Score, _ = plugin.Score(t.Context(), cycle, pod, info)
				}
				got[name] = v
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// Pods that are in a snapshot on trial, or out of it, count as the snapshot has them.
func TestFilterJudgesTheSnapshot(t *testing.T) {
	plugin, _, infos := fixture(t)
	pod := gpuPod("p", 8, "")
	filter := func(info *framework.NodeInfo) *fwk.Status {
		cycle := framework.NewCycleState()
		plugin.PreFilter(t.Context(), cycle, pod, nil)
		return plugin.Filter(t.Context(), cycle, pod, info)
	}
	if status := filter(infos["mesh"]); status.Code() != fwk.Unschedulable {
		t.Errorf("with 5 devices free: %v", status)
	}
	empty := framework.NewNodeInfo()
	empty.SetNode(infos["mesh"].Node())
	if status := filter(empty); !status.IsSuccess() {
		t.Errorf("without its pod: %v", status)
	}
	empty.AddPod(gpuPod("nominated", 1, ""))
	if status := filter(empty); status.Code() != fwk.Unschedulable {
		t.Errorf("with a pod that is nominated: %v", status)
	}
}

func TestPreFilter(t *testing.T) {
	plugin, _, _ := fixture(t)
	if _, status := plugin.PreFilter(t.Context(), framework.NewCycleState(), gpuPod("p", 2, "fast"), nil); status.Code() != fwk.UnschedulableAndUnresolvable ||
		status.Message() != `annotation berth.dev/gpu-link is "fast"; it must be nvlink, pcie, numa or any` {
		t.Errorf("a link that means nothing: %v", status)
	}
	cpuOnly := &corev1.Pod{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "c"}}}}
	cycle := framework.NewCycleState()
	if _, status := plugin.PreFilter(t.Context(), cycle, cpuOnly, nil); !status.IsSkip() {
		t.Errorf("a pod without devices: %v", status)
	}
	if status := plugin.PreScore(t.Context(), cycle, cpuOnly, nil); !status.IsSkip() {
		t.Errorf("a pod without devices is scored: %v", status)
	}
}

// A Reserve that is too late refuses, and leaves nothing behind.
func TestReserve(t *testing.T) {
	plugin, inventory, _ := fixture(t)
	before := inventory.Dump()
	for _, pod := range []*corev1.Pod{gpuPod("many", 6, ""), gpuPod("linked", 5, "nvlink")} {
		if status := plugin.Reserve(t.Context(), framework.NewCycleState(), pod, "mesh"); status.Code() != fwk.Error {
			t.Errorf("pod %q: %v; an error is tried again", pod.Name, status)
		}
		plugin.Unreserve(t.Context(), nil, pod, "mesh")
	}
	fits := gpuPod("fits", 4, "")
	if status := plugin.Reserve(t.Context(), framework.NewCycleState(), fits, "mesh"); !status.IsSuccess() {
		t.Error(status)
	}
	plugin.Unreserve(t.Context(), nil, fits, "mesh")
	plugin.Unreserve(t.Context(), nil, fits, "mesh")
	if diff := cmp.Diff(before, inventory.Dump()); diff != "" {
		t.Errorf("-before +after:\n%s", diff)
	}
	if status := plugin.Reserve(t.Context(), framework.NewCycleState(), gpuPod("bad", 1, "fast"), "mesh"); status.Code() != fwk.UnschedulableAndUnresolvable {
		t.Error(status)
	}
}

// nextBinder is the plugin that binds pods without devices.
type nextBinder struct{ bound []string }

func (*nextBinder) Name() string { return "Next" }

func (n *nextBinder) Bind(_ context.Context, _ fwk.CycleState, pod *corev1.Pod, _ string) *fwk.Status {
	n.bound = append(n.bound, pod.Name)
	return nil
}

func TestBinder(t *testing.T) {
	plugin, inventory, _ := fixture(t)
	client := fake.NewClientset()
	var bindings []*corev1.Binding
	client.PrependReactor("create", "pods", func(action clienttesting.Action) (bool, runtime.Object, error) {
		create := action.(clienttesting.CreateAction)
		bindings = append(bindings, create.GetObject().(*corev1.Binding))
		return true, create.GetObject(), nil
	})
	handle, err := frameworkruntime.NewFramework(t.Context(), nil, nil, frameworkruntime.WithClientSet(client))
	if err != nil {
		t.Fatal(err)
	}
	next := &nextBinder{}
	binder := NewBinder(next, handle, inventory, nil)
	linked, counted := gpuPod("linked", 2, ""), gpuPod("counted", 2, "")
	for pod, node := range map[*corev1.Pod]string{linked: "cards", counted: "plain"} {
		if status := plugin.Reserve(t.Context(), framework.NewCycleState(), pod, node); !status.IsSuccess() {
			t.Fatal(status)
		}
		if status := binder.Bind(t.Context(), framework.NewCycleState(), pod, node); !status.IsSuccess() {
			t.Fatal(status)
		}
	}
	cards := nodeTopology(t, "cards", "pcie-8x4090")
	want := []*corev1.Binding{{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "linked", UID: "uid-linked", Annotations: map[string]string{
			dialect.DevicesAnnotation:   `{"c":["` + cards.Spec.Devices[0].UUID + `","` + cards.Spec.Devices[1].UUID + `"]}`,
			dialect.PlacementAnnotation: `{"devices":{"quality":12,"ideal":12,"picker":"scheduler"}}`,
		}},
		Target: corev1.ObjectReference{Kind: "Node", Name: "cards"},
	}}
	if diff := cmp.Diff(want, bindings); diff != "" {
		t.Errorf("bindings (-want +got):\n%s", diff)
	}
	// What a user writes of devices is wiped out.
	forged := gpuPod("forged", 1, "")
	forged.Annotations = map[string]string{dialect.DevicesAnnotation: `{"c":["GPU-mine"]}`}
	if status := binder.Bind(t.Context(), framework.NewCycleState(), forged, "plain"); !status.IsSuccess() || len(bindings) != 2 || bindings[1].Annotations[dialect.DevicesAnnotation] != "" {
		t.Errorf("a forged annotation: %v, %+v", status, bindings)
	}
	// Who pays is written where there are queues, whatever the pod says.
	binder = NewBinder(next, handle, inventory, payers{"uid-forged": "team"})
	forged.Annotations = map[string]string{dialect.ChargedQueueAnnotation: "other", dialect.PlacementAnnotation: `{"rank":7}`}
	if status := binder.Bind(t.Context(), framework.NewCycleState(), forged, "plain"); !status.IsSuccess() || len(bindings) != 3 {
		t.Fatal(status, bindings)
	}
	if diff := cmp.Diff(map[string]string{dialect.ChargedQueueAnnotation: "team", dialect.PlacementAnnotation: ""}, bindings[2].Annotations); diff != "" {
		t.Errorf("what is written of who pays (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"counted"}, next.bound); diff != "" || binder.Name() != "Next" {
		t.Errorf("bound by the next plugin (-want +got):\n%s", diff)
	}
}

func TestDecodeArgs(t *testing.T) {
	args, err := DecodeArgs(nil)
	if err != nil || args.TopologyPicker() != topology.DevicePlugin || args.TopologySizes() != topology.DefaultSizes() {
		t.Errorf("by default: %+v, %v", args, err)
	}
	args, err = DecodeArgs([]byte(`{"apiVersion":"berth.dev/v1alpha1","kind":"DeviceTopologyArgs","picker":"Scheduler","sizes":{"3":7}}`))
	if err != nil || args.TopologyPicker() != topology.Scheduler || args.TopologySizes() != (topology.Sizes{3: 7}) {
		t.Errorf("got %+v, %v", args, err)
	}
	for raw, want := range map[string]string{
		`{"piker":"Scheduler"}`:           `unknown field "piker"`,
		`{"picker":"me"}`:                 `picker is "me"; it must be "DevicePlugin" or "Scheduler"`,
		`{"kind":"NodePackingArgs"}`:      `kind is "NodePackingArgs"; it must be "DeviceTopologyArgs"`,
		`{"sizes":{"17":1}}`:              "sizes has 17; a size is from 1 to 16",
		`{"sizes":{"2":101}}`:             "sizes[2] is 101; a weight is from 0 to 100",
		`{"sizes":{"2":0}}`:               "sizes weighs nothing",
		`{"apiVersion":"v1"} {"picker":1`: "more than one object",
	} {
		if _, err := DecodeArgs([]byte(raw)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want an error with %q", raw, err, want)
		}
	}
}

var _ Inventory = device.NewInventory()

type payers map[types.UID]string

func (p payers) ChargedQueue(pod types.UID) string { return p[pod] }
