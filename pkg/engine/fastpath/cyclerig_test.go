package fastpath

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	schedulingv1beta1 "k8s.io/api/scheduling/v1beta1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	featuregatetesting "k8s.io/component-base/featuregate/testing"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/features"
	schedulerconfig "k8s.io/kubernetes/pkg/scheduler/apis/config"
	"k8s.io/kubernetes/pkg/scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins/names"
	frameworkruntime "k8s.io/kubernetes/pkg/scheduler/framework/runtime"

	"github.com/berth-dev/berth/pkg/core/gang"
	"github.com/berth-dev/berth/pkg/dialect"
	"github.com/berth-dev/berth/pkg/plugins/fabricplacement"
	"github.com/berth-dev/berth/pkg/state/device"
	"github.com/berth-dev/berth/pkg/state/gangtable"
)

// cycleRig is a cluster with gangs, on which a real scheduler runs real pod-group cycles, one at
// a time.
type cycleRig struct {
	*rig
	*faultPlugin
	rand *rand.Rand
	// objects are the nodes that there are, names their names.
	objects map[string]*corev1.Node
	names   []string
	gangs   []*testGang
	// strays are bound pods of no gang.
	strays []*corev1.Pod
	made   int
	// tainted is how many of six nodes have a taint.
	tainted int
	counts  map[string]int
}

// testGang is a gang, with its pods in the order of their names.
type testGang struct {
	name  string
	group *schedulingv1beta1.PodGroup
	asked gang.Topology
	size  int
	gpus  int64
	// ranked says that its pods say their ranks, tolerant that they go to tainted nodes, mixed
	// that the first of them asks for no GPU.
	ranked, tolerant, mixed bool
	members                 []*member
	// moved says that the labels of a node that it runs on have changed.
	moved bool
}

// member is a pod of a gang: it waits, is held at Permit, or is bound.
type member struct {
	pod *corev1.Pod
	// node is where it is, "" while it waits.
	node string
	held bool
	// rank is the one that it was placed with, or says; -1 if it has none yet.
	rank int
}

func newCycleRig(t testing.TB, seed uint64) *cycleRig {
	t.Helper()
	featuregatetesting.SetFeatureGatesDuringTest(t, utilfeature.DefaultFeatureGate, featuregatetesting.FeatureOverrides{
		features.GenericWorkload: true, features.TopologyAwareWorkloadScheduling: true, features.NominatedNodeNameForExpectation: false,
	})
	y := &cycleRig{rand: rand.New(rand.NewPCG(seed, 9)), objects: map[string]*corev1.Node{}, counts: map[string]int{}}
	y.start(t)
	return y
}

// start makes a scheduler without nodes and pods.
func (y *cycleRig) start(t testing.TB) {
	t.Helper()
	profile := testProfile(t, "")
	plugins := profile.Plugins
	plugins.MultiPoint.Enabled = append(plugins.MultiPoint.Enabled, schedulerconfig.Plugin{Name: fabricplacement.Name}, schedulerconfig.Plugin{Name: troubleName})
	plugins.PlacementGenerate.Disabled = append(plugins.PlacementGenerate.Disabled, schedulerconfig.Plugin{Name: names.TopologyPlacementGenerator})
	// No group is there for these to preempt for.
	plugins.PodGroupPostFilter.Disabled = append(plugins.PodGroupPostFilter.Disabled, schedulerconfig.Plugin{Name: "*"})
	plugins.Bind.Disabled = append(plugins.Bind.Disabled, schedulerconfig.Plugin{Name: names.DefaultBinder})
	y.faultPlugin = newTrouble()
	r, err := rigWith(t, frameworkruntime.Registry{troubleName: y.plugin}, profile)
	if err != nil {
		t.Fatal(err)
	}
	y.rig = r
	y.sched.FailureHandler = func(_ context.Context, _ framework.Framework, info *framework.QueuedPodInfo, _ *fwk.Status, _ *fwk.NominatingInfo, _ time.Time) {
		r.sched.SchedulingQueue.Done(info.Pod.UID)
		y.failed(info.Pod)
	}
}

// quiet is a context of which nothing is logged.
func quiet(ctx context.Context) context.Context { return klog.NewContext(ctx, klog.Logger{}) }

// restart starts another scheduler, which knows what is bound and nothing else.
func (y *cycleRig) restart() {
	for _, c := range y.gangs {
		y.giveUp(c)
	}
	y.sched.SchedulingQueue.Close()
	y.start(y.t)
	for _, name := range y.names {
		y.addNode(y.objects[name])
	}
	for _, pod := range y.strays {
		y.confirm(pod)
	}
	for _, c := range y.gangs {
		y.declare(c)
		for _, m := range c.members {
			if m.node != "" {
				y.confirm(m.pod)
			} else {
				y.sched.Cache.AddPodGroupMember(m.pod)
			}
		}
	}
}

// declare lets the scheduler know of a gang.
func (y *cycleRig) declare(c *testGang) {
	y.sched.Cache.AddPodGroup(c.group)
	y.sched.SchedulingQueue.AddPodGroup(klog.Background(), c.group)
}

// newCrew makes a gang that asks for a topology, with pods that wait.
func (y *cycleRig) newGang(asked gang.Topology, size, pods int, gpus int64, change ...func(*testGang)) *testGang {
	y.made++
	key := gang.Key{Namespace: "ns", Dialect: dialect.Berth, Name: fmt.Sprint("g", y.made)}
	c := &testGang{name: key.Name, asked: asked, size: size, gpus: gpus, group: gangtable.PodGroup(gang.Group{Key: key, Size: int32(size), Need: int32(size), Topology: asked})}
	for _, f := range change {
		f(c)
	}
	y.declare(c)
	for range pods {
		y.join(c, len(c.members))
	}
	y.gangs = append(y.gangs, c)
	return c
}

// join adds a pod to a gang; at is its number, which is in its name.
func (y *cycleRig) join(c *testGang, at int) {
	y.made++
	pod := testPod(fmt.Sprintf("%s-%d", c.name, at), c.asks(at), 1, 1)
	pod.UID = types.UID(fmt.Sprint("uid-", y.made))
	pod.Spec.SchedulingGroup = &corev1.PodSchedulingGroup{PodGroupName: &c.group.Name}
	m := &member{pod: pod, rank: -1}
	metav1.SetMetaDataLabel(&pod.ObjectMeta, "berth.dev/gang", c.name)
	if c.ranked {
		m.rank = at
		metav1.SetMetaDataAnnotation(&pod.ObjectMeta, "berth.dev/rank", strconv.Itoa(at))
	}
	if c.tolerant {
		pod.Spec.Tolerations = []corev1.Toleration{{Operator: corev1.TolerationOpExists}}
	}
	c.members = append(c.members, m)
	y.sched.Cache.AddPodGroupMember(pod)
}

// asks is how many GPUs a pod of a gang asks for, by its number.
func (c *testGang) asks(at int) int64 {
	if c.mixed && at == 0 {
		return 0
	}
	return c.gpus
}

// leave takes a pod of a gang away.
func (y *cycleRig) leave(c *testGang, m *member) {
	if m.node != "" {
		y.remove(m.pod)
	} else {
		y.sched.Cache.RemovePodGroupMember(m.pod)
	}
	c.members = slices.DeleteFunc(c.members, func(other *member) bool { return other == m })
}

// disband ends a gang.
func (y *cycleRig) disband(c *testGang) {
	y.giveUp(c)
	for len(c.members) > 0 {
		y.leave(c, c.members[0])
	}
	y.sched.SchedulingQueue.DeletePodGroup(klog.Background(), c.group)
	y.sched.Cache.RemovePodGroup(klog.Background(), c.group)
	y.gangs = slices.DeleteFunc(y.gangs, func(other *testGang) bool { return other == c })
}

func (c *testGang) waiting() (out []*member) {
	for _, m := range c.members {
		if m.node == "" {
			out = append(out, m)
		}
	}
	return out
}

func (c *testGang) placed() (out []*member) {
	for _, m := range c.members {
		if m.node != "" {
			out = append(out, m)
		}
	}
	return out
}

// attempt runs one cycle of a gang, in which every pod that waits is tried, and returns the
// nodes of those that got one, whether they could be bound or not.
func (y *cycleRig) attempt(c *testGang) map[types.UID]string {
	y.t.Helper()
	waiting := c.waiting()
	for _, m := range waiting {
		y.sched.SchedulingQueue.Add(y.t.Context(), m.pod)
	}
	if n := len(y.sched.SchedulingQueue.PodsInActiveQ()); n != len(waiting) {
		y.t.Fatalf("%d pods of gang %q are in the active queue, want %d", n, c.name, len(waiting))
	}
	y.binding.Lock()
	y.sched.ScheduleOne(quiet(y.t.Context()))
	for range len(y.told) {
		y.settle(c, <-y.told)
	}
	y.binding.Unlock()
	chosen := y.chosenSince()
	for _, m := range waiting {
		m.node, m.held = chosen[m.pod.UID], chosen[m.pod.UID] != ""
	}
	if len(c.placed()) >= c.size {
		y.letGo(c)
	}
	if pods, where := y.sched.SchedulingQueue.PendingPods(); len(pods) > 0 {
		y.t.Fatalf("%d pods are left in the queue: %s", len(pods), where)
	}
	return chosen
}

// letGo waits for what becomes of the pods of a gang that are held.
func (y *cycleRig) letGo(c *testGang) {
	y.t.Helper()
	held := 0
	for _, m := range c.members {
		if m.held {
			held++
		}
	}
	for range held {
		select {
		case one := <-y.told:
			y.settle(c, one)
		case <-time.After(time.Minute):
			y.t.Fatalf("pods of gang %q were neither bound nor have they failed", c.name)
		}
	}
}

// giveUp has the pods of a gang that are held fail, as when they have waited for too long.
func (y *cycleRig) giveUp(c *testGang) {
	y.t.Helper()
	for _, m := range c.members {
		if m.held && !y.fw.RejectWaitingPod(m.pod.UID) {
			y.t.Fatalf("pod %q does not wait", m.pod.Name)
		}
	}
	y.letGo(c)
}

// settle takes in what became of a pod.
func (y *cycleRig) settle(c *testGang, one told) {
	y.t.Helper()
	at := slices.IndexFunc(c.members, func(m *member) bool { return m.pod.UID == one.pod.UID })
	if at < 0 {
		y.t.Fatalf("pod %q is not of gang %q", one.pod.Name, c.name)
	}
	m := c.members[at]
	m.node, m.held = one.node, false
	if one.node == "" {
		return
	}
	m.pod = m.pod.DeepCopy()
	m.pod.Spec.NodeName = one.node
	annotations, err := device.Annotations(nil, one.place)
	y.must(err)
	for key, value := range annotations {
		metav1.SetMetaDataAnnotation(&m.pod.ObjectMeta, key, value)
	}
	if one.place != nil {
		m.rank = one.place.Rank
	}
	y.confirm(m.pod)
}
