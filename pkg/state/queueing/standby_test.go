package queueing

import (
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/berth-dev/berth/pkg/core/gang"
	"github.com/berth-dev/berth/pkg/state/statetest"
)

// podNames returns the names of pods.
func podNames(pods []*corev1.Pod) []string {
	out := []string{}
	for _, p := range pods {
		out = append(out, p.Name)
	}
	return out
}

// A standby hears of pods that wait, and then that the leader has bound them. When it takes
// over, those are nobody whose turn it could be: they would fill the window for ever.
func TestStandbyTakesOver(t *testing.T) {
	b := newQueuesRig(t)
	b.opened = false
	b.SetQueue(queue("a", "", 0, 0))
	for i := range 6 {
		p := statetest.GPUPod(fmt.Sprint("old", i), 1, statetest.InQueue("a"))
		b.tell(p)
		b.Enter(p)
		bound := p.DeepCopy()
		statetest.OnNode(bound)
		b.tell(bound)
	}
	fresh := statetest.GPUPod("fresh", 1, statetest.InQueue("a"))
	b.tell(fresh)
	b.Enter(fresh)
	b.Open()
	if got := podNames(b.Admit()); fmt.Sprint(got) != "[fresh]" {
		t.Errorf("admitted are %v, want the one that waits", got)
	}
	if got := b.used("a"); got != 6 {
		t.Errorf("the queue uses %d, want 6", got)
	}
	b.checkInvariants(t)
	// And so it goes on: each that ends makes room in the window for the next.
	b.Reserve(fresh)
	b.Ended(fresh)
	for i := range 20 {
		p := statetest.GPUPod(fmt.Sprint("next", i), 1, statetest.InQueue("a"))
		b.tell(p)
		b.Enter(p)
		if got := podNames(b.Admit()); len(got) != 1 || got[0] != p.Name {
			t.Fatalf("admitted are %v, want %s", got, p.Name)
		}
		b.Reserve(p)
		b.Ended(p)
		statetest.OnNode(p)
		b.tell(p)
		b.checkInvariants(t)
	}
}

// A gang that is withdrawn between being admitted and being tried gives its place in the
// window back.
func TestWithdrawnWhileLetIn(t *testing.T) {
	b := newQueuesRig(t)
	b.config.Window = 1
	b.SetQueue(queue("a", "", 0, 0))
	member := func(name, size string) *corev1.Pod {
		p := statetest.GPUPod(name, 1, statetest.InQueue("a"), statetest.InGang("g"))
		p.Annotations["berth.dev/gang-size"] = size
		group := statetest.BerthKey("g").GroupName()
		p.Spec.SchedulingGroup = &corev1.PodSchedulingGroup{PodGroupName: &group}
		return p
	}
	settle := func(p *corev1.Pod) {
		b.table.SetPod(p)
		b.tell(p)
		b.table.settleAll()
		b.GangChanged(statetest.BerthKey("g"))
	}
	settle(member("g-0", "2"))
	settle(member("g-1", "2"))
	b.Enter(member("g-0", "2"))
	b.Enter(member("g-1", "2"))
	if got := b.Admit(); len(got) != 1 {
		t.Fatalf("admitted are %v, want the gang", podNames(got))
	}
	settle(member("g-1", "many"))
	if v, _ := b.table.Get(statetest.BerthKey("g")); v.Verdict.Code != gang.Malformed {
		t.Fatalf("the verdict is %v", v.Verdict)
	}
	other := statetest.GPUPod("other", 1, statetest.InQueue("a"))
	b.tell(other)
	b.Enter(other)
	if got := podNames(b.Admit()); fmt.Sprint(got) != "[other]" {
		t.Errorf("admitted are %v, want the other, for the gang was withdrawn", got)
	}
	b.checkInvariants(t)
	// Mended, the gang has its turn again.
	b.Ended(other)
	settle(member("g-1", "2"))
	b.Enter(member("g-0", "2"))
	b.Enter(member("g-1", "2"))
	if got := b.Admit(); len(got) != 1 {
		t.Errorf("admitted are %v, want the gang", podNames(got))
	}
}

// Who was admitted and is not tried for long is named, so that whoever knows why can give
// the place back.
func TestOverdue(t *testing.T) {
	b := newQueuesRig(t)
	b.SetQueue(queue("a", "", 0, 0))
	p := statetest.GPUPod("p", 1, statetest.InQueue("a"))
	b.tell(p)
	b.Enter(p)
	b.Admit()
	if got := b.Overdue(time.Minute); len(got) != 0 {
		t.Errorf("%v are overdue at once", podNames(got))
	}
	b.table.clock.SetTime(b.table.clock.Now().Add(2 * time.Minute))
	if got := podNames(b.Overdue(time.Minute)); fmt.Sprint(got) != "[p]" {
		t.Errorf("overdue are %v, want p", got)
	}
	b.Held(p)
	if got := b.Overdue(time.Minute); len(got) != 0 {
		t.Errorf("%v are overdue after the place was given back", podNames(got))
	}
}

// checkInvariants fails the test if something is so that never may be.
func (q *Queues) checkInvariants(t *testing.T) {
	t.Helper()
	q.mu.Lock()
	defer q.mu.Unlock()
	for uid := range q.byPod {
		if p := q.charged[uid]; p != nil && p.pod.Spec.NodeName != "" {
			t.Errorf("pod %s has its node, and waits", p.pod.Name)
		}
	}
	for _, w := range q.waiting {
		if w.admitted && !w.queued {
			t.Errorf("%s is admitted, and not in the line", w.name)
		}
		if len(w.pods) == 0 {
			t.Errorf("%s waits without pods", w.name)
		}
	}
}
