package engine

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/berth-dev/berth/pkg/core/repair"
	"github.com/berth-dev/berth/pkg/engine/enginetest"
	"github.com/berth-dev/berth/pkg/engine/recovery"
	"github.com/berth-dev/berth/pkg/state/device"
)

// repairRig is a test cluster with one queue, two racks of three nodes, and a gang "g" of two, one pod a
// node, that needs a rack and has two thirds of the first.
type repairRig struct {
	*testCluster
	g      *testJob
	events *enginetest.Recorder
	// onLoss is the annotation of g's pods.
	onLoss string
}

func newRepairRig(t *testing.T, onLoss string, makesAgain bool) *repairRig {
	c := &repairRig{testCluster: newTestCluster(t, rackNodes(6, 3), testQueue{name: "q", weight: 1}), events: &enginetest.Recorder{}, onLoss: onLoss}
	c.care(makesAgain)
	c.g = c.run(testJob{name: "g", queue: "q", size: 2, gpus: 8, rack: true}, "n0000", "n0001")
	for _, uid := range c.g.uids {
		c.edit(uid, c.say)
	}
	c.settle()
	return c
}

// care has the scheduler that leads tell what it does, and know the owner.
func (c *repairRig) care(makesAgain bool) {
	c.reclaimer.Recorder = c.events
	c.ownersDo = repair.Owner{MakesAgain: makesAgain, Replaces: true}
}

func (c *repairRig) say(pod *corev1.Pod) {
	if c.onLoss != "" {
		metav1.SetMetaDataAnnotation(&pod.ObjectMeta, "berth.dev/on-loss", c.onLoss)
	}
}

// again has the owner make the pods of g again that are gone.
func (c *repairRig) again() {
	c.makeAgain(c.g, c.say)
}

// live lets seconds pass, with restarts asked for at once.
func (c *repairRig) live(seconds int) {
	c.t.Helper()
	for range seconds {
		c.pass(1, time.Second)
		c.await("restarts are asked for", func() bool { return !c.repairer.Restarting() })
	}
}

func (c *repairRig) expectSaid(reason, text string, times int) {
	c.t.Helper()
	n := 0
	for _, line := range c.events.Log {
		if strings.Contains(line, " "+reason+": ") && strings.Contains(line, text) {
			n++
		}
	}
	if n != times {
		c.t.Errorf("%d events %s with %q, want %d, among:\n%s", n, reason, text, times, strings.Join(c.events.Log, "\n"))
	}
}

// fill has plain pods of a whole node come, and returns their workload.
func (c *repairRig) fill(name string, pods int) *testJob {
	c.t.Helper()
	out := c.submit(testJob{name: name, queue: "q", pods: pods, gpus: 8})
	c.settle()
	return out
}

func TestRoomIsKeptForAReplacement(t *testing.T) {
	c := newRepairRig(t, "", false)
	c.end(c.g.uids[1])
	c.live(2)
	c.expectSaid(recovery.ReasonShort, "Gang ns/g lacks 1 of 2 pods (g-1 on node n0001 deleted): on-loss replace: room is kept for 1", 1)
	thieves := c.fill("thief", 5)
	c.live(5)
	c.expectBound(thieves, 4, "one of five nodes is kept")
	c.again()
	c.live(2)
	c.expectBound(c.g, 2, "its room was kept")
	for _, node := range c.boundNodes(c.g) {
		if node > "n0002" {
			t.Errorf("g is on %v", c.boundNodes(c.g))
		}
	}
	c.live(2)
	c.expectSaid(recovery.ReasonRepaired, "Gang ns/g is whole again: 2 of 2", 1)
	c.expectSaid(recovery.ReasonShort, "", 1)
	if c.fast.KeepsRoom() {
		t.Error("room is still kept")
	}
}

// A pod that leaves slowly: its place is kept, which nobody can have yet.
func TestRoomToComeIsKept(t *testing.T) {
	c := newRepairRig(t, "", false)
	c.fill("wall", 4)
	c.live(1)
	c.edit(c.g.uids[1], func(pod *corev1.Pod) { grace := int64(20); pod.Spec.TerminationGracePeriodSeconds = &grace })
	c.leave(c.g.uids[1])
	c.live(2)
	thief := c.fill("thief", 1)
	c.live(25)
	c.expectBound(thief, 0, "the place that was left is kept")
	c.again()
	c.live(2)
	c.expectBound(c.g, 2, "its room was kept")
}

func TestRoomIsKeptForAWindow(t *testing.T) {
	c := newRepairRig(t, "", false)
	c.end(c.g.uids[1])
	c.live(2)
	thieves := c.fill("thief", 5)
	c.pass(int(DefaultRepairWindow/(30*time.Second))-2, 30*time.Second)
	c.expectBound(thieves, 4, "the window is not over")
	c.pass(4, 30*time.Second)
	c.live(3)
	c.expectBound(thieves, 5, "the window is over")
	c.expectSaid(recovery.ReasonShort, "nobody came in the place of those in 720 s", 1)
}

// Where there are no queues, those that were refused for room that was kept are tried as soon as it
// is not any more.
func TestRoomIsGivenUpWithoutQueues(t *testing.T) {
	c := &repairRig{testCluster: newTestCluster(t, rackNodes(6, 3)), events: &enginetest.Recorder{}}
	c.care(false)
	c.g = c.run(testJob{name: "g", size: 2, gpus: 8, rack: true}, "n0000", "n0001")
	c.settle()
	c.end(c.g.uids[1])
	c.live(2)
	thieves := c.submit(testJob{name: "thief", size: 5, gpus: 8})
	c.live(3)
	c.expectBound(thieves, 0, "one of five nodes is kept")
	c.edit(c.g.uids[0], func(pod *corev1.Pod) { metav1.SetMetaDataAnnotation(&pod.ObjectMeta, "berth.dev/on-loss", "ignore") })
	c.live(2)
	c.expectBound(thieves, 5, "nothing is kept any more")
}

func TestALossIsIgnored(t *testing.T) {
	c := newRepairRig(t, "ignore", true)
	c.end(c.g.uids[1])
	c.live(2)
	thieves := c.fill("thief", 5)
	c.live(2)
	c.expectBound(thieves, 5, "no room is kept")
	c.expectSaid(recovery.ReasonShort, "on-loss ignore: its policy is to ignore that", 1)
	c.expectEvicted(0, "its policy is to ignore that")
}

// A policy that makes no sense is told, and the default is taken.
func TestPolicyThatMakesNoSense(t *testing.T) {
	c := newRepairRig(t, "Replace!", false)
	c.end(c.g.uids[1])
	c.live(2)
	c.expectSaid(recovery.ReasonOnLossInvalid, `annotation berth.dev/on-loss: "Replace!" is no policy; expected replace, restart or ignore, and the default is taken`, 1)
	c.expectSaid(recovery.ReasonShort, "on-loss replace: room is kept", 1)
	c.live(20)
	c.expectSaid(recovery.ReasonOnLossInvalid, "", 1)
}

// The rest of a gang leaves whole, as budgets let it, and starts again together.
func TestAGangIsRestarted(t *testing.T) {
	c := newRepairRig(t, "restart", true)
	pdb := c.protect("g", 0)
	pdb.ResourceVersion = "5"
	c.reclaimer.SetBudget(pdb)
	c.end(c.g.uids[1])
	c.live(5)
	c.expectEvicted(0, "a budget protects it")
	c.expectSaid(recovery.ReasonShort, "it cannot be restarted now: ", 1)
	c.mu.Lock()
	delete(c.budgets, "g")
	c.mu.Unlock()
	c.reclaimer.DeleteBudget(types.NamespacedName{Namespace: "ns", Name: "g"})
	c.live(32)
	c.expectEvicted(1, "nothing protects it")
	c.controllers = c.again
	c.live(5)
	c.expectBound(c.g, 2, "it starts again")
}

// There is no room in the rack. The gang waits until its idle devices have cost what a restart
// would, and is restarted in the other rack then.
func TestAGangIsRestartedInAnotherRack(t *testing.T) {
	c := newRepairRig(t, "", true)
	c.run(testJob{name: "wall", queue: "q", pods: 1, gpus: 8}, "n0002")
	c.live(20) // g has run for 20 s
	c.nodeFeed.set(func() *corev1.Node { n := c.nodes[1].DeepCopy(); unready(n); return n }())
	c.end(c.g.uids[1])
	c.again()
	c.live(6)
	c.expectSaid(recovery.ReasonShort, "a restart in ", 1)
	c.expectEvicted(0, "to wait costs less")
	c.live(10)
	c.expectEvicted(0, "to wait costs less")
	c.live(15)
	c.expectEvicted(1, "to wait has cost as much")
	c.expectSaid(recovery.ReasonShort, "it starts again in ", 1)
	c.controllers = c.again
	c.live(5)
	c.expectBound(c.g, 2, "the other rack is free")
	for _, node := range c.boundNodes(c.g) {
		if node < "n0003" {
			t.Errorf("g is on %v", c.boundNodes(c.g))
		}
	}
}

// All nodes of a gang are lost one after another, and its pods are made again one after another, as
// those that were there are deleted: there is nothing left to be completed in its rack, nor anything
// to restart. A restart would wait for pods whose kubelets do not answer.
func TestAGangThatIsLostAsAWholeIsNotRestarted(t *testing.T) {
	c := newRepairRig(t, "", true)
	c.run(testJob{name: "wall", queue: "q", pods: 1, gpus: 8}, "n0002")
	c.live(3)
	for _, i := range []int{1, 0} {
		c.lose(i)
		c.dark[c.nodes[i].Name] = true
		c.live(2)
	}
	for _, i := range []int{1, 0} {
		c.leave(c.g.uids[i])
		pod := c.g.podOf(i)
		pod.Name += "-again"
		c.g.uids[i] = c.create(pod).UID
		c.live(2)
		c.expectEvicted(0, "its pods are deleted and made again anyway")
	}
	c.live(3)
	c.expectOn(c.g, "the other rack is free", "n0003", "n0004")
}

// Nobody makes pods without an owner again: such a gang waits, and is never restarted for want
// of room.
func TestAGangWithoutAnOwnerWaits(t *testing.T) {
	c := newRepairRig(t, "", false)
	c.run(testJob{name: "wall", queue: "q", pods: 1, gpus: 8}, "n0002")
	c.settle()
	c.nodeFeed.set(func() *corev1.Node { n := c.nodes[1].DeepCopy(); unready(n); return n }())
	c.end(c.g.uids[1])
	c.again()
	c.live(60)
	c.expectEvicted(0, "nobody makes it again")
	c.expectSaid(recovery.ReasonShort, "nobody is known to make its pods again if all went", 1)
	c.nodeFeed.set(c.nodes[1])
	c.live(3)
	c.expectBound(c.g, 2, "the node is back")
}

// A leader dies while it restarts a gang: the next one ends that, whatever it knows of losses.
func TestARestartGoesOnUnderTheNextLeader(t *testing.T) {
	c := newRepairRig(t, "restart", true)
	c.end(c.g.uids...)
	c.g = c.run(testJob{name: "h", queue: "q", size: 3, gpus: 8, rack: true}, "n0000", "n0001", "n0002")
	for _, uid := range c.g.uids {
		c.edit(uid, c.say)
	}
	c.settle()
	c.mu.Lock()
	c.busy["h-1"] = true
	c.mu.Unlock()
	c.end(c.g.uids[2])
	c.pass(3, time.Second)
	c.await("the first eviction is asked for", func() bool { return c.asked() > 0 })
	c.depose()
	c.answer()
	c.lead()
	c.care(true)
	c.controllers = c.again
	c.live(20)
	c.expectBound(c.g, 3, "it starts again whole")
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, old := range c.evicted {
		if !strings.HasPrefix(old, "h-") {
			t.Errorf("%s was evicted", old)
		}
	}
}

// The next leader keeps room for a gang that it never saw whole.
func TestTheNextLeaderKeepsRoom(t *testing.T) {
	c := newRepairRig(t, "", false)
	c.end(c.g.uids[1])
	c.live(2)
	c.depose()
	c.lead()
	c.care(false)
	c.live(2)
	thieves := c.fill("thief", 5)
	c.live(3)
	c.expectBound(thieves, 4, "one of five nodes is kept")
	c.again()
	c.live(3)
	c.expectBound(c.g, 2, "its room was kept")
}

// A device that falls ill is told once for each gang and each plain pod.
func TestIllDevicesAreTold(t *testing.T) {
	c := newRepairRig(t, "", false)
	plain := c.run(testJob{name: "plain", queue: "q", pods: 1, gpus: 8}, "n0002")
	c.settle()
	ill := func(name string, uid types.UID, devices ...string) device.Illness {
		return device.Illness{Node: "n0002", Pod: types.NamespacedName{Namespace: "ns", Name: name}, UID: uid, Devices: devices}
	}
	c.repairer.FellIll([]device.Illness{
		ill("g-0", c.g.uids[0], "GPU-0", "GPU-1"), ill("g-1", c.g.uids[1], "GPU-2", "GPU-3", "GPU-4"), ill("plain-0", plain.uids[0], "GPU-5"), ill("gone", "gone", "GPU-6"),
	})
	c.expectSaid("DeviceUnhealthy", "Gang ns/g: 5 devices of pods g-0, g-1 on node n0002 are unhealthy now (GPU-0, GPU-1, GPU-2, GPU-3, ...)", 1)
	c.expectSaid("DeviceUnhealthy", "Pod ns/plain-0: 1 devices of pods plain-0", 1)
	c.expectSaid("DeviceUnhealthy", "", 2)
}

// A gang that lost a pod is entitled to room that others have. What they are evicted for is kept
// for it until it is there.
func TestARepairAndABatchDoNotHinderEachOther(t *testing.T) {
	h := newTestCluster(t, rackNodes(6, 3), testQueue{name: "q", guaranteed: 24}, testQueue{name: "lend", weight: 1})
	c := &repairRig{testCluster: h, events: &enginetest.Recorder{}}
	c.care(false)
	c.g = c.run(testJob{name: "g", queue: "q", size: 2, gpus: 8, rack: true}, "n0000", "n0001")
	c.run(testJob{name: "far", queue: "lend", pods: 3, gpus: 8, priority: 10}, "n0003", "n0004", "n0005")
	c.run(testJob{name: "near", queue: "lend", pods: 1, gpus: 8, grace: 15}, "n0002")
	c.settle()
	c.live(2)
	c.nodeFeed.set(func() *corev1.Node { n := c.nodes[1].DeepCopy(); unready(n); return n }())
	c.end(c.g.uids[1])
	c.live(2)
	c.again()
	for i := 0; i < 60 && c.asked() == 0; i++ {
		c.live(1)
	}
	c.expectEvicted(1, "the gang is entitled to the third node of its rack")
	thief := c.submit(testJob{name: "thief", queue: "lend", pods: 1, gpus: 8})
	for range 10 {
		c.live(1)
		if len(c.boundNodes(c.g)) < 2 && !c.fast.KeepsRoom() {
			t.Fatal("the room is not kept for which others leave")
		}
	}
	c.live(30)
	c.expectBound(c.g, 2, "others left for it")
	c.expectBound(thief, 0, "there is no room for it")
}

// A node that comes and goes is told once a minute.
func TestANodeThatFlapsIsToldOnce(t *testing.T) {
	c := newRepairRig(t, "", false)
	for range 6 {
		c.nodeFeed.set(func() *corev1.Node { n := c.nodes[1].DeepCopy(); unready(n); return n }())
		c.live(3)
		c.nodeFeed.set(c.nodes[1])
		c.live(3)
	}
	c.expectSaid(recovery.ReasonShort, "", 1)
	c.expectSaid(recovery.ReasonRepaired, "", 1)
	c.live(90)
	c.nodeFeed.set(func() *corev1.Node { n := c.nodes[1].DeepCopy(); unready(n); return n }())
	c.live(3)
	c.expectSaid(recovery.ReasonShort, "", 2)
}
