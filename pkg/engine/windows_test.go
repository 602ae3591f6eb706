package engine

import (
	"fmt"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/klog/v2"

	"github.com/berth-dev/berth/pkg/core/gang/gangtest"
	"github.com/berth-dev/berth/pkg/engine/waitreason"
	"github.com/berth-dev/berth/pkg/state/queueing"
)

// comeIn makes the pods of a workload in a namespace.
func (h *testCluster) comeIn(namespace string, c testJob) *testJob {
	out := &c
	if out.pods == 0 {
		out.pods = max(1, out.size)
	}
	for i := range out.pods {
		pod := out.podOf(i)
		pod.Namespace = namespace
		out.uids = append(out.uids, h.create(pod).UID)
	}
	return out
}

// Pods of one namespace that fit nowhere hold up nobody of another for longer than a window
// of tries, whether the scheduler has seen what they ask for before or not, and each of them
// is tried, and told why it waits.
func TestHopelessOfOneNamespace(t *testing.T) {
	const hopeless = 5 * DefaultNamespaceWindow / 2
	for _, c := range []struct {
		name string
		work func(i int) testJob
		code string
	}{
		{"pods alike", func(int) testJob { return testJob{gpus: 9} }, string(queueing.NeverFits)},
		{"pods that differ", func(i int) testJob { return testJob{gpus: int64(9 + i)} }, string(queueing.NeverFits)},
		{"gangs", func(i int) testJob { return testJob{size: 2 + i%3, gpus: 9} }, string(queueing.NeverFits)},
		{"gangs before which others have taken the room", func(i int) testJob { return testJob{size: 2, gpus: 7} }, waitreason.Backoff},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newTestCluster(t, rackNodes(4, 2))
			h.unchecked = true
			for i := range 3 {
				h.comeIn("theirs", testJob{name: fmt.Sprint("runs", i), gpus: 7})
			}
			h.settle()
			var bad []*testJob
			for i := range hopeless {
				one := c.work(i)
				one.name = fmt.Sprint("bad", i)
				bad = append(bad, h.comeIn("theirs", one))
			}
			good := h.comeIn("ours", testJob{name: "good", size: 2, gpus: 1})
			before, placedAfter := h.counts["cycles"], 0
			h.onCycle = func() {
				if placedAfter == 0 && len(h.boundNodes(good)) == 2 {
					placedAfter = h.counts["cycles"] - before
				}
			}
			h.settle()
			if placedAfter == 0 || placedAfter > DefaultNamespaceWindow+1 {
				t.Errorf("a gang of another namespace is placed after %d tries; 0 is never", placedAfter)
			}
			last := bad[len(bad)-1]
			if why := h.explainer.Why(h.told[last.uids[0]]); why.Code != waitreason.NamespaceWindow {
				t.Errorf("the last is told %+v before it is tried", why)
			}
			h.pass(3, time.Second)
			for _, one := range bad {
				if why := h.explainer.Why(h.told[one.uids[0]]); why.Code != c.code {
					t.Fatalf("%s is told %+v", one.name, why)
				}
			}
			rested := h.counts["cycles"]
			if rested-before < hopeless {
				t.Errorf("%d tries in all, of %d that fit nowhere", rested-before, hopeless)
			}
			h.pass(3, time.Second)
			if n := h.counts["cycles"] - rested; n > 0 {
				t.Errorf("%d are tried again though nothing has changed", n)
			}
		})
	}
}

// Those that were refused are tried again when a pod that ran is gone, all in their turn.
func TestWindowTriesAgain(t *testing.T) {
	h := newTestCluster(t, rackNodes(2, 2))
	h.unchecked = true
	var gangs []*testJob
	for i := range DefaultNamespaceWindow + 10 {
		gangs = append(gangs, h.submit(testJob{name: fmt.Sprint("g", i), size: 2, gpus: 8}))
	}
	// One at a time runs, until each of them has.
	for range gangs {
		h.pass(2, time.Second)
		var running []*testJob
		for _, g := range gangs {
			if n := len(h.boundNodes(g)); n == 2 {
				running = append(running, g)
			} else if n > 0 {
				t.Fatalf("%s has %d pods placed of 2", g.name, n)
			}
		}
		if len(running) != 1 {
			t.Fatalf("%d gangs run, and there is room for one", len(running))
		}
		h.end(running[0].uids...)
	}
}

// A gang that could never be held, and is made smaller, is tried as it is now.
func TestWindowHearsOfSmallerGangs(t *testing.T) {
	h := newTestCluster(t, rackNodes(2, 2))
	w := &walker{name: "g0", uids: map[string]types.UID{}}
	w.model = gangtest.New(3)
	for range 3 {
		w.model.Apply(gangtest.Create)
	}
	w.declare(h)
	for i := range 3 {
		pod := w.pod(w.model.Pods[i])
		c := testJob{name: w.name, gpus: 8}
		pod.Spec.Containers = c.podOf(0).Spec.Containers
		w.uids[pod.Name] = h.create(pod).UID
	}
	h.settle()
	h.pass(2, time.Second)
	if n := placedOf(h, w); n != 0 {
		t.Fatalf("%d pods of a gang of 3 are placed, and there is room for 2", n)
	}
	w.model.Size = 2
	w.declare(h)
	h.pass(2, time.Second)
	if n := placedOf(h, w); n != 2 {
		t.Errorf("%d pods of a gang of 2 are placed", n)
	}
}

// placedOf returns how many pods of a gang have a place.
func placedOf(h *testCluster, w *walker) (n int) {
	for _, uid := range w.uids {
		if h.pods[uid].Spec.NodeName != "" {
			n++
		}
	}
	return n
}

// Those that are held by the window of their namespace enter a queue that is made meanwhile.
func TestWindowLeavesToQueues(t *testing.T) {
	h := newTestCluster(t, rackNodes(1, 1))
	h.unchecked = true
	runs := h.submit(testJob{name: "runs", queue: "q", gpus: 8})
	h.settle()
	waits := h.submit(testJob{name: "waits", queue: "q", size: 2, gpus: 4})
	h.settle()
	h.engine.queues.SetQueue((&testQueue{name: "q"}).object(1))
	h.attempts.LeaveToQueues(klog.Background(), h.sched)
	h.end(runs.uids...)
	h.pass(2, time.Second)
	if got := len(h.boundNodes(waits)); got != 2 {
		t.Errorf("%d of 2 pods are placed after there is a queue: %+v", got, h.explainer.Why(h.told[waits.uids[0]]))
	}
}
