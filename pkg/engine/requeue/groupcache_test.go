package requeue

import (
	"errors"
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"
	schedulingv1beta1 "k8s.io/api/scheduling/v1beta1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	featuregatetesting "k8s.io/component-base/featuregate/testing"
	"k8s.io/klog/v2"
	"k8s.io/kubernetes/pkg/features"
	internalcache "k8s.io/kubernetes/pkg/scheduler/backend/cache"
	"k8s.io/kubernetes/pkg/scheduler/metrics"
)

// groupNamed is the group of the gang.
func groupNamed(gang string) *schedulingv1beta1.PodGroup {
	return &schedulingv1beta1.PodGroup{ObjectMeta: metav1.ObjectMeta{Namespace: inGroup(gang, "").Namespace, Name: gang}}
}

// on is a pod that is bound.
func on(node string, pod *corev1.Pod) *corev1.Pod {
	pod = pod.DeepCopy()
	pod.Spec.NodeName = node
	return pod
}

// A gang that is placed is not in the snapshot, while it is asked to be left out.
func TestPlacedIsLeftOut(t *testing.T) {
	a, b := on("n", inGroup("g", "a")), on("n", inGroup("g", "b"))
	for _, c := range []struct {
		name string
		do   func(c *GroupCache)
		// want is how many pods the cache has of the gang when something was done, and after the
		// next snapshot.
		want, then int
	}{
		{"nothing", func(*GroupCache) {}, 0, 0},
		{"a pod runs", func(c *GroupCache) { _ = c.UpdatePod(klog.Background(), a, a.DeepCopy()) }, 0, 0},
		{"a pod goes", func(c *GroupCache) { _ = c.RemovePod(klog.Background(), a) }, 0, 0},
		{"all pods go", func(c *GroupCache) {
			_, _ = c.RemovePod(klog.Background(), a), c.RemovePod(klog.Background(), b)
		}, 0, 0},
		{"a pod comes", func(c *GroupCache) { c.AddPodGroupMember(inGroup("g", "c")) }, 3, 3},
		{"a pod comes and is bound", func(c *GroupCache) { _ = c.AddPod(klog.Background(), on("n", inGroup("g", "c"))) }, 3, 0},
		{"the group goes", func(c *GroupCache) { c.RemovePodGroup(klog.Background(), groupNamed("g")) }, 2, 0},
		{"a pod comes and expires", func(c *GroupCache) {
			expires := on("n", inGroup("g", "c"))
			_, _ = c.AssumePod(klog.Background(), expires), c.RemoveAssumedPod(klog.Background(), expires)
		}, 2, 0},
		{"it is looked at", func(c *GroupCache) { _, _ = c.BuildHierarchySnapshotFromPod(a) }, 2, 0},
		{"none is to be left out", func(c *GroupCache) { c.leavesOut = func() bool { return false } }, 0, 2},
	} {
		rig := newCacheRig(t)
		cache := rig.groups
		cache.AddPodGroup(groupNamed("g"))
		rig.must(cache.AddPod(klog.Background(), a))
		rig.must(cache.AddPod(klog.Background(), b))
		rig.begin()
		if count(cache) != 0 || !cache.LeavesOut() {
			t.Fatalf("%s: the gang is placed and the cache has %d pods of it; one is left out: %t", c.name, count(cache), cache.LeavesOut())
		}
		c.do(cache)
		rig.expectPods(c.name, c.want, c.then)
	}
}

// A gang of which every pod is assumed is not in the snapshot either.
func TestAssumedIsLeftOut(t *testing.T) {
	waits := map[string]*corev1.Pod{"a": inGroup("g", "a"), "b": inGroup("g", "b")}
	a, b := on("n", waits["a"]), on("n", waits["b"])
	newer := waits["a"].DeepCopy()
	newer.ResourceVersion = "newer"
	for _, c := range []struct {
		name string
		do   func(c *GroupCache) error
		// want is how many pods the cache has of the gang when something was done, then after the
		// next snapshot, and waiting how many of them wait.
		want, then, waiting int
	}{
		{"nothing", func(*GroupCache) error { return nil }, 0, 0, 0},
		{"one is bound", func(c *GroupCache) error { return c.AddPod(klog.Background(), a) }, 0, 0, 0},
		{"all are bound", func(c *GroupCache) error {
			return errors.Join(c.AddPod(klog.Background(), a), c.AddPod(klog.Background(), b))
		}, 0, 0, 0},
		{"one cannot be bound", func(c *GroupCache) error { return c.ForgetPod(klog.Background(), a) }, 2, 2, 1},
		{"none can be bound", func(c *GroupCache) error {
			return errors.Join(c.ForgetPod(klog.Background(), a), c.ForgetPod(klog.Background(), b))
		}, 2, 2, 2},
		{"one changes and cannot be bound", func(c *GroupCache) error {
			c.UpdatePodGroupMember(klog.Background(), waits["a"], newer)
			return c.ForgetPod(klog.Background(), a)
		}, 2, 2, 1},
		{"one changes", func(c *GroupCache) error {
			c.UpdatePodGroupMember(klog.Background(), waits["a"], newer)
			return nil
		}, 0, 0, 0},
		{"one is gone", func(c *GroupCache) error { return c.RemoveAssumedPod(klog.Background(), a) }, 1, 0, 0},
		{"another comes", func(c *GroupCache) error { c.AddPodGroupMember(inGroup("g", "c")); return nil }, 3, 3, 1},
		{"another comes, and one cannot be bound", func(c *GroupCache) error {
			c.AddPodGroupMember(inGroup("g", "c"))
			return c.ForgetPod(klog.Background(), a)
		}, 3, 3, 2},
	} {
		rig := newCacheRig(t)
		cache := rig.groups
		cache.AddPodGroup(groupNamed("g"))
		for _, pod := range []*corev1.Pod{a, b} {
			cache.AddPodGroupMember(waits[pod.Name])
			rig.must(cache.AssumePod(klog.Background(), pod))
		}
		rig.begin()
		if count(cache) != 0 {
			t.Fatalf("%s: the gang is assumed and the cache has %d pods of it", c.name, count(cache))
		}
		rig.must(c.do(cache))
		rig.expectPods(c.name, c.want, c.then)
		if state, err := cache.Cache.PodGroupStates().Get("ns", "g"); err == nil {
			waiting := state.UnscheduledPods()
			if len(waiting) != c.waiting {
				t.Errorf("%s: %d pods wait, want %d", c.name, len(waiting), c.waiting)
			}
			for _, pod := range waiting {
				if pod.Spec.NodeName != "" {
					t.Errorf("%s: pod %s waits, and has node %s", c.name, pod.Name, pod.Spec.NodeName)
				}
			}
		} else if c.waiting > 0 {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// A gang that its queue holds is out of the cache until something is done with it.
func TestHeldIsLeftOut(t *testing.T) {
	a, b := inGroup("g", "a"), inGroup("g", "b")
	for _, c := range []struct {
		name string
		do   func(r *cacheRig)
		// want is how many pods the cache has of the gang when something was done, and after the
		// next snapshot.
		want, then int
	}{
		{"nothing", func(*cacheRig) {}, 0, 0},
		{"it is activated and held", func(r *cacheRig) { r.groups.Activate(map[string]*corev1.Pod{"": a}, func() {}) }, 2, 0},
		{"its queue lets it pass", func(r *cacheRig) { r.queue.Asked(a, true) }, 0, 2},
		{"a pod comes", func(r *cacheRig) { r.groups.AddPodGroupMember(inGroup("g", "c")) }, 3, 0},
		{"a pod goes", func(r *cacheRig) { r.groups.RemovePodGroupMember(b) }, 1, 0},
		{"the group changes", func(r *cacheRig) { r.groups.UpdatePodGroup(klog.Background(), groupNamed("g"), groupNamed("g")) }, 2, 0},
		{"the group goes", func(r *cacheRig) { r.groups.RemovePodGroup(klog.Background(), groupNamed("g")) }, 2, 2},
		{"another gang is activated", func(r *cacheRig) {
			r.groups.Activate(map[string]*corev1.Pod{"": inGroup("other", "c")}, func() {})
		}, 0, 0},
		{"a pod gets its place", func(r *cacheRig) { _ = r.groups.AddPod(klog.Background(), on("n", b)) }, 2, 2},
	} {
		rig := newCacheRig(t)
		cache := rig.groups
		for _, pod := range []*corev1.Pod{a, b} {
			rig.queue.note(pod)
			cache.AddPodGroupMember(pod)
			rig.queue.Asked(pod, false)
		}
		cache.AddPodGroup(groupNamed("g"))
		rig.begin()
		if count(cache) != 0 || cache.LeavesOut() {
			t.Fatalf("%s: the gang is held and the cache has %d pods of it; one is left out that is placed: %t", c.name, count(cache), cache.LeavesOut())
		}
		c.do(rig)
		rig.expectPods(c.name, c.want, c.then)
	}
}

// What is handed out of who is held does not change any more: it is read without a lock.
func TestTurnedIsHandedOut(t *testing.T) {
	rig := newCacheRig(t)
	none := rig.queue.turned()
	rig.queue.Asked(inGroup("g", "a"), false)
	one := rig.queue.turned()
	rig.queue.Asked(inGroup("h", "b"), false)
	if len(none) != 0 || len(one) != 1 {
		t.Errorf("%d gangs are said to have turned where none has, and %d where one has", len(none), len(one))
	}
}

// Activated is a gang that the cache has.
func TestActivatedIsBack(t *testing.T) {
	rig := newCacheRig(t)
	a := inGroup("g", "a")
	cache := rig.groups
	rig.queue.note(a)
	cache.AddPodGroupMember(a)
	cache.AddPodGroup(groupNamed("g"))
	rig.queue.Asked(a, false)
	rig.begin()
	before, then := count(cache), 0
	cache.Activate(map[string]*corev1.Pod{"": a}, func() { then = count(cache) })
	if before != 0 || then != 1 {
		t.Errorf("the cache had %d pods of the gang before it was activated and %d when it was, want 0 and 1", before, then)
	}
}

// What is known of gangs is what a cache knows that takes none out, whatever happens.
func TestNothingIsLostOfGangs(t *testing.T) {
	const steps, gangs, pods = 20_000, 6, 4
	random := rand.New(rand.NewPCG(1, 2))
	rig, plain := newCacheRig(t), newCacheRig(t)
	cache, twin := rig.groups, plain.groups.Cache
	both := []internalcache.Cache{cache, twin}
	leavesOut, out, held, assumed := true, 0, 0, 0
	cache.leavesOut = func() bool { return leavesOut }
	isHeld, turned := map[types.NamespacedName]bool{}, map[types.NamespacedName]struct{}{}
	cache.held = func(group types.NamespacedName) bool { return isHeld[group] }
	cache.turned = func() map[types.NamespacedName]struct{} { return turned }
	members, groups := map[string]*groupMember{}, map[string]bool{}
	for step := range steps {
		gang := fmt.Sprintf("g%d", random.IntN(gangs))
		if random.IntN(10) == 0 {
			for _, c := range both {
				if groups[gang] {
					c.RemovePodGroup(klog.Background(), groupNamed(gang))
				} else {
					c.AddPodGroup(groupNamed(gang))
				}
			}
			groups[gang] = !groups[gang]
		} else {
			name := fmt.Sprintf("%s-%d", gang, random.IntN(pods))
			if members[name] == nil {
				members[name] = &groupMember{pod: inGroup(gang, name)}
				members[name].pod.UID = types.UID(fmt.Sprintf("%s/%d", name, step))
			}
			do, next := members[name].step(random.IntN(10))
			for _, c := range both {
				rig.must(do(c))
			}
			members[name] = next
		}
		leavesOut = leavesOut != (random.IntN(500) == 0)
		switch random.IntN(4) {
		case 0:
			rig.begin()
			clear(turned)
		case 1:
			group := types.NamespacedName{Namespace: inGroup(gang, "").Namespace, Name: gang}
			isHeld[group], turned[group] = !isHeld[group], struct{}{}
		case 2:
			cache.Activate(map[string]*corev1.Pod{"": inGroup(gang, "")}, func() {})
		}
		if cache.placed > 0 {
			out++
		}
		if len(cache.hidden) > cache.placed {
			held++
		}
		for _, one := range cache.originals {
			if one.out {
				assumed++
				break
			}
		}
		for g := range gangs {
			gang := fmt.Sprintf("g%d", g)
			if diff := cmp.Diff(known(twin, gang), cache.known(gang), cmpopts.EquateEmpty()); diff != "" {
				t.Fatalf("step %d, gang %s (-a cache that takes none out, +this one):\n%s", step, gang, diff)
			}
		}
	}
	if out < steps/10 || held < steps/100 || assumed < steps/10 {
		t.Errorf("in %d steps, a gang was left out that is placed in %d, and one that is held in %d; a pod that was taken out is assumed in %d", steps, out, held, assumed)
	}
	for uid, one := range cache.originals {
		if is, err := cache.Cache.IsAssumedPod(one.pod); err != nil || !is {
			t.Errorf("the original of pod %s is kept, which is not assumed: %v", uid, err)
		}
	}
}

// groupMember is a pod of a gang, and how far it has come.
type groupMember struct {
	pod                     *corev1.Pod
	waits, assumed, isBound bool
	// original is what an assumed pod is without its node.
	original *corev1.Pod
}

// step is something that happens to the pod, and what it is then; nil if it is gone.
func (m *groupMember) step(what int) (do func(internalcache.Cache) error, next *groupMember) {
	logger, pod := klog.Background(), m.pod
	changed := pod.DeepCopy()
	changed.ResourceVersion += "+"
	switch {
	case m.isBound && what < 3:
		return func(c internalcache.Cache) error { return c.RemovePod(logger, pod) }, nil
	case m.isBound:
		return func(c internalcache.Cache) error { return c.UpdatePod(logger, pod, changed) }, &groupMember{pod: changed, isBound: true}
	case m.assumed && what < 2:
		return func(c internalcache.Cache) error { return c.ForgetPod(logger, pod) }, &groupMember{pod: m.original, waits: true}
	case m.assumed && what == 2:
		return func(c internalcache.Cache) error { return c.RemoveAssumedPod(logger, pod) }, nil
	case m.assumed && what < 6:
		newer := m.original.DeepCopy()
		newer.ResourceVersion += "+"
		return func(c internalcache.Cache) error { c.UpdatePodGroupMember(logger, m.original, newer); return nil }, &groupMember{pod: pod, assumed: true, original: newer}
	case m.assumed && what == 6:
		return func(c internalcache.Cache) error { return c.RemovePod(logger, pod) }, nil
	case m.assumed:
		return func(c internalcache.Cache) error { return c.AddPod(logger, changed) }, &groupMember{pod: changed, isBound: true}
	case m.waits && what == 0:
		return func(c internalcache.Cache) error { c.RemovePodGroupMember(pod); return nil }, nil
	case m.waits && what < 4:
		return func(c internalcache.Cache) error { c.UpdatePodGroupMember(logger, pod, changed); return nil }, &groupMember{pod: changed, waits: true}
	case m.waits:
		assumed := on("n", pod)
		return func(c internalcache.Cache) error { return c.AssumePod(logger, assumed) }, &groupMember{pod: assumed, assumed: true, original: pod}
	case what < 8:
		return func(c internalcache.Cache) error { c.AddPodGroupMember(pod); return nil }, &groupMember{pod: pod, waits: true}
	default:
		changed.Spec.NodeName = "n"
		return func(c internalcache.Cache) error { return c.AddPod(logger, changed) }, &groupMember{pod: changed, isBound: true}
	}
}

// gangView is what a cache knows of a gang. Pods are named with their versions.
type gangView struct {
	Waiting, Placed []string
	Assumed         []types.UID
	Pods            int
	Group           bool
}

func known(c internalcache.Cache, gang string) gangView {
	var v gangView
	namespace := inGroup(gang, "").Namespace
	if state, err := c.PodGroupStates().Get(namespace, gang); err == nil {
		v.Pods, v.Waiting = state.AllPodsCount(), named(maps.Values(state.UnscheduledPods()))
		v.Placed, v.Assumed = named(slices.Values(state.ScheduledPods())), sets.List(state.AssumedPods())
	}
	_, err := c.PodGroups().Get(namespace, gang)
	v.Group = err == nil
	return v
}

// known returns what the cache knows, with what was taken out.
func (c *GroupCache) known(gang string) gangView {
	name := types.NamespacedName{Namespace: inGroup(gang, "").Namespace, Name: gang}
	v := known(c.Cache, gang)
	if w := c.hidden[name]; w != nil && v.Pods == 0 && !v.Group { // else it is out, and is not
		v = gangView{Pods: len(w.pods), Group: w.group != nil}
		if pods := named(maps.Values(w.pods)); w.placed {
			v.Placed = pods
		} else {
			v.Waiting = pods
		}
	}
	for uid, one := range c.originals {
		if group, _ := groupOf(one.pod); group == name && one.out {
			v.Assumed = append(v.Assumed, uid)
		}
	}
	slices.Sort(v.Assumed)
	return v
}

func named(pods iter.Seq[*corev1.Pod]) []string {
	var out []string
	for pod := range pods {
		out = append(out, fmt.Sprintf("%s %s on %q", pod.UID, pod.ResourceVersion, pod.Spec.NodeName))
	}
	slices.Sort(out)
	return out
}

// cacheRig is a cache that knows gangs, and the scheduling queue that holds some.
type cacheRig struct {
	t        *testing.T
	groups   *GroupCache
	queue    *Queue
	snapshot *internalcache.Snapshot
}

func newCacheRig(t *testing.T) *cacheRig {
	featuregatetesting.SetFeatureGatesDuringTest(t, utilfeature.DefaultFeatureGate, featuregatetesting.FeatureOverrides{
		features.GenericWorkload: true, features.TopologyAwareWorkloadScheduling: true, features.NominatedNodeNameForExpectation: false,
	})
	metrics.Register() // the cache counts in them
	r := &cacheRig{t: t, snapshot: internalcache.NewEmptySnapshot()}
	r.queue = NewQueue(nil, Config{})
	r.groups = NewGroupCache(internalcache.New(t.Context(), nil, true, false), r.queue, func() bool { return true })
	r.groups.AddNode(klog.Background(), &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n"}})
	return r
}

// begin begins a cycle.
func (r *cacheRig) begin() {
	r.t.Helper()
	r.must(r.groups.UpdateSnapshot(klog.Background(), r.snapshot))
}

func (r *cacheRig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// expectPods checks how many pods the cache has of gang g, at once and after the next snapshot.
func (r *cacheRig) expectPods(after string, want, then int) {
	r.t.Helper()
	if got := count(r.groups); got != want {
		r.t.Errorf("%s: the cache has %d pods of the gang, want %d", after, got, want)
	}
	r.begin()
	if got := count(r.groups); got != then {
		r.t.Errorf("%s: after a snapshot the cache has %d pods of the gang, want %d", after, got, then)
	}
}

// count returns how many pods the cache within has of gang g.
func count(c *GroupCache) int {
	state, err := c.Cache.PodGroupStates().Get(inGroup("g", "").Namespace, "g")
	if err != nil {
		return 0
	}
	return state.AllPodsCount()
}
