package device

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/kubernetes/pkg/scheduler/framework"

	"github.com/berth-dev/berth/pkg/agent/board"
	"github.com/berth-dev/berth/pkg/agent/report"
	"github.com/berth-dev/berth/pkg/api/v1alpha1"
	"github.com/berth-dev/berth/pkg/core/topology"
	"github.com/berth-dev/berth/pkg/dialect"
)

// nodeTopology is what an agent reports of a machine.
func nodeTopology(t testing.TB, node, matrix string) *v1alpha1.NodeTopology {
	t.Helper()
	machine, err := (&board.Board{File: "../../core/topology/testdata/" + matrix + ".txt", Node: node}).Read()
	if err != nil {
		t.Fatal(err)
	}
	next, _ := report.Next(report.Node{Name: node, Resource: "nvidia.com/gpu"}, nil, report.Findings{Now: time.Unix(1, 0), Machine: machine})
	return next
}

func deviceNode(name string, gpus int64) *corev1.Node {
	return &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}, Status: corev1.NodeStatus{
		Allocatable: corev1.ResourceList{"nvidia.com/gpu": *resource.NewQuantity(gpus, resource.DecimalSI)},
	}}
}

// asking returns a container that asks for devices of a resource.
func asking(name, of string, n int64) corev1.Container {
	return corev1.Container{Name: name, Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceName(of): *resource.NewQuantity(n, resource.DecimalSI)}}}
}

func devicePod(name, node string, containers ...corev1.Container) *corev1.Pod {
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: name, UID: types.UID("uid-" + name)}, Spec: corev1.PodSpec{NodeName: node, Containers: containers}}
}

// rig is an inventory with one DGX-1V.
func rig(t *testing.T, picker topology.Picker) (*Inventory, *v1alpha1.NodeTopology) {
	v := NewInventory()
	v.Pick(picker, topology.DefaultSizes())
	v.SetNode(deviceNode("n", 8))
	object := nodeTopology(t, "n", "dgx1-v100")
	v.SetTopology(object)
	return v, object
}

// held returns the numbers of the devices that each pod holds, and those that are free.
func held(t *testing.T, v *Inventory, object *v1alpha1.NodeTopology) map[string][]int {
	t.Helper()
	numbers := map[string]int{}
	for i, d := range object.Spec.Devices {
		numbers[d.UUID] = i
	}
	list := func(uuids []string) []int {
		out := []int{}
		for _, uuid := range uuids {
			out = append(out, numbers[uuid])
		}
		return out
	}
	out := map[string][]int{}
	for _, node := range v.Dump() {
		out["free"] = list(node.Free)
		for _, h := range node.Held {
			out[strings.TrimPrefix(h.Pod, "ns/")] = list(h.Devices)
		}
	}
	return out
}

// uuids names devices of a machine.
func uuids(object *v1alpha1.NodeTopology, numbers ...int) []string {
	var out []string
	for _, n := range numbers {
		out = append(out, object.Spec.Devices[n].UUID)
	}
	return out
}

func annotated(pod *corev1.Pod, containers map[string][]string) *corev1.Pod {
	text, err := json.Marshal(containers)
	if err != nil {
		panic(err)
	}
	pod.Annotations = map[string]string{dialect.DevicesAnnotation: string(text)}
	return pod
}

func take(t *testing.T, v *Inventory, pod *corev1.Pod) *Taken {
	t.Helper()
	taken, err := v.Take(pod, "n", topology.AnyLink, false)
	if err != nil {
		t.Fatal(err)
	}
	return taken
}

func expect(t *testing.T, v *Inventory, object *v1alpha1.NodeTopology, want map[string][]int) {
	t.Helper()
	if diff := cmp.Diff(want, held(t, v, object)); diff != "" {
		t.Errorf("devices (-want +got):\n%s", diff)
	}
}

func TestTakeAndGive(t *testing.T) {
	v, object := rig(t, topology.Scheduler)
	four := devicePod("four", "", asking("c", "nvidia.com/gpu", 4))
	taken := take(t, v, four)
	want := &Taken{Devices: map[string][]string{"c": uuids(object, 0, 1, 2, 3)}, Quality: 50_000, Ideal: 50_000, Picker: topology.Scheduler}
	if diff := cmp.Diff(want, taken); diff != "" {
		t.Errorf("taken (-want +got):\n%s", diff)
	}
	take(t, v, devicePod("pair", "", asking("c", "nvidia.com/gpu", 2)))
	expect(t, v, object, map[string][]int{"four": {0, 1, 2, 3}, "pair": {4, 7}, "free": {5, 6}})

	// To take again is to take anew.
	take(t, v, four)
	expect(t, v, object, map[string][]int{"four": {0, 1, 2, 3}, "pair": {4, 7}, "free": {5, 6}})
	v.Give(four)
	expect(t, v, object, map[string][]int{"pair": {4, 7}, "free": {0, 1, 2, 3, 5, 6}})
	v.Give(four)
	expect(t, v, object, map[string][]int{"pair": {4, 7}, "free": {0, 1, 2, 3, 5, 6}})

	if _, err := v.Take(devicePod("seven", "", asking("c", "nvidia.com/gpu", 7)), "n", topology.AnyLink, false); err == nil {
		t.Error("7 devices were taken of 6")
	}
	if _, err := v.Take(devicePod("linked", "", asking("c", "nvidia.com/gpu", 5)), "n", topology.NVLink, false); err == nil {
		t.Error("5 devices with NVLinks between all were taken of a machine that has none such")
	}
	expect(t, v, object, map[string][]int{"pair": {4, 7}, "free": {0, 1, 2, 3, 5, 6}})
}

// What is on the pods says the same as what was taken.
func TestBoundPodsSayWhatTheyHold(t *testing.T) {
	v, object := rig(t, topology.Scheduler)
	v.SetPod(annotated(devicePod("a", "n", asking("c", "nvidia.com/gpu", 2)), map[string][]string{"c": uuids(object, 5, 6)}))
	v.SetPod(devicePod("b", "n", asking("c", "nvidia.com/gpu", 4))) // by somebody else
	expect(t, v, object, map[string][]int{"a": {5, 6}, "b": {0, 1, 2, 3}, "free": {4, 7}})

	// Nothing that a user writes gives a pod more than it asks for, or what is not there.
	for name, text := range map[string]string{
		"too many": `{"c":["` + strings.Join(uuids(object, 4, 7), `","`) + `"]}`,
		"unknown":  `{"c":["GPU-none"]}`,
		"twice":    `{"c":["` + object.Spec.Devices[4].UUID + `"],"d":["` + object.Spec.Devices[4].UUID + `","GPU-none"]}`,
		"no JSON":  `devices`,
		"a list":   `["x"]`,
	} {
		pod := devicePod("c", "n", asking("c", "nvidia.com/gpu", 1))
		pod.Annotations = map[string]string{dialect.DevicesAnnotation: text}
		v.SetPod(pod)
		expect(t, v, object, map[string][]int{"a": {5, 6}, "b": {0, 1, 2, 3}, "c": {4}, "free": {7}})
		v.DeletePod(pod.UID)
		if t.Failed() {
			t.Fatalf("with the annotation of case %q", name)
		}
	}
	// What another has is not given twice.
	v.SetPod(annotated(devicePod("d", "n", asking("c", "nvidia.com/gpu", 2)), map[string][]string{"c": uuids(object, 5, 6)}))
	expect(t, v, object, map[string][]int{"a": {5, 6}, "b": {0, 1, 2, 3}, "d": {4, 7}, "free": {}})
}

func TestReportsWin(t *testing.T) {
	var told []Prediction
	v, object := rig(t, topology.DevicePlugin)
	v.OnPrediction(func(p Prediction) { told = append(told, p) })
	pair, four := devicePod("pair", "n", asking("c", "nvidia.com/gpu", 2)), devicePod("four", "n", asking("c", "nvidia.com/gpu", 4))
	take(t, v, pair)
	expect(t, v, object, map[string][]int{"pair": {0, 3}, "free": {1, 2, 4, 5, 6, 7}})
	take(t, v, four)
	expect(t, v, object, map[string][]int{"pair": {0, 3}, "four": {4, 5, 6, 7}, "free": {1, 2}})

	object = object.DeepCopy()
	object.Status.Allocations = []v1alpha1.Allocation{
		{Namespace: "ns", Pod: "pair", Container: "c", Devices: uuids(object, 1, 2)},
		{Namespace: "ns", Pod: "gone", Container: "c", Devices: uuids(object, 0)},
	}
	if change := v.SetTopology(object); change != (Change{Free: true}) {
		t.Errorf("other devices are free, which are as good, and that is said to be %+v", change)
	}
	expect(t, v, object, map[string][]int{"pair": {1, 2}, "four": {4, 5, 6, 7}, "free": {0, 3}})
	if change := v.SetTopology(object); change != (Change{}) {
		t.Errorf("a report that says the same is said to be %+v", change)
	}
	object.Status.Allocations = append(object.Status.Allocations, v1alpha1.Allocation{Namespace: "ns", Pod: "four", Container: "c", Devices: uuids(object, 3, 4, 5, 6)})
	v.SetTopology(object)
	expect(t, v, object, map[string][]int{"pair": {1, 2}, "four": {3, 4, 5, 6}, "free": {0, 7}})
	// The set that the device plugin picked is on PCIe, where the intended was not.
	if diff := cmp.Diff([]Prediction{PredictedEqual, PredictedWorse}, told); diff != "" {
		t.Errorf("predictions (-want +got):\n%s", diff)
	}
	// A pod that the report does not know yet gets what is left.
	v.SetPod(annotated(devicePod("late", "n", asking("c", "nvidia.com/gpu", 1)), map[string][]string{"c": uuids(object, 1)}))
	expect(t, v, object, map[string][]int{"pair": {1, 2}, "four": {3, 4, 5, 6}, "late": {0}, "free": {7}})
}

func TestUnhealthyDevices(t *testing.T) {
	v, object := rig(t, topology.Scheduler)
	take(t, v, devicePod("pair", "n", asking("c", "nvidia.com/gpu", 2)))
	object.Status.Unhealthy = []v1alpha1.UnhealthyDevice{{UUID: object.Spec.Devices[0].UUID, Reason: v1alpha1.ReasonXid}, {UUID: object.Spec.Devices[7].UUID, Reason: v1alpha1.ReasonLost}}
	if change := v.SetTopology(object); change != (Change{Free: true}) {
		t.Errorf("a device fell ill, and that is said to be %+v", change)
	}
	expect(t, v, object, map[string][]int{"pair": {0, 3}, "free": {1, 2, 4, 5, 6}})
	object.Status.Unhealthy = nil
	if change := v.SetTopology(object); change != (Change{Free: true, Helps: true}) {
		t.Errorf("a device got well, and that is said to be %+v", change)
	}
	expect(t, v, object, map[string][]int{"pair": {0, 3}, "free": {1, 2, 4, 5, 6, 7}})
}

// Devices that are shared or divided are no whole devices.
func TestPartsOfDevices(t *testing.T) {
	v, object := rig(t, topology.Scheduler)
	v.SetNode(deviceNode("n", 7))
	object.Spec.Devices[1].Divided = true
	object.Status.Allocations = []v1alpha1.Allocation{{Namespace: "ns", Pod: "shared", Container: "c", Devices: uuids(object, 0)}}
	v.SetTopology(object)
	if taken := take(t, v, devicePod("shared", "n", asking("c", "nvidia.com/gpu.shared", 1))); taken != nil {
		t.Errorf("a share of a device took %+v", taken)
	}
	v.SetPod(devicePod("shared", "n", asking("c", "nvidia.com/gpu.shared", 1)))
	v.SetPod(devicePod("mig", "n", asking("c", "nvidia.com/mig-1g.10gb", 1)))
	v.SetPod(devicePod("none", "n", corev1.Container{Name: "c"}))
	expect(t, v, object, map[string][]int{"shared": {0}, "free": {2, 3, 4, 5, 6, 7}})

	// A node that offers more devices than it has shares them under their own name.
	if v.View("n").Class == 0 {
		t.Fatal("the links are not known to the index")
	}
	v.SetNode(deviceNode("n", 32))
	if view := v.View("n"); view != (View{}) {
		t.Errorf("shared devices are taken for whole ones: %+v", view)
	}
	if taken := take(t, v, devicePod("one", "", asking("c", "nvidia.com/gpu", 1))); taken != nil {
		t.Errorf("one of many shares took %+v", taken)
	}
}

func TestOtherResources(t *testing.T) {
	v := NewInventory()
	v.SetNode(deviceNode("n", 8))
	object := nodeTopology(t, "n", "mi300x")
	object.Spec.Resource = "amd.com/gpu"
	v.SetTopology(object)
	pod := devicePod("two", "", asking("c", "amd.com/gpu", 2))
	if taken := take(t, v, pod); taken == nil || taken.Picker != topology.Scheduler {
		t.Errorf("taken: %+v; the model of NVIDIA's device plugin is for its own devices", taken)
	}
	if taken := take(t, v, devicePod("other", "", asking("c", "nvidia.com/gpu", 2))); taken != nil {
		t.Errorf("devices of another kind were taken: %+v", taken)
	}
	object.Spec.Resource = "example.com/unknown"
	v.SetTopology(object)
	if view := v.View("n"); view.Kind != 0 {
		t.Errorf("a resource that is no device is one: %+v", view)
	}
}

func TestContainers(t *testing.T) {
	always := corev1.ContainerRestartPolicyAlways
	sidecar := func(name string, n int64) corev1.Container {
		c := asking(name, "nvidia.com/gpu", n)
		c.RestartPolicy = &always
		return c
	}
	tests := []struct {
		name        string
		inits, main []corev1.Container
		total       int
		want        map[string][]int
	}{
		{"several", nil, []corev1.Container{asking("a", "nvidia.com/gpu", 1), {Name: "b"}, asking("c", "nvidia.com/gpu", 2)}, 3,
			map[string][]int{"a": {0}, "c": {1, 2}}},
		{"an init container uses what comes after", []corev1.Container{asking("i", "nvidia.com/gpu", 1)}, []corev1.Container{asking("a", "nvidia.com/gpu", 4)}, 4,
			map[string][]int{"i": {0}, "a": {0, 1, 2, 3}}},
		{"an init container asks for more", []corev1.Container{asking("i", "nvidia.com/gpu", 4)}, []corev1.Container{asking("a", "nvidia.com/gpu", 1)}, 4,
			map[string][]int{"i": {0, 1, 2, 3}, "a": {0}}},
		{"a sidecar stays", []corev1.Container{sidecar("s", 1), asking("i", "nvidia.com/gpu", 3)}, []corev1.Container{asking("a", "nvidia.com/gpu", 3)}, 4,
			map[string][]int{"s": {3}, "i": {0, 1, 2}, "a": {0, 1, 2}}},
		{"an init container before the sidecar", []corev1.Container{asking("i", "nvidia.com/gpu", 4), sidecar("s", 1)}, []corev1.Container{asking("a", "nvidia.com/gpu", 2)}, 4,
			map[string][]int{"i": {0, 1, 2, 3}, "s": {1}, "a": {0, 3}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			v, object := rig(t, topology.Scheduler)
			pod := devicePod("p", "", test.main...)
			pod.Spec.InitContainers = test.inits
			if got := v.RequestOf(pod).Total; got != test.total {
				t.Errorf("asks for %d at most, want %d", got, test.total)
			}
			want := map[string][]string{}
			for name, numbers := range test.want {
				want[name] = uuids(object, numbers...)
			}
			if diff := cmp.Diff(want, take(t, v, pod).Devices); diff != "" {
				t.Errorf("devices (-want +got):\n%s", diff)
			}
		})
	}
}

// Objects come in any order, and some never: what is held is the same in the end.
func TestOrderDoesNotMatter(t *testing.T) {
	object := nodeTopology(t, "n", "dgx1-v100")
	object.Status.Allocations = []v1alpha1.Allocation{{Namespace: "ns", Pod: "b", Container: "c", Devices: uuids(object, 2, 3)}}
	steps := []func(v *Inventory){
		func(v *Inventory) { v.SetNode(deviceNode("n", 8)) },
		func(v *Inventory) { v.SetTopology(object) },
		func(v *Inventory) {
			v.SetPod(annotated(devicePod("a", "n", asking("c", "nvidia.com/gpu", 2)), map[string][]string{"c": uuids(object, 1, 2)}))
		},
		func(v *Inventory) { v.SetPod(devicePod("b", "n", asking("c", "nvidia.com/gpu", 2))) },
	}
	want := map[string][]int{"a": {6, 7}, "b": {2, 3}, "free": {0, 1, 4, 5}}
	for first := range steps {
		v := NewInventory()
		for i := range steps {
			steps[(first+i)%len(steps)](v)
		}
		expect(t, v, object, want)
		if differs := v.Differs([]*corev1.Node{deviceNode("n", 8)}, nil, []*v1alpha1.NodeTopology{object}); len(differs) != 1 {
			t.Errorf("without its pods the node is the same: %v", differs)
		}
		v.DeletePod("uid-a")
		v.DeletePod("uid-b")
		v.DeleteNode("n")
		if v.DeleteTopology("n"); len(v.nodes) != 0 || len(v.at) != 0 {
			t.Errorf("something is left: %d nodes, %d pods", len(v.nodes), len(v.at))
		}
	}
}

func TestAnnotations(t *testing.T) {
	taken := &Taken{Devices: map[string][]string{"b": {"GPU-1"}, "a": {"GPU-2", "GPU-3"}}, Quality: 20_600, Ideal: 370_800, Picker: topology.DevicePlugin}
	place := &Place{Level: "rack", Domain: "b1/r2", Rank: 0}
	for _, test := range []struct {
		taken *Taken
		place *Place
		want  map[string]string
	}{
		{nil, nil, map[string]string{}},
		{taken, nil, map[string]string{
			"berth.dev/devices":   `{"a":["GPU-2","GPU-3"],"b":["GPU-1"]}`,
			"berth.dev/placement": `{"devices":{"quality":20.6,"ideal":370.8,"picker":"device-plugin"}}`,
		}},
		{nil, place, map[string]string{"berth.dev/placement": `{"level":"rack","domain":"b1/r2","rank":0}`}},
	} {
		got, err := Annotations(test.taken, test.place)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	}
}

// A NodeTopology from before its definition was strict is read as far as it makes sense.
func TestReadMachineOfNonsense(t *testing.T) {
	minus := int32(-1)
	object := &v1alpha1.NodeTopology{ObjectMeta: metav1.ObjectMeta{Name: "n"}}
	for range 20 {
		object.Spec.Devices = append(object.Spec.Devices, v1alpha1.Device{UUID: "same", NUMANode: &minus, NIC: "near"})
	}
	object.Spec.Links = []v1alpha1.Link{{A: -1, B: 2}, {A: 0, B: 99}, {A: 3, B: 3, NVLinks: 4}, {A: 0, B: 1, NVLinks: -5}, {A: 2, B: 1, NVLinks: 999}, {A: 4, B: 5, Path: "FAR", Switched: true}}
	object.Status.Unhealthy = []v1alpha1.UnhealthyDevice{{UUID: "other"}}
	m := ReadMachine(object)
	want := topology.Matrix{Devices: topology.MaxDevices, Rates: m.Matrix.Rates}
	for d := range topology.MaxDevices {
		want.NUMA[d] = topology.UnknownNUMA
	}
	if m.Matrix != want || m.Healthy != topology.All(topology.MaxDevices) {
		t.Errorf("read as %+v", m.Matrix)
	}
	v := NewInventory()
	v.SetTopology(&v1alpha1.NodeTopology{})
	v.SetTopology(object)
	v.Dump()
}

// A pod that comes back under its name is not taken for the one that was there before,
// which the node still reports.
func TestNamesAreUsedAgain(t *testing.T) {
	v, object := rig(t, topology.Scheduler)
	old := devicePod("web-0", "n", asking("c", "nvidia.com/gpu", 2))
	taken := take(t, v, old)
	v.SetPod(annotated(old.DeepCopy(), taken.Devices))
	take(t, v, devicePod("other", "n", asking("c", "nvidia.com/gpu", 4)))
	report := object.DeepCopy()
	report.Status.Allocations = []v1alpha1.Allocation{{Namespace: "ns", Pod: "web-0", Container: "c", Devices: taken.Devices["c"]}}
	v.SetTopology(report)
	v.DeletePod(old.UID)

	given := map[string]string{}
	for _, name := range []string{"third", "web-0", "fourth"} {
		n := int64(1)
		if name == "web-0" {
			n = 2
		}
		pod := devicePod(name, "n", asking("c", "nvidia.com/gpu", n))
		pod.UID += "-again"
		for _, uuid := range take(t, v, pod).Devices["c"] {
			if given[uuid] != "" {
				t.Errorf("device %q was given to %q and to %q", uuid, given[uuid], name)
			}
			given[uuid] = name
		}
	}
}

// A pod that is bound stays so when the scheduler thinks that the binding failed.
func TestGiveOfABoundPod(t *testing.T) {
	v, object := rig(t, topology.Scheduler)
	pod := devicePod("p", "n", asking("c", "nvidia.com/gpu", 4))
	v.SetPod(annotated(pod.DeepCopy(), take(t, v, pod).Devices))
	v.Give(pod)
	expect(t, v, object, map[string][]int{"p": {0, 1, 2, 3}, "free": {4, 5, 6, 7}})
}

// On trial, a pod may be on devices that others still hold.
func TestTakeOnTrial(t *testing.T) {
	v, object := rig(t, topology.Scheduler)
	take(t, v, devicePod("victim", "n", asking("c", "nvidia.com/gpu", 6)))
	pod := devicePod("p", "n", asking("c", "nvidia.com/gpu", 4))
	if _, err := v.Take(pod, "n", topology.AnyLink, true); err != nil {
		t.Fatal(err)
	}
	expect(t, v, object, map[string][]int{"victim": {0, 2, 3, 4, 6, 7}, "p": {1, 5}, "free": {}})
	// Without the victim, two devices are there, and the other two are spoken for.
	info := framework.NewNodeInfo(pod)
	info.SetNode(deviceNode("n", 8))
	for n, want := range map[int64]Fit{4: Fits, 5: TooFew} {
		request := v.RequestOf(devicePod("q", "", asking("c", "nvidia.com/gpu", n)))
		if _, fit := v.Judge(info, &request, topology.AnyLink); fit != want {
			t.Errorf("for a pod of %d: %v, want %v", n, fit, want)
		}
	}
	v.Give(pod)
	expect(t, v, object, map[string][]int{"victim": {0, 2, 3, 4, 6, 7}, "free": {1, 5}})
}

// Judge and Take agree on pods with several containers.
func TestJudgeAndTakeAgree(t *testing.T) {
	for _, matrix := range []string{"dgx1-v100", "a100-pcie-bridged"} {
		for free := range 1 << 8 {
			v := NewInventory()
			v.SetNode(deviceNode("n", 8))
			object := nodeTopology(t, "n", matrix)
			v.SetTopology(object)
			info := framework.NewNodeInfo()
			for d := range 8 {
				if free>>d&1 == 0 {
					held := annotated(devicePod(fmt.Sprint("held-", d), "n", asking("c", "nvidia.com/gpu", 1)), map[string][]string{"c": uuids(object, d)})
					v.SetPod(held)
					info.AddPod(held)
				}
			}
			info.SetNode(deviceNode("n", 8))
			pod := devicePod("p", "", asking("a", "nvidia.com/gpu", 1), asking("b", "nvidia.com/gpu", 1))
			request := v.RequestOf(pod)
			_, fit := v.Judge(info, &request, topology.NVLink)
			if _, err := v.Take(pod, "n", topology.NVLink, false); (fit == Fits) != (err == nil) {
				t.Fatalf("%s, free %08b: judged %v, and taken: %v", matrix, free, fit, err)
			}
		}
	}
}

// A node that tells of another machine each time does not take the room of all others.
func TestClassesOfANodeAreBounded(t *testing.T) {
	v := NewInventory()
	object := nodeTopology(t, "liar", "dgx1-v100")
	for i := range 3 * mostClassesOfNode {
		object.Spec.Rates = &v1alpha1.Rates{NVLink: int32(1000 + i)}
		v.SetTopology(object)
	}
	if n := len(v.machines) - 1; n != mostClassesOfNode {
		t.Errorf("%d classes are kept, want %d", n, mostClassesOfNode)
	}
	if view := v.View("liar"); view != (View{}) {
		t.Errorf("the node is %+v; its devices should only be counted", view)
	}
	v.SetTopology(nodeTopology(t, "other", "hgx-h100"))
	if v.View("other").Class == 0 {
		t.Error("another node is of no class")
	}
}
