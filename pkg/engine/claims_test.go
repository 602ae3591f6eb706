package engine

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/berth-dev/berth/pkg/api/v1alpha1"
	"github.com/berth-dev/berth/pkg/dialect"
	"github.com/berth-dev/berth/pkg/engine/waitreason"
)

// run has a workload's pods run on the nodes that are given, one each, without a scheduler.
func (h *testCluster) run(c testJob, nodes ...string) *testJob {
	h.t.Helper()
	out := h.submit(c)
	for i, uid := range out.uids {
		h.edit(uid, func(pod *corev1.Pod) {
			pod.Spec.NodeName = nodes[i%len(nodes)]
			pod.Status.Phase, pod.Status.StartTime = corev1.PodRunning, &metav1.Time{Time: h.clock.Now()}
			pod.Status.Conditions = append(pod.Status.Conditions, corev1.PodCondition{Type: corev1.PodReady, Status: corev1.ConditionTrue})
		})
	}
	return out
}

// asked returns how many evictions were asked for, and answer has all be answered from now on:
// those of a leader that is gone may still be under way.
func (h *testCluster) asked() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.evicted)
}

func (h *testCluster) answer() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.busy = map[string]bool{}
}

// leave has pods be deleted by their owner.
func (h *testCluster) leave(uids ...types.UID) {
	for _, uid := range uids {
		h.edit(uid, func(pod *corev1.Pod) {
			at := metav1.NewTime(h.clock.Now().Add(time.Duration(*pod.Spec.TerminationGracePeriodSeconds) * time.Second))
			pod.DeletionTimestamp, pod.DeletionGracePeriodSeconds = &at, pod.Spec.TerminationGracePeriodSeconds
		})
	}
}

// expectBound fails the test if not so many pods of a workload have a place and stay.
func (h *testCluster) expectBound(c *testJob, want int, when string) {
	h.t.Helper()
	if got := len(h.boundNodes(c)); got != want {
		h.t.Errorf("%s: %d pods of %q have a place, want %d", when, got, c.name, want)
	}
}

func (h *testCluster) expectEvicted(want int, when string) {
	h.t.Helper()
	if got := len(h.evicted); got != want {
		h.t.Fatalf("%s: %d pods were evicted, want %d: %v", when, got, want, h.evicted)
	}
}

// Victims that are cheap and scattered over racks make no room for a gang that needs one:
// nobody goes for nothing. Where one rack can be had, it is that which is emptied, however
// cheap the others are.
func TestScatteredVictimsAreNotEvictedForAGangInOneRack(t *testing.T) {
	h := newTestCluster(t, rackNodes(12, 4), testQueue{name: "owner", guaranteed: 32}, testQueue{name: "steady", guaranteed: 64}, testQueue{name: "borrower", weight: 1})
	edges := h.run(testJob{name: "edges", queue: "steady", size: 4, gpus: 8}, "n0000", "n0001", "n0004", "n0005")
	third := h.run(testJob{name: "third", queue: "steady", size: 4, gpus: 8}, "n0008", "n0009", "n0010", "n0011")
	scattered := []*testJob{
		h.run(testJob{name: "left", queue: "borrower", size: 2, gpus: 8}, "n0002", "n0003"),
		h.run(testJob{name: "right", queue: "borrower", size: 2, gpus: 8}, "n0006", "n0007"),
	}
	h.settle()
	owner := h.submit(testJob{name: "owner", queue: "owner", size: 4, gpus: 8, rack: true})
	h.settle()
	h.pass(120, 5*time.Second)
	h.expectEvicted(0, "there are four nodes to be had, in two racks")
	h.expectBound(owner, 0, "no rack can be emptied")
	if h.counts["reservations"] != 0 {
		t.Errorf("%d pods were tried where nobody's going helps", h.counts["reservations"])
	}

	// The third rack becomes one of borrowers, who have run for longer than the others.
	h.end(third.uids...)
	others := h.run(testJob{name: "others", queue: "borrower", size: 4, gpus: 8}, "n0008", "n0009", "n0010", "n0011")
	for _, uid := range others.uids {
		h.edit(uid, func(pod *corev1.Pod) {
			pod.Status.StartTime = &metav1.Time{Time: h.clock.Now().Add(-24 * time.Hour)}
		})
	}
	h.pass(150, 5*time.Second)
	h.expectEvicted(4, "one rack can be had")
	h.expectBound(owner, 4, "a rack was emptied")
	for _, c := range append(scattered, edges) {
		h.expectBound(c, c.size, "a rack was emptied")
	}
}

// Eight pods of one GPU could go, two on each of four nodes. That is eight GPUs, and no room
// for a pod of eight: none goes.
func TestOneGPUPodsOnFourNodesAreNotEvictedForAPodOfEight(t *testing.T) {
	h := newTestCluster(t, rackNodes(4, 2), testQueue{name: "owner", guaranteed: 8}, testQueue{name: "steady", guaranteed: 24}, testQueue{name: "borrower", weight: 1})
	nodes := []string{"n0000", "n0001", "n0002", "n0003"}
	steady := h.run(testJob{name: "steady", queue: "steady", pods: 4, gpus: 6}, nodes...)
	small := h.run(testJob{name: "small", queue: "borrower", pods: 8, gpus: 1}, nodes...)
	h.settle()
	owner := h.submit(testJob{name: "owner", queue: "owner", gpus: 8})
	h.settle()
	h.pass(120, 5*time.Second)
	h.expectEvicted(0, "eight GPUs can be had, on four nodes")
	h.expectBound(small, 8, "nobody's going helps")

	// On one node all eight are of the borrower's by and by: then those go, and no others.
	h.end(steady.uids[2])
	filling := h.run(testJob{name: "filling", queue: "borrower", pods: 6, gpus: 1}, "n0002")
	h.pass(150, 5*time.Second)
	h.expectEvicted(8, "one node can be had")
	h.expectBound(owner, 1, "a node was emptied")
	h.expectBound(filling, 0, "a node was emptied")
	h.expectBound(small, 6, "a node was emptied")
}

// A rack without a free GPU is one like others when victims are looked for: here the only
// one that will do, beside racks that have room and nobody who may go.
func TestRackThatIsFullIsLookedAtForVictims(t *testing.T) {
	h := newTestCluster(t, rackNodes(9, 3), testQueue{name: "owner", guaranteed: 24}, testQueue{name: "steady", guaranteed: 32}, testQueue{name: "borrower", weight: 1})
	h.run(testJob{name: "steady", queue: "steady", size: 4, gpus: 8}, "n0000", "n0001", "n0006", "n0007")
	full := h.run(testJob{name: "full", queue: "borrower", size: 3, gpus: 8}, "n0003", "n0004", "n0005")
	h.settle()
	owner := h.submit(testJob{name: "owner", queue: "owner", size: 3, gpus: 8, rack: true})
	h.settle()
	h.pass(10, time.Second)
	h.expectEvicted(3, "a rack is full of borrowers")
	h.expectBound(full, 0, "its rack is needed")
	h.expectBound(owner, 3, "a rack was emptied")
	if batches := h.counts["batches"]; batches != 1 {
		t.Errorf("there were %d batches", batches)
	}
}

// A victim that does not leave: the room is kept for as long as it may take, and then given
// up as a whole, so that others have what the other victims left. Once it is gone, the gang
// has its place, and nobody else went for it meanwhile.
func TestVictimThatDoesNotLeaveGivesTheRoomUp(t *testing.T) {
	h := newTestCluster(t, rackNodes(3, 3), testQueue{name: "owner", guaranteed: 16}, testQueue{name: "borrower", weight: 1}, testQueue{name: "steady", guaranteed: 8})
	victim := h.run(testJob{name: "victim", queue: "borrower", size: 2, gpus: 8, grace: 10}, "n0000", "n0001")
	h.run(testJob{name: "steady", queue: "steady", size: 1, gpus: 8}, "n0002")
	h.stuck["victim-1"] = true
	h.settle()
	owner := h.submit(testJob{name: "owner", queue: "owner", size: 2, gpus: 8})
	h.settle()
	h.expectEvicted(2, "the owner is entitled to it")
	guest := h.submit(testJob{name: "guest", queue: "borrower", size: 1, gpus: 8})
	h.pass(12, 5*time.Second)
	h.expectBound(guest, 0, "the room of who left is kept")
	if kept := h.reclaimer.Batches(); kept != 1 {
		t.Errorf("room is kept for %d", kept)
	}
	h.pass(6, 5*time.Second)
	if kept := h.reclaimer.Batches(); kept != 0 {
		t.Errorf("room is kept for %d after it was given up", kept)
	}
	h.expectBound(guest, 1, "the room was given up")
	h.expectBound(victim, 0, "one has left, one is leaving")
	h.expectBound(owner, 0, "a victim does not leave")
	h.expectEvicted(2, "the room was given up")
	h.end(guest.uids...)
	h.stuck["victim-1"] = false
	h.pass(70, 5*time.Second)
	h.expectBound(owner, 2, "the victim has left")
	h.expectEvicted(2, "the victim has left")
	if diff := h.ledgerDiff(); diff != "" {
		t.Error(diff)
	}
}

// A budget protects the gang that would do the least damage, and allows one of its two pods to
// go: none is asked to, and others are chosen at once.
func TestBudgetProtectsAndOthersAreChosen(t *testing.T) {
	h := newTestCluster(t, rackNodes(4, 2), testQueue{name: "owner", guaranteed: 16}, testQueue{name: "borrower", weight: 1})
	dear := h.run(testJob{name: "dear", queue: "borrower", size: 2, gpus: 8}, "n0000", "n0001")
	h.pass(100, 5*time.Second)
	cheap := h.run(testJob{name: "cheap", queue: "borrower", size: 2, gpus: 8}, "n0002", "n0003")
	h.reclaimer.SetBudget(h.protect("cheap", 1))
	h.pass(1, time.Second)
	owner := h.submit(testJob{name: "owner", queue: "owner", size: 2, gpus: 8})
	h.settle()
	h.expectEvicted(2, "others are chosen")
	h.pass(10, time.Second)
	h.expectBound(dear, 0, "others are chosen")
	h.expectBound(cheap, 2, "a budget protects it")
	h.expectBound(owner, 2, "others are chosen")
}

// Budgets protect all that would have to go: nobody goes, and whoever waits is told of the
// budget, whatever else it could be told. It goes on once the budget is gone.
func TestBudgetsProtectAll(t *testing.T) {
	h := newTestCluster(t, rackNodes(2, 2), testQueue{name: "owner", guaranteed: 16}, testQueue{name: "borrower", weight: 1})
	h.run(testJob{name: "cheap", queue: "borrower", size: 2, gpus: 8}, "n0000", "n0001")
	h.reclaimer.SetBudget(h.protect("cheap", 1))
	h.pass(1, time.Second)
	owner := h.submit(testJob{name: "owner", queue: "owner", size: 2, gpus: 8})
	h.pass(5, time.Second)
	h.expectEvicted(0, "a budget protects them")
	why := h.explainer.Why(h.told[owner.uids[0]])
	if why.Code != waitreason.VictimsProtected || !strings.Contains(why.Text, `disruption budget "ns/cheap" protects 2 pods that would have to go, and allows 1 disruption`) {
		t.Errorf("the gang that waits is told %+v", why)
	}
	h.reclaimer.SetBudget(func() *policyv1.PodDisruptionBudget {
		pdb := h.protect("cheap", 2)
		pdb.ResourceVersion = "2"
		return pdb
	}())
	h.pass(10, time.Second)
	h.expectBound(owner, 2, "the budget lets all go")
}

// A budget that nobody knew of lets one of two pods go. The gang that lost it is made whole
// first: neither the one for which it went nor another gets the room, and nobody else goes.
func TestBatchThatIsCutShortIsUndone(t *testing.T) {
	h := newTestCluster(t, rackNodes(4, 2), testQueue{name: "owner", guaranteed: 16}, testQueue{name: "borrower", weight: 1})
	h.run(testJob{name: "dear", queue: "borrower", size: 2, gpus: 8}, "n0000", "n0001")
	h.pass(100, 5*time.Second)
	cheap := h.run(testJob{name: "cheap", queue: "borrower", size: 2, gpus: 8}, "n0002", "n0003")
	h.protect("cheap", 1)
	h.pass(1, time.Second)
	owner := h.submit(testJob{name: "owner", queue: "owner", size: 2, gpus: 8})
	h.settle()
	h.await("the batch is given up", func() bool { return h.reclaimer.Batches() == 0 })
	guest := h.submit(testJob{name: "guest", queue: "borrower", size: 1, gpus: 8})
	h.pass(5, time.Second)
	h.expectBound(cheap, 1, "a budget stopped the eviction")
	h.expectBound(guest, 0, "the room of the pod that went is kept for its gang")
	h.expectBound(owner, 0, "the gang that lost a pod is made whole first")
	again := testJob{name: "cheap", queue: "borrower", size: 2, gpus: 8}
	lost := 0
	if h.pod("cheap-0") != nil {
		lost = 1
	}
	made := h.create(again.podOf(lost))
	h.pass(3, time.Second)
	if pod := h.told[made.UID]; pod == nil || pod.Spec.NodeName == "" {
		t.Error("the pod that was made again has no place")
	}
	h.expectBound(guest, 0, "the gang is whole, and the cluster full")
	asked := len(h.evicted)
	h.reclaimer.SetBudget(h.protect("cheap", 0))
	h.pass(20, time.Second)
	h.expectBound(owner, 2, "others go for it once the gang is whole")
	if len(h.evicted) != asked+2 {
		t.Errorf("the evictions of %v were asked for", h.evicted)
	}
}

// A leader dies in the middle of an eviction. The next one evicts the rest before it lets
// anybody claim anything.
func TestNextLeaderEndsAnEviction(t *testing.T) {
	h := newTestCluster(t, rackNodes(2, 2), testQueue{name: "owner", guaranteed: 16}, testQueue{name: "borrower", weight: 1})
	victim := h.run(testJob{name: "victim", queue: "borrower", size: 2, gpus: 8}, "n0000", "n0001")
	h.busy["victim-1"] = true
	h.settle()
	owner := h.submit(testJob{name: "owner", queue: "owner", size: 2, gpus: 8})
	h.settle()
	h.await("the second pod does not go", func() bool { return h.asked() >= 2 })
	h.pass(1, time.Second)
	h.expectBound(victim, 1, "the leader did not come further")
	h.depose()
	h.answer()
	// Nobody waits any more: what was begun is ended all the same.
	h.end(owner.uids...)
	h.lead()
	h.pass(10, time.Second)
	h.expectBound(victim, 0, "the next leader evicts the rest")
}

// The gang for which others were evicted still waits when the leader dies in the middle: the
// next one ends that eviction, and evicts nobody else for it.
func TestNextLeaderCountsOnTheEvictionThatItEnds(t *testing.T) {
	h := newTestCluster(t, rackNodes(4, 2), testQueue{name: "owner", guaranteed: 16}, testQueue{name: "borrower", weight: 1})
	one := h.run(testJob{name: "one", queue: "borrower", size: 2, gpus: 8}, "n0000", "n0001")
	two := h.run(testJob{name: "two", queue: "borrower", size: 2, gpus: 8}, "n0002", "n0003")
	h.busy["one-1"], h.busy["two-1"] = true, true
	h.settle()
	owner := h.submit(testJob{name: "owner", queue: "owner", size: 2, gpus: 8})
	h.settle()
	h.await("the second pod does not go", func() bool { return h.asked() >= 2 })
	h.depose()
	h.answer()
	h.lead()
	h.pass(10, time.Second)
	h.expectBound(owner, 2, "the next leader evicts the rest")
	if left := len(h.boundNodes(one)) + len(h.boundNodes(two)); left != 2 {
		t.Errorf("%d pods of the other gang are left, want 2", left)
	}
}

// A leader dies after it has written that a gang goes, and before any of its pods has gone: the
// gang stays.
func TestNextLeaderLetsAWholeGangStay(t *testing.T) {
	h := newTestCluster(t, rackNodes(2, 2), testQueue{name: "owner", guaranteed: 16}, testQueue{name: "borrower", weight: 1})
	victim := h.run(testJob{name: "victim", queue: "borrower", size: 2, gpus: 8}, "n0000", "n0001")
	h.busy["victim-0"], h.busy["victim-1"] = true, true
	h.settle()
	owner := h.submit(testJob{name: "owner", queue: "owner", size: 2, gpus: 8})
	h.settle()
	h.await("no pod goes", func() bool { return h.asked() >= 1 })
	h.depose()
	h.answer()
	h.end(owner.uids...)
	h.lead()
	h.pass(10, time.Second)
	h.expectBound(victim, 2, "nothing of it had gone")
	if pod := h.pod("victim-1"); dialect.Evicting(pod) {
		t.Error("the gang still says that it is being evicted")
	}
}

// Pods that leave are room to come, whoever has them leave: nobody is evicted for a gang that
// has enough of it.
func TestLeavingPodsAreRoomToCome(t *testing.T) {
	for _, c := range []struct {
		name string
		rack bool
	}{{"anywhere", false}, {"in a rack", true}} {
		t.Run(c.name, func(t *testing.T) {
			h := newTestCluster(t, rackNodes(4, 2), testQueue{name: "owner", guaranteed: 16}, testQueue{name: "borrower", weight: 1})
			leaving := h.run(testJob{name: "leaving", queue: "borrower", size: 2, gpus: 8, grace: 30}, "n0000", "n0001")
			stays := h.run(testJob{name: "stays", queue: "borrower", size: 2, gpus: 8}, "n0002", "n0003")
			h.settle()
			h.leave(leaving.uids...)
			h.pass(1, time.Second)
			owner := h.submit(testJob{name: "owner", queue: "owner", size: 2, gpus: 8, rack: c.rack})
			h.pass(10, time.Second)
			h.expectEvicted(0, "pods are leaving")
			h.expectBound(owner, 0, "they have not left")
			why := h.explainer.Why(h.told[owner.uids[0]])
			if why.Code != "EvictsOthers" || !strings.Contains(why.Text, "once 2 pods have left") {
				t.Errorf("the gang that waits is told %+v", why)
			}
			h.pass(30, time.Second)
			h.expectBound(owner, 2, "they have left")
			h.expectBound(stays, 2, "nobody else had to go")
		})
	}
}

// What one who is entitled leaves of the room that others make for it is the next one's, who is
// entitled too: nobody else is evicted for that one.
func TestRoomThatIsToSpareIsTheNextOnes(t *testing.T) {
	h := newTestCluster(t, rackNodes(4, 2), testQueue{name: "owner", guaranteed: 16}, testQueue{name: "borrower", weight: 1})
	h.run(testJob{name: "one", queue: "borrower", size: 2, gpus: 8, grace: 30}, "n0000", "n0001")
	h.run(testJob{name: "two", queue: "borrower", size: 2, gpus: 8, grace: 30}, "n0002", "n0003")
	h.settle()
	var owners []*testJob
	for i := range 4 {
		owners = append(owners, h.submit(testJob{name: fmt.Sprint("owner-", i), queue: "owner", pods: 1, gpus: 1}))
		h.pass(3, time.Second)
	}
	h.expectEvicted(2, "one gang is enough")
	h.pass(40, time.Second)
	for _, owner := range owners {
		h.expectBound(owner, 1, "they have left")
	}
	h.expectEvicted(2, "one gang was enough")
}

// Those for whom there is enough where others are asked to go wait until it is seen whether they
// do: nobody else is evicted for them meanwhile.
func TestRoomOfThoseAskedToGoIsWaitedFor(t *testing.T) {
	h := newTestCluster(t, rackNodes(4, 2), testQueue{name: "owner", guaranteed: 16}, testQueue{name: "borrower", weight: 1})
	h.run(testJob{name: "one", queue: "borrower", size: 2, gpus: 8, grace: 5}, "n0000", "n0001")
	h.run(testJob{name: "two", queue: "borrower", size: 2, gpus: 8, grace: 5}, "n0002", "n0003")
	h.settle()
	for _, pod := range []string{"one-0", "one-1", "two-0", "two-1"} {
		h.busy[pod] = true
	}
	var owners []*testJob
	for i := range 4 {
		owners = append(owners, h.submit(testJob{name: fmt.Sprint("owner-", i), queue: "owner", pods: 1, gpus: 1}))
	}
	h.pass(10, time.Second)
	if batches := h.reclaimer.Batches(); batches != 1 {
		t.Fatalf("others are asked to go for %d pods, want one", batches)
	}
	if why := h.explainer.Why(h.told[owners[3].uids[0]]); why.Code != "EvictsOthers" || !strings.Contains(why.Text, "are asked to go for others") {
		t.Errorf("one that waits to see it is told %+v", why)
	}
	h.answer()
	h.pass(45, time.Second)
	if slices.ContainsFunc(h.evicted, func(pod string) bool { return strings.HasPrefix(pod, "two-") }) {
		t.Errorf("one gang is enough, and %v were asked to go", h.evicted)
	}
	for _, owner := range owners {
		h.expectBound(owner, 1, "they have left")
	}
}

// What is kept for one is nobody else's, also where more than that leaves.
func TestRoomThatIsKeptIsNotToSpare(t *testing.T) {
	h := newTestCluster(t, rackNodes(4, 2), testQueue{name: "owner", guaranteed: 24}, testQueue{name: "borrower", weight: 1})
	h.run(testJob{name: "one", queue: "borrower", size: 2, gpus: 8, grace: 30}, "n0000", "n0001")
	h.run(testJob{name: "two", queue: "borrower", size: 2, gpus: 8, grace: 30}, "n0002", "n0003")
	h.settle()
	var owners []*testJob
	for i, gpus := range []int64{1, 8, 8} {
		owners = append(owners, h.submit(testJob{name: fmt.Sprint("owner-", i), queue: "owner", pods: 1, gpus: gpus}))
		h.pass(3, time.Second)
		h.expectEvicted([]int{2, 2, 4}[i], fmt.Sprintf("the third has no node beside the other two, after %d", i+1))
	}
	h.pass(45, time.Second)
	for _, owner := range owners {
		h.expectBound(owner, 1, "they have left")
	}
}

// The leader changes while victims leave: the next one waits for them, and evicts nobody else.
func TestNextLeaderWaitsForVictims(t *testing.T) {
	h := newTestCluster(t, rackNodes(4, 2), testQueue{name: "owner", guaranteed: 16}, testQueue{name: "borrower", weight: 1})
	h.run(testJob{name: "one", queue: "borrower", size: 2, gpus: 8, grace: 30}, "n0000", "n0001")
	h.run(testJob{name: "two", queue: "borrower", size: 2, gpus: 8, grace: 30}, "n0002", "n0003")
	h.settle()
	owner := h.submit(testJob{name: "owner", queue: "owner", size: 2, gpus: 8})
	h.settle()
	h.expectEvicted(2, "the owner is entitled to it")
	for range 3 {
		h.pass(3, time.Second)
		h.depose()
		h.lead()
	}
	h.expectEvicted(2, "what leaves is enough")
	h.pass(40, time.Second)
	h.expectBound(owner, 2, "they have left")
	h.expectEvicted(2, "what left was enough")
}

// Who has been chosen to go is not there to be counted on: while the victims of one claim
// leave, another takes nothing that their queue is guaranteed.
func TestVictimsThatLeaveDoNotCountForASecondClaim(t *testing.T) {
	late := v1alpha1.QueuePreemption{MinRuntime: &metav1.Duration{Duration: time.Hour}}
	h := newTestCluster(t, rackNodes(6, 2), testQueue{name: "one", guaranteed: 16}, testQueue{name: "two", guaranteed: 16},
		testQueue{name: "steady", guaranteed: 16, weight: 1}, testQueue{name: "late", weight: 1, preemption: late})
	first := h.run(testJob{name: "first", queue: "steady", size: 2, gpus: 8, grace: 30}, "n0000", "n0001")
	second := h.run(testJob{name: "second", queue: "steady", size: 2, gpus: 8, grace: 30}, "n0002", "n0003")
	h.run(testJob{name: "late", queue: "late", size: 2, gpus: 8}, "n0004", "n0005")
	h.settle()
	one := h.submit(testJob{name: "one", queue: "one", size: 2, gpus: 8})
	h.settle()
	h.pass(1, time.Second)
	h.expectEvicted(2, "steady is above its guarantee")
	h.submit(testJob{name: "two", queue: "two", size: 2, gpus: 8})
	h.settle()
	h.pass(80, time.Second)
	h.expectBound(one, 2, "it was entitled to it")
	h.expectEvicted(2, "steady has its guarantee and no more")
	if left := len(h.boundNodes(first)) + len(h.boundNodes(second)); left != 2 {
		t.Errorf("steady has %d nodes left, and is guaranteed two", left)
	}
}

// A queue is entitled to its guarantee once: a second gang, which would be within it if the
// first were not there, does not have others evicted while the first waits for its room.
func TestGangsThatWaitForTheirRoomCountForASecondClaim(t *testing.T) {
	h := newTestCluster(t, rackNodes(4, 2), testQueue{name: "owner", guaranteed: 16}, testQueue{name: "borrower", weight: 1})
	h.run(testJob{name: "first", queue: "borrower", size: 2, gpus: 8, grace: 30}, "n0000", "n0001")
	h.run(testJob{name: "second", queue: "borrower", size: 2, gpus: 8, grace: 30}, "n0002", "n0003")
	h.settle()
	one := h.submit(testJob{name: "one", queue: "owner", size: 2, gpus: 8})
	two := h.submit(testJob{name: "two", queue: "owner", size: 2, gpus: 8})
	h.settle()
	h.pass(5, time.Second)
	h.expectEvicted(2, "the guarantee is of two nodes")
	h.pass(60, time.Second)
	h.expectEvicted(2, "the guarantee is of two nodes")
	if n := len(h.boundNodes(one)) + len(h.boundNodes(two)); n != 2 {
		t.Errorf("the owner has %d nodes, and is guaranteed two", n)
	}
}
