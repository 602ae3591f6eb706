package nodeindex

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// census is an occupancy and what it told.
type census struct {
	*Occupancy
	told []string
}

func newCensus() *census {
	c := &census{Occupancy: NewOccupancy(func(name string) bool { return name == "berth" },
		func(pod *corev1.Pod) corev1.ResourceList { return pod.Spec.Containers[0].Resources.Requests },
		func(node *corev1.Node) bool { return node.Labels["pool"] == "berth" }, IsDevice)}
	c.On(func(o Overdraft) {
		c.told = append(c.told, fmt.Sprintf("%s: %d of %d %s, foreign %q", o.Node, o.Used, o.Allocatable, o.Resource, o.Foreign))
	}, func(i Intrusion) {
		c.told = append(c.told, fmt.Sprintf("%s: %d of %q, first %s", i.Node, i.Pods, i.Scheduler, i.Pod))
	})
	return c
}

func (c *census) expect(t *testing.T, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, c.told); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
	c.told = nil
}

func gpuNode(name string, gpus int64, labels map[string]string) *corev1.Node {
	return &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(name), Labels: labels}, Status: corev1.NodeStatus{Allocatable: corev1.ResourceList{
		"nvidia.com/gpu": *resource.NewQuantity(gpus, resource.DecimalSI), corev1.ResourceCPU: resource.MustParse("64"), corev1.ResourcePods: resource.MustParse("110"),
	}}}
}

func occupantOf(name, scheduler, node string, gpus int64) *corev1.Pod {
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: name, UID: types.UID(name)}, Spec: corev1.PodSpec{
		SchedulerName: scheduler, NodeName: node, Containers: []corev1.Container{{Name: "c", Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{
			"nvidia.com/gpu": *resource.NewQuantity(gpus, resource.DecimalSI), corev1.ResourceCPU: resource.MustParse("1")}}}},
	}}
}

func TestNodesThatGaveOutTooMuch(t *testing.T) {
	c := newCensus()
	c.SetNode(gpuNode("n", 8, nil))
	c.SetPod(occupantOf("a", "berth", "n", 8))
	c.SetPod(occupantOf("a", "berth", "n", 8))
	c.expect(t)
	c.SetPod(occupantOf("b", "other", "n", 1))
	c.SetPod(occupantOf("b", "other", "n", 1))
	c.SetPod(occupantOf("c", "other", "n", 1))
	c.expect(t, `n: 9 of 8 nvidia.com/gpu, foreign "ns/b"`)
	if n := c.Overdrawn(); n != 1 {
		t.Errorf("%d nodes", n)
	}
	// Right again, and wrong again.
	c.DeletePod("b")
	c.DeletePod("c")
	if n := c.Overdrawn(); n != 0 {
		t.Errorf("%d nodes", n)
	}
	c.SetPod(occupantOf("d", "other", "n", 1))
	c.DeletePod("d")
	c.expect(t, `n: 9 of 8 nvidia.com/gpu, foreign "ns/d"`)
	// A device falls ill under a pod.
	c.SetNode(gpuNode("n", 7, nil))
	c.SetNode(gpuNode("n", 7, nil))
	c.expect(t, `n: 8 of 7 nvidia.com/gpu, foreign ""`)
	// The node goes, with the pod on it, and comes again.
	c.DeleteNode("n")
	if n := c.Overdrawn(); n != 0 {
		t.Errorf("%d nodes", n)
	}
	c.SetNode(gpuNode("n", 7, nil))
	c.expect(t, `n: 8 of 7 nvidia.com/gpu, foreign ""`)
	c.Tell()
	c.expect(t, `n: 8 of 7 nvidia.com/gpu, foreign ""`)
	c.DeletePod("a")
	c.DeleteNode("n")
	if len(c.nodes)+len(c.pods) != 0 {
		t.Errorf("left: %v %v", c.nodes, c.pods)
	}
}

func TestForeignPodsOnOwnNodes(t *testing.T) {
	c := newCensus()
	own := map[string]string{"pool": "berth"}
	c.SetPod(occupantOf("b", "other", "n", 2))
	c.SetNode(gpuNode("n", 8, own))
	c.SetPod(occupantOf("a", "other", "n", 2))
	c.SetPod(occupantOf("ours", "berth", "n", 2))
	c.SetPod(occupantOf("elsewhere", "other", "m", 2))
	c.SetNode(gpuNode("m", 8, nil))
	c.expect(t, `n: 1 of "other", first ns/b`)
	c.Tell()
	c.expect(t, `n: 2 of "other", first ns/a`)
	c.DeletePod("a")
	c.DeletePod("b")
	c.SetPod(occupantOf("none", "other", "n", 0))
	c.expect(t)
	c.SetPod(occupantOf("again", "other", "n", 1))
	c.expect(t, `n: 1 of "other", first ns/again`)
	// A node that is made Berth's own.
	c.SetNode(gpuNode("m", 8, own))
	c.expect(t, `m: 1 of "other", first ns/elsewhere`)
}

// What is counted is what a plain count of all pods comes to.
func TestOccupancyAgainstTwin(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 1))
	for range 200 {
		c := newCensus()
		pods, nodes := map[string]*corev1.Pod{}, map[string]*corev1.Node{}
		for range 60 {
			name := fmt.Sprint("p", r.IntN(8))
			switch r.IntN(5) {
			case 0:
				node := gpuNode(fmt.Sprint("n", r.IntN(2)), r.Int64N(10), nil)
				nodes[node.Name] = node
				c.SetNode(node)
			case 1:
				node := fmt.Sprint("n", r.IntN(2))
				delete(nodes, node)
				c.DeleteNode(node)
			case 2:
				delete(pods, name)
				c.DeletePod(types.UID(name))
			default:
				pod := occupantOf(name, []string{"berth", "other"}[r.IntN(2)], fmt.Sprint("n", r.IntN(2)), r.Int64N(5))
				pods[name] = pod
				c.SetPod(pod)
			}
			want := 0
			for _, node := range nodes {
				used := int64(0)
				for _, pod := range pods {
					if pod.Spec.NodeName == node.Name {
						q := pod.Spec.Containers[0].Resources.Requests["nvidia.com/gpu"]
						used += q.Value()
					}
				}
				if q := node.Status.Allocatable["nvidia.com/gpu"]; used > q.Value() {
					want++
				}
			}
			if got := c.Overdrawn(); got != want {
				t.Fatalf("%d nodes have given out too much, want %d", got, want)
			}
		}
	}
}
