package engine

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/berth-dev/berth/pkg/insight"
)

var unblockings = flag.Int("unblockings", 200, "how many random gangs are unblocked as they are told; a fifth of them with the race detector")

// Whoever brings about what a gang that waits is told, has it placed by the whole scheduler:
// of each thing that is in its way, the first change by gangs that end. The bar is 95 in 100;
// what is reached is logged.
func TestUnblocking(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 8))
	wanted := *unblockings
	if raced {
		wanted /= 5
	}
	told, placed, without := 0, 0, 0
	kinds := map[insight.UnblockKind]int{}
	for world := 0; told < wanted; world++ {
		if world > 20*wanted {
			t.Fatalf("only %d of %d gangs wait for others that may end", told, world)
		}
		t.Run(fmt.Sprint(world), func(t *testing.T) {
			h := newTestCluster(t, rackNodes(6+random.IntN(6), 3), testQueue{name: "tight", limit: int64(16 + random.IntN(24))}, testQueue{name: "wide"})
			queue := func() string { return []string{"tight", "wide"}[random.IntN(2)] }
			for i := range 6 + random.IntN(10) {
				h.submit(testJob{name: fmt.Sprint("run", i), queue: queue(), size: random.IntN(4), gpus: int64(1 + random.IntN(8)), rack: random.IntN(3) == 0})
				h.settle()
			}
			for _, pod := range h.byName() {
				if pod.Spec.NodeName == "" {
					h.end(pod.UID)
				}
			}
			h.settle()
			late := h.submit(testJob{name: "late", queue: queue(), size: 1 + random.IntN(4), gpus: int64(1 + random.IntN(8)), rack: random.IntN(2) == 0})
			h.settle()
			if len(h.boundNodes(late)) == len(late.uids) {
				return
			}
			why, err := h.asks().Why(context.Background(), "ns", "late")
			if err != nil {
				t.Fatal(err)
			}
			ends, found := map[string]bool{}, len(why.Blockers) > 0
			for _, b := range why.Blockers {
				has := false
				for _, u := range b.Unblocks {
					if !has && len(u.Gangs) > 0 {
						has = true
						kinds[u.Kind]++
						for _, g := range u.Gangs {
							ends[strings.TrimPrefix(g.Name, "ns/")] = true
						}
					}
				}
				found = found && has
			}
			if !found {
				without++
				return
			}
			told++
			for _, pod := range h.byName() {
				if workloadOf(pod) != "late" && (ends[pod.Name] || ends[workloadOf(pod)]) {
					h.end(pod.UID)
				}
			}
			h.settle()
			h.pass(5, time.Second)
			if len(h.boundNodes(late)) == len(late.uids) {
				placed++
			} else {
				t.Logf("world %d: %v ended, and it waits: %s", world, ends, tells(why))
			}
		})
	}
	t.Logf("%d of %d gangs that wait were placed once what they were told came about (%v); of %d more, no end of gangs helps, or none is known", placed, told, kinds, without)
	if placed*100 < told*95 {
		t.Errorf("%d of %d were placed, less than 95 in 100", placed, told)
	}
}
