package state

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// A placed pod of which nothing changed that matters is not charged anew: most updates are of
// its status.
func TestUpdateThatChangesNothingChargesNothing(t *testing.T) {
	b := newQueuesRig(t)
	b.SetQueue(queue("a", "", 0, 0))
	b.SetQueue(queue("b", "", 0, 0))
	pod := gpuPod("p", 2, inQueue("a"), onNode)
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
		t.Error("it is said that somebody may be let in")
	default:
	}

	grown := running.DeepCopy()
	grown.Spec.Containers[0].Resources.Requests = gpuPod("p", 3).Spec.Containers[0].Resources.Requests
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
		p := gpuPod("p", 2, inQueue(queue), inGang("g"), sized(1), onNode)
		p.Spec.SchedulingGroup = groupNamed(berthKey("g").GroupName())
		return p
	}
	for _, queue := range []string{"a", "b"} {
		b.table.SetPod(member(queue))
		b.tell(member(queue))
		b.table.settleAll()
		b.GangChanged(berthKey("g"))
		if a, to := b.used("a"), b.used("b"); a != 2 || to != 0 {
			t.Errorf("it names queue %s: the first uses %d and the second %d", queue, a, to)
		}
	}
}

// An account knows whose pods it pays for, and nothing is kept of those that are gone.
func TestAccounts(t *testing.T) {
	b := newQueuesRig(t)
	b.SetQueue(queue("a", "", 0, 0))
	member := gpuPod("p", 2, inQueue("a"), onNode)
	member.Spec.SchedulingGroup = groupNamed("g")
	second := gpuPod("q", 1, inQueue("a"), onNode)
	second.Spec.SchedulingGroup = groupNamed("g")
	b.tell(member)
	b.tell(second)
	if a := b.accounts["a"]; a.pods != 2 || len(a.gangs) != 1 || a.gangs[waiterOf(member)] != 2 {
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
