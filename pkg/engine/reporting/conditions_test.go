package reporting

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	clienttesting "k8s.io/client-go/testing"

	"github.com/berth-dev/berth/pkg/engine/enginetest"
	"github.com/berth-dev/berth/pkg/engine/waitreason"
)

// The steps are of one pod's story; what is written in the end is compared.
func TestConditionWriter(t *testing.T) {
	name := types.NamespacedName{Namespace: "ns", Name: "p"}
	flush := func(b *writerRig) { b.conditions.flush(context.Background(), name) }
	set := func(c corev1.PodCondition) func(*writerRig) {
		return func(b *writerRig) { b.conditions.Set(name, c) }
	}
	see := func(change func(*corev1.Pod)) func(*writerRig) {
		return func(b *writerRig) {
			pod := enginetest.Pod("p")
			change(pod)
			if err := b.pods.Update(pod); err != nil {
				panic(err)
			}
		}
	}
	fail := func(err error) func(*writerRig) {
		return func(b *writerRig) {
			failed := false
			b.server.PrependReactor("patch", "pods", func(clienttesting.Action) (bool, runtime.Object, error) {
				if failed {
					return false, nil, nil
				}
				failed = true
				return true, nil, err
			})
		}
	}
	conflict := apierrors.NewConflict(schema.GroupResource{Resource: "pods"}, "p", errors.New("UID differs"))
	for _, c := range []struct {
		name  string
		steps []func(*writerRig)
		want  []string
		// left counts what still waits.
		left int
	}{
		{"one", []func(*writerRig){set(refused("a")), flush}, []string{"p (uid-p): Unschedulable: a"}, 0},
		{"the last of several", []func(*writerRig){set(refused("a")), set(refused("b")), flush, flush}, []string{"p (uid-p): Unschedulable: b"}, 0},
		{"bound meanwhile", []func(*writerRig){set(refused("a")), see(func(p *corev1.Pod) { p.Spec.NodeName = "n" }), flush}, nil, 0},
		{"deleted meanwhile", []func(*writerRig){set(refused("a")), see(func(p *corev1.Pod) { p.DeletionTimestamp = &metav1.Time{} }), flush}, nil, 0},
		{"gone meanwhile", []func(*writerRig){set(refused("a")), func(b *writerRig) { _ = b.pods.Delete(enginetest.Pod("p")) }, flush}, nil, 0},
		{"another pod of the name", []func(*writerRig){set(refused("a")), see(func(p *corev1.Pod) { p.UID = "2" }), flush}, nil, 0},
		{"the pod says so already", []func(*writerRig){see(func(p *corev1.Pod) { p.Status.Conditions = []corev1.PodCondition{refused("1 of 2 fit")} }), set(refused("2 of 2 fit")), flush}, nil, 0},
		{"there and back", []func(*writerRig){see(func(p *corev1.Pod) { p.Status.Conditions = []corev1.PodCondition{refused("a")} }),
			set(refused("b")), set(refused("a")), flush}, nil, 0},
		{"refused since it was told that others come first", []func(*writerRig){set(waitreason.Condition("QueuedBehind", "number 2")), see(func(p *corev1.Pod) { p.Status.Conditions = []corev1.PodCondition{refused("a")} }), flush}, nil, 0},
		{"told since how far it is in line", []func(*writerRig){set(waitreason.Condition("QueuedBehindHeld", "a goes first")),
			see(func(p *corev1.Pod) {
				p.Status.Conditions = []corev1.PodCondition{waitreason.Condition("QueuedBehind", "number 2")}
			}), flush}, nil, 0},
		{"refused since it was in line", []func(*writerRig){see(func(p *corev1.Pod) {
			p.Status.Conditions = []corev1.PodCondition{waitreason.Condition("QueuedBehind", "number 2")}
		}),
			set(refused("a")), flush}, []string{"p (uid-p): Unschedulable: a"}, 0},
		{"the API server is away", []func(*writerRig){fail(apierrors.NewServiceUnavailable("away")), set(refused("a")), flush}, []string{"p (uid-p): Unschedulable: a"}, 1},
		{"the API server was away", []func(*writerRig){fail(apierrors.NewServiceUnavailable("away")), set(refused("a")), flush, flush},
			[]string{"p (uid-p): Unschedulable: a", "p (uid-p): Unschedulable: a"}, 0},
		{"the API server knows another pod, or another state of it", []func(*writerRig){fail(conflict), set(refused("a")), flush}, []string{"p (uid-p): Unschedulable: a"}, 1},
		{"it was bound meanwhile", []func(*writerRig){fail(conflict), set(refused("a")), flush, see(func(p *corev1.Pod) { p.Spec.NodeName = "n" }), flush}, []string{"p (uid-p): Unschedulable: a"}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newWriterRig(t, enginetest.Pod("p"))
			for _, step := range c.steps {
				step(b)
			}
			if diff := cmp.Diff(c.want, b.written(t)); diff != "" {
				t.Errorf("written (-want +got):\n%s", diff)
			}
			if n := len(b.conditions.pending); n != c.left {
				t.Errorf("%d conditions wait, want %d", n, c.left)
			}
		})
	}
}

func TestTransitionTimeOfACondition(t *testing.T) {
	name := types.NamespacedName{Namespace: "ns", Name: "p"}
	for _, c := range []struct {
		name string
		have []corev1.PodCondition
		want time.Time
	}{
		{"the first condition", nil, enginetest.Epoch},
		{"the status stays", []corev1.PodCondition{refused("a")}, enginetest.Epoch.Add(-time.Hour)},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newWriterRig(t, enginetest.Pod("p", c.have...))
			b.conditions.Set(name, refused("b"))
			b.conditions.flush(t.Context(), name)
			pod, err := b.server.CoreV1().Pods("ns").Get(t.Context(), "p", metav1.GetOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if got := waitreason.ConditionOf(pod); got == nil || got.Message != "b" || !got.LastTransitionTime.Time.Equal(c.want) {
				t.Errorf("the condition is %+v, want text b since %s", got, c.want)
			}
		})
	}
}

// A new reason is written after a second, new words for it after half a minute.
func TestWhenConditionsAreWritten(t *testing.T) {
	b := newWriterRig(t, enginetest.Pod("new"), enginetest.Pod("reworded", refused("a")))
	b.conditions.Set(types.NamespacedName{Namespace: "ns", Name: "new"}, refused("b"))
	b.conditions.Set(types.NamespacedName{Namespace: "ns", Name: "reworded"}, refused("b"))
	go b.conditions.Run(t.Context())
	const step = 100 * time.Millisecond
	wrote := map[string]time.Duration{}
	for end := time.Now().Add(time.Minute); len(wrote) < 2 && time.Now().Before(end); time.Sleep(100 * time.Microsecond) {
		for _, action := range b.server.Actions() {
			if p := action.(clienttesting.PatchAction); wrote[p.GetName()] == 0 {
				wrote[p.GetName()] = b.clock.Since(enginetest.Epoch)
			}
		}
		b.clock.Step(step)
	}
	if d := wrote["new"]; d < conditionDelay {
		t.Errorf("a new reason was written after %s, want %s", d, conditionDelay)
	}
	if d := wrote["reworded"]; d < textDelay {
		t.Errorf("new words were written after %s, want %s", d, textDelay)
	}
}

// New words for what thousands of pods say already are written at a pace, in the order in which
// they came; a new reason does not wait for them.
func TestPaceOfWords(t *testing.T) {
	const reworded = 3 * textBurst
	nameOf := func(i int) string { return fmt.Sprintf("reworded-%d", i) }
	pods := []runtime.Object{enginetest.Pod("new")}
	for i := range reworded {
		pods = append(pods, enginetest.Pod(nameOf(i), refused("a")))
	}
	b := newWriterRig(t, pods...)
	for i := range reworded {
		b.conditions.Set(types.NamespacedName{Namespace: "ns", Name: nameOf(i)}, refused("b"))
	}
	go b.conditions.Run(t.Context())
	writes := func() (words int, reason bool) {
		for _, action := range b.server.Actions() {
			if p, is := action.(clienttesting.PatchAction); is && p.GetName() == "new" {
				reason = true
			} else if is {
				words++
			}
		}
		return words, reason
	}
	step := func() {
		b.clock.Step(200 * time.Millisecond)
		time.Sleep(100 * time.Microsecond)
	}
	end := time.Now().Add(time.Minute)
	for words := 0; words < textBurst+10; words, _ = writes() {
		if step(); time.Now().After(end) {
			t.Fatalf("%d words were written", words)
		}
	}
	asked := b.clock.Now()
	b.conditions.Set(types.NamespacedName{Namespace: "ns", Name: "new"}, refused("b"))
	for reason := false; !reason; _, reason = writes() {
		if step(); time.Now().After(end) {
			t.Fatal("the new reason was not written")
		}
	}
	if d := b.clock.Since(asked); d > 10*time.Second {
		t.Errorf("the new reason was written after %s", d)
	}
	for words := 0; words < reworded; words, _ = writes() {
		if step(); time.Now().After(end) {
			t.Fatalf("%d of %d words were written", words, reworded)
		}
	}
	if took, least := b.clock.Since(enginetest.Epoch), (reworded-textBurst)/textRate*time.Second; took < least {
		t.Errorf("%d new words took %s, want %s", reworded, took, least)
	}
}
