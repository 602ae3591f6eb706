package engine

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// Pods of one GPU come in the hundreds, of a queue that is entitled to them, where gangs of whole
// racks borrow. As many gangs go as have to, and no more, whether all pods come at once or by and
// by, and whether the gangs leave at once or slowly.
func TestASpikeEvictsNoMoreGangsThanItNeeds(t *testing.T) {
	for _, c := range []struct {
		name   string
		atOnce int
		grace  int64
		// late is for how many steps no eviction is answered.
		late int
	}{
		{"all at once", 300, 1, 0}, {"by and by", 20, 1, 0}, {"gangs that leave slowly", 100, 10, 0}, {"gangs that leave at once", 100, 0, 0},
		{"evictions that take long", 300, 1, 6},
	} {
		t.Run(c.name, func(t *testing.T) { spikeOf(t, c.atOnce, c.grace, c.late) })
	}
}

func spikeOf(t *testing.T, atOnce int, grace int64, late int) {
	const spikePods, need = 300, 4 // 300 GPUs, of which 48 are free and a gang has 64
	h := newTestCluster(t, rackNodes(96, 8), testQueue{name: "serving", guaranteed: spikePods}, testQueue{name: "borrowing", weight: 1})
	h.unchecked = true
	var works []*testJob
	for rack := range 12 {
		c := testJob{name: fmt.Sprintf("train-%d", rack), size: 7, gpus: 8, rack: true, grace: grace}
		if rack >= 6 {
			c.name, c.queue, c.size = fmt.Sprintf("borrowing-%d", rack), "borrowing", 8
		}
		var nodes []string
		for i := range c.size {
			nodes = append(nodes, fmt.Sprintf("n%04d", 8*rack+i))
		}
		works = append(works, h.run(c, nodes...))
	}
	h.settle()
	h.controllers = func() { // Jobs make their pods again
		for _, c := range works {
			for i, uid := range c.uids {
				if h.goneUID(uid) {
					c.uids[i] = h.create(c.podOf(i)).UID
				}
			}
		}
	}
	if late > 0 {
		for _, pod := range h.byName() {
			h.busy[pod.Name] = true
		}
	}
	serving := &testJob{name: "serving", queue: "serving", gpus: 1}
	for step := range 120 {
		if step == late {
			h.answer()
			h.await("evictions are tried again", func() bool {
				h.clock.Step(100 * time.Millisecond)
				return h.evicting()
			})
		}
		for range min(atOnce, spikePods-len(serving.uids)) {
			serving.uids = append(serving.uids, h.create(serving.podOf(len(serving.uids))).UID)
		}
		h.pass(1, 500*time.Millisecond)
	}
	h.expectBound(serving, spikePods, "their queue is entitled to that many")
	gangs := map[string]bool{}
	for _, pod := range h.evicted {
		gangs[pod[:strings.LastIndex(pod, "-")]] = true
	}
	if len(gangs) > need+1 {
		t.Errorf("%d gangs were evicted, and %d are enough: %v", len(gangs), need, slices.Sorted(maps.Keys(gangs)))
	}
	t.Logf("%d gangs were evicted", len(gangs))
}

// goneUID reports whether there is no such pod any more.
func (h *testCluster) goneUID(uid types.UID) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.pods[uid] == nil
}
