package devicetopology

import (
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"testing"
	"time"

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
	"github.com/berth-dev/berth/pkg/state/device"
)

func nodeTopology(t testing.TB, node, matrix string) *v1alpha1.NodeTopology {
	t.Helper()
	machine, err := (&board.Board{File: "../../core/topology/testdata/" + matrix + ".txt", Node: node}).Read()
	if err != nil {
		t.Fatal(err)
	}
	next, _ := report.Next(report.Node{Name: node, Resource: "nvidia.com/gpu"}, nil, report.Findings{Now: time.Unix(1, 0), Machine: machine})
	return next
}

func gpus(n int64) corev1.ResourceList {
	return corev1.ResourceList{"nvidia.com/gpu": *resource.NewQuantity(n, resource.DecimalSI)}
}

func gpuPod(name string, n int64, link string) *corev1.Pod {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: name, UID: types.UID("uid-" + name)},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Resources: corev1.ResourceRequirements{Requests: gpus(n)}}}},
	}
	if link != "" {
		pod.Annotations = map[string]string{dialect.GPULinkAnnotation: link}
	}
	return pod
}

// cluster is a scheduler's plugin, an API server's objects, and kubelets that give out
// devices, without the rest of either.
type cluster struct {
	t      *testing.T
	random *rand.Rand
	picker topology.Picker

	inventory *device.Inventory
	plugin    *DeviceTopology

	// What the API server has.
	nodes      []*corev1.Node
	topologies []*v1alpha1.NodeTopology
	bound      []*corev1.Pod
	// actual are the devices that each pod was given by its kubelet.
	actual map[types.UID][]string
	pods   int
	counts map[string]int
}

func (c *cluster) begin() {
	c.inventory = device.NewInventory()
	c.inventory.Pick(c.picker, topology.DefaultSizes())
	c.plugin = New(c.inventory)
}

// info returns a node as a snapshot has it.
func (c *cluster) info(i int) *framework.NodeInfo {
	info := framework.NewNodeInfo()
	for _, pod := range c.bound {
		if pod.Spec.NodeName == c.nodes[i].Name {
			info.AddPod(pod)
		}
	}
	info.SetNode(c.nodes[i])
	return info
}

// place places a pod as a scheduling cycle does. Some binds fail.
func (c *cluster) place() {
	ctx := c.t.Context()
	c.pods++
	link := []string{"", "", "", "nvlink", "numa"}[c.random.IntN(5)]
	pod := gpuPod(strconv.Itoa(c.pods), int64(1+c.random.IntN(4)), link)
	cycle := framework.NewCycleState()
	if _, status := c.plugin.PreFilter(ctx, cycle, pod, nil); !status.IsSuccess() {
		c.t.Fatal(status)
	}
	best, score := -1, int64(-1)
	for i := range c.nodes {
		info := c.info(i)
		// What NodeResourcesFit says.
		if info.GetRequested().GetScalarResources()["nvidia.com/gpu"]+pod.Spec.Containers[0].Resources.Requests.Name("nvidia.com/gpu", resource.DecimalSI).Value() > 8 {
			continue
		}
		if !c.plugin.Filter(ctx, cycle, pod, info).IsSuccess() {
			continue
		}
		if s, _ := c.plugin.Score(ctx, cycle, pod, info); s > score {
			best, score = i, s
		}
	}
	if best < 0 {
		c.counts["no place"]++
		return
	}
	node := c.nodes[best].Name
	if status := c.plugin.Reserve(ctx, cycle, pod, node); !status.IsSuccess() {
		c.t.Fatalf("node %q passed Filter, and Reserve says: %v", node, status)
	}
	if c.random.IntN(5) == 0 {
		c.plugin.Unreserve(ctx, cycle, pod, node)
		c.counts["failed to bind"]++
		return
	}
	taken := c.inventory.TakenBy(pod.UID)
	if taken == nil {
		c.t.Fatalf("pod %q was given no devices", pod.Name)
	}
	annotations, err := device.Annotations(taken, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	bound := pod.DeepCopy()
	bound.Spec.NodeName = node
	for key, value := range annotations {
		metav1.SetMetaDataAnnotation(&bound.ObjectMeta, key, value)
	}
	c.bound = append(c.bound, bound)
	c.start(bound, taken.Devices["c"])
	c.inventory.SetPod(bound)
	c.counts["placed"]++
}

// start gives a pod its devices, as a kubelet: those that it is told, or any.
func (c *cluster) start(pod *corev1.Pod, told []string) {
	used := map[string]bool{}
	for _, other := range c.bound {
		for _, uuid := range c.actual[other.UID] {
			used[uuid] = true
		}
	}
	if c.picker == topology.Scheduler {
		for _, uuid := range told {
			if used[uuid] {
				c.t.Fatalf("pod %q is to have device %q, which is used", pod.Name, uuid)
			}
		}
		c.actual[pod.UID] = told
		return
	}
	var free []string
	for _, object := range c.topologies {
		if object.Name == pod.Spec.NodeName {
			for _, d := range object.Spec.Devices {
				if !used[d.UUID] {
					free = append(free, d.UUID)
				}
			}
		}
	}
	c.random.Shuffle(len(free), func(i, j int) { free[i], free[j] = free[j], free[i] })
	c.actual[pod.UID] = slices.Sorted(slices.Values(free[:len(told)]))
}

// finish ends a pod.
func (c *cluster) finish() {
	if len(c.bound) == 0 {
		return
	}
	i := c.random.IntN(len(c.bound))
	c.inventory.DeletePod(c.bound[i].UID)
	delete(c.actual, c.bound[i].UID)
	c.bound = slices.Delete(c.bound, i, i+1)
	c.counts["finished"]++
}

// report has the agent of a node report, as it is or as it was with a device ill.
func (c *cluster) report() {
	i := c.random.IntN(len(c.nodes))
	object := c.topologies[i].DeepCopy()
	object.Status.Allocations, object.Status.Unhealthy = nil, nil
	for _, pod := range c.bound {
		if pod.Spec.NodeName == object.Name {
			object.Status.Allocations = append(object.Status.Allocations, v1alpha1.Allocation{Namespace: pod.Namespace, Pod: pod.Name, Container: "c", Devices: c.actual[pod.UID]})
		}
	}
	if c.random.IntN(20) == 0 {
		object.Status.Unhealthy = []v1alpha1.UnhealthyDevice{{UUID: object.Spec.Devices[c.random.IntN(8)].UUID, Reason: v1alpha1.ReasonXid}}
	}
	c.topologies[i] = object
	c.inventory.SetTopology(object)
	c.counts["reported"]++
}

// restart makes the scheduler's knowledge anew from what the API server has, in any
// order. It must be what it was.
func (c *cluster) restart() {
	before, err := json.Marshal(c.inventory.Dump())
	if err != nil {
		c.t.Fatal(err)
	}
	c.begin()
	var lists []func()
	for _, node := range c.nodes {
		lists = append(lists, func() { c.inventory.SetNode(node) })
	}
	for _, object := range c.topologies {
		lists = append(lists, func() { c.inventory.SetTopology(object) })
	}
	for _, pod := range c.bound {
		lists = append(lists, func() { c.inventory.SetPod(pod) })
	}
	c.random.Shuffle(len(lists), func(i, j int) { lists[i], lists[j] = lists[j], lists[i] })
	for _, list := range lists {
		list()
	}
	after, err := json.Marshal(c.inventory.Dump())
	if err != nil {
		c.t.Fatal(err)
	}
	if string(before) != string(after) {
		c.t.Fatalf("before the restart:\n%s\nand after:\n%s", before, after)
	}
	c.counts["restarted"]++
}

// check looks for a device that two pods hold, or that is free and held.
func (c *cluster) check(step int) {
	for _, node := range c.inventory.Dump() {
		owner := map[string]string{}
		for _, h := range node.Held {
			for _, uuid := range h.Devices {
				if owner[uuid] != "" {
					c.t.Fatalf("step %d: device %q is held by pod %q and by pod %q", step, uuid, owner[uuid], h.Pod)
				}
				owner[uuid] = h.Pod
			}
		}
		for _, uuid := range node.Free {
			if owner[uuid] != "" {
				c.t.Fatalf("step %d: device %q is free, and held by pod %q", step, uuid, owner[uuid])
			}
		}
	}
	if c.picker == topology.DevicePlugin {
		return
	}
	// What was intended is what was given: the API alone must say so.
	owner := map[string]string{}
	for _, pod := range c.bound {
		var devices map[string][]string
		if err := json.Unmarshal([]byte(pod.Annotations[dialect.DevicesAnnotation]), &devices); err != nil {
			c.t.Fatal(err)
		}
		if !reflect.DeepEqual(devices["c"], c.actual[pod.UID]) {
			c.t.Fatalf("step %d: pod %q says %v, and has %v", step, pod.Name, devices, c.actual[pod.UID])
		}
		for _, uuid := range devices["c"] {
			if owner[uuid] != "" {
				c.t.Fatalf("step %d: device %q is on pod %q and on pod %q", step, uuid, owner[uuid], pod.Name)
			}
			owner[uuid] = pod.Name
		}
	}
}

// TestNoDeviceIsGivenTwice runs 100,000 random steps of pods that are placed, fail to
// bind and finish, of reports, and of restarts.
func TestNoDeviceIsGivenTwice(t *testing.T) {
	const steps = 50_000 // for each picker
	for _, picker := range []topology.Picker{topology.Scheduler, topology.DevicePlugin} {
		c := &cluster{t: t, random: rand.New(rand.NewPCG(7, uint64(picker))), picker: picker, actual: map[types.UID][]string{}, counts: map[string]int{}}
		c.begin()
		for i, matrix := range []string{"dgx1-v100", "hgx-h100", "a100-pcie-bridged"} {
			name := "node-" + strconv.Itoa(i)
			c.nodes = append(c.nodes, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}, Status: corev1.NodeStatus{Allocatable: gpus(8)}})
			c.topologies = append(c.topologies, nodeTopology(t, name, matrix))
			c.inventory.SetNode(c.nodes[i])
			c.inventory.SetTopology(c.topologies[i])
		}
		for step := range steps {
			switch what := c.random.IntN(100); {
			case what < 45:
				c.place()
			case what < 80:
				c.finish()
			case what < 99:
				c.report()
			default:
				c.restart()
			}
			c.check(step)
		}
		for what, least := range map[string]int{"placed": steps / 5, "failed to bind": steps / 20, "finished": steps / 5, "reported": steps / 10, "restarted": steps / 200, "no place": steps / 100} {
			if c.counts[what] < least {
				t.Errorf("picker %d: %q came %d times of at least %d: the test is too easy", picker, what, c.counts[what], least)
			}
		}
		t.Logf("picker %d: %v", picker, c.counts)
	}
}
