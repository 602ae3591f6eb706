package queueing

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/berth-dev/berth/pkg/core/quota"
	"github.com/berth-dev/berth/pkg/state/statetest"
	"github.com/berth-dev/berth/pkg/state/workload"
)

// A placed pod of which nothing changed that matters is not charged anew: most updates are of
// its status.
func TestUpdateThatChangesNothingChargesNothing(t *testing.T) {
	b := newQueuesRig(t)
	b.SetQueue(queue("a", "", 0, 0))
	b.SetQueue(queue("b", "", 0, 0))
	pod := statetest.GPUPod("p", 2, statetest.InQueue("a"), statetest.OnNode)
	b.tell(pod)
	if got := b.used("a"); got != 2 {
		t.Fatalf("it uses %d, want 2", got)
	}
	select {
	case <-b.News():
	default:
	}
	before := b.charged[pod.UID]

	running := pod.DeepCopy()
	running.Status.Phase = corev1.PodRunning
	b.tell(running)
	if after := b.charged[pod.UID]; after != before || after.pod != running {
		t.Error("a pod that began to run was charged anew, or is not known as it is")
	}
	select {
	case <-b.News():
		t.Error("it is said that somebody may be admitted")
	default:
	}

	grown := running.DeepCopy()
	grown.Spec.Containers[0].Resources.Requests = statetest.GPUPod("p", 3).Spec.Containers[0].Resources.Requests
	b.tell(grown)
	if got := b.used("a"); got != 3 {
		t.Errorf("it asks for 3, and its queue uses %d", got)
	}
	// What it says once it has its place moves nothing: it would pass the limit of the other
	// queue, and free its own.
	moved := grown.DeepCopy()
	moved.Labels["berth.dev/queue"] = "b"
	b.tell(moved)
	if a, to := b.used("a"), b.used("b"); a != 3 || to != 0 {
		t.Errorf("it names another queue: the first uses %d and the second %d", a, to)
	}
	b.SetQueue(queue("c", "", 0, 0)) // all are charged anew
	if a, to := b.used("a"), b.used("b"); a != 3 || to != 0 {
		t.Errorf("a queue was made: the first uses %d and the second %d", a, to)
	}
}

// So it is for a member of a gang, whose gang has the queue that its members name.
func TestChargeOfAMemberIsFixed(t *testing.T) {
	b := newQueuesRig(t)
	b.SetQueue(queue("a", "", 0, 0))
	b.SetQueue(queue("b", "", 0, 0))
	member := func(queue string) *corev1.Pod {
		p := statetest.GPUPod("p", 2, statetest.InQueue(queue), statetest.InGang("g"), statetest.Sized(1), statetest.OnNode)
		p.Spec.SchedulingGroup = groupNamed(statetest.BerthKey("g").GroupName())
		return p
	}
	for _, queue := range []string{"a", "b"} {
		b.table.SetPod(member(queue))
		b.tell(member(queue))
		b.table.settleAll()
		b.GangChanged(statetest.BerthKey("g"))
		if a, to := b.used("a"), b.used("b"); a != 2 || to != 0 {
			t.Errorf("it names queue %s: the first uses %d and the second %d", queue, a, to)
		}
	}
}

// An account knows whose pods it pays for, and nothing is kept of those that are gone.
func TestAccounts(t *testing.T) {
	b := newQueuesRig(t)
	b.SetQueue(queue("a", "", 0, 0))
	member := statetest.GPUPod("p", 2, statetest.InQueue("a"), statetest.OnNode)
	member.Spec.SchedulingGroup = groupNamed("g")
	second := statetest.GPUPod("q", 1, statetest.InQueue("a"), statetest.OnNode)
	second.Spec.SchedulingGroup = groupNamed("g")
	b.tell(member)
	b.tell(second)
	if a := b.accounts["a"]; a.pods != 2 || len(a.gangs) != 1 || a.gangs[workload.IDOf(member)] != 2 {
		t.Errorf("two pods of one gang are there, and the account has %+v", a)
	}
	other := member.DeepCopy()
	other.Spec.SchedulingGroup = groupNamed("h")
	b.tell(other)
	if a := b.accounts["a"]; a.pods != 2 || len(a.gangs) != 2 {
		t.Errorf("one went to another gang, and the account has %+v", a)
	}
	b.forget(other)
	b.forget(second)
	if len(b.accounts) != 0 || len(b.unagreed) != 0 {
		t.Error("they are gone, and pay still")
	}
}

func groupNamed(name string) *corev1.PodSchedulingGroup {
	return &corev1.PodSchedulingGroup{PodGroupName: &name}
}

// What is kept of the charged pods, to be asked often, is what is found by going through them.
func TestCountsOfChargedPodsAgree(t *testing.T) {
	r := rand.New(rand.NewPCG(37, 37))
	b := newQueuesRig(t)
	leaving := 0
	for step := range 4000 {
		name := fmt.Sprint("p", r.IntN(30))
		uid := statetest.GPUPod(name, 1).UID
		switch r.IntN(8) {
		case 0:
			b.SetQueue(queue(fmt.Sprint("q", r.IntN(3)), "", int64(r.IntN(3)), 0))
		case 1:
			b.DeleteQueue(fmt.Sprint("q", r.IntN(3)))
			b.rebuilt = time.Time{} // a tree that is due is made at once
		case 2:
			if p := b.pods[uid]; p != nil {
				b.forget(p)
			}
		case 3:
			if p := b.pods[uid]; p != nil {
				p = p.DeepCopy()
				p.DeletionTimestamp = &metav1.Time{Time: statetest.Epoch}
				b.tell(p)
			}
		default:
			p := statetest.GPUPod(name, int64(r.IntN(3)), statetest.InQueue(fmt.Sprint("q", r.IntN(4))))
			p.Spec.Priority = new(int32(r.IntN(5) - 2))
			if r.IntN(4) > 0 {
				statetest.OnNode(p)
			}
			b.tell(p)
		}
		if b.Check(statetest.GPUPod("other", 1)); b.tree == nil {
			continue
		}
		type lowest struct {
			priority int32
			some     bool
		}
		want := map[quota.QueueID]lowest{}
		for _, p := range b.charged {
			leaf, priority := b.tree.Own(p.account.id), workload.PriorityOf(p.pod)
			if was := want[leaf]; !was.some || priority < was.priority {
				want[leaf] = lowest{priority, true}
			}
			if deleting := b.deleting[p.pod.UID] == p; deleting != (p.pod.DeletionTimestamp != nil) {
				t.Fatalf("step %d: pod %s is said to be deleted: %v", step, p.pod.Name, deleting)
			}
		}
		for uid := range b.deleting {
			if leaving++; b.charged[uid] == nil {
				t.Fatalf("step %d: pod %s is said to be deleted, and is not charged", step, uid)
			}
		}
		for q := range quota.QueueID(b.tree.Len()) {
			leaf := b.tree.Own(q)
			if priority, some := b.lowest(leaf); want[leaf] != (lowest{priority, some}) {
				t.Fatalf("step %d: the lowest priority in queue %q is said to be %d (%v), want %+v", step, b.tree.Name(q), priority, some, want[leaf])
			}
		}
	}
	if leaving < 1000 {
		t.Errorf("%d pods were seen to be deleted: the test is too easy", leaving)
	}
}
