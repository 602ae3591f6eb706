package engine

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// TestGuaranteeAtSize has a queue ask for what it is guaranteed on 2,500 nodes in racks of 32,
// all of them full of gangs of all sizes that borrow. Each of its gangs needs one rack, and has
// it after one batch of evictions: a rack is emptied as far as the gang needs it, and of no other
// rack goes more than what belongs to a gang of that one. Gangs that are evicted go whole.
func TestGuaranteeAtSize(t *testing.T) {
	const nodes, perRack = 2500, 32
	wanted := []int{32, 32, 24, 16, 32, 8, 32, 12, 32, 32}
	if testing.Short() || raced {
		wanted = wanted[:3]
	}
	h := newTestCluster(t, rackNodes(nodes, perRack), testQueue{name: "owner", guaranteed: 8 * 32 * 10}, testQueue{name: "borrower", weight: 1})
	h.unchecked = true
	random := rand.New(rand.NewPCG(1, 1))
	works := map[string]*testJob{}
	for at := 0; at < nodes; {
		c := testJob{name: fmt.Sprint("b", at), queue: "borrower", size: min(nodes-at, []int{1, 2, 2, 4, 4, 8, 8, 16, 24, 40}[random.IntN(10)]), gpus: 8, grace: 10}
		if random.IntN(6) == 0 && at > 100 {
			c.size = 1
		}
		var on []string
		for range c.size {
			on = append(on, h.nodes[at].Name)
			at++
		}
		works["gang ns/"+c.name] = h.run(c, on...)
	}
	h.settle()
	rackOf := map[string]string{}
	for _, node := range h.nodes {
		rackOf[node.Name] = node.Labels[rackLabel]
	}
	before := map[string][]string{}
	for name, c := range works {
		before[name] = h.boundNodes(c)
	}
	batches := map[string][]recordedEviction{}
	h.onEvictions = func(notes []recordedEviction) {
		if batches[notes[0].claimant] != nil {
			t.Errorf("there is a second batch of evictions for %q", notes[0].claimant)
		}
		batches[notes[0].claimant] = notes
	}
	start := time.Now()
	for i, size := range wanted {
		owner := h.submit(testJob{name: fmt.Sprint("owner", i), queue: "owner", size: size, gpus: 8, rack: true})
		h.settle()
		h.pass(15, time.Second)
		places := h.boundNodes(owner)
		if len(places) != size {
			t.Fatalf("%d of %d pods of %q have a place", len(places), size, owner.name)
		}
		rack := rackOf[places[0]]
		for _, node := range places {
			if rackOf[node] != rack {
				t.Errorf("%q is in the racks %s and %s", owner.name, rack, rackOf[node])
			}
		}
		if batches["gang ns/"+owner.name] == nil {
			t.Errorf("nobody was evicted for %q", owner.name)
		}
		for _, n := range batches["gang ns/"+owner.name] {
			victim := works[n.gang]
			if n.pods != victim.size || len(h.boundNodes(victim)) > 0 {
				t.Errorf("%d of %d pods of %q were evicted", n.pods, victim.size, n.gang)
			}
			in := 0
			for _, node := range before[n.gang] {
				if rackOf[node] == rack {
					in++
				}
			}
			if in == 0 {
				t.Errorf("%q was evicted for %q, and had nothing in its rack %s", n.gang, owner.name, rack)
			}
		}
	}
	if got := h.counts["batches"]; got != len(wanted) || len(batches) != len(wanted) {
		t.Errorf("there were %d batches for %d gangs", got, len(wanted))
	}
	t.Logf("%v in %s", h.counts, time.Since(start))
}
