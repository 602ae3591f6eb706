package engine

import (
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/berth-dev/berth/pkg/api/v1alpha1"
)

// testQueue is a queue as a test says it: of GPUs, and of thousandths of a core. A limit of 0 is
// none.
type testQueue struct {
	name, parent      string
	guaranteed, limit int64
	cpuLimit          int64
	memoryLimit       int64
	weight            int64
	preemption        v1alpha1.QueuePreemption
	spares            []v1alpha1.QueueSpares
	// others says that it is open to another namespace alone, and not to all.
	others bool
}

// object returns the queue that an API server would have, at a generation.
func (r testQueue) object(generation int64) *v1alpha1.Queue {
	out := &v1alpha1.Queue{ObjectMeta: metav1.ObjectMeta{Name: r.name, Generation: generation, CreationTimestamp: metav1.Unix(1, 0)}}
	out.Spec.Parent, out.Spec.Preemption, out.Spec.NamespaceSelector = r.parent, r.preemption, &metav1.LabelSelector{}
	if r.others {
		out.Spec.Namespaces, out.Spec.NamespaceSelector = []string{"others"}, nil
	}
	gpus := v1alpha1.QueueResource{Name: gpuName, Guaranteed: resource.NewQuantity(r.guaranteed, resource.DecimalSI), Weight: &r.weight}
	if r.limit > 0 {
		gpus.Limit = resource.NewQuantity(r.limit, resource.DecimalSI)
	}
	out.Spec.Resources, out.Spec.Spares = []v1alpha1.QueueResource{gpus}, r.spares
	if r.cpuLimit > 0 {
		out.Spec.Resources = append(out.Spec.Resources, v1alpha1.QueueResource{Name: "cpu", Limit: resource.NewMilliQuantity(r.cpuLimit, resource.DecimalSI)})
	}
	if r.memoryLimit > 0 {
		out.Spec.Resources = append(out.Spec.Resources, v1alpha1.QueueResource{Name: "memory", Limit: resource.NewQuantity(r.memoryLimit, resource.BinarySI)})
	}
	return out
}

// amounts are GPUs and thousandths of a core.
type amounts struct{ GPUs, CPU int64 }

// usesOf counts what a pod of one container takes: the most of what it asks for, what it was
// given and what it has, but not what it asks for in vain.
func usesOf(pod *corev1.Pod) amounts {
	in := func(list corev1.ResourceList) amounts {
		gpus, cpu := list[gpuName], list[corev1.ResourceCPU]
		return amounts{gpus.Value(), cpu.MilliValue()}
	}
	out := amounts{}
	take := func(a amounts) { out = amounts{max(out.GPUs, a.GPUs), max(out.CPU, a.CPU)} }
	vain := false
	for _, c := range pod.Status.Conditions {
		vain = vain || c.Type == corev1.PodResizePending && c.Reason == corev1.PodReasonInfeasible
	}
	if !vain {
		take(in(pod.Spec.Containers[0].Resources.Requests))
	}
	for _, c := range pod.Status.ContainerStatuses {
		take(in(c.AllocatedResources))
		if c.Resources != nil {
			take(in(c.Resources.Requests))
		}
	}
	return out
}

// pathOf returns the queues that pay for a pod, from its own up.
func (h *testCluster) pathOf(pod *corev1.Pod) []string {
	var out []string
	for q := h.fakeAPI.queues[pod.Labels["berth.dev/queue"]]; q != nil; q = h.fakeAPI.queues[q.Spec.Parent] {
		out = append(out, q.Name)
	}
	return out
}

// recount counts what each queue uses, from pods alone.
func (h *testCluster) recount(pods map[types.UID]*corev1.Pod) map[string]amounts {
	out := map[string]amounts{}
	for name := range h.fakeAPI.queues {
		out[name] = amounts{}
	}
	for _, pod := range pods {
		uses := usesOf(pod)
		for _, q := range h.pathOf(pod) {
			out[q] = amounts{out[q].GPUs + uses.GPUs, out[q].CPU + uses.CPU}
		}
	}
	return out
}

// charged are the pods that somebody pays for: those with a node, and those reserved.
func (h *testCluster) charged() map[types.UID]*corev1.Pod {
	out := map[types.UID]*corev1.Pod{}
	h.observerPlugin.mu.Lock()
	defer h.observerPlugin.mu.Unlock()
	for uid, pod := range h.observerPlugin.reserved {
		out[uid] = pod
		if told := h.told[uid]; told != nil {
			out[uid] = told
		}
	}
	for uid, pod := range h.told {
		if pod.Spec.NodeName != "" {
			out[uid] = pod
		}
	}
	return out
}

// ledgerDiff returns how what queues say that they use differs from what their pods take, at every
// level; "" if it does not.
func (h *testCluster) ledgerDiff() string {
	if h.unchecked {
		return ""
	}
	h.counts["ledgers"]++
	got := map[string]amounts{}
	for _, r := range h.engine.queues.Report() {
		a := amounts{}
		for _, of := range r.Resources {
			switch of.Resource {
			case gpuName:
				a.GPUs = int64(of.Used)
			case "cpu":
				a.CPU = int64(of.Used)
			}
		}
		got[r.Name] = a
	}
	want := h.recount(h.charged())
	if !h.counted("cpu") {
		for name, a := range want {
			want[name] = amounts{GPUs: a.GPUs}
		}
	}
	if maps.Equal(want, got) {
		return ""
	}
	return cmp.Diff(want, got)
}

// counted reports whether any queue says something of a resource.
func (h *testCluster) counted(name string) bool {
	for _, q := range h.fakeAPI.queues {
		for _, r := range q.Spec.Resources {
			if r.Name == name {
				return true
			}
		}
	}
	return false
}

// withinLimits fails the test if a pod was charged beyond a limit.
func (h *testCluster) withinLimits(pod *corev1.Pod) {
	if h.unchecked {
		return
	}
	h.t.Helper()
	used, uses := h.recount(h.charged()), usesOf(pod)
	for _, q := range h.pathOf(pod) {
		for _, r := range h.fakeAPI.queues[q].Spec.Resources {
			if r.Limit == nil {
				continue
			}
			have, asked, limit := used[q].GPUs, uses.GPUs, r.Limit.Value()
			if r.Name == "cpu" {
				have, asked, limit = used[q].CPU, uses.CPU, r.Limit.MilliValue()
			}
			if asked > 0 && have > limit {
				h.t.Errorf("pod %q of queue %q was charged, and it has %d of %s then, where the limit is %d", pod.Name, q, have, r.Name, limit)
			}
		}
	}
}

// workload is a gang, or a plain pod, and who makes its pods.
type testJob struct {
	name, queue string
	// size is the least of its pods that run together; 0 for plain pods. pods is how many
	// there are.
	size, pods int
	gpus       int64
	rack       bool
	priority   int32
	// graces are the grace periods of its pods, in turn, if they differ from grace.
	grace  int64
	graces []int64
	// uids are its pods, by number.
	uids []types.UID
}

// submit makes the pods of a workload.
func (h *testCluster) submit(c testJob) *testJob {
	h.t.Helper()
	out := &c
	if out.pods == 0 {
		out.pods = max(1, out.size)
	}
	for i := range out.pods {
		out.uids = append(out.uids, h.create(out.podOf(i)).UID)
	}
	return out
}

// makeAgain makes the pods of a workload again that are gone, under their names, and returns how
// many. Each is edited before, unless edit is nil.
func (h *testCluster) makeAgain(c *testJob, edit func(pod *corev1.Pod)) (made int) {
	for i, uid := range c.uids {
		h.mu.Lock()
		gone := h.pods[uid] == nil
		h.mu.Unlock()
		if !gone {
			continue
		}
		pod := c.podOf(i)
		if edit != nil {
			edit(pod)
		}
		c.uids[i] = h.create(pod).UID
		made++
	}
	return made
}

// boundNodes returns the nodes of the pods of a workload that have one and stay.
func (h *testCluster) boundNodes(c *testJob) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []string
	for _, uid := range c.uids {
		if pod := h.pods[uid]; pod != nil && pod.Spec.NodeName != "" && pod.DeletionTimestamp == nil {
			out = append(out, pod.Spec.NodeName)
		}
	}
	return out
}

// A gang is placed, its queue pays; it ends, and nobody pays.
func TestChargeEndsWithTheGang(t *testing.T) {
	h := newTestCluster(t, rackNodes(4, 2), testQueue{name: "all", limit: 24}, testQueue{name: "a", parent: "all"}, testQueue{name: "b", parent: "all"})
	one := h.submit(testJob{name: "one", queue: "a", size: 2, gpus: 8, rack: true})
	two := h.submit(testJob{name: "two", queue: "b", size: 2, gpus: 8})
	h.settle()
	if got := len(h.boundNodes(one)); got != 2 {
		t.Fatalf("%d pods of one are placed", got)
	}
	if got := len(h.boundNodes(two)); got != 0 {
		t.Fatalf("%d pods of two are placed beyond a limit", got)
	}
	h.end(one.uids...)
	h.settle()
	if got := len(h.boundNodes(two)); got != 2 {
		t.Fatalf("%d pods of two are placed", got)
	}
	h.depose()
	h.lead()
	h.end(two.uids...)
	h.settle()
	t.Log(h.counts)
}
