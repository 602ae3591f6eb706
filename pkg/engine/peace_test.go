package engine

import (
	"fmt"
	"testing"
	"time"
)

// twoLevelQueues is queues at two levels, some of which are guaranteed something.
func twoLevelQueues() []testQueue {
	return []testQueue{
		{name: "a", guaranteed: 24}, {name: "b", guaranteed: 24, weight: 1},
		{name: "p", guaranteed: 32, weight: 1}, {name: "p1", parent: "p", guaranteed: 16, weight: 1}, {name: "p2", parent: "p", guaranteed: 16},
		{name: "d", weight: 2, limit: 80},
	}
}

// TestGangsDoNotPreemptEachOtherForEver lets gangs of several queues come and end at random on
// a cluster that is too small for them, and those that are evicted come again. For each claim
// there is one batch of evictions, and nobody goes twice for it; gangs go whole, or down to what
// they need; no queue is brought below what it is guaranteed; and once nobody comes any more,
// the evictions end, and everybody has what is guaranteed as far as there can be room for it.
func TestGangsDoNotPreemptEachOtherForEver(t *testing.T) {
	seeds, steps := uint64(5), 2000
	if testing.Short() || raced {
		seeds, steps = 2, 500
	}
	counts := map[string]int{}
	for seed := range seeds {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			f := newGenerator(t, seed, rackNodes(12, 3), twoLevelQueues()...)
			f.unchecked = true
			for step := range steps {
				switch what := f.rand.IntN(100); {
				case what < 30 && len(f.workloads) < 16:
					f.come(pick(f, "a", "b", "p1", "p2", "d", "d"))
				case what < 45 && len(f.workloads) > 0:
					f.leave(f.rand.IntN(len(f.workloads)))
				case what < 50 && len(f.workloads) > 0:
					f.end(pick(f, pick(f, f.workloads...).uids...))
				}
				f.settle()
				f.pass(f.rand.IntN(3), time.Second)
				f.check()
				if step%(steps/5) == steps/5-1 {
					f.calm()
				}
			}
			t.Log(f.counts)
			for what, n := range f.counts {
				counts[what] += n
			}
		})
	}
	expectCounts(t, counts, int(seeds)*steps, map[string]int{
		"came": 2000, "came again": 1000, "claims": 300, "batches": 300, "evicted gangs": 300, "calms": 10,
	})
}

// expectCounts fails the test if something came up too seldom: least is for 10,000 steps.
func expectCounts(t *testing.T, counts map[string]int, steps int, least map[string]int) {
	t.Helper()
	t.Log(counts)
	for what, n := range least {
		if n = max(1, n*steps/10_000); counts[what] < n {
			t.Errorf("%q came up %d times, want %d at least: the test is too easy", what, counts[what], n)
		}
	}
}
