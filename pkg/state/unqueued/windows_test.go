package unqueued

import (
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/berth-dev/berth/pkg/state/statetest"
)

// windowsRig is windows of 2 tries, with a clock and who has a place.
type windowsRig struct {
	*Windows
	clock    *clocktesting.FakePassiveClock
	reserved sets.Set[types.UID]
}

func newPane() *windowsRig {
	p := &windowsRig{clock: clocktesting.NewFakePassiveClock(statetest.Epoch), reserved: sets.New[types.UID]()}
	p.Windows = New(2, p.reserved.Has, p.clock)
	return p
}

// try has a pod be tried for so long, without a place.
func (p *windowsRig) try(pod *corev1.Pod, took time.Duration) {
	p.Began(pod)
	p.clock.SetTime(p.clock.Now().Add(took))
	p.Ended(pod, 1)
}

// after returns who is admitted by a round after a while.
func (p *windowsRig) after(long time.Duration) (names []string) {
	p.clock.SetTime(p.clock.Now().Add(long))
	p.Round()
	for _, pod := range p.Admit() {
		names = append(names, pod.Name)
	}
	return names
}

// Failed tries take a quarter of the time, but where nobody else is tried, and somebody never
// was.
func TestRoundsArePaced(t *testing.T) {
	p := newPane()
	var pods []*corev1.Pod
	for i := range 4 {
		pods = append(pods, statetest.GPUPod(fmt.Sprint("p", i), 1))
		if got := p.Enter(pods[i]); got != (i < 2) {
			t.Errorf("pod %d enters: %t", i, got)
		}
	}
	p.try(pods[0], time.Second)
	if got := p.after(time.Millisecond); len(got) > 0 {
		t.Errorf("%v are admitted while another is tried", got)
	}
	p.try(pods[1], time.Second)
	if got := fmt.Sprint(p.after(time.Millisecond)); got != "[p2 p3]" {
		t.Errorf("%s are admitted though nobody else is tried", got)
	}
	p.try(pods[2], time.Second)
	p.try(pods[3], time.Second)
	// All were tried. Two are open, as many as the scheduling queue tries by itself.
	p.DeletePod(statetest.GPUPod("gone", 1, statetest.OnNode))
	if got := p.after(time.Second); len(got) > 0 {
		t.Errorf("%v are admitted, a second after tries of two", got)
	}
	if got := fmt.Sprint(p.after(6 * time.Second)); got != "[p2 p3]" {
		t.Errorf("%s are admitted once room has come free", got)
	}
}

// A pod that has a place waits no more, nor does a gang of which one has.
func TestWindowForgetsThePlaced(t *testing.T) {
	p := newPane()
	plain, a, b := statetest.GPUPod("plain", 1), statetest.GPUPod("a", 1, inGroup("g")), statetest.GPUPod("b", 1, inGroup("g"))
	for _, pod := range []*corev1.Pod{plain, a, b} {
		if !p.Enter(pod) {
			t.Fatalf("pod %q does not enter", pod.Name)
		}
	}
	p.reserved.Insert(plain.UID, a.UID)
	p.Ended(plain, 1)
	p.Ended(b, 1)
	if n := len(p.byID) + len(p.byPod) + p.window.Len(); n > 0 {
		t.Errorf("%d are left", n)
	}
	// The node of a member is told before its gang's try ends.
	p.Enter(a)
	p.Enter(b)
	p.reserved.Clear()
	p.SetPod(statetest.GPUPod("a", 1, inGroup("g"), statetest.OnNode))
	if p.Ended(b, 1) || len(p.byID) > 0 {
		t.Error("a gang of which one has its node was refused")
	}
}

// What the cluster could not hold is tried again when nodes have changed, or the pod itself.
func TestWindowTriesWhatHasChanged(t *testing.T) {
	p := newPane()
	pod := statetest.GPUPod("p", 9)
	p.Enter(pod)
	if !p.Ended(pod, 1) {
		t.Error("it is not judged")
	}
	p.Judged(pod, 1, "too large")
	if _, never, holds := p.Why(pod); !holds || never != "too large" || p.Enter(pod) {
		t.Errorf("it is held: %t, for %q", holds, never)
	}
	smaller := pod.DeepCopy()
	smaller.Generation++
	p.SetPod(smaller)
	if got := fmt.Sprint(p.after(0)); got != "[p]" {
		t.Errorf("%s is admitted after it has changed", got)
	}
	p.try(smaller, 0)
	p.Judged(smaller, 1, "too large")
	p.MayFit()
	if got := fmt.Sprint(p.after(0)); got != "[p]" {
		t.Errorf("%s is admitted after nodes have changed", got)
	}
	p.clock.SetTime(p.clock.Now().Add(time.Minute))
	if got := len(p.Overdue(time.Minute)); got != 1 {
		t.Errorf("%d are overdue", got)
	}
	p.Held(smaller)
	if !p.Enter(smaller) || len(p.Clear()) != 1 || len(p.byID) > 0 {
		t.Error("one that something else has held does not enter again, or is left")
	}
}

// Who was tried and refused meanwhile is held by nothing else, and keeps its place.
func TestHeldIsOfThoseLetIn(t *testing.T) {
	p := newPane()
	gang := statetest.GPUPod("a", 1, inGroup("g"))
	p.Enter(gang)
	p.try(gang, 0)
	p.Held(gang)
	p.DeletePod(statetest.GPUPod("gone", 1, statetest.OnNode))
	if got := fmt.Sprint(p.after(0)); got != "[a]" {
		t.Errorf("%s is admitted once room has come free", got)
	}
}

func inGroup(name string) func(*corev1.Pod) {
	return func(p *corev1.Pod) { p.Spec.SchedulingGroup = &corev1.PodSchedulingGroup{PodGroupName: &name} }
}
