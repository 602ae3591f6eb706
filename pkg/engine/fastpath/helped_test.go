package fastpath

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"
	schedulingv1beta1 "k8s.io/api/scheduling/v1beta1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	featuregatetesting "k8s.io/component-base/featuregate/testing"
	"k8s.io/klog/v2"
	"k8s.io/kubernetes/pkg/features"
)

// inGroup is a pod of a gang.
func inGroup(gang, name string) *corev1.Pod {
	pod := testPod(name, 1, 1, 1)
	pod.Spec.SchedulingGroup = &corev1.PodSchedulingGroup{PodGroupName: &gang}
	return pod
}

// crowded is helped with many pods that are held.
func crowded() *helped {
	h := newHelped()
	for i := range 10 * heldToOpen {
		pod := testPod(fmt.Sprintf("held-%d", i), 1, 1, 1)
		h.came(pod)
		h.asked(pod, false)
	}
	return &h
}

// Whom an event may help is named one by one where most are held.
func TestWhomAnEventMayHelp(t *testing.T) {
	passed, again, claims := testPod("passed", 1, 1, 1), testPod("again", 1, 1, 1), testPod("claims", 1, 1, 1)
	claims.Spec.ResourceClaims = []corev1.PodResourceClaim{{Name: "c"}}
	a, b := inGroup("g", "a"), inGroup("g", "b")
	for _, c := range []struct {
		name  string
		do    func(h *helped)
		about any
		want  []string
	}{
		{"nobody but those who are held", func(*helped) {}, nil, nil},
		{"one that its queue let pass is in a heap", func(h *helped) { h.asked(passed, true) }, nil, nil},
		{"one that was refused", func(h *helped) { h.asked(passed, true); h.refused(passed) }, nil, []string{"passed"}},
		{"one that was refused, and its queue holds it", func(h *helped) { h.refused(again); h.asked(again, false) }, nil, nil},
		{"and lets it pass again, which another may not", func(h *helped) { h.refused(again); h.asked(again, false); h.asked(again, true) }, nil, []string{"again"}},
		{"one that is gone", func(h *helped) { h.refused(again); h.gone(again) }, nil, nil},
		{"one that may wait for claims", func(h *helped) { h.came(claims); h.asked(claims, false) }, nil, []string{"claims"}},
		{"another gang", func(h *helped) { h.came(a); h.came(b) }, inGroup("other", "c"), nil},
		{"a pod of the gang", func(h *helped) { h.came(a); h.came(b) }, inGroup("g", "c"), []string{"a", "b"}},
		{"the group of the gang", func(h *helped) { h.came(a); h.came(b); h.gone(b) },
			&schedulingv1beta1.PodGroup{ObjectMeta: metav1.ObjectMeta{Namespace: a.Namespace, Name: "g"}}, []string{"a"}},
	} {
		h := crowded()
		c.do(h)
		names, known := h.by(nil, c.about)
		if !known {
			t.Errorf("%s: it may be anybody", c.name)
		}
		var got []string
		for _, n := range names {
			got = append(got, n.Name)
		}
		slices.Sort(got)
		if diff := cmp.Diff(c.want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

// Where few are held, the scheduling queue looks at all, as it did.
func TestFewAreHeld(t *testing.T) {
	h := newHelped()
	held := testPod("held", 1, 1, 1)
	h.asked(held, false)
	h.refused(testPod("open", 1, 1, 1))
	if _, known := h.by(nil, nil); known {
		t.Error("one is held and another is not, and it is said who is not")
	}
	h.asked(held, true)
	if len(h.held) > 0 {
		t.Error("it is held and is not")
	}
}

// A gang that its queue holds is out of the cache until something is done with it.
func TestWithdrawn(t *testing.T) {
	group := &schedulingv1beta1.PodGroup{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "g"}}
	a, b := inGroup("g", "a"), inGroup("g", "b")
	group.Namespace = a.Namespace
	for _, c := range []struct {
		name string
		do   func(c *groupCache)
		// want is how many pods the cache has of the gang.
		want int
	}{
		{"nothing", func(*groupCache) {}, 0},
		{"it is activated", func(c *groupCache) { c.activate(map[string]*corev1.Pod{"": a}, func() {}, no) }, 2},
		{"it is activated and held", func(c *groupCache) { c.activate(map[string]*corev1.Pod{"": a}, func() {}, yes) }, 0},
		{"a pod comes", func(c *groupCache) { c.AddPodGroupMember(inGroup("g", "c")) }, 3},
		{"a pod goes", func(c *groupCache) { c.RemovePodGroupMember(b) }, 1},
		{"the group changes", func(c *groupCache) { c.UpdatePodGroup(klog.Background(), group, group) }, 2},
		{"the group goes", func(c *groupCache) { c.RemovePodGroup(klog.Background(), group) }, 2},
		{"another gang is activated", func(c *groupCache) {
			c.activate(map[string]*corev1.Pod{"": inGroup("other", "c")}, func() {}, yes)
		}, 0},
	} {
		cache := newGroupRig(t).path.groups
		cache.AddPodGroupMember(a)
		cache.AddPodGroupMember(b)
		cache.AddPodGroup(group)
		activated := 0
		cache.activate(map[string]*corev1.Pod{"": a}, func() { activated = count(cache) }, yes)
		if activated != 2 || count(cache) != 0 {
			t.Fatalf("%s: the cache had %d pods when it was activated, and %d after that", c.name, activated, count(cache))
		}
		c.do(cache)
		if got := count(cache); got != c.want {
			t.Errorf("%s: the cache has %d pods of the gang, want %d", c.name, got, c.want)
		}
	}
}

// A gang of which a pod runs stays in the cache, whoever holds the others.
func TestWithPlaceIsNotWithdrawn(t *testing.T) {
	rig := newGroupRig(t)
	rig.addNode(testNode("n", 8, 64, 512))
	cache := rig.path.groups
	group := &schedulingv1beta1.PodGroup{ObjectMeta: metav1.ObjectMeta{Namespace: inGroup("g", "a").Namespace, Name: "g"}}
	cache.AddPodGroupMember(inGroup("g", "a"))
	cache.AddPodGroup(group)
	running := inGroup("g", "b")
	running.Spec.NodeName = "n"
	rig.must(cache.AddPod(klog.Background(), running))
	cache.activate(map[string]*corev1.Pod{"": running}, func() {}, yes)
	if got := count(cache); got != 2 {
		t.Errorf("the cache has %d pods of the gang, want 2", got)
	}
}

// newGroupRig is a rig whose cache knows gangs.
func newGroupRig(t *testing.T) *rig {
	featuregatetesting.SetFeatureGatesDuringTest(t, utilfeature.DefaultFeatureGate, featuregatetesting.FeatureOverrides{
		features.GenericWorkload: true, features.TopologyAwareWorkloadScheduling: true, features.NominatedNodeNameForExpectation: false,
	})
	return newRig(t, "")
}

func yes[T any](T) bool { return true }
func no[T any](T) bool  { return false }

// count returns how many pods the cache within has of gang g.
func count(c *groupCache) int {
	state, err := c.Cache.PodGroupStates().Get(inGroup("g", "").Namespace, "g")
	if err != nil {
		return 0
	}
	return state.AllPodsCount()
}
