package engine

import (
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/berth-dev/berth/pkg/engine/enginetest"
	"github.com/berth-dev/berth/pkg/engine/recovery"
	"github.com/berth-dev/berth/pkg/state/nodeindex"
)

// spare makes a node of the test cluster a spare, or takes that back.
func (h *testCluster) spare(i int, is bool) {
	node := h.nodes[i].DeepCopy()
	delete(node.Labels, nodeindex.SpareLabel)
	if is {
		node.Labels[nodeindex.SpareLabel] = "true"
	}
	h.nodes[i] = node
	h.nodeFeed.set(node)
}

func (h *testCluster) lose(i int) {
	h.nodeFeed.set(func() *corev1.Node { n := h.nodes[i].DeepCopy(); unready(n); return n }())
}

func (h *testCluster) expectOn(c *testJob, when string, want ...string) {
	h.t.Helper()
	got := h.boundNodes(c)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		h.t.Errorf("%s: %q is on %v, want %v", when, c.name, got, want)
	}
}

// A spare is kept for replacements: neither pods nor gangs get a place there, and they are told so.
func TestASpareIsKept(t *testing.T) {
	for _, c := range []struct {
		name string
		work testJob
		// after is how many get a place once the nodes are no spares any more.
		after int
		says  string
	}{
		{"a plain pod", testJob{name: "p", queue: "q", pods: 1, gpus: 8}, 1, "3 node(s) are spares, kept for gangs that lose members (berth.dev/spare=true)"},
		{"a gang", testJob{name: "p", queue: "q", size: 1, gpus: 8}, 1, "3 node(s) are spares, kept for gangs that lose members (berth.dev/spare=true)"},
		{"a gang in a rack", testJob{name: "p", queue: "q", size: 2, gpus: 8, rack: true}, 2, "it would fit if 3 spare nodes there (berth.dev/spare=true) were not kept for gangs that lose members"},
		{"a gang in a rack that is too large", testJob{name: "p", queue: "q", size: 4, gpus: 8, rack: true}, 0, "short of"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newTestCluster(t, rackNodes(6, 3), testQueue{name: "q", weight: 1})
			for i := range 3 {
				h.spare(i, true)
			}
			h.run(testJob{name: "wall", queue: "q", pods: 3, gpus: 8}, "n0003", "n0004", "n0005")
			h.settle()
			p := h.submit(c.work)
			h.pass(3, 1e9)
			h.expectBound(p, 0, "what is free are spares")
			why := h.whyNot("p-0")
			if !strings.Contains(why, c.says) || c.work.size > 3 && strings.Contains(why, "spare") {
				t.Errorf("it is told %q, want %q", why, c.says)
			}
			for i := range 3 {
				h.spare(i, false)
			}
			h.pass(35, 1e9)
			h.expectBound(p, c.after, "they are spares no more")
		})
	}
}

// A gang that lost a member gets a spare of its rack once there is no other room, and says so.
func TestASpareIsForAReplacement(t *testing.T) {
	c := newRepairRig(t, "", false)
	c.spare(2, true)
	c.live(1)
	c.lose(1)
	c.end(c.g.uids[1])
	c.live(2)
	thief := c.fill("thief", 4)
	c.live(2)
	c.expectSaid(recovery.ReasonShort, "room is kept for 1 in their place on spares n0002, for", 1)
	c.expectBound(thief, 3, "the rest is another rack's")
	c.again()
	c.live(2)
	c.expectOn(c.g, "its node is lost", "n0000", "n0002")
	c.nodeFeed.set(c.nodes[1])
	c.live(3)
	c.expectBound(thief, 4, "the node is back")
	c.expectOn(c.g, "the node is back", "n0000", "n0002")
}

// While there is other room in the rack, a spare stays one.
func TestASpareIsTheLastThatIsTaken(t *testing.T) {
	c := newRepairRig(t, "", false)
	c.spare(1, true)
	c.end(c.g.uids[1])
	c.live(2)
	c.again()
	c.live(2)
	c.expectOn(c.g, "n0002 is free", "n0000", "n0002")
	c.expectSaid(recovery.ReasonShort, "spares", 0)
}

// The pods of a gang that the index cannot judge get spares as others do: while there is other room
// they do not.
func TestASpareIsForAReplacementWithAHostPort(t *testing.T) {
	c := newRepairRig(t, "", false)
	port := func(pod *corev1.Pod) {
		pod.Spec.Containers[0].Ports = []corev1.ContainerPort{{ContainerPort: 80, HostPort: 80}}
	}
	for _, uid := range c.g.uids {
		c.edit(uid, port)
	}
	c.spare(1, true)
	c.live(1)
	c.end(c.g.uids[1])
	c.live(2)
	c.again()
	c.edit(c.g.uids[1], port)
	c.live(2)
	c.expectOn(c.g, "n0002 is free", "n0000", "n0002")
	c.lose(2)
	c.end(c.g.uids[1])
	c.live(2)
	c.again()
	c.edit(c.g.uids[1], port)
	c.live(8)
	c.expectOn(c.g, "its node is lost", "n0000", "n0001")
}

// Nobody is evicted from a spare, and none goes for somebody who would not get its place.
func TestNobodyGoesForASpare(t *testing.T) {
	h := newTestCluster(t, rackNodes(3, 3), testQueue{name: "owner", guaranteed: 24}, testQueue{name: "lend", weight: 1})
	h.run(testJob{name: "lent", queue: "lend", pods: 1, gpus: 8}, "n0000")
	for i := range 3 {
		h.spare(i, true)
	}
	h.settle()
	owner := h.submit(testJob{name: "owner", queue: "owner", pods: 1, gpus: 8})
	h.pass(30, 1e9)
	h.expectEvicted(0, "its node is a spare")
	h.expectBound(owner, 0, "all are spares")
}

// A node whose kubelet refuses pods of a gang is avoided for it, for longer each time, and taken
// again once there is no other room.
func TestANodeThatRefusesIsAvoided(t *testing.T) {
	c := newRepairRig(t, "", false)
	wall := c.run(testJob{name: "wall", queue: "q", pods: 1, gpus: 8}, "n0002")
	c.settle()
	refuse := func() {
		c.edit(c.g.uids[1], func(pod *corev1.Pod) {
			pod.Status.Phase, pod.Status.Reason = corev1.PodFailed, "UnexpectedAdmissionError"
		})
		c.settle()
		c.end(c.g.uids[1])
		c.again()
	}
	for i, avoided := range []int{5, 10, 20} {
		refuse()
		c.live(avoided - 2)
		c.expectBound(c.g, 1, "the node is avoided")
		if i == 1 {
			c.expectSaid(recovery.ReasonShort, "node n0001, whose kubelet refused a pod of it (2 times in a row), is avoided for", 2)
		}
		if why := c.whyNot("g-1"); !strings.Contains(why, "n0001 there refused pods of the gang, and are avoided for a while") {
			t.Errorf("it is told %q", why)
		}
		c.live(4)
		c.expectOn(c.g, "it is avoided no more", "n0000", "n0001")
	}
	// Others may use it.
	refuse()
	c.end(wall.uids...)
	other := c.submit(testJob{name: "other", queue: "q", pods: 4, gpus: 8})
	c.live(3)
	c.expectOn(c.g, "there is other room", "n0000", "n0002")
	c.expectBound(other, 4, "they were not refused")
}

// A node that refused a while ago is the last that is taken.
func TestANodeThatRefusedComesLast(t *testing.T) {
	c := newRepairRig(t, "", false)
	c.edit(c.g.uids[1], func(pod *corev1.Pod) {
		pod.Status.Phase, pod.Status.Reason = corev1.PodFailed, "UnexpectedAdmissionError"
	})
	c.settle()
	c.live(30)
	c.end(c.g.uids[1])
	c.again()
	c.live(2)
	c.expectOn(c.g, "n0001 refused half a minute ago", "n0000", "n0002")
}

// An elastic gang gets as many pods onto spares as it lost below its minimum. Those that its owner
// makes beyond that wait, whether they come with the replacement, before it or after it.
func TestASpareIsNotForMoreThanWasLost(t *testing.T) {
	port := func(pod *corev1.Pod) {
		pod.Spec.Containers[0].Ports = []corev1.ContainerPort{{ContainerPort: 80, HostPort: 80}}
	}
	for _, kind := range []struct {
		name   string
		rack   bool
		change func(*corev1.Pod)
	}{{"in a rack", true, nil}, {"anywhere", false, nil}, {"with a host port", true, port}} {
		for _, order := range []string{"together", "at once after it", "later"} {
			t.Run(kind.name+", "+order, func(t *testing.T) {
				c := &repairRig{testCluster: newTestCluster(t, rackNodes(4, 4), testQueue{name: "q", weight: 1}), events: &enginetest.Recorder{}}
				c.care(false)
				c.g = c.run(testJob{name: "g", queue: "q", size: 2, gpus: 4, rack: kind.rack}, "n0000", "n0001")
				edit := func() {
					for _, uid := range c.g.uids {
						if kind.change != nil {
							c.edit(uid, kind.change)
						}
					}
				}
				edit()
				c.run(testJob{name: "wall", queue: "q", pods: 2, gpus: 4}, "n0000", "n0001")
				c.spare(2, true)
				c.spare(3, true)
				c.live(1)
				extra := func() {
					pod := c.g.podOf(len(c.g.uids))
					if kind.change != nil {
						kind.change(pod)
					}
					c.g.uids = append(c.g.uids, c.create(pod).UID)
				}
				c.lose(1)
				c.end(c.g.uids[1])
				c.live(2)
				if order == "together" {
					extra()
					extra()
				}
				c.again()
				edit()
				if order == "at once after it" {
					for range 20 { // it is placed, and nobody has looked since
						if c.settle(); len(c.boundNodes(c.g)) > 1 {
							break
						}
						c.clock.Step(100 * time.Millisecond)
						c.engine.queues.Retry()
						c.engine.windows.Round()
						if kind.change != nil {
							c.repairer.Look(c.ctx, c.clock.Now())
						}
					}
					extra()
					c.settle()
				}
				c.live(8)
				if order == "later" {
					extra()
				}
				c.live(8)
				c.expectBound(c.g, 2, "one was lost")
				spares := 0
				for _, node := range c.boundNodes(c.g) {
					if node == "n0002" || node == "n0003" {
						spares++
					}
				}
				if spares != 1 {
					t.Errorf("its pods are on %v, want one on a spare", c.boundNodes(c.g))
				}
				// What is no spare is for everybody.
				c.spare(3, false)
				c.live(35)
				want := len(c.g.uids)
				if kind.change != nil {
					want = 3 // one a node
				}
				c.expectBound(c.g, want, "there is room that is no spare's")
			})
		}
	}
}

// A gang that grows has lost nobody: it is not short, and spares are not for it.
func TestASpareIsNotForAGangThatGrows(t *testing.T) {
	c := newRepairRig(t, "", false)
	c.spare(2, true)
	c.live(1)
	grow := func(pod *corev1.Pod) { pod.Annotations["berth.dev/gang-size"] = "3" }
	for _, uid := range c.g.uids {
		c.edit(uid, grow)
	}
	c.live(1)
	pod := c.g.podOf(2)
	grow(pod)
	c.g.uids = append(c.g.uids, c.create(pod).UID)
	c.live(5)
	c.expectSaid(recovery.ReasonShort, "", 0)
	c.expectOn(c.g, "the third pod is new", "n0000", "n0001")
	c.spare(2, false)
	c.live(35)
	c.expectBound(c.g, 3, "n0002 is a spare no more")
}
