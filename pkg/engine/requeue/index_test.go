package requeue

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"
	schedulingv1beta1 "k8s.io/api/scheduling/v1beta1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// podNamed is a plain pod.
func podNamed(name string) *corev1.Pod {
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: name, UID: types.UID("uid-" + name)}}
}

// inGroup is a pod of a gang.
func inGroup(gang, name string) *corev1.Pod {
	pod := podNamed(name)
	pod.Spec.SchedulingGroup = &corev1.PodSchedulingGroup{PodGroupName: &gang}
	return pod
}

// crowded is a requeueIndex with many pods that are held.
func crowded() *requeueIndex {
	h := newRequeueIndex()
	for i := range 10 * heldToOpen {
		pod := podNamed(fmt.Sprintf("held-%d", i))
		h.came(pod)
		h.asked(pod, false)
	}
	return &h
}

// Whom an event may help is named one by one where most are held.
func TestWhomAnEventMayHelp(t *testing.T) {
	passed, again, claims := podNamed("passed"), podNamed("again"), podNamed("claims")
	claims.Spec.ResourceClaims = []corev1.PodResourceClaim{{Name: "c"}}
	without := podNamed("claims")
	a, b, inClaims := inGroup("g", "a"), inGroup("g", "b"), inGroup("g", "claims-of-g")
	inClaims.Spec.ResourceClaims = claims.Spec.ResourceClaims
	for _, c := range []struct {
		name  string
		do    func(h *requeueIndex)
		about any
		want  []string
	}{
		{"nobody but those who are held", func(*requeueIndex) {}, nil, nil},
		{"one that its queue let pass is in a heap", func(h *requeueIndex) { h.asked(passed, true) }, nil, nil},
		{"one that was refused", func(h *requeueIndex) { h.asked(passed, true); h.refused(passed) }, nil, []string{"passed"}},
		{"one that was refused, and its queue holds it", func(h *requeueIndex) { h.refused(again); h.asked(again, false) }, nil, nil},
		{"and lets it pass again, which another may not", func(h *requeueIndex) { h.refused(again); h.asked(again, false); h.asked(again, true) }, nil, []string{"again"}},
		{"a gang that was refused, and its queue holds it", func(h *requeueIndex) { h.refused(a); h.refused(b); h.asked(a, false) }, nil, nil},
		{"and lets it pass again", func(h *requeueIndex) { h.refused(a); h.refused(b); h.asked(a, false); h.asked(a, true) }, nil, []string{"a", "b"}},
		{"a gang that is held, of which a pod may wait for claims", func(h *requeueIndex) { h.refused(a); h.came(inClaims); h.asked(a, false) }, nil, []string{"claims-of-g"}},
		{"one that waits for claims no more", func(h *requeueIndex) { h.came(claims); h.asked(claims, false); h.came(without) }, nil, nil},
		{"one that is gone", func(h *requeueIndex) { h.refused(again); h.gone(again) }, nil, nil},
		{"one that may wait for claims", func(h *requeueIndex) { h.came(claims); h.asked(claims, false) }, nil, []string{"claims"}},
		{"another gang", func(h *requeueIndex) { h.came(a); h.came(b) }, inGroup("other", "c"), nil},
		{"a pod of the gang", func(h *requeueIndex) { h.came(a); h.came(b) }, inGroup("g", "c"), []string{"a", "b"}},
		{"the group of the gang", func(h *requeueIndex) { h.came(a); h.came(b); h.gone(b) },
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
	h := newRequeueIndex()
	held := podNamed("held")
	h.asked(held, false)
	h.refused(podNamed("open"))
	if _, known := h.by(nil, nil); known {
		t.Error("one is held and another is not, and it is said who is not")
	}
	h.asked(held, true)
	if h.heldPods > 0 {
		t.Error("it is held and is not")
	}
	for _, name := range []string{"held", "open"} {
		h.gone(podNamed(name))
	}
	if len(h.entities)+len(h.open)+h.openPods > 0 {
		t.Errorf("all are gone, and %+v is kept", h)
	}
}
