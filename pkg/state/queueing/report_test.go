package queueing

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/berth-dev/berth/pkg/core/quota"
	"github.com/berth-dev/berth/pkg/state/statetest"
)

// What is said of who waits and of what is used is what the queues decide by.
func TestLinesAndBooks(t *testing.T) {
	b := newQueuesRig(t)
	if _, some := b.Books(); some {
		t.Error("there are books where there are no queues")
	}
	b.SetQueue(queue("parent", "", 4, 8))
	b.SetQueue(queue("child", "parent", 1, 0))
	b.SetQueue(queue("other", "", 2, 0))
	b.tell(statetest.GPUPod("running", 3, statetest.InQueue("child"), statetest.OnNode))
	for _, p := range []*corev1.Pod{statetest.GPUPod("much", 6, statetest.InQueue("child")), statetest.GPUPod("n-less", 2, statetest.InQueue("child")), statetest.GPUPod("lost", 1, statetest.InQueue("nowhere"))} {
		b.tell(p)
		b.Enter(p)
	}
	books, some := b.Books()
	if !some || len(books.Charges) != 1 || books.Charges[0].Pod.Name != "running" || books.Charges[0].By[0] != 3 {
		t.Errorf("charged is %+v, want the pod that runs", books.Charges)
	}
	child, _ := books.Used.Tree().Queue("child")
	if used := books.Used.Of(child)[0]; used != 3 {
		t.Errorf("the books say that %d are used, want 3", used)
	}
	type line struct {
		Queue            string
		Code             string
		Queued           bool
		Asks             quota.Amount
		Waiting          int
		Ahead            []string
		QueueNow, Refuse string
	}
	for _, want := range []struct {
		pod  *corev1.Pod
		line line
	}{
		{statetest.GPUPod("much", 6, statetest.InQueue("child")), line{"child", "QueueAtLimit", true, 6, 2, nil, "child", ""}},
		{statetest.GPUPod("n-less", 2, statetest.InQueue("child")), line{"child", "QueuedBehind", true, 2, 2, []string{"ns/much (pod)"}, "child", ""}},
		{statetest.GPUPod("lost", 1, statetest.InQueue("nowhere")), line{"nowhere", "", false, 1, 0, nil, "nowhere", "QueueNotFound"}},
	} {
		l, waits := b.Line(want.pod, 10)
		got := line{Queue: l.Name, Code: string(l.Reason.Code), Queued: l.Queued, Asks: l.Asks[0], Waiting: l.Waiting, QueueNow: b.QueueNow(want.pod), Refuse: string(l.Refusal.Code)}
		for _, a := range l.Ahead {
			got.Ahead = append(got.Ahead, a.Name)
		}
		if diff := cmp.Diff(want.line, got); !waits || diff != "" {
			t.Errorf("%s: waits %v, -want +got:\n%s", want.pod.Name, waits, diff)
		}
	}
	if _, waits := b.Line(statetest.GPUPod("running", 3, statetest.InQueue("child"), statetest.OnNode), 10); waits {
		t.Error("a pod that runs is in the line")
	}
}
