package fastpath

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework"

	"github.com/berth-dev/berth/pkg/engine/podshape"
)

func TestPlacesTightest(t *testing.T) {
	r := newRig(t, "")
	for i := range 4 {
		r.addNode(testNode(nodeName(i), 8, 64, 512))
	}
	r.addNode(testNode("plain", 0, 64, 512))
	r.bind(testPod("three", 3, 1, 1), nodeName(2))
	for _, c := range []struct {
		pod  *corev1.Pod
		want string
	}{
		{testPod("a", 1, 1, 1), nodeName(2)},
		{testPod("b", 4, 1, 1), nodeName(2)},
		{testPod("c", 1, 1, 1), nodeName(0)},
		{testPod("d", 8, 1, 1), nodeName(1)},
		{testPod("without devices, where there are none", 0, 60, 1), "plain"},
		{testPod("without devices, where none are left", 0, 60, 1), nodeName(2)},
	} {
		got, fit := r.place(c.pod)
		if got != c.want {
			t.Fatalf("pod %s goes to %q (%v), want %q", c.pod.Name, got, fit, c.want)
		}
		r.bind(c.pod, got)
	}
	r.checkDrift()
}

// world is a random cluster that changes.
type world struct {
	*rig
	rand *rand.Rand
	// names are those of the nodes that there are, running the pods on nodes.
	names   []string
	objects map[string]*corev1.Node
	running []*corev1.Pod
	made    int
}

func newWorld(r *rig, seed uint64, nodes int) *world {
	w := &world{rig: r, rand: rand.New(rand.NewPCG(seed, 1)), objects: map[string]*corev1.Node{}}
	for range nodes {
		w.grow()
	}
	return w
}

func (w *world) grow() {
	w.made++
	gpus := []int64{0, 4, 8, 8, 8}[w.rand.IntN(5)]
	node := testNode(nodeName(w.made), gpus, 32<<w.rand.IntN(3), 256<<w.rand.IntN(2))
	w.decorate(node)
	w.names = append(w.names, node.Name)
	w.objects[node.Name] = node
	w.addNode(node)
}

// decorate gives a node random labels and taints.
func (w *world) decorate(node *corev1.Node) {
	node.Labels["pool"] = []string{"a", "b", "c"}[w.rand.IntN(3)]
	node.Spec.Unschedulable = w.rand.IntN(12) == 0
	node.Spec.Taints = nil
	if w.rand.IntN(6) == 0 {
		node.Spec.Taints = append(node.Spec.Taints, corev1.Taint{Key: "team", Value: "x", Effect: corev1.TaintEffectNoSchedule})
	}
}

func (w *world) pod() *corev1.Pod {
	w.made++
	pod := testPod(fmt.Sprintf("pod-%d", w.made), []int64{0, 0, 1, 1, 2, 4, 8}[w.rand.IntN(7)], 1+w.rand.Int64N(30), 1+w.rand.Int64N(200))
	switch w.rand.IntN(5) {
	case 0:
		pod.Spec.NodeSelector = map[string]string{"pool": []string{"a", "b", "none"}[w.rand.IntN(3)]}
	case 1:
		pod.Spec.Tolerations = []corev1.Toleration{{Key: "team", Operator: corev1.TolerationOpExists}}
	}
	priority := int32(w.rand.IntN(3))
	pod.Spec.Priority = &priority
	return pod
}

// change changes something that is no placement.
func (w *world) change() {
	switch i := w.rand.IntN(10); {
	case i == 0:
		w.grow()
	case i == 1 && len(w.names) > 5:
		at := w.rand.IntN(len(w.names))
		name := w.names[at]
		if slices.ContainsFunc(w.running, func(p *corev1.Pod) bool { return p.Spec.NodeName == name }) {
			return
		}
		w.names = slices.Delete(w.names, at, at+1)
		w.removeNode(w.objects[name])
	case i < 4:
		node := w.objects[w.names[w.rand.IntN(len(w.names))]].DeepCopy()
		w.decorate(node)
		w.objects[node.Name] = node
		w.addNode(node)
	case len(w.running) > 0:
		at := w.rand.IntN(len(w.running))
		w.remove(w.running[at])
		w.running = slices.Delete(w.running, at, at+1)
	}
}

// The fast path and the framework's own way choose alike: the same node, or the same
// refusal, for every pod of a random history.
func TestChoosesAsTheFrameworkDoes(t *testing.T) {
	for _, args := range []string{``, `{"policy":"Spread"}`, `{"weights":{"cpu":5,"memory":0}}`} {
		t.Run(args, func(t *testing.T) {
			const steps = 1500
			w := newWorld(newRig(t, args), 11, 40)
			placed, refused := 0, 0
			for range steps {
				if w.rand.IntN(3) == 0 {
					w.change()
				}
				pod := w.pod()
				w.begin()
				got, fit, reason := w.try(pod)
				if reason != "" {
					t.Fatalf("pod %q took the framework's own way: %s", pod.Name, reason)
				}
				want, wantFit := w.slow(pod)
				if got != want {
					t.Fatalf("pod %q goes to %q (%v), and the framework's own way to %q (%v)", pod.Name, got, fit, want, wantFit)
				}
				if fit == nil {
					placed++
					w.running = append(w.running, w.bind(pod, got))
					continue
				}
				refused++
				if diff := cmp.Diff(diagnosisOf(wantFit), diagnosisOf(fit)); diff != "" {
					t.Fatalf("diagnosis of pod %q (-framework's own +fast):\n%s", pod.Name, diff)
				}
			}
			w.checkDrift()
			if placed < steps/5 || refused < steps/5 {
				t.Fatalf("%d placed, %d refused: the history is too easy", placed, refused)
			}
		})
	}
}

// diagnosisOf is what a user and the scheduling queue see of a refusal.
func diagnosisOf(fit *framework.FitError) map[string]any {
	return map[string]any{
		"text":    fit.Error(),
		"plugins": slices.Sorted(maps.Keys(fit.Diagnosis.UnschedulablePlugins)),
	}
}

// A pod that may preempt gets the status of every node; one that may not, none.
func TestStatusForPreemption(t *testing.T) {
	r := newRig(t, "")
	r.addNode(testNode("full", 1, 8, 8))
	r.addNode(testNode("tainted", 1, 8, 8, func(n *corev1.Node) {
		n.Spec.Taints = []corev1.Taint{{Key: "k", Effect: corev1.TaintEffectNoSchedule}}
	}))
	r.bind(testPod("low", 1, 1, 1), "full")
	priority := func(p int32) func(*corev1.Pod) { return func(pod *corev1.Pod) { pod.Spec.Priority = &p } }

	_, fit := r.place(testPod("high", 1, 1, 1, priority(10)))
	nodes, err := fit.Diagnosis.NodeToStatus.NodesForStatusCode(r.path.snapshot, fwk.Unschedulable)
	r.must(err)
	if len(nodes) != 1 || nodes[0].Node().Name != "full" {
		t.Errorf("%d nodes for preemption to look at, want the full one", len(nodes))
	}
	_, equal := r.place(testPod("equal", 1, 1, 1))
	nodes, err = equal.Diagnosis.NodeToStatus.NodesForStatusCode(r.path.snapshot, fwk.Unschedulable)
	r.must(err)
	if len(nodes) != 0 {
		t.Errorf("%d nodes for preemption to look at, and no pod has a lower priority", len(nodes))
	}
	if diff := cmp.Diff(diagnosisOf(fit), diagnosisOf(equal)); diff != "" {
		t.Errorf("the two diagnoses differ:\n%s", diff)
	}
}

// counted counts how often nodes are asked.
func (r *rig) counted(pod *corev1.Pod) (asked int) {
	r.t.Helper()
	r.begin()
	s := r.searchFor(pod)
	if s.run(r.path.profiles[testName].ranking) {
		r.t.Fatalf("pod %q has a place on %q", pod.Name, s.node)
	}
	return s.asked
}

func (r *rig) searchFor(pod *corev1.Pod) *search {
	r.t.Helper()
	cycle := framework.NewCycleState()
	if _, status, _ := r.fw.RunPreFilterPlugins(r.t.Context(), cycle, pod); !status.IsSuccess() {
		r.t.Fatal(status)
	}
	return r.path.newSearch(r.t.Context(), r.fw, cycle, r.queued(pod), r.path.profiles[testName])
}

func TestRetryAsksOnlyWhatChanged(t *testing.T) {
	const nodes = 50
	r := newRig(t, "")
	running := []*corev1.Pod{}
	for i := range nodes {
		r.addNode(testNode(nodeName(i), 8, 64, 512))
		running = append(running, r.bind(testPod(fmt.Sprint("half-", i), 4, 1, 1), nodeName(i)))
	}
	if got := r.counted(testPod("first", 8, 1, 1)); got != nodes {
		t.Errorf("the first of a shape asks %d nodes, want %d", got, nodes)
	}
	if got := r.counted(testPod("again", 8, 1, 1)); got != 0 {
		t.Errorf("the second asks %d nodes, want none", got)
	}
	r.bind(testPod("one", 1, 1, 1), nodeName(7))
	r.remove(running[9])
	r.bind(testPod("instead", 4, 1, 1), nodeName(9))
	if got := r.counted(testPod("after two nodes changed", 8, 1, 1)); got != 2 {
		t.Errorf("after two nodes changed, one asks %d nodes, want 2", got)
	}
	// A heartbeat is no change of the labels and taints that pods look for.
	selecting := func(p *corev1.Pod) { p.Spec.NodeSelector = map[string]string{"pool": "none"} }
	r.counted(testPod("elsewhere", 1, 1, 1, selecting))
	beat := testNode(nodeName(3), 8, 64, 512)
	beat.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
	r.addNode(beat)
	r.bind(testPod("two", 1, 1, 1), nodeName(5))
	if got := r.counted(testPod("elsewhere again", 1, 1, 1, selecting)); got != 0 {
		t.Errorf("after a heartbeat and a pod, one with a selector asks %d nodes, want none", got)
	}
	labelled := beat.DeepCopy()
	labelled.Labels["pool"] = "other"
	r.addNode(labelled)
	if got := r.counted(testPod("elsewhere at last", 1, 1, 1, selecting)); got != 1 {
		t.Errorf("after a label changed, one with a selector asks %d nodes, want 1", got)
	}
}

// Within a pod-group cycle the snapshot changes without any generation.
func TestPodGroupCycle(t *testing.T) {
	r := newRig(t, "")
	for i := range 3 {
		r.addNode(testNode(nodeName(i), 8, 64, 512))
	}
	r.begin()
	var assumed []*corev1.Pod
	var cycles []*framework.CycleState
	for i := range 3 {
		cycle := framework.NewCycleState()
		cycle.SetPodGroupSchedulingCycle(framework.NewCycleState())
		pod := testPod(fmt.Sprint("member-", i), 8, 1, 1)
		node, _, _ := r.tryIn(cycle, pod)
		if node != nodeName(i) {
			t.Fatalf("member %d goes to %q, want %q", i, node, nodeName(i))
		}
		pod.Spec.NodeName = node
		r.must(r.path.snapshot.AssumePod(r.queued(pod).PodInfo))
		r.must(r.fw.RunReservePluginsReserve(t.Context(), cycle, pod, node).AsError())
		assumed, cycles = append(assumed, pod), append(cycles, cycle)
	}
	if node, fit, _ := r.try(testPod("member-3", 8, 1, 1)); fit == nil {
		t.Fatalf("a fourth member goes to %q", node)
	}
	for i, pod := range slices.Backward(assumed) {
		r.fw.RunReservePluginsUnreserve(t.Context(), cycles[i], pod, pod.Spec.NodeName)
		r.must(r.path.snapshot.ForgetPod(klog.Background(), pod))
	}
	if node, _, _ := r.try(testPod("another", 8, 1, 1)); node != nodeName(0) {
		t.Fatalf("after all was given back, a pod goes to %q, want %q", node, nodeName(0))
	}
	r.checkDrift()
}

func TestPlacement(t *testing.T) {
	r := newRig(t, "")
	for i := range 6 {
		r.addNode(testNode(nodeName(i), 8, 64, 512))
	}
	r.bind(testPod("outside", 7, 1, 1), nodeName(0))
	r.bind(testPod("inside", 2, 1, 1), nodeName(4))
	r.begin()
	nodes, err := r.path.snapshot.List()
	r.must(err)
	placement := &fwk.Placement{}
	for _, n := range nodes {
		if n.Node().Name >= nodeName(3) {
			placement.Nodes = append(placement.Nodes, n)
		}
	}
	r.must(r.path.snapshot.AssumePlacement(placement))
	if node, fit, _ := r.try(testPod("a", 1, 1, 1)); node != nodeName(4) {
		t.Errorf("goes to %q (%v), want the tightest of the placement", node, fit)
	}
	_, fit, _ := r.try(testPod("b", 9, 1, 1))
	want := "0/3 nodes are available: 3 Insufficient nvidia.com/gpu."
	if fit == nil || fit.Error() != want {
		t.Errorf("refused with %v, want %q", fit, want)
	}
	r.path.snapshot.ForgetPlacement()
	if node, _, _ := r.try(testPod("c", 1, 1, 1)); node != nodeName(0) {
		t.Errorf("without the placement, goes to %q", node)
	}
}

// While preemption is simulated the snapshot has other nodes.
func TestSimulation(t *testing.T) {
	r := newRig(t, "")
	r.addNode(testNode("n", 8, 64, 512))
	victim := r.bind(testPod("victim", 8, 1, 1), "n")
	pod := testPod("p", 8, 1, 1)
	if _, fit := r.place(pod); fit == nil {
		t.Fatal("there is room on a full node")
	}
	r.must(r.path.snapshot.StartMutations())
	r.must(r.path.snapshot.RemovePod(klog.Background(), victim, "n"))
	if _, _, reason := r.try(pod); reason != podshape.ReasonSimulation {
		t.Errorf("reason %q, want %q", reason, podshape.ReasonSimulation)
	}
	if node, fit := r.slow(pod); node != "n" {
		t.Errorf("the simulation finds %q (%v)", node, fit)
	}
	r.must(r.path.snapshot.EndMutations())
	if _, fit, _ := r.try(pod); fit == nil {
		t.Error("there is room on a full node after the simulation")
	}
}

func TestSoftTaintsComeLast(t *testing.T) {
	r := newRig(t, "")
	soft := func(n *corev1.Node) {
		n.Spec.Taints = []corev1.Taint{{Key: "spare", Effect: corev1.TaintEffectPreferNoSchedule}}
	}
	r.addNode(testNode("spare", 8, 64, 512, soft))
	r.addNode(testNode("usual", 8, 64, 512))
	r.bind(testPod("there", 4, 1, 1), "spare")
	if node, _ := r.place(testPod("a", 1, 1, 1)); node != "usual" {
		t.Errorf("goes to %q, want the node without the taint", node)
	}
	tolerant := func(p *corev1.Pod) {
		p.Spec.Tolerations = []corev1.Toleration{{Key: "spare", Operator: corev1.TolerationOpExists}}
	}
	if node, _ := r.place(testPod("b", 1, 1, 1, tolerant)); node != "spare" {
		t.Errorf("one that tolerates the taint goes to %q, want the tightest", node)
	}
	r.bind(testPod("full", 8, 1, 1), "usual")
	if node, _ := r.place(testPod("c", 1, 1, 1)); node != "spare" {
		t.Errorf("goes to %q, want the node that is left", node)
	}
	r.addNode(testNode("spare", 8, 64, 512))
	r.addNode(testNode("usual", 8, 64, 512, soft))
	r.addNode(testNode("third", 8, 64, 512))
	if node, _ := r.place(testPod("d", 1, 1, 1)); node != "spare" {
		t.Errorf("after the taint moved, goes to %q, want the tightest without it", node)
	}
}

// Amounts that the index does not know of are found by asking, each node once.
func TestUnknownAmounts(t *testing.T) {
	const nodes = 30
	r := newRig(t, "")
	for i := range nodes {
		r.addNode(testNode(nodeName(i), 8, 64, 512))
	}
	hca := func(p *corev1.Pod) {
		p.Spec.Containers[0].Resources.Requests["rdma/hca"] = amounts(1, 0, 0)["nvidia.com/gpu"]
	}
	_, fit := r.place(testPod("a", 1, 1, 1, hca))
	if want := fmt.Sprintf("0/%d nodes are available: %d Insufficient rdma/hca.", nodes, nodes); fit == nil || fit.Error() != want {
		t.Errorf("refused with %v, want %q", fit, want)
	}
	if got := r.counted(testPod("b", 1, 1, 1, hca)); got != 0 {
		t.Errorf("the next asks %d nodes, want none", got)
	}
	with := testNode(nodeName(21), 8, 64, 512)
	with.Status.Allocatable["rdma/hca"] = amounts(1, 0, 0)["nvidia.com/gpu"]
	r.addNode(with)
	if node, _ := r.place(testPod("c", 1, 1, 1, hca)); node != with.Name {
		t.Errorf("goes to %q, want the node that has one", node)
	}
}

func TestReasons(t *testing.T) {
	r := newRig(t, "")
	r.addNode(testNode("n", 8, 64, 512))
	term := corev1.PodAffinityTerm{TopologyKey: corev1.LabelHostname}
	for _, c := range []struct {
		want   podshape.Reason
		change func(*corev1.Pod)
	}{
		{"", func(*corev1.Pod) {}},
		{"", func(p *corev1.Pod) { p.Spec.NodeSelector = map[string]string{corev1.LabelHostname: "n"} }},
		{"", func(p *corev1.Pod) {
			p.Spec.Volumes = []corev1.Volume{{Name: "v", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}}
		}},
		{"", func(p *corev1.Pod) { p.Spec.Containers[0].Ports = []corev1.ContainerPort{{ContainerPort: 80}} }},
		{podshape.ReasonPodAffinity, func(p *corev1.Pod) {
			p.Spec.Affinity = &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{term}}}
		}},
		{podshape.ReasonPreference, func(p *corev1.Pod) {
			p.Spec.Affinity = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{PreferredDuringSchedulingIgnoredDuringExecution: []corev1.PreferredSchedulingTerm{{Weight: 1}}}}
		}},
		{podshape.ReasonSpread, func(p *corev1.Pod) {
			p.Spec.TopologySpreadConstraints = []corev1.TopologySpreadConstraint{{MaxSkew: 1, TopologyKey: corev1.LabelHostname}}
		}},
		{podshape.ReasonVolume, func(p *corev1.Pod) {
			p.Spec.Volumes = []corev1.Volume{{Name: "v", VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "c"}}}}
		}},
		{podshape.ReasonHostPort, func(p *corev1.Pod) {
			p.Spec.InitContainers = []corev1.Container{{Ports: []corev1.ContainerPort{{HostPort: 80}}}}
		}},
		{podshape.ReasonClaim, func(p *corev1.Pod) { p.Spec.ResourceClaims = []corev1.PodResourceClaim{{Name: "c"}} }},
		{podshape.ReasonNominated, func(p *corev1.Pod) { p.Status.NominatedNodeName = "n" }},
		{podshape.ReasonPreFilter, func(p *corev1.Pod) {
			p.Spec.Affinity = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{
				NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchFields: []corev1.NodeSelectorRequirement{{Key: "metadata.name", Operator: corev1.NodeSelectorOpIn, Values: []string{"n"}}}}},
			}}}
		}},
	} {
		r.begin()
		if _, _, got := r.try(testPod("p", 1, 1, 1, c.change)); got != c.want {
			t.Errorf("reason %q, want %q", got, c.want)
		}
	}
	empty := newRig(t, "")
	empty.begin()
	if _, _, got := empty.try(testPod("p", 1, 1, 1)); got != podshape.ReasonNoNodes {
		t.Errorf("reason %q, want %q", got, podshape.ReasonNoNodes)
	}
}

func TestConfiguration(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{`{"apiVersion":"berth.dev/v1alpha1","kind":"NodePackingArgs","policy":"Spread","weights":{"cpu":2}}`, ""},
		{`{"policy":"Tight"}`, `policy is "Tight"; it must be "Pack" or "Spread"`},
		{`{"weights":{"cpu":-1}}`, `weights.cpu is -1; it must be from 0 to 100`},
		{`{"weights":{"memory":101}}`, `weights.memory is 101`},
		{`{"kind":"PackingArgs"}`, `kind is "PackingArgs"; it must be "NodePackingArgs"`},
		{`{"apiVersion":"v1"}`, `apiVersion is "v1"; it must be "berth.dev/v1alpha1"`},
		{`{"polcy":"Pack"}`, `unknown field "polcy"`},
		{`{"devices":["a b"]}`, `devices[0] is "a b", which is no resource name`},
		{`{"devices":["x/gpu","x/gpu"]}`, `devices[1] is "x/gpu", which is there already`},
		{`[]`, `reading the arguments of NodePacking`},
	} {
		_, err := tryRig(t, testProfile(t, c.args))
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: error %v, want one with %q", c.args, err, c.want)
		}
	}
	first, second := testProfile(t, ""), testProfile(t, `{"devices":["x/gpu"]}`)
	second.SchedulerName = "other"
	if _, err := tryRig(t, first, second); err == nil || !strings.Contains(err.Error(), "give all profiles the same") {
		t.Errorf("profiles with different devices: error %v", err)
	}
}
