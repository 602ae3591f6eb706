package quota

import (
	"math/rand/v2"
	"testing"
	"time"
)

// path returns the queues from where own gangs are charged up to the root.
func path(t *Tree, q QueueID) (up []QueueID) {
	for q = t.Own(q); q != NoQueue; q = t.Parent(q) {
		up = append(up, q)
	}
	return up
}

// without returns what is on one path and not on another.
func without(up, other []QueueID) (alone []QueueID) {
	on := map[QueueID]bool{}
	for _, q := range other {
		on[q] = true
	}
	for _, q := range up {
		if !on[q] {
			alone = append(alone, q)
		}
	}
	return alone
}

// twinCounted says which resources count between a queue and its siblings.
func twinCounted(t *Tree, q QueueID, asked Vector) []int {
	first, n := t.Children(t.Parent(q))
	var all, shared []int
	for r := range asked {
		if asked[r] == 0 {
			continue
		}
		all = append(all, r)
		for child := first; child < first+QueueID(n); child++ {
			if t.Guaranteed(child)[r] > 0 || t.Weight(child)[r] > 0 {
				shared = append(shared, r)
				break
			}
		}
	}
	if len(shared) > 0 {
		return shared
	}
	return all
}

// twinMayEvict says whether an eviction is allowed, from the charges alone.
func twinMayEvict(l *ledger, claim Claim, mode Mode, shares []Vector, v Victim) bool {
	t := l.tree
	useful := false
	for r := range claim.Asks {
		useful = useful || claim.Asks[r] > 0 && v.Uses[r] > 0
	}
	policy := t.Preemption(claim.Queue).Reclaim
	if claim.Queue == v.Queue {
		policy = t.Preemption(claim.Queue).WithinQueue
		if policy == Any {
			policy = LowerPriority
		}
	}
	if policy == Never || policy == LowerPriority && v.Priority >= claim.Priority || v.Ran < t.Preemption(v.Queue).MinRuntime || !useful {
		return false
	}
	mine, theirs := path(t, claim.Queue), path(t, v.Queue)
	for _, q := range without(mine, theirs) {
		for _, r := range twinCounted(t, q, claim.Asks) {
			due := t.Guaranteed(q)[r]
			if mode == ByShare {
				due = shares[q][r]
			}
			if l.of(q)[r] > due {
				return false
			}
		}
	}
	for _, q := range without(theirs, mine) {
		for _, r := range twinCounted(t, q, claim.Asks) {
			due := t.Guaranteed(q)[r]
			if mode == ByShare {
				due = max(due, shares[q][r])
			}
			left := l.of(q)[r] - v.Uses[r]
			if mode == Straddling && l.of(q)[r] > due {
				continue
			}
			if v.Uses[r] > 0 && left < due {
				return false
			}
		}
	}
	return true
}

func TestReclaimAgreesWithALedger(t *testing.T) {
	r := rand.New(rand.NewPCG(15, 16))
	allowed, asked := 0, 0
	for range 4000 {
		specs := randomSpecs(r, 8)
		for i := range specs {
			specs[i].Preemption = Preemption{WithinQueue: Whom(r.IntN(3)), Reclaim: Whom(r.IntN(6) % 3)}
			if r.IntN(5) == 0 {
				specs[i].Preemption.MinRuntime = time.Minute
			}
			if r.IntN(2) == 0 {
				specs[i].Preemption.Reclaim = Any
			}
		}
		tree, _ := NewTree(specs, []string{"gpu", "cpu"})
		usage, l := NewUsage(tree), &ledger{tree: tree}
		vector := func(n int) Vector { return Vector{Amount(r.IntN(n)), Amount(r.IntN(n) * r.IntN(2))} }
		for range 12 {
			c := charge{queue: QueueID(r.IntN(tree.Len())), v: vector(10)}
			// The number of own gangs is that of their queue: both are valid, and one gang.
			if up := tree.Parent(c.queue); up != NoQueue && tree.Own(up) == c.queue {
				c.queue = up
			}
			if _, err := usage.Charge(c.queue, c.v); err != nil {
				t.Fatal(err)
			}
			l.charges = append(l.charges, c)
		}
		demand := make([]Vector, tree.Len())
		for q := range demand {
			demand[q] = vector(30)
		}
		shares := tree.Shares(Vector{60, 60}, demand)
		claim := Claim{Queue: l.charges[r.IntN(12)].queue, Asks: vector(8), Priority: int32(r.IntN(3))}
		mode := Mode(r.IntN(3))
		before := usage.Clone()
		sim, err := usage.Reclaim(claim, mode, shares)
		if err != nil {
			t.Fatal(err)
		}
		l.charges = append(l.charges, charge{queue: claim.Queue, v: claim.Asks})
		var undo []Undo
		var gone []charge
		for range 12 {
			if len(undo) > 0 && r.IntN(4) == 0 {
				last := len(undo) - 1
				sim.Revert(undo[last])
				l.charges = append(l.charges, gone[last])
				undo, gone = undo[:last], gone[:last]
				continue
			}
			i := r.IntN(len(l.charges))
			c := l.charges[i]
			v := Victim{Queue: c.queue, Uses: c.v, Priority: int32(r.IntN(3)), Ran: time.Duration(r.IntN(3)) * time.Minute}
			want := twinMayEvict(l, claim, mode, shares, v)
			done, protection := sim.Evict(v)
			if got := protection == nil; got != want {
				t.Fatalf("claim %+v, mode %d, victim %+v: %+v, want %v", claim, mode, v, protection, want)
			}
			asked++
			if want {
				allowed++
				undo, gone = append(undo, done), append(gone, c)
				l.charges = append(l.charges[:i:i], l.charges[i+1:]...)
			}
		}
		for q := range QueueID(tree.Len()) {
			for i, want := range l.of(q) {
				if sim.Of(q)[i] != want {
					t.Fatalf("queue %d uses %v after all, want %v", q, sim.Of(q), l.of(q))
				}
				if usage.Of(q)[i] != before.Of(q)[i] {
					t.Fatal("the simulation changed what it was made from")
				}
			}
		}
	}
	if allowed < asked/20 || allowed > asked*19/20 {
		t.Fatalf("%d of %d evictions were allowed: the test is too easy", allowed, asked)
	}
}
