package recovery

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/berth-dev/berth/pkg/core/gang"
	"github.com/berth-dev/berth/pkg/dialect"
	"github.com/berth-dev/berth/pkg/engine/enginetest"
	"github.com/berth-dev/berth/pkg/engine/preemption"
	"github.com/berth-dev/berth/pkg/state/gangtable"
)

// recoveryRig is a recovery at work on a gang of four, "g".
type recoveryRig struct {
	t      *testing.T
	server *fake.Clientset
	clock  *clocktesting.FakeClock
	gangs  *gangtable.Table
	sink   *enginetest.SyncSink
	events *enginetest.Recorder
	mu     sync.Mutex
	// evictions are those asked for: pod and when. refusals counts how many of them
	// the API server still refuses.
	evictions []eviction
	refusals  int
}

type eviction struct {
	pod  string
	when time.Duration
}

const grace = 20 * time.Second

func newRecoveryRig(t *testing.T) *recoveryRig {
	t.Helper()
	w := &recoveryRig{t: t, server: fake.NewClientset(), clock: clocktesting.NewFakeClock(enginetest.Epoch), sink: enginetest.NewSyncSink(), events: &enginetest.Recorder{}}
	w.gangs = gangtable.New(enginetest.Ours, w.sink, w.clock)
	go w.gangs.Run(t.Context())
	w.server.PrependReactor("get", "pods", func(action clienttesting.Action) (bool, runtime.Object, error) {
		name := action.(clienttesting.GetAction).GetName()
		return true, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: name, UID: types.UID("uid-" + name), ResourceVersion: "1"}}, nil
	})
	w.server.PrependReactor("create", "pods", func(action clienttesting.Action) (bool, runtime.Object, error) {
		if action.GetSubresource() != "eviction" {
			return false, nil, nil
		}
		e := action.(clienttesting.CreateAction).GetObject().(*policyv1.Eviction)
		w.mu.Lock()
		defer w.mu.Unlock()
		if uid := e.DeleteOptions.Preconditions.UID; uid == nil || string(*uid) != "uid-"+e.Name {
			t.Errorf("pod %q is evicted whatever its UID: %v", e.Name, uid)
		}
		w.evictions = append(w.evictions, eviction{e.Name, w.clock.Since(enginetest.Epoch)})
		if w.refusals > 0 {
			w.refusals--
			return true, nil, apierrors.NewTooManyRequests("the budget allows none", 1)
		}
		return true, nil, nil
	})
	return w
}

func (w *recoveryRig) start() {
	r := &HalfBound{Client: w.server, Gangs: w.gangs, Recorder: w.events, Clock: w.clock, Grace: grace}
	go r.Run(w.t.Context())
	enginetest.Eventually(w.t, "recovery waits for its first second", w.clock.HasWaiters)
}

// set has the gangs hear of pods.
func (w *recoveryRig) set(pods ...*corev1.Pod) {
	for _, pod := range pods {
		w.gangs.SetPod(pod)
	}
	w.sink.Wait(w.gangs.SetPod)
}

// until turns the clock until as many evictions were asked for.
func (w *recoveryRig) until(n int) []eviction {
	w.t.Helper()
	var got []eviction
	enginetest.Eventually(w.t, fmt.Sprintf("%d evictions are asked for", n), func() bool {
		w.mu.Lock()
		got = append([]eviction(nil), w.evictions...)
		w.mu.Unlock()
		if len(got) >= n {
			return true
		}
		w.clock.Step(500 * time.Millisecond)
		return false
	})
	return got
}

// pass turns the clock on, slowly enough for the recovery to see each second.
func (w *recoveryRig) pass(d time.Duration) {
	for end := w.clock.Now().Add(d); w.clock.Now().Before(end); time.Sleep(time.Millisecond) {
		w.clock.Step(500 * time.Millisecond)
	}
}

func pods4(bound int) (out []*corev1.Pod) {
	for i := range 4 {
		node := ""
		if i < bound {
			node = "n"
		}
		pod := enginetest.Pod(fmt.Sprint("p", i))
		pod.Labels = map[string]string{"berth.dev/gang": "g"}
		pod.Annotations = map[string]string{"berth.dev/gang-size": "4"}
		pod.Spec.NodeName = node
		pod.CreationTimestamp = metav1.NewTime(enginetest.Epoch.Add(-time.Hour))
		out = append(out, pod)
	}
	for _, p := range out[:bound] {
		p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionTrue, LastTransitionTime: metav1.NewTime(enginetest.Epoch)}}
	}
	return out
}

func evicted(evictions []eviction) (out []string) {
	for _, e := range evictions {
		out = append(out, e.pod)
	}
	return out
}

func TestRecoveryGivesTheGangItsTime(t *testing.T) {
	w := newRecoveryRig(t)
	w.set(pods4(2)...)
	w.start()
	got := w.until(2)
	if diff := cmp.Diff([]string{"p0", "p1"}, evicted(got)); diff != "" {
		t.Errorf("evicted (-want +got):\n%s", diff)
	}
	if got[0].when < grace {
		t.Errorf("evicted after %s, want %s", got[0].when, grace)
	}
	w.sink.Wait(w.gangs.SetPod)
	if g, _ := w.gangs.Get(gang.Key{Namespace: "ns", Dialect: dialect.Berth, Name: "g"}); g.Verdict.Code != "GangReleasing" {
		t.Errorf("the verdict is %+v, want that the gang is releasing", g.Verdict)
	}
	want := []string{"Pod/p0 Warning GangReleasing: Gang ns/g has 2 of 4 pods bound and could not be completed within 20s: evicting them"}
	if diff := cmp.Diff(want, w.events.Log); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestRecoveryCountsFromTheLastBind(t *testing.T) {
	w := newRecoveryRig(t)
	pods := pods4(1)
	w.set(pods...)
	w.start()
	w.pass(grace / 2)
	bound := pods4(2)[1]
	at := w.clock.Since(enginetest.Epoch)
	w.set(bound)
	if got := w.until(2); got[0].when < at+grace {
		t.Errorf("evicted after %s, want %s after the bind at %s", got[0].when, grace, at)
	}
}

// What was interrupted long before this replica leads gets the whole grace anew.
func TestRecoveryCountsFromItsOwnStart(t *testing.T) {
	w := newRecoveryRig(t)
	w.set(pods4(2)...)
	w.clock.Step(10 * grace)
	w.start()
	if got := w.until(2); got[0].when < 11*grace {
		t.Errorf("evicted after %s, want %s", got[0].when, 11*grace)
	}
}

func TestRecoveryTriesAgain(t *testing.T) {
	w := newRecoveryRig(t)
	w.refusals = 2
	pods := pods4(3)
	pods[1].DeletionTimestamp = &metav1.Time{Time: enginetest.Epoch}
	w.set(pods...)
	w.start()
	got := w.until(4)
	if diff := cmp.Diff([]string{"p0", "p2", "p0", "p2"}, evicted(got)); diff != "" {
		t.Errorf("evicted (-want +got):\n%s", diff)
	}
	if wait := got[2].when - got[1].when; wait < preemption.EvictionRetry-time.Second {
		t.Errorf("tried again after %s, want %s", wait, preemption.EvictionRetry)
	}
	if n := len(w.events.Log); n != 1 {
		t.Errorf("%d events, want one: %v", n, w.events.Log)
	}
}

// A gang that is finished in time is left alone.
func TestRecoveryLeavesAFinishedGangAlone(t *testing.T) {
	w := newRecoveryRig(t)
	w.set(pods4(2)...)
	w.start()
	w.pass(grace / 2)
	w.set(pods4(4)...)
	w.pass(3 * grace)
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.evictions) != 0 {
		t.Errorf("evicted %v, want none", w.evictions)
	}
}
