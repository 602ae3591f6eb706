package engine

import (
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/berth-dev/berth/pkg/core/gang"
	"github.com/berth-dev/berth/pkg/core/gang/gangtest"
	"github.com/berth-dev/berth/pkg/engine/waitreason"
	"github.com/berth-dev/berth/pkg/state/queueing"
	"github.com/berth-dev/berth/pkg/state/workload"
)

// A gang that the cluster could not hold if nothing else ran holds nobody up, however old
// it is: it is told so, and is tried when nodes change.
func TestImpossibleHoldsNobodyUp(t *testing.T) {
	for _, c := range []struct {
		name string
		work testJob
		text string
		// mend is what makes it possible; the node that comes.
		mend func(node *corev1.Node)
	}{
		{"a pod that no node holds", testJob{gpus: 9}, "holds 1 pods", func(n *corev1.Node) { gpusOf(n, "16") }},
		{"a gang that no rack holds", testJob{size: 3, gpus: 8, rack: true}, "no domain of topology.kubernetes.io/rack holds 3 pods", func(n *corev1.Node) { n.Labels[rackLabel] = "r000" }},
		{"a gang that the cluster does not hold", testJob{size: 9, gpus: 8}, "holds 9 pods", nil},
	} {
		withAndWithoutQueues(t, c.name, func(t *testing.T, queue string, rules ...testQueue) {
			h := newTestCluster(t, rackNodes(8, 2), rules...)
			h.unchecked = true
			c.work.name, c.work.queue = "first", queue
			impossible := h.submit(c.work)
			h.settle()
			// More than may overtake one that could be held.
			for i := range 3 * DefaultQueueOvertaking {
				one := h.submit(testJob{name: fmt.Sprint("p", i), queue: queue, gpus: 1})
				h.settle()
				if got := len(h.boundNodes(one)); got != 1 {
					t.Fatalf("pod %d waits behind a gang that nothing can hold", i)
				}
				h.end(one.uids...)
			}
			h.pass(2, time.Second)
			waits := h.told[impossible.uids[0]]
			why := h.explainer.Why(waits)
			if why.Code != "GangNeverFits" || !strings.Contains(why.Text, "even if nothing else ran") || !strings.Contains(why.Text, c.text) {
				t.Errorf("it is told %+v", why)
			}
			if why, more := h.engine.reporter.Entitlement(waits); !more || why.Code != "GangNeverFits" {
				t.Errorf("who tells that it was refused says %+v", why)
			}
			before := h.counts["cycles"]
			h.pass(5, time.Second)
			if n := h.counts["cycles"] - before; n > 0 {
				t.Errorf("it is tried %d times though nothing has changed", n)
			}
			// A change of nodes that was read before it was judged is heard of after.
			h.mayFit()
			h.settle()
			if why := h.explainer.Why(h.told[impossible.uids[0]]); why.Code != "GangNeverFits" {
				t.Errorf("looked at again on the same nodes, it is told %+v", why)
			}
			node := rackNodes(9, 2)[8]
			if c.mend != nil {
				c.mend(node)
			}
			seen := h.engine.attempts.NodesSeen()
			h.nodeFeed.set(node)
			h.settle()
			if h.engine.attempts.NodesSeen() == seen {
				t.Error("nobody looks at it again, though a node came")
			}
			h.mayFit()
			h.settle()
			if got, want := len(h.boundNodes(impossible)), max(1, c.work.size); got != want {
				t.Errorf("%d of %d pods are placed after a node came; %+v", got, want, h.explainer.Why(h.told[impossible.uids[0]]))
			}
		})
	}
}

// Of gangs that ask for the same and that the cluster could not hold, one is searched a place for,
// until nodes change.
func TestImpossibleIsSearchedForOnce(t *testing.T) {
	withAndWithoutQueues(t, "gangs", func(t *testing.T, queue string, rules ...testQueue) {
		h := newTestCluster(t, rackNodes(2, 2), rules...)
		h.unchecked = true
		gangs := []*testJob{h.submit(testJob{name: "g0", queue: queue, size: 3, gpus: 8})}
		h.settle()
		searches := h.counts["searches"]
		if searches == 0 {
			t.Fatal("no place was searched for the first gang")
		}
		for i := range 3 {
			gangs = append(gangs, h.submit(testJob{name: fmt.Sprint("g", i+1), queue: queue, size: 3, gpus: 8}))
		}
		h.settle()
		if n := h.counts["searches"] - searches; n > 0 {
			t.Errorf("%d places were searched for gangs like the first", n)
		}
		for _, g := range gangs {
			waits := h.told[g.uids[0]]
			if why := h.explainer.Why(waits); why.Code != "GangNeverFits" || !strings.Contains(why.Text, "holds 3 pods") {
				t.Errorf("gang %s is told %+v", g.name, why)
			}
			text, refused := h.engine.reporter.Refused(gang.KeyOf(waits.Namespace, workload.PodGroup(waits)))
			if !refused || !strings.Contains(text, "needs 3 pods at once, and there is no place for all of them: ") {
				t.Errorf("of gang %s it is reported that it is refused: %t, %q", g.name, refused, text)
			}
		}
		less := h.submit(testJob{name: "less", queue: queue, size: 2, gpus: 8})
		h.settle()
		if got := len(h.boundNodes(less)); got != 2 {
			t.Errorf("%d of 2 pods are placed of a gang that asks for less", got)
		}
		h.end(less.uids...)
		h.nodeFeed.set(rackNodes(3, 2)[2])
		last := h.submit(testJob{name: "last", queue: queue, size: 3, gpus: 8})
		h.settle()
		h.mayFit()
		h.settle()
		placed := 0
		for _, g := range append(gangs, last) {
			placed += len(h.boundNodes(g))
		}
		if placed != 3 {
			t.Errorf("%d pods are placed after a node came, want those of one gang", placed)
		}
	})
}

// A gang that the cluster could not hold is tried again once it asks for less, also when the
// scheduler is slow to hear of that and tries it meanwhile as it was.
func TestImpossibleAsksForLess(t *testing.T) {
	for _, slow := range []bool{false, true} {
		withAndWithoutQueues(t, fmt.Sprintf("heard late: %t", slow), func(t *testing.T, queue string, rules ...testQueue) {
			h := newTestCluster(t, rackNodes(2, 2), rules...)
			h.unchecked = true
			gang := &walker{name: "g", model: gangtest.New(3)}
			gang.declare(h)
			c := testJob{name: "g", queue: queue, gpus: 8}
			for i := range 3 {
				pod := c.podOf(i)
				pod.Labels["scheduling.x-k8s.io/pod-group"] = "g"
				c.uids = append(c.uids, h.create(pod).UID)
			}
			h.settle()
			if why := h.explainer.Why(h.told[c.uids[0]]); why.Code != "GangNeverFits" {
				t.Fatalf("it is told %+v", why)
			}
			h.leader.groupsLate = slow
			gang.model.Size = 2
			gang.declare(h)
			h.judge()
			h.settle()
			h.leader.groupsLate = false
			h.judge()
			h.settle()
			if got := len(h.boundNodes(&c)); got != 2 {
				t.Errorf("%d pods are placed, want the 2 that it asks for; %+v", got, h.explainer.Why(h.told[c.uids[0]]))
			}
		})
	}
}

// withAndWithoutQueues runs a test where there is a queue, and where there is none.
func withAndWithoutQueues(t *testing.T, name string, test func(t *testing.T, queue string, rules ...testQueue)) {
	t.Run(name+", in a queue", func(t *testing.T) { test(t, "q", testQueue{name: "q"}) })
	t.Run(name+", without queues", func(t *testing.T) { test(t, "") })
}

// Autoscalers go by the reason: more nodes would help a gang that those that there are could
// never hold.
func TestImpossibleIsUnschedulable(t *testing.T) {
	if c := waitreason.Condition(string(queueing.NeverFits), "text"); c.Reason != corev1.PodReasonUnschedulable || c.Message != "text" {
		t.Errorf("the condition is %+v", c)
	}
	said := &corev1.Pod{Status: corev1.PodStatus{Conditions: []corev1.PodCondition{waitreason.Condition(string(queueing.NeverFits), "text")}}}
	if (waitreason.Because(string(queueing.NeverFits), "text")).IsNews(said) {
		t.Error("it is told again what it says")
	}
}

// A gang for which there is no room now, and that an empty cluster would hold, keeps its
// place in the line.
func TestPossibleKeepsItsPlace(t *testing.T) {
	h := newTestCluster(t, rackNodes(4, 2), testQueue{name: "q"})
	h.unchecked = true
	h.submit(testJob{name: "runs", queue: "q", size: 3, gpus: 8})
	h.settle()
	waits := h.submit(testJob{name: "waits", queue: "q", size: 2, gpus: 8})
	h.settle()
	if why := h.explainer.Why(h.told[waits.uids[0]]); why.Code != waitreason.Backoff {
		t.Errorf("it is told %+v", why)
	}
}

func gpusOf(node *corev1.Node, n string) {
	for _, list := range []corev1.ResourceList{node.Status.Allocatable, node.Status.Capacity} {
		list[gpuName] = resource.MustParse(n)
	}
}

// mayFit has those tried that the cluster could not hold, as the engine does when nodes have
// changed.
func (h *testCluster) mayFit() {
	h.engine.queues.MayFit()
	h.engine.windows.MayFit()
	h.engine.windows.Round()
}
