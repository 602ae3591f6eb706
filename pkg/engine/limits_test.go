package engine

import (
	"testing"
	"time"
)

// A limit holds a gang outside of the scheduling queue. It is tried all the same if others
// can be asked to go: within its queue, those of a lower priority.
func TestHigherPriorityGetsTheLimitOfItsQueue(t *testing.T) {
	h := newTestCluster(t, rackNodes(8, 4), testQueue{name: "team", limit: 16}, testQueue{name: "other", weight: 1})
	low := h.run(testJob{name: "low", queue: "team", size: 2, gpus: 8, grace: 30}, "n0000", "n0001")
	h.settle()
	same := h.submit(testJob{name: "same", queue: "team", size: 2, gpus: 8})
	h.pass(30, time.Second)
	h.expectEvicted(0, "nobody is of a lower priority")
	h.expectBound(same, 0, "the queue is at its limit")

	high := h.submit(testJob{name: "high", queue: "team", size: 2, gpus: 8, priority: 100})
	h.pass(10, time.Second)
	h.expectEvicted(2, "a lower priority is at the limit")
	h.expectBound(high, 0, "they have not left")
	h.pass(40, time.Second)
	h.expectBound(high, 2, "they have left")
	h.expectBound(low, 0, "they have left")
	h.expectBound(same, 0, "what they left of the limit was for the other")
	h.pass(60, 5*time.Second)
	h.expectEvicted(2, "it has its place")
	if batches := h.counts["batches"]; batches != 1 {
		t.Errorf("there were %d batches", batches)
	}
}

// A queue gets its guarantee though the limit of the queue around it is reached: by a sibling
// that borrows. What the victims leave of the limit is for the queue that is entitled to it,
// and not for the sibling's next gang, for which there are nodes.
func TestGuaranteeWithinALimitThatASiblingHasReached(t *testing.T) {
	h := newTestCluster(t, rackNodes(8, 4), testQueue{name: "root", guaranteed: 32, limit: 32},
		testQueue{name: "due", parent: "root", guaranteed: 16}, testQueue{name: "sibling", parent: "root", guaranteed: 16, weight: 1})
	first := h.run(testJob{name: "first", queue: "sibling", size: 1, pods: 1, gpus: 8, grace: 10}, "n0000")
	var others []*testJob
	for _, node := range []string{"n0001", "n0002", "n0003"} {
		others = append(others, h.run(testJob{name: "on-" + node, queue: "sibling", size: 1, pods: 1, gpus: 8, grace: 30}, node))
	}
	h.settle()
	next := h.submit(testJob{name: "next", queue: "sibling", size: 1, gpus: 8})
	due := h.submit(testJob{name: "due", queue: "due", size: 2, gpus: 8})
	h.pass(70, time.Second)
	h.expectEvicted(2, "a sibling has more than its guarantee")
	h.expectBound(due, 2, "it is entitled to it")
	h.expectBound(next, 0, "the limit is reached")
	left := len(h.boundNodes(first))
	for _, c := range others {
		left += len(h.boundNodes(c))
	}
	if left != 2 {
		t.Errorf("the sibling has %d nodes, and is guaranteed two", left)
	}
	if batches := h.counts["batches"]; batches != 1 {
		t.Errorf("there were %d batches", batches)
	}
}

// Where nobody may go, a gang that a limit holds is tried now and then, and no more.
func TestClaimsAtALimitRest(t *testing.T) {
	h := newTestCluster(t, rackNodes(4, 2), testQueue{name: "team", limit: 16}, testQueue{name: "other", weight: 1})
	h.run(testJob{name: "wide", queue: "team", size: 2, gpus: 4}, "n0000", "n0001")
	h.run(testJob{name: "equal", queue: "team", size: 1, gpus: 8, priority: 100}, "n0002")
	h.settle()
	// It would need 16 of the limit, and those of a lower priority leave it no more than 8.
	h.submit(testJob{name: "high", queue: "team", size: 2, gpus: 8, priority: 100})
	before := h.counts["cycles"]
	h.pass(600, time.Second)
	h.expectEvicted(0, "what may go is too little")
	if tries := h.counts["cycles"] - before; tries < 3 || tries > 12 {
		t.Errorf("it was tried %d times in ten minutes", tries)
	}
}
