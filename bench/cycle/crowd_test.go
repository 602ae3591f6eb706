package main

import (
	"testing"
	"time"

	"github.com/berth-dev/berth/pkg/engine/podgroups"
)

// Gangs of queues are admitted, placed and replaced, and all are known to their queues.
func TestCrowd(t *testing.T) {
	if err := podgroups.EnableGangEngine(); err != nil {
		t.Fatal(err)
	}
	for _, unqueued := range []bool{false, true} {
		row, err := measureCrowd(crowdSetup{nodes: 200, queues: 50, pending: 100, unqueued: unqueued}, 500*time.Millisecond)
		if err != nil {
			t.Fatal(err)
		}
		if row.PerSecond <= 0 || row.LeastPerSecond <= 0 || row.LeastPerSecond > 2*row.PerSecond || row.ProcessorUs <= 0 || row.FirstSeconds <= 0 || row.CompleteSeconds <= 0 {
			t.Errorf("measured %+v", row)
		}
		if queued := row.Queues == 50 && row.Choices > 0 && row.UsMax >= row.UsP99; queued == unqueued {
			t.Errorf("measured %+v, without queues: %t", row, unqueued)
		}
	}
}

// Gangs of queues are admitted, batch after batch, and none that came is left behind.
func TestAdmissions(t *testing.T) {
	if err := podgroups.EnableGangEngine(); err != nil {
		t.Fatal(err)
	}
	for _, unqueued := range []bool{false, true} {
		row, err := measureAdmissions(crowdSetup{nodes: 400, queues: 50, pending: 1000, unqueued: unqueued, stops: newStepGate()}, 300*time.Millisecond)
		if err != nil {
			t.Fatal(err)
		}
		if row.PerSecond <= 0 || row.LeastPerSecond <= 0 || row.LeastPerSecond > row.PerSecond*1.01 || row.Gangs == 0 || (row.Queues == 0) != unqueued {
			t.Errorf("measured %+v, without queues: %t", row, unqueued)
		}
	}
}

// Pods of all queues are admitted and placed, batch after batch, with queues and without.
func TestQueuePairs(t *testing.T) {
	if err := podgroups.EnableGangEngine(); err != nil {
		t.Fatal(err)
	}
	o := &options{queues: 50, queuePairs: 3}
	row, err := o.queueCost(100, "half")
	if err != nil {
		t.Fatal(err)
	}
	if row.Queues != 50 || row.Pairs != 3 || row.NsWith <= 0 || row.NsWithout <= 0 {
		t.Errorf("measured %+v", row)
	}
}

// Every gang can have its place: what one asks for passes no limit.
func TestForest(t *testing.T) {
	f := newForest(1000, 2500)
	if len(f.objects) != 1000 || len(f.leaves) != 960 {
		t.Fatalf("%d queues, %d of them with gangs", len(f.objects), len(f.leaves))
	}
	for _, q := range f.objects {
		for _, r := range q.Spec.Resources {
			if r.Limit != nil && r.Limit.Value() < gangPods*8 {
				t.Errorf("queue %q has a limit of %s, and a gang of %d pods asks for %d", q.Name, r.Limit, gangPods, gangPods*8)
			}
		}
	}
}
