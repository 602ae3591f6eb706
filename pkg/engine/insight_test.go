package engine

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	corelisters "k8s.io/client-go/listers/core/v1"

	"github.com/berth-dev/berth/pkg/api/v1alpha1"
	"github.com/berth-dev/berth/pkg/engine/why"
	"github.com/berth-dev/berth/pkg/insight"
	"github.com/berth-dev/berth/pkg/state/workload"
)

var update = flag.Bool("update", false, "rewrite the expected output under testdata")

// asks is a source on the scheduler of a test cluster.
func (h *testCluster) asks() *why.Source {
	e := h.engine
	nodes := corelisters.NewNodeLister(h.nodeFeed.GetIndexer())
	return why.New(why.Parts{
		Clock: h.clock, Gangs: e.gangs, Queues: e.queues, Fast: e.fast, Journal: &insight.Journal{},
		Pods: corelisters.NewPodLister(h.podFeed.GetIndexer()), Nodes: nodes, Topologies: func() []*v1alpha1.NodeTopology { return nil }, Requests: workload.Requests,
		Ours: e.explainer.Ours, Holds: e.holding, Leads: func() bool { return true },
	})
}

// tells renders what is said of one, as berthctl would and a little more.
func tells(w *insight.Why) string {
	var out strings.Builder
	fmt.Fprintf(&out, "%s %s/%s: %s", w.State, w.Namespace, w.Name, w.Reason)
	if w.Constraint != "" {
		fmt.Fprintf(&out, " (%s)", w.Constraint)
	}
	fmt.Fprintf(&out, ", %d of %d needed are bound, %d wait\n", w.Pods.Bound, w.Pods.Needed, w.Pods.Waiting)
	if l := w.Line; l != nil {
		fmt.Fprintf(&out, "  line: %d of %d in queue %s", l.Position, l.Waiting, strings.Join(l.Path, " > "))
		for _, a := range l.Ahead {
			fmt.Fprintf(&out, ", after %s", a.Name)
		}
		out.WriteString("\n")
	}
	for _, b := range w.Blockers {
		hopeless := ""
		if b.Hopeless {
			hopeless = ", hopeless"
		}
		fmt.Fprintf(&out, "  %s (%s%s): %s\n", b.Reason, b.Constraint, hopeless, b.Sentence)
		for _, l := range b.Levels {
			fmt.Fprintf(&out, "    at %q: %d of %d in %q, short of %s %d\n", l.Level, l.Fit, l.Needed, l.Closest, l.Short, l.Amount)
		}
		for _, u := range b.Unblocks {
			fmt.Fprintf(&out, "    %s: %s\n", u.Kind, u.Sentence)
		}
	}
	for _, remark := range w.Remarks {
		fmt.Fprintf(&out, "  remark: %s\n", remark)
	}
	return out.String()
}

// TestWhy has a gang or pod wait for each reason that there is, in the whole scheduler, and
// compares what is said of it with testdata/why.txt.
func TestWhy(t *testing.T) {
	forTime := func(h *testCluster, c *testJob, seconds int64) {
		for _, uid := range c.uids {
			h.edit(uid, func(p *corev1.Pod) {
				start := metav1.NewTime(h.clock.Now())
				p.Status.StartTime, p.Spec.ActiveDeadlineSeconds = &start, &seconds
			})
		}
	}
	full := func(h *testCluster, queue string) {
		for i := range 4 {
			c := h.submit(testJob{name: fmt.Sprint("run", i), queue: queue, size: 1, gpus: 8})
			h.settle()
			if i == 2 {
				forTime(h, c, 3600)
			}
		}
		h.settle()
	}
	taint := func(h *testCluster, node int, cordon bool) {
		n := h.nodes[node].DeepCopy()
		if n.Spec.Unschedulable = cordon; !cordon {
			n.Spec.Taints = []corev1.Taint{{Key: "dedicated", Value: "ml", Effect: corev1.TaintEffectNoSchedule}}
		}
		h.nodes[node] = n
		h.nodeFeed.set(n)
	}
	edited := func(h *testCluster, c testJob, change func(*corev1.Pod)) {
		for i := range max(1, c.size) {
			pod := c.podOf(i)
			change(pod)
			h.create(pod)
		}
	}
	var got strings.Builder
	for _, c := range []struct {
		name, ask string
		hold      func(h *testCluster)
	}{
		{"all nodes are taken", "late", func(h *testCluster) {
			full(h, "wide")
			h.submit(testJob{name: "late", queue: "wide", size: 1, gpus: 8})
		}},
		{"each rack has a node", "late", func(h *testCluster) {
			first := h.submit(testJob{name: "a", queue: "wide", gpus: 8})
			h.settle()
			h.submit(testJob{name: "b", queue: "wide", size: 2, gpus: 8})
			h.settle()
			h.end(first.uids...)
			h.settle()
			h.submit(testJob{name: "late", queue: "wide", size: 2, gpus: 8, rack: true})
		}},
		{"a rack that comes closest, and is not the first", "late", func(h *testCluster) {
			edited(h, testJob{name: "fill", queue: "wide", gpus: 8}, func(p *corev1.Pod) {
				p.Spec.NodeSelector = map[string]string{corev1.LabelHostname: "n0000"}
			})
			h.settle()
			edited(h, testJob{name: "late", queue: "wide", size: 3, gpus: 8, rack: true}, func(p *corev1.Pod) {
				seconds := int64(300) // as the API server has it in each pod
				p.Spec.Tolerations = []corev1.Toleration{{Key: corev1.TaintNodeNotReady, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute, TolerationSeconds: &seconds}}
			})
		}},
		{"GPUs in pieces", "late", func(h *testCluster) {
			for i := range 4 {
				h.submit(testJob{name: fmt.Sprint("s", i), queue: "wide", gpus: 5})
			}
			h.settle()
			h.submit(testJob{name: "late", queue: "wide", size: 1, gpus: 8})
		}},
		{"a taint and a cordon", "late", func(h *testCluster) {
			taint(h, 1, false)
			taint(h, 3, true)
			h.submit(testJob{name: "late", queue: "wide", size: 4, gpus: 8})
		}},
		{"CPU beside the GPUs", "late", func(h *testCluster) {
			edited(h, testJob{name: "other", queue: "wide", size: 1}, func(p *corev1.Pod) {
				p.Spec.Containers[0].Resources.Requests[corev1.ResourceCPU] = resource.MustParse("30")
			})
			h.settle()
			edited(h, testJob{name: "late", queue: "wide", size: 4, gpus: 4}, func(p *corev1.Pod) {
				p.Spec.Containers[0].Resources.Requests[corev1.ResourceCPU] = resource.MustParse("40")
			})
		}},
		{"memory that no node has", "late", func(h *testCluster) {
			edited(h, testJob{name: "late", queue: "wide", size: 1, gpus: 1}, func(p *corev1.Pod) {
				p.Spec.Containers[0].Resources.Requests[corev1.ResourceMemory] = resource.MustParse("600Gi")
			})
		}},
		{"more GPUs than a node has", "late-0", func(h *testCluster) { h.submit(testJob{name: "late", queue: "wide", gpus: 9}) }},
		{"more pods than a rack has nodes", "late", func(h *testCluster) {
			h.submit(testJob{name: "late", queue: "wide", size: 3, gpus: 8, rack: true})
		}},
		{"a level that no node has", "late", func(h *testCluster) {
			edited(h, testJob{name: "late", queue: "wide", size: 2, gpus: 8}, func(p *corev1.Pod) {
				p.Annotations["berth.dev/required-topology"] = "example.com/row"
			})
		}},
		{"links that no machine is known to have", "late", func(h *testCluster) {
			edited(h, testJob{name: "late", queue: "wide", size: 1, gpus: 2}, func(p *corev1.Pod) { p.Annotations["berth.dev/gpu-link"] = "nvlink" })
		}},
		{"a node selector", "late", func(h *testCluster) {
			edited(h, testJob{name: "late", queue: "wide", size: 1, gpus: 2}, func(p *corev1.Pod) { p.Spec.NodeSelector = map[string]string{"zone": "z"} })
		}},
		{"the limit of its queue", "late", func(h *testCluster) {
			forTime(h, h.submit(testJob{name: "first", queue: "q", size: 1, gpus: 8}), 1800)
			h.settle()
			h.submit(testJob{name: "late", queue: "q", size: 1, gpus: 4})
		}},
		{"the limit of its queue, and no room", "late", func(h *testCluster) {
			h.submit(testJob{name: "first", queue: "q", size: 1, gpus: 8})
			h.submit(testJob{name: "others", queue: "wide", size: 3, gpus: 8})
			h.settle()
			h.submit(testJob{name: "late", queue: "q", size: 1, gpus: 4})
		}},
		{"a limit that is too low", "late", func(h *testCluster) { h.submit(testJob{name: "late", queue: "q", size: 2, gpus: 8}) }},
		{"others of its queue", "late", func(h *testCluster) {
			for i := range 40 {
				h.submit(testJob{name: fmt.Sprintf("other%02d", i), queue: "wide", size: 1, gpus: 1})
			}
			h.clock.Step(time.Second)
			h.submit(testJob{name: "late", queue: "wide", size: 1, gpus: 1})
			h.tell()
			h.admit()
		}},
		{"others, of another queue", "late", func(h *testCluster) {
			for i := range 40 {
				h.submit(testJob{name: fmt.Sprintf("other%02d", i), queue: "wide", size: 1, gpus: 1})
			}
			h.tell()
			h.admit()
			h.submit(testJob{name: "late", queue: "lend", size: 1, gpus: 1})
			h.tell()
			h.admit()
		}},
		{"a queue that is not there", "late", func(h *testCluster) { h.submit(testJob{name: "late", queue: "none", size: 1, gpus: 1}) }},
		{"a queue that is not open to it", "late", func(h *testCluster) { h.submit(testJob{name: "late", queue: "theirs", size: 1, gpus: 1}) }},
		{"pods that are missing", "late", func(h *testCluster) { h.submit(testJob{name: "late", queue: "wide", size: 2, pods: 1, gpus: 1}) }},
		{"no size", "late", func(h *testCluster) {
			edited(h, testJob{name: "late", size: 1}, func(p *corev1.Pod) { delete(p.Annotations, "berth.dev/gang-size") })
		}},
		{"a scheduling gate", "late", func(h *testCluster) {
			edited(h, testJob{name: "late", size: 2}, func(p *corev1.Pod) {
				if p.Name == "late-1" {
					p.Spec.SchedulingGates = []corev1.PodSchedulingGate{{Name: "example.com/hold"}}
				}
			})
		}},
		{"others leave for it", "late", func(h *testCluster) {
			for i := range 4 {
				h.submit(testJob{name: fmt.Sprint("run", i), queue: "lend", size: 1, gpus: 8, grace: 30})
			}
			h.settle()
			for _, pod := range h.byName() {
				h.stuck[pod.Name] = true
			}
			h.submit(testJob{name: "late", queue: "own", size: 1, gpus: 8})
		}},
		{"a disruption budget", "late", func(h *testCluster) {
			for i := range 4 {
				name := fmt.Sprint("run", i)
				h.submit(testJob{name: name, queue: "lend", size: 1, gpus: 8})
				one := intstr.FromInt32(1)
				pdb := &policyv1.PodDisruptionBudget{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: name, Generation: 1}, Spec: policyv1.PodDisruptionBudgetSpec{
					MinAvailable: &one, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"workload": name}},
				}, Status: policyv1.PodDisruptionBudgetStatus{ObservedGeneration: 1, ExpectedPods: 1, CurrentHealthy: 1, DesiredHealthy: 1}}
				h.budgets[name] = pdb
				h.reclaimer.SetBudget(pdb)
			}
			h.settle()
			h.submit(testJob{name: "late", queue: "own", size: 1, gpus: 8})
		}},
		{"room that is kept for another", "late", func(h *testCluster) {
			for i := range 4 {
				h.submit(testJob{name: fmt.Sprint("run", i), queue: "lend", size: 1, gpus: 8, grace: 30})
			}
			h.settle()
			for _, pod := range h.byName() {
				h.stuck[pod.Name] = true
			}
			h.submit(testJob{name: "entitled", queue: "own", size: 2, gpus: 8})
			h.settle()
			for _, pod := range h.byName() {
				if pod.DeletionTimestamp != nil {
					h.end(pod.UID)
					break
				}
			}
			h.submit(testJob{name: "late", queue: "lend", size: 1, gpus: 8})
		}},
		{"it is placed", "run0", func(h *testCluster) { full(h, "wide") }},
		{"nobody of the name", "nobody", func(*testCluster) {}},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newTestCluster(t, rackNodes(4, 2), testQueue{name: "q", limit: 8}, testQueue{name: "wide"}, testQueue{name: "theirs", others: true},
				testQueue{name: "own", guaranteed: 16, preemption: v1alpha1.QueuePreemption{Reclaim: v1alpha1.PreemptAny}}, testQueue{name: "lend"})
			c.hold(h)
			if !strings.HasPrefix(c.name, "others") || c.name == "others leave for it" { // they are admitted, and not tried yet
				h.settle()
				h.pass(3, time.Second)
			}
			fmt.Fprintf(&got, "# %s\n", c.name)
			answer, err := h.asks().Why(context.Background(), "ns", c.ask)
			switch {
			case err != nil && !errors.Is(err, insight.ErrNotFound):
				t.Error(err)
			case err != nil:
				fmt.Fprintln(&got, err)
			default:
				got.WriteString(tells(answer))
				if answer.State == insight.Pending && (answer.Reason == "" || answer.Sentence == "" || answer.Constraint == "") {
					t.Errorf("it waits in silence: %s", tells(answer))
				}
			}
			got.WriteString("\n")
		})
	}
	file := filepath.Join("testdata", "why.txt")
	if *update {
		if err := os.WriteFile(file, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

// TestAnswersWhileRenewed asks again and again why a gang waits for which there is room by now:
// answers rest on what was known a moment ago, and nobody waits until the next is made.
func TestAnswersWhileRenewed(t *testing.T) {
	h := newTestCluster(t, rackNodes(4, 2))
	first := h.submit(testJob{name: "first", gpus: 8})
	h.submit(testJob{name: "others", size: 3, gpus: 8})
	h.settle()
	h.submit(testJob{name: "late", size: 1, gpus: 8})
	h.settle()
	s := h.asks()
	full := func() bool {
		t.Helper()
		answer, err := s.Why(context.Background(), "ns", "late")
		if err != nil {
			t.Fatal(err)
		}
		return slices.ContainsFunc(answer.Blockers, func(b insight.Blocker) bool { return len(b.Levels) > 0 })
	}
	if !full() {
		t.Fatal("there is room on nodes that are full")
	}
	h.end(first.uids...)
	h.tell()
	for _, age := range []time.Duration{time.Second, 1500 * time.Millisecond} {
		h.clock.Step(age)
		if !full() {
			t.Fatalf("%s later, what runs where was looked at while somebody waited", age)
		}
	}
	for deadline := time.Now().Add(30 * time.Second); full(); runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatal("what runs where was not looked at again")
		}
	}
	for _, n := range h.nodes {
		h.nodeFeed.remove(n)
	}
	h.clock.Step(time.Minute)
	if !full() {
		t.Error("an answer rests on what was a minute ago")
	}
}

// TestLists has gangs, queues and racks listed as they are.
func TestLists(t *testing.T) {
	h := newTestCluster(t, rackNodes(4, 2), testQueue{name: "org", guaranteed: 8, limit: 24}, testQueue{name: "team", parent: "org", limit: 16}, testQueue{name: "else"})
	h.submit(testJob{name: "runs", queue: "team", size: 2, gpus: 8})
	h.settle()
	h.submit(testJob{name: "waits", queue: "team", size: 1, gpus: 4})
	h.submit(testJob{name: "alone", queue: "else", gpus: 3})
	n := h.nodes[3].DeepCopy()
	n.Spec.Unschedulable = true
	h.nodeFeed.set(n)
	h.settle()
	h.pass(2, time.Second)
	var got strings.Builder
	s, ctx := h.asks(), context.Background()
	gangs, err := s.Gangs(ctx, insight.GangQuery{})
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range gangs.Gangs {
		fmt.Fprintf(&got, "%s %s pod %v, queue %s, %d/%d, %s\n", g.State, g.Name, g.Pod, g.Queue, g.Pods.Bound, g.Pods.Needed, g.Reason)
	}
	few, err := s.Gangs(ctx, insight.GangQuery{Queue: "team", Limit: 1})
	if err != nil || len(few.Gangs) != 1 || few.LeftOut != 1 {
		t.Errorf("one of a queue is %+v, %v", few, err)
	}
	if none, err := s.Gangs(ctx, insight.GangQuery{Queue: "org"}); err != nil || len(none.Gangs) != 0 {
		t.Errorf("those of a queue that has none are %+v, %v", none, err)
	}
	if _, err := s.Gangs(ctx, insight.GangQuery{Queue: "taem"}); !errors.Is(err, insight.ErrNotFound) || !strings.Contains(err.Error(), "there are else, org, team") {
		t.Errorf("those of a queue that is not there: %v", err)
	}
	queues, err := s.Queues(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range queues.Queues {
		r, limit := q.Resources[0], int64(-1)
		if r.Limit != nil {
			limit = *r.Limit
		}
		fmt.Fprintf(&got, "%s%s in %q: %d of %d, guaranteed %d, borrowed %d, asked %d, %d run, %d wait", strings.Repeat("  ", q.Depth), q.Name, q.Parent, r.Used, limit, r.Guaranteed, r.Borrowed, r.Asked, q.Running, q.Pending)
		if q.Next != nil {
			fmt.Fprintf(&got, ", next %s %s", q.Next.Gang, q.Next.Reason)
		}
		got.WriteString("\n")
	}
	for _, level := range []string{"", "topology.kubernetes.io/block"} {
		top, err := s.Top(ctx, level, level == "")
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&got, "%s of %v\n", top.Level, top.Levels)
		for _, d := range top.Domains {
			fmt.Fprintf(&got, "  %s: %d nodes, %d closed, %d of %d free, %d idle, %v\n", d.Name, d.Nodes, d.Closed, d.Free, d.Devices, d.Idle, d.PerNode)
		}
	}
	want := `Pending waits pod false, queue team, 0/1, QueueAtLimit
Placed alone-0 pod true, queue else, 1/1, 
Placed runs pod false, queue team, 2/2, 
else in "": 3 of -1, guaranteed 0, borrowed 3, asked 0, 1 run, 0 wait
org in "": 16 of 24, guaranteed 8, borrowed 8, asked 4, 0 run, 0 wait
  team in "org": 16 of 16, guaranteed 0, borrowed 16, asked 4, 1 run, 1 wait, next ns/waits QueueAtLimit
topology.kubernetes.io/rack of [topology.kubernetes.io/block topology.kubernetes.io/rack]
  b/r000: 2 nodes, 0 closed, 0 of 16 free, 0 idle, [{n0000 8 0 false} {n0001 8 0 false}]
  b/r001: 2 nodes, 1 closed, 5 of 16 free, 0 idle, [{n0002 8 5 false} {n0003 8 8 true}]
topology.kubernetes.io/block of [topology.kubernetes.io/block topology.kubernetes.io/rack]
  b: 4 nodes, 1 closed, 5 of 32 free, 0 idle, []
`
	if diff := cmp.Diff(want, got.String()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if _, err := s.Top(ctx, "example.com/row", false); !errors.Is(err, insight.ErrInvalid) {
		t.Errorf("a level that no node has: %v", err)
	}
	s.Leads = func() bool { return false }
	if _, err := s.Gangs(ctx, insight.GangQuery{}); !errors.Is(err, insight.ErrNotLeading) {
		t.Errorf("a replica that does not lead answers: %v", err)
	}
}
