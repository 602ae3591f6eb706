package engine

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/berth-dev/berth/pkg/api/v1alpha1"
	"github.com/berth-dev/berth/pkg/core/gang"
	"github.com/berth-dev/berth/pkg/core/repair"
	"github.com/berth-dev/berth/pkg/dialect"
	"github.com/berth-dev/berth/pkg/state/workload"
)

var (
	lossSeeds = flag.Int("loss-seeds", 200, "Seeds of TestLossesAreRepaired.")
	lossSeed  = flag.Uint64("loss-seed", 0, "First seed of TestLossesAreRepaired and TestLossesAreRepairedOnManyNodes.")
	lossLarge = flag.Int("loss-large-seeds", 2, "Seeds of TestLossesAreRepairedOnManyNodes; 1000 take some hours.")
)

// repairSteps is for how many steps a gang may be short that may have room: the owner takes up
// to replaceSteps to make a pod again, and tries of those that were refused are some time apart.
const (
	lossSteps    = 40
	replaceSteps = 4
	repairSteps  = 45
	// keptSteps is for how many steps pods that are there may not have taken what is kept for
	// them.
	keptSteps = 8
)

// TestLossesAreRepaired has pods refused by their kubelets, nodes go dark, come again, be taken
// out of service or be deleted, and another scheduler bind pods to the same nodes, at random.
//
// No node ever has more of Berth's pods than devices, those that still run on a dark node
// included. What is kept for a gang nobody else gets, and once it has peace, no gang is short
// that could be whole.
func TestLossesAreRepaired(t *testing.T) {
	seen := map[string]int{}
	for i := range *lossSeeds {
		seed := *lossSeed + uint64(i)
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			w := newLossWorld(t, seed, lossScale{nodes: 9, rack: 3, gangs: 5, size: 3, dark: 2, foreign: 3, events: 1})
			for range lossSteps {
				w.step()
				w.check()
			}
			w.peace()
			for what, n := range w.seen {
				seen[what] += n
			}
		})
		if t.Failed() {
			return
		}
	}
	t.Logf("%d seeds of %d steps: %v", *lossSeeds, lossSteps, seen)
	for _, what := range []string{"refused", "dark", "deleted nodes", "out of service", "came again", "foreign", "lost the race", "deleted pods", "repaired", "restarted", "kept room"} {
		if *lossSeeds >= 20 && seen[what] == 0 {
			t.Errorf("nothing was %q", what)
		}
	}
}

// TestLossesAreRepairedOnManyNodes is the same on 256 nodes, whose devices are known one by one:
// none of them ever has two pods.
func TestLossesAreRepairedOnManyNodes(t *testing.T) {
	const steps = 30
	seen, began := map[string]int{}, time.Now()
	// In the last, pods that come in place of others stood behind one of another gang whose rack
	// was full, for good.
	seeds := []uint64{81}
	for i := range *lossLarge {
		seeds = slices.Insert(seeds, i, *lossSeed+uint64(i))
	}
	for _, seed := range seeds {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			w := newLossWorld(t, seed, lossScale{nodes: 256, rack: 8, gangs: 60, size: 8, dark: 12, foreign: 60, events: 12, devices: true})
			for range steps {
				w.step()
				w.check()
			}
			w.peace()
			for what, n := range w.seen {
				seen[what] += n
			}
		})
		if t.Failed() {
			return
		}
	}
	t.Logf("%d seeds of %d steps in %s: %v", len(seeds), steps, time.Since(began).Round(time.Second), seen)
	for _, what := range []string{"refused", "dark", "foreign", "lost the race", "repaired", "restarted", "kept room", "devices given"} {
		if *lossLarge >= 20 && seen[what] == 0 {
			t.Errorf("nothing was %q", what)
		}
	}
}

// lossScale is how large a lossWorld is: so many nodes in racks, at most so many gangs of so many
// pods, dark nodes and pods of another scheduler, and so many events in a step.
type lossScale struct {
	nodes, rack, gangs, size, dark, foreign, events int
	// devices says that those of each node are known.
	devices bool
}

// lossWorld is gangs whose pods are lost, and their owners, who make them again.
type lossWorld struct {
	*testCluster
	scale     lossScale
	r         *rand.Rand
	workloads []*testJob
	// policies are those of gangs, due is in how many steps the owner makes a pod again.
	policies map[string]repair.Policy
	due      map[string]int
	others   []types.UID
	// gone are nodes that were deleted, to be made again.
	gone map[string]*corev1.Node
	made int
	// short is for how many steps a gang has been, and kept for how many its pods have not
	// taken their room.
	short, kept map[string]int
	seen        map[string]int
}

func newLossWorld(t *testing.T, seed uint64, scale lossScale) *lossWorld {
	w := &lossWorld{
		testCluster: newTestCluster(t, rackNodes(scale.nodes, scale.rack), testQueue{name: "q", weight: 1}), scale: scale, r: rand.New(rand.NewPCG(seed, 41)), policies: map[string]repair.Policy{}, due: map[string]int{},
		gone: map[string]*corev1.Node{}, short: map[string]int{}, kept: map[string]int{}, seen: map[string]int{},
	}
	w.unchecked = true
	w.controllers = w.replace
	if scale.devices {
		w.declared["devices"] = w.tellDevices
		w.tellDevices()
	}
	w.ownersDo = repair.Owner{MakesAgain: true, Replaces: true}
	return w
}

// tellDevices tells it which devices nodes have, before it places anything.
func (w *lossWorld) tellDevices() {
	for _, node := range rackNodes(w.scale.nodes, w.scale.rack) {
		topology := &v1alpha1.NodeTopology{ObjectMeta: metav1.ObjectMeta{Name: node.Name}, Spec: v1alpha1.NodeTopologySpec{Resource: gpuName}}
		for i := range 8 {
			topology.Spec.Devices = append(topology.Spec.Devices, v1alpha1.Device{UUID: fmt.Sprintf("GPU-%s-%d", node.Name, i)})
		}
		w.fast.Inventory().SetTopology(topology)
	}
}

func (w *lossWorld) step() {
	for range w.scale.events {
		w.happen()
	}
	w.live()
}

func (w *lossWorld) happen() {
	switch w.r.IntN(12) {
	case 0, 1, 2:
		if len(w.workloads) < w.scale.gangs {
			w.start()
		}
	case 3:
		w.darken()
	case 4, 5:
		w.heal(w.r.IntN(3))
	case 6, 7:
		w.bindForeign()
	case 8:
		if len(w.others) > 0 {
			w.end(w.others[0])
			w.others = w.others[1:]
		}
	case 9:
		w.deletePod()
	case 10:
		if len(w.workloads) > 2 {
			i := w.r.IntN(len(w.workloads))
			w.stop(i)
		}
	case 11:
		if w.r.IntN(4*w.scale.events) == 0 {
			w.depose()
			w.lead()
			w.seen["led anew"]++
		}
	}
}

// live lets a second or more pass.
func (w *lossWorld) live() {
	w.admitPods()
	w.pass(1, time.Duration(1+w.r.IntN(3))*time.Second)
	w.endRestarts()
}

// endRestarts waits until those that are to be evicted for a restart are.
func (w *lossWorld) endRestarts() {
	before := w.evictions()
	w.await("restarts are asked for", func() bool { return !w.repairer.Restarting() })
	if w.evictions() > before {
		w.seen["restarted"]++
	}
}

func (w *lossWorld) start() {
	w.made++
	c := testJob{name: fmt.Sprint("g", w.made), queue: "q", size: 1 + w.r.IntN(w.scale.size), gpus: int64(4 + 4*w.r.IntN(2)), rack: w.r.IntN(3) > 0, grace: int64(w.r.IntN(3))}
	w.policies[c.name] = []repair.Policy{repair.Unsaid, repair.Replace, repair.Restart, repair.Ignore}[w.r.IntN(4)]
	c.pods = c.size
	out := &c
	for i := range c.pods {
		out.uids = append(out.uids, w.create(w.podOfCrew(out, i)).UID)
	}
	w.workloads = append(w.workloads, out)
}

func (w *lossWorld) podOfCrew(c *testJob, i int) *corev1.Pod {
	pod := c.podOf(i)
	if p := w.policies[c.name]; p != repair.Unsaid {
		metav1.SetMetaDataAnnotation(&pod.ObjectMeta, "berth.dev/on-loss", string(p))
	}
	return pod
}

func (w *lossWorld) stop(i int) {
	c := w.workloads[i]
	w.end(c.uids...)
	w.workloads = slices.Delete(w.workloads, i, i+1)
	for j := range c.pods {
		delete(w.due, fmt.Sprintf("%s-%d", c.name, j))
	}
	delete(w.short, c.name)
}

// replace makes pods again that are gone or have failed, after a while.
func (w *lossWorld) replace() {
	for _, c := range w.workloads {
		for i, uid := range c.uids {
			w.mu.Lock()
			pod := w.pods[uid]
			w.mu.Unlock()
			name := fmt.Sprintf("%s-%d", c.name, i)
			if pod != nil && !hasEnded(pod) {
				delete(w.due, name)
				continue
			}
			if n, counted := w.due[name]; !counted {
				w.due[name] = w.r.IntN(replaceSteps)
				continue
			} else if n > 0 {
				w.due[name]--
				continue
			}
			if pod != nil {
				w.end(uid)
			}
			c.uids[i] = w.create(w.podOfCrew(c, i)).UID
		}
	}
}

// admitPods has kubelets look at pods that were bound: one that has no room for one refuses it,
// and so does one now and then for another reason.
func (w *lossWorld) admitPods() {
	w.mu.Lock()
	defer w.mu.Unlock()
	used := map[string]int64{}
	for _, pod := range w.pods {
		if pod.Status.StartTime != nil && !hasEnded(pod) {
			used[pod.Spec.NodeName] += usesOf(pod).GPUs
		}
	}
	for _, old := range w.byName() {
		if old.Spec.NodeName == "" || old.Status.StartTime != nil || hasEnded(old) || old.DeletionTimestamp != nil || w.dark[old.Spec.NodeName] {
			continue
		}
		reason := ""
		switch {
		case used[old.Spec.NodeName]+usesOf(old).GPUs > 8:
			reason = "OutOfnvidia.com/gpu"
			w.seen["lost the race"]++
		case old.Spec.SchedulerName == SchedulerName && w.r.IntN(25) == 0:
			reason = "UnexpectedAdmissionError"
			w.seen["refused"]++
		default:
			used[old.Spec.NodeName] += usesOf(old).GPUs
			continue
		}
		pod := old.DeepCopy()
		pod.Status.Phase, pod.Status.Reason = corev1.PodFailed, reason
		w.set(old, pod, false)
	}
}

// change changes a node, as told.
func (w *lossWorld) change(name string, change func(*corev1.Node)) {
	for i, node := range w.nodes {
		if node.Name == name {
			w.nodes[i] = node.DeepCopy()
			change(w.nodes[i])
			w.nodeFeed.set(w.nodes[i])
		}
	}
}

func unready(n *corev1.Node) {
	n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionUnknown}}
	n.Spec.Taints = []corev1.Taint{{Key: corev1.TaintNodeUnreachable, Effect: corev1.TaintEffectNoSchedule}}
}

func (w *lossWorld) darken() {
	node := w.nodes[w.r.IntN(len(w.nodes))]
	if len(w.dark) >= w.scale.dark || w.dark[node.Name] {
		return
	}
	w.dark[node.Name] = true
	w.change(node.Name, unready)
	w.seen["dark"]++
}

// heal has a dark node come again, be taken out of service, or be deleted and made again.
func (w *lossWorld) heal(how int) {
	for _, node := range slices.Clone(w.nodes) {
		if !w.dark[node.Name] {
			continue
		}
		switch how {
		case 1:
			w.change(node.Name, func(n *corev1.Node) {
				n.Spec.Taints = append(n.Spec.Taints, corev1.Taint{Key: corev1.TaintNodeOutOfService, Effect: corev1.TaintEffectNoExecute})
			})
			w.settle()
			w.emptyNode(node.Name)
			w.seen["out of service"]++
		case 2:
			w.nodes = slices.DeleteFunc(w.nodes, func(n *corev1.Node) bool { return n.Name == node.Name })
			w.nodeFeed.remove(node)
			w.settle()
			w.emptyNode(node.Name)
			w.seen["deleted nodes"]++
			w.nodes = append(w.nodes, node)
		default:
			w.seen["came again"]++
		}
		delete(w.dark, node.Name)
		if how != 0 {
			w.settle()
		}
		w.change(node.Name, func(n *corev1.Node) { n.Spec.Taints, n.Status.Conditions = nil, nil })
		return
	}
}

// emptyNode has the pods of a node be gone, as those that collect them do.
func (w *lossWorld) emptyNode(name string) {
	w.mu.Lock()
	var uids []types.UID
	for _, pod := range w.byName() {
		if pod.Spec.NodeName == name && !hasEnded(pod) {
			uids = append(uids, pod.UID)
		}
	}
	w.mu.Unlock()
	w.end(uids...)
	w.others = slices.DeleteFunc(w.others, func(uid types.UID) bool { return slices.Contains(uids, uid) })
}

// bindForeign has another scheduler bind a pod, which knows as little of what Berth does now as
// Berth of it.
func (w *lossWorld) bindForeign() {
	if len(w.others) >= w.scale.foreign {
		return
	}
	node := w.nodes[w.r.IntN(len(w.nodes))]
	if w.dark[node.Name] {
		return
	}
	used := int64(0)
	w.mu.Lock()
	for _, pod := range w.pods {
		if pod.Spec.NodeName == node.Name && pod.Status.StartTime != nil && !hasEnded(pod) {
			used += usesOf(pod).GPUs
		}
	}
	w.mu.Unlock()
	if used > 4 {
		return
	}
	w.made++
	pod := (&testJob{name: fmt.Sprint("foreign", w.made), gpus: 4}).podOf(0)
	pod.Spec.SchedulerName, pod.Spec.NodeName = "other", node.Name
	w.others = append(w.others, w.create(pod).UID)
	w.seen["foreign"]++
}

func (w *lossWorld) deletePod() {
	if len(w.workloads) == 0 {
		return
	}
	c := w.workloads[w.r.IntN(len(w.workloads))]
	w.end(c.uids[w.r.IntN(len(c.uids))])
	w.seen["deleted pods"]++
}

// check fails the test if a node has more pods of Berth's than devices, or a gang that has room
// is short for long.
func (w *lossWorld) check() {
	w.t.Helper()
	used := map[string]int64{}
	holder := map[string]string{}
	w.mu.Lock()
	for _, pod := range w.pods {
		if pod.Spec.NodeName == "" || pod.Spec.SchedulerName != SchedulerName || hasEnded(pod) {
			continue
		}
		used[pod.Spec.NodeName] += usesOf(pod).GPUs
		given := pod.Annotations["berth.dev/devices"]
		if !w.scale.devices {
			continue
		}
		if given == "" {
			w.t.Errorf("pod %s on node %s was given no devices", pod.Name, pod.Spec.NodeName)
		}
		for device := range strings.SplitSeq(given, ",") {
			if other, held := holder[device]; held {
				w.t.Errorf("device %q has pods %s and %s", device, other, pod.Name)
			}
			holder[device] = pod.Name
			w.seen["devices given"]++
		}
	}
	w.mu.Unlock()
	for node, gpus := range used {
		if gpus > 8 {
			w.t.Fatalf("node %s has pods with %d devices:\n%s", node, gpus, w.describe())
		}
	}
	for _, c := range w.workloads {
		n := len(w.boundNodes(c))
		if n == c.size || n == 0 {
			if w.short[c.name] > 0 && n > 0 {
				w.seen["repaired"]++
			}
			w.short[c.name] = 0
			continue
		}
		w.short[c.name]++
		if w.short[c.name] > repairSteps && w.roomFor(c) {
			w.t.Fatalf("gang %s has been short for %d steps, and there is room:\n%s", c.name, w.short[c.name], w.describe())
		}
	}
	for _, c := range w.workloads {
		if len(w.repairer.Found(workload.NameOfGang(w.keyOf(c))).Room) == 0 || !w.complete(c) {
			w.kept[c.name] = 0
			continue
		}
		w.seen["kept room"]++
		if w.kept[c.name]++; w.kept[c.name] > keptSteps {
			w.t.Fatalf("room is kept for gang %s, its pods are there, and it has not got it in %d steps:\n%s", c.name, keptSteps, w.describe())
		}
	}
}

// complete reports whether all pods of a gang are there, and none is leaving.
func (w *lossWorld) complete(c *testJob) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !slices.ContainsFunc(c.uids, func(uid types.UID) bool {
		pod := w.pods[uid]
		return pod == nil || hasEnded(pod) || pod.DeletionTimestamp != nil || w.dark[pod.Spec.NodeName]
	})
}

// peace heals all nodes and ends what others run, and checks that after a while no pod waits
// that has room.
func (w *lossWorld) peace() {
	w.t.Helper()
	for len(w.dark) > 0 {
		w.heal(w.r.IntN(3))
	}
	w.end(w.others...)
	w.others = nil
	for range 2 * repairSteps {
		w.live()
		w.check()
	}
	for _, c := range w.workloads {
		if len(w.boundNodes(c)) < c.size && w.roomFor(c) {
			w.t.Fatalf("gang %s waits, and there is room:\n%s", c.name, w.describe())
		}
	}
	if short := w.gangs.Short(); len(short) > 0 && w.t.Failed() {
		w.t.Logf("short: %+v", short)
	}
}

// roomFor reports whether the pods of a gang that have no place have room: on nodes that are
// not dark, in the rack that it is in. What others run counts, and what leaves.
func (w *lossWorld) roomFor(c *testJob) bool {
	free := map[string]int64{}
	racks := map[string]string{}
	for _, node := range w.nodes {
		if !w.dark[node.Name] {
			free[node.Name] = 8
		}
		racks[node.Name] = node.Labels[rackLabel]
	}
	in, missing := "", 0
	w.mu.Lock()
	for _, pod := range w.pods {
		if pod.Spec.NodeName == "" || hasEnded(pod) {
			continue
		}
		if _, there := free[pod.Spec.NodeName]; there {
			free[pod.Spec.NodeName] -= usesOf(pod).GPUs
		}
		if workloadOf(pod) == c.name && pod.DeletionTimestamp == nil {
			in = racks[pod.Spec.NodeName]
		}
	}
	for _, uid := range c.uids {
		pod := w.pods[uid]
		if pod == nil || hasEnded(pod) {
			w.mu.Unlock()
			return false // its owner has not made it again yet
		}
		if pod.DeletionTimestamp != nil {
			w.mu.Unlock()
			return false
		}
		if pod.Spec.NodeName == "" {
			missing++
		}
	}
	w.mu.Unlock()
	fit := map[string]int{}
	for node, gpus := range free {
		rack := racks[node]
		if !c.rack {
			rack = ""
		}
		fit[rack] += int(max(0, gpus) / c.gpus)
	}
	if c.rack && in != "" {
		return fit[in] >= missing
	}
	for _, n := range fit {
		if n >= missing {
			return true
		}
	}
	return false
}

func (w *lossWorld) describe() string {
	var out strings.Builder
	w.mu.Lock()
	for _, pod := range w.byName() {
		fmt.Fprintf(&out, "%s on %q %s %s deleted %t\n", pod.Name, pod.Spec.NodeName, pod.Status.Phase, pod.Status.Reason, pod.DeletionTimestamp != nil)
	}
	w.mu.Unlock()
	for _, c := range w.workloads {
		fmt.Fprintf(&out, "%s: size %d of %d GPUs, rack %t, policy %q\n", c.name, c.size, c.gpus, c.rack, w.policies[c.name])
		if g, ok := w.gangs.Get(w.keyOf(c)); ok {
			fmt.Fprintf(&out, "  verdict %s %s %s, need %d\n", g.Verdict.Action, g.Verdict.Code, g.Verdict.Text, g.Verdict.Group.Need)
		}
	}
	for _, s := range w.gangs.Short() {
		fmt.Fprintf(&out, "short %s: missing %d since %s, found %+v\n", s.Key, s.Missing, s.Since, w.repairer.Found(workload.NameOfGang(s.Key)))
	}
	fmt.Fprintf(&out, "dark %v, active %d\n", w.dark, w.active())
	return out.String()
}

func (w *lossWorld) keyOf(c *testJob) gang.Key {
	return gang.Key{Namespace: "ns", Dialect: dialect.Berth, Name: c.name}
}
