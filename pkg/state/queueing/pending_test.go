package queueing

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/berth-dev/berth/pkg/state/statetest"
	"github.com/berth-dev/berth/pkg/state/workload"
)

// enter asks for pods as the scheduling queue does, and says which of them may be tried.
func (b *queuesRig) enter(pods ...*corev1.Pod) (names []string) {
	for _, p := range pods {
		b.tell(p)
	}
	for _, p := range pods {
		if b.Enter(p) {
			names = append(names, p.Name)
		}
	}
	return names
}

// Why says why the one of a pod waits; false if it is being tried.
func (b *queuesRig) Why(pod *corev1.Pod) (code, text string, waits bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	w := b.waiting[workload.IDOf(pod)]
	if w == nil || w.admitted {
		return "", "", false
	}
	return b.why(w)
}

// admittedNames admits whom it is the turn of.
func (b *queuesRig) admittedNames() (names []string) {
	for _, p := range b.Admit() {
		names = append(names, p.Name)
	}
	return names
}

func expectNames(t *testing.T, when string, got, want []string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", when, diff)
	}
}

// The window of a bank is 4: no more are admitted before the end of a try is told.
func TestWindow(t *testing.T) {
	b := newQueuesRig(t)
	b.SetNode(&corev1.Node{Status: corev1.NodeStatus{Allocatable: corev1.ResourceList{statetest.Gpu: resource.MustParse("100")}}})
	b.SetQueue(queue("a", "", 0, 0))
	b.SetQueue(queue("b", "", 0, 0))
	var pods []*corev1.Pod
	for _, name := range []string{"a1", "a2", "a3", "a4", "b1", "b2"} {
		pods = append(pods, statetest.GPUPod(name, 1, statetest.InQueue(name[:1])))
	}
	expectNames(t, "nobody enters before it is admitted", b.enter(pods...), nil)
	expectNames(t, "queues take turns", b.admittedNames(), []string{"a1", "b1", "a2", "b2"})
	expectNames(t, "the window is full", b.admittedNames(), nil)
	expectNames(t, "who was admitted enters", b.enter(pods...), []string{"a1", "a2", "b1", "b2"})

	if _, ok := b.Reserve(pods[0]); !ok {
		t.Error("a pod without limits is refused")
	}
	b.Ended(pods[0])
	b.Ended(pods[4]) // b1 had no room
	expectNames(t, "two went out of the window, and one of them waits for room", b.admittedNames(), []string{"a3", "a4"})
	b.Ended(pods[1])
	b.Ended(pods[2])
	expectNames(t, "nobody is left who was not refused", b.admittedNames(), nil)
	expectNames(t, "the scheduling queue has one tried again", b.enter(pods[4]), nil)
	expectNames(t, "it is admitted anew", b.admittedNames(), []string{"b1"})

	if code, _, waits := b.Why(pods[1]); code != "NoRoom" || !waits {
		t.Errorf("a2 waits: %t, for %q; want NoRoom", waits, code)
	}
	if _, _, waits := b.Why(pods[4]); waits {
		t.Error("b1 waits, and it is being tried")
	}
}

// What holds a pod that was admitted elsewhere does not hold others.
func TestHeldElsewhere(t *testing.T) {
	b := newQueuesRig(t)
	b.SetQueue(queue("a", "", 0, 0))
	pods := []*corev1.Pod{statetest.GPUPod("p1", 1, statetest.InQueue("a")), statetest.GPUPod("p2", 1, statetest.InQueue("a")), statetest.GPUPod("p3", 1, statetest.InQueue("a")), statetest.GPUPod("p4", 1, statetest.InQueue("a")), statetest.GPUPod("p5", 1, statetest.InQueue("a"))}
	b.enter(pods...)
	expectNames(t, "four are admitted", b.admittedNames(), []string{"p1", "p2", "p3", "p4"})
	b.Held(pods[1])
	expectNames(t, "another goes instead", b.admittedNames(), []string{"p5"})
	if b.Enter(pods[1]) {
		t.Error("the one that was held enters out of turn")
	}
	b.forget(pods[0])
	expectNames(t, "one is gone, and it is admitted", b.admittedNames(), []string{"p2"})
}

// Nobody is admitted before it is known which queues there are.
func TestNotOpen(t *testing.T) {
	b := newQueuesRig(t)
	b.opened = false
	p := statetest.GPUPod("p", 1, statetest.InQueue("a"))
	expectNames(t, "nothing is known", b.enter(p), nil)
	expectNames(t, "nobody is admitted", b.admittedNames(), nil)
	b.Open()
	expectNames(t, "there are no queues: all that waited go", b.admittedNames(), []string{"p"})
	if !b.Enter(p) {
		t.Error("there are no queues, and one waits")
	}
}

// A pod that a limit holds is admitted once the limit leaves room, without anybody asking.
func TestLimitGivesTheTurn(t *testing.T) {
	b := newQueuesRig(t)
	b.SetQueue(queue("a", "", 0, 4))
	running := statetest.GPUPod("running", 3, statetest.InQueue("a"), statetest.OnNode)
	b.tell(running)
	large, small := statetest.GPUPod("large", 2, statetest.InQueue("a")), statetest.GPUPod("small", 1, statetest.InQueue("a"))
	b.enter(large, small)
	expectNames(t, "the one that fits", b.admittedNames(), []string{"small"})
	if code, text, _ := b.Why(large); code != "QueueAtLimit" || text == "" {
		t.Errorf("the other waits for %q (%s), want QueueAtLimit", code, text)
	}
	b.forget(running)
	expectNames(t, "the other, when there is room", b.admittedNames(), []string{"large"})
}

// Those whose turn never comes are told so, once; and no others.
func TestStuck(t *testing.T) {
	b := newQueuesRig(t)
	b.SetQueue(queue("a", "", 0, 4))
	b.SetQueue(queue("orphan", "gone", 0, 0))
	b.enter(statetest.GPUPod("large", 5, statetest.InQueue("a")), statetest.GPUPod("fits", 1, statetest.InQueue("a")), statetest.GPUPod("lost", 1, statetest.InQueue("nowhere")), statetest.GPUPod("bad", 1, statetest.InQueue("orphan")))
	said := func() map[string]string {
		out := map[string]string{}
		for _, s := range b.Stuck() {
			for _, p := range s.Pods {
				out[p.Name] = s.Code
			}
		}
		return out
	}
	if diff := cmp.Diff(map[string]string{"large": "QueueLimitTooLow", "lost": "QueueNotFound", "bad": "QueueFaulty"}, said()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if again := said(); len(again) > 0 {
		t.Errorf("told twice: %v", again)
	}
	b.SetQueue(queue("nowhere", "", 0, 0))
	expectNames(t, "its queue is made", b.admittedNames(), []string{"fits", "lost"})
	if again := said(); len(again) > 0 {
		t.Errorf("told again: %v", again)
	}
}

// Whoever had no room is tried again once somebody has left, or a node has come: soon, but
// in rounds that leave most of the time to others.
func TestRoomThatCameFree(t *testing.T) {
	b := newQueuesRig(t)
	node := func(name, gpus string) {
		node := &corev1.Node{Status: corev1.NodeStatus{Allocatable: corev1.ResourceList{statetest.Gpu: resource.MustParse(gpus)}}}
		node.Name = name
		b.SetNode(node)
	}
	pass := func(d time.Duration) { b.table.clock.SetTime(b.table.clock.Now().Add(d)) }
	node("n", "100")
	b.SetQueue(queue("a", "", 0, 0))
	runs, leaves := statetest.GPUPod("runs", 1, statetest.InQueue("a"), statetest.OnNode), statetest.GPUPod("leaves", 1, statetest.InQueue("a"), statetest.OnNode)
	b.tell(runs)
	b.tell(leaves)
	b.Retry()
	expectNames(t, "nobody waits", b.admittedNames(), nil)
	waits := statetest.GPUPod("waits", 1, statetest.InQueue("a"))
	b.enter(waits)
	expectNames(t, "its turn", b.admittedNames(), []string{"waits"})
	refuse := func() {
		b.Ended(waits)
		expectNames(t, "it waits for room", b.admittedNames(), nil)
	}
	refuse()
	b.Retry()
	expectNames(t, "nothing came free", b.admittedNames(), nil)
	b.DeletePod(leaves)
	b.Retry()
	expectNames(t, "a pod left", b.admittedNames(), []string{"waits"})

	pass(2 * time.Second)
	refuse() // the round took 2 s
	node("more", "8")
	pass(5 * time.Second)
	b.Retry()
	expectNames(t, "a node came, and the last round is not long ago", b.admittedNames(), nil)
	pass(time.Second)
	b.Retry()
	expectNames(t, "later", b.admittedNames(), []string{"waits"})
	refuse()
	b.Unreserve(waits)
	pass(time.Minute)
	b.Retry()
	expectNames(t, "what was reserved on trial alone is no news", b.admittedNames(), nil)
}
