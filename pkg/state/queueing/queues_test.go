package queueing

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/berth-dev/berth/pkg/api/v1alpha1"
	"github.com/berth-dev/berth/pkg/core/admission"
	"github.com/berth-dev/berth/pkg/core/gang"
	"github.com/berth-dev/berth/pkg/core/quota"
	"github.com/berth-dev/berth/pkg/state/gangtable"
	"github.com/berth-dev/berth/pkg/state/statetest"
)

// queuesRig is queues with the pods that a cluster has.
type queuesRig struct {
	*Queues
	table *gangsOfQueues
	pods  map[types.UID]*corev1.Pod
}

// gangsOfQueues are the gangs whose pods come to the queues, at a time that the test sets.
type gangsOfQueues struct {
	*gangtable.Table
	clock *clocktesting.FakePassiveClock
}

func (g *gangsOfQueues) settleAll() { g.Settle() }

// deaf is a Sink of a scheduler that nobody needs to know of.
type deaf struct{}

func (deaf) Publish(gang.Group) {}
func (deaf) Withdraw(gang.Key)  {}
func (deaf) Cleared(gang.Key)   {}
func (deaf) Changed(gang.Key)   {}

func newQueuesRig(t testing.TB) *queuesRig {
	c := clocktesting.NewFakePassiveClock(statetest.Epoch)
	table := &gangsOfQueues{gangtable.New(func(name string) bool { return name == "berth" }, deaf{}, c), c}
	b := &queuesRig{table: table, pods: map[types.UID]*corev1.Pod{}}
	b.Queues = New(b.table.Table, func(pod *corev1.Pod) corev1.ResourceList { return pod.Spec.Containers[0].Resources.Requests }, func() []*corev1.Pod {
		var out []*corev1.Pod
		for _, p := range b.pods {
			out = append(out, p)
		}
		return out
	}, admission.Config{Window: 4, Overtaking: 10, Backlog: 100}, b.table.clock)
	b.Open()
	return b
}

// tell has the bank hear of a pod as the cluster has it.
func (b *queuesRig) tell(pod *corev1.Pod) {
	b.pods[pod.UID] = pod
	b.SetPod(pod)
}

func (b *queuesRig) forget(pod *corev1.Pod) {
	delete(b.pods, pod.UID)
	b.DeletePod(pod)
}

// used returns what a queue uses of GPUs; -1 if nothing is counted.
func (b *queuesRig) used(name string) int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.settled() {
		return -1
	}
	id, ok := b.tree.Queue(name)
	if !ok {
		return -1
	}
	for r, resource := range b.tree.Resources() {
		if resource == statetest.Gpu {
			return int64(b.line.Used().Of(id)[r])
		}
	}
	return -1
}

func queue(name, parent string, guaranteed, limit int64) *v1alpha1.Queue {
	r := v1alpha1.QueueResource{Name: statetest.Gpu}
	if guaranteed > 0 {
		r.Guaranteed = resource.NewQuantity(guaranteed, resource.DecimalSI)
	}
	if limit > 0 {
		r.Limit = resource.NewQuantity(limit, resource.DecimalSI)
	}
	return &v1alpha1.Queue{ObjectMeta: metav1.ObjectMeta{Name: name, Generation: 1}, Spec: v1alpha1.QueueSpec{Parent: parent, Resources: []v1alpha1.QueueResource{r}, NamespaceSelector: &metav1.LabelSelector{}}}
}

func TestQueuesWithoutObjects(t *testing.T) {
	b := newQueuesRig(t)
	b.tell(statetest.GPUPod("running", 8, statetest.InQueue("a"), statetest.OnNode))
	if refusal, ok := b.Reserve(statetest.GPUPod("p", 1<<40, statetest.InQueue("nowhere"))); !ok {
		t.Errorf("there is no queue, and %q refuses", refusal.Text)
	}
	if len(b.charged) > 0 {
		t.Error("something is kept")
	}
	b.SetQueue(queue("a", "", 4, 0))
	if got := b.used("a"); got != 8 {
		t.Errorf("the queue was made after the pod ran: it uses %d, want 8", got)
	}
	b.DeleteQueue("a")
	if got := b.used("a"); got != -1 || len(b.charged) > 0 {
		t.Error("the last queue is gone, and something is kept")
	}
}

func TestWhoPays(t *testing.T) {
	b := newQueuesRig(t)
	for _, q := range []*v1alpha1.Queue{queue("a", "", 0, 0), queue("b", "", 0, 0), queue("of-namespace", "", 0, 0)} {
		b.SetQueue(q)
	}
	elastic := &unstructured.Unstructured{Object: map[string]any{
		"metadata": map[string]any{"namespace": "elastic", "name": "quota"},
		"spec":     map[string]any{"max": map[string]any{statetest.Gpu: int64(4)}},
	}}
	b.SetElasticQuota(elastic)
	b.SetNamespace(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "labelled", Labels: map[string]string{"berth.dev/queue": "of-namespace"}}})
	in := func(namespace string) func(*corev1.Pod) { return func(p *corev1.Pod) { p.Namespace = namespace } }
	for i, c := range []struct {
		with []func(*corev1.Pod)
		want string
	}{
		{[]func(*corev1.Pod){statetest.InQueue("a")}, "a"},
		{[]func(*corev1.Pod){func(p *corev1.Pod) { p.Labels["kueue.x-k8s.io/queue-name"] = "b" }}, "b"},
		{[]func(*corev1.Pod){in("labelled")}, "of-namespace"},
		{[]func(*corev1.Pod){in("labelled"), statetest.InQueue("a")}, "a"},
		{[]func(*corev1.Pod){in("elastic")}, "elastic"},
		{nil, DefaultQueue},
	} {
		pod := statetest.GPUPod(fmt.Sprint("p", i), 1, c.with...)
		if got := b.queueNow(pod); got != c.want {
			t.Errorf("pod %d pays to %q, want %q", i, got, c.want)
		}
	}
	if _, ok := b.Check(statetest.GPUPod("e", 5, in("elastic"))); ok {
		t.Error("5 GPUs passed the max of 4 of the namespace")
	}
	// A queue object of that name takes the name.
	b.SetQueue(queue("elastic", "", 0, 8))
	if refusal, ok := b.Check(statetest.GPUPod("e", 5, in("elastic"))); !ok {
		t.Errorf("the queue object has a limit of 8: %s", refusal.Text)
	}
}

func TestQueueRefuses(t *testing.T) {
	b := newQueuesRig(t)
	b.SetQueue(queue("parent", "", 0, 10))
	b.SetQueue(queue("child", "parent", 0, 0))
	b.SetQueue(queue("orphan", "gone", 0, 0))
	b.tell(statetest.GPUPod("running", 8, statetest.InQueue("child"), statetest.OnNode))
	for _, c := range []struct {
		name, queue string
		gpus        int64
		code        QueueCode
		text        string
	}{
		{"fits", "child", 2, "", ""},
		{"limit of the parent", "child", 3, QueueLimit, `queue "parent" uses 8 of nvidia.com/gpu, and with 3 more it would pass its limit of 10`},
		{"no such queue", "chlid", 1, QueueNotFound, `there is no queue "chlid": make it, or name another with label berth.dev/queue`},
		{"a queue without its parent", "orphan", 1, QueueFault, `there is no queue "gone" to be its parent`},
		{"no queue named", "", 1000, "", ""},
	} {
		refusal, ok := b.Check(statetest.GPUPod("p", c.gpus, statetest.InQueue(c.queue)))
		if ok != (c.code == "") || refusal.Code != c.code || !strings.Contains(refusal.Text, c.text) {
			t.Errorf("%s: ok %t, code %q, text %q; want code %q with %q", c.name, ok, refusal.Code, refusal.Text, c.code, c.text)
		}
	}
}

// Whatever comes in whatever order, each queue uses what its pods with nodes ask for.
func TestQueuesCountEveryPodOnce(t *testing.T) {
	for seed := range uint64(8) {
		random := rand.New(rand.NewPCG(seed, 1))
		b := newQueuesRig(t)
		names := []string{"a", "a1", "a2", "b", "nowhere", ""}
		queues := map[string]*v1alpha1.Queue{}
		assumed := map[types.UID]*corev1.Pod{}
		serial := 0
		for step := range 4000 {
			name := names[random.IntN(len(names))]
			switch pick := random.IntN(10); {
			case pick == 0 && random.IntN(8) == 0 && name != "" && name != "nowhere":
				if queues[name] != nil && random.IntN(3) == 0 {
					delete(queues, name)
					b.DeleteQueue(name)
					break
				}
				parent := ""
				if len(name) == 2 && random.IntN(4) > 0 {
					parent = name[:1]
				}
				q := queue(name, parent, int64(random.IntN(3)), 3+int64(random.IntN(30)))
				q.Generation = int64(step)
				queues[name] = q
				b.SetQueue(q)
			case pick < 4:
				pod := statetest.GPUPod(fmt.Sprint("p", serial), int64(random.IntN(4)), statetest.InQueue(name))
				serial++
				b.tell(pod)
				if _, ok := b.Reserve(pod); ok {
					if random.IntN(4) == 0 {
						b.Unreserve(pod)
						b.Unreserve(pod)
					} else {
						assumed[pod.UID] = pod
					}
				}
			case pick < 6:
				for uid, pod := range assumed {
					bound := pod.DeepCopy()
					bound.Spec.NodeName = "node"
					b.tell(bound)
					if random.IntN(2) == 0 {
						b.Unreserve(bound) // it said that it failed, and had not
					}
					delete(assumed, uid)
					break
				}
			case pick < 7:
				for _, pod := range b.pods {
					changed := pod.DeepCopy()
					if random.IntN(2) == 0 {
						changed.Spec.Containers[0].Resources.Requests[statetest.Gpu] = *resource.NewQuantity(int64(random.IntN(4)), resource.DecimalSI)
					}
					if assumed[pod.UID] == nil {
						b.tell(changed)
					}
					break
				}
			case pick < 9:
				for uid, pod := range b.pods {
					delete(assumed, uid)
					b.forget(pod)
					break
				}
			case assumed != nil:
				for uid, pod := range assumed {
					b.Unreserve(pod)
					delete(assumed, uid)
					break
				}
			}
			b.recount(t, seed, step, queues, assumed)
		}
	}
}

// recount counts anew.
func (b *queuesRig) recount(t *testing.T, seed uint64, step int, queues map[string]*v1alpha1.Queue, assumed map[types.UID]*corev1.Pod) {
	t.Helper()
	want, got := map[string]int64{}, map[string]int64{}
	for name := range queues {
		got[name] = b.used(name)
		want[name] = 0
	}
	for uid, pod := range b.pods {
		if pod.Spec.NodeName == "" && assumed[uid] == nil {
			continue
		}
		gpus := pod.Spec.Containers[0].Resources.Requests[statetest.Gpu]
		for name := pod.Labels["berth.dev/queue"]; queues[name] != nil; name = queues[name].Spec.Parent {
			want[name] += gpus.Value()
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("seed %d, step %d (-want +got):\n%s", seed, step, diff)
	}
}

func TestAmountsOfQueues(t *testing.T) {
	for _, c := range []struct {
		name corev1.ResourceName
		text string
		want quota.Amount
		back string
	}{
		{"cpu", "1500m", 1500, "1500m"},
		{"cpu", "1e18", quota.Most, ""},
		{"memory", "1Gi", 1 << 30, "1Gi"},
		{statetest.Gpu, "8", 8, "8"},
		{statetest.Gpu, "100m", 1, "1"},
		{statetest.Gpu, "1e30", quota.Most, ""},
	} {
		got := AmountOf(c.name, resource.MustParse(c.text))
		if got != c.want {
			t.Errorf("%s of %s is %d, want %d", c.text, c.name, got, c.want)
		}
		if c.back != "" {
			if q := QuantityOf(c.name, got); q.String() != c.back {
				t.Errorf("%s of %s comes back as %s, want %s", c.text, c.name, q.String(), c.back)
			}
		}
	}
}

func TestQueueReport(t *testing.T) {
	b := newQueuesRig(t)
	b.SetNode(&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n"}, Status: corev1.NodeStatus{Allocatable: corev1.ResourceList{statetest.Gpu: resource.MustParse("10")}}})
	b.SetQueue(queue("parent", "", 4, 8))
	b.SetQueue(queue("child", "parent", 1, 0))
	b.SetQueue(queue("other", "", 2, 0))
	b.tell(statetest.GPUPod("running", 3, statetest.InQueue("child"), statetest.OnNode))
	// 6 more of the child, which no limit lets pass, and 9 of the other.
	for _, p := range []*corev1.Pod{statetest.GPUPod("much", 6, statetest.InQueue("child")), statetest.GPUPod("more", 9, statetest.InQueue("other"))} {
		b.tell(p)
		if b.Enter(p) {
			t.Errorf("%s enters before it is admitted", p.Name)
		}
	}
	if let := b.Admit(); len(let) != 1 || let[0].Name != "more" {
		t.Errorf("admitted are %v, want the one that no limit holds", let)
	}
	got := b.Report()
	for i := range got {
		if got[i].Head != nil {
			got[i].Head.Arrived = statetest.Epoch
		}
	}
	want := []QueueReport{
		{
			Name: "child", Parent: "parent", Depth: 1, Generation: 1, Pending: 1, Running: 1,
			Resources: []QueueAmounts{{Resource: statetest.Gpu, Used: 3, Guaranteed: 1, Limit: quota.Unlimited, Share: 7, Asked: 6}},
			Head: &QueueHead{Gang: "ns/much (pod)", Position: 1, Code: "QueueAtLimit", Arrived: statetest.Epoch,
				Text: `queue "parent" uses 3 of nvidia.com/gpu, and with 6 more it would pass its limit of 8`},
		},
		{
			Name: "other", Generation: 1, Pending: 1,
			Resources: []QueueAmounts{{Resource: statetest.Gpu, Guaranteed: 2, Limit: quota.Unlimited, Share: 3, Asked: 9}},
			Head:      &QueueHead{Gang: "ns/more (pod)", Code: "Admitted", Text: "the gang is being placed", Arrived: statetest.Epoch},
		},
		{Name: "parent", Generation: 1, Resources: []QueueAmounts{{Resource: statetest.Gpu, Used: 3, Guaranteed: 4, Limit: 8, Share: 7, Asked: 6}}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
