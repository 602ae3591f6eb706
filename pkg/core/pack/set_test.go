package pack

import (
	"math/rand/v2"
	"slices"
	"testing"
)

func TestSetAgreesWithAMap(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	// Numbers on both sides of the borders between words and levels.
	numbers := []NodeID{0, 1, 62, 63, 64, 65, 127, 128, 4095, 4096, 4097, 262_143, 262_144, 300_000}
	var set Set
	twin := map[NodeID]bool{}
	for range 50_000 {
		id := numbers[r.IntN(len(numbers))]
		if r.IntN(4) > 0 {
			id = NodeID(r.IntN(10_000))
		}
		if r.IntN(2) == 0 {
			set.Add(id)
			twin[id] = true
		} else {
			set.Remove(id)
			delete(twin, id)
		}
		if set.Has(id) != twin[id] || set.Len() != len(twin) {
			t.Fatalf("node %d: has %v, length %d; want %v and %d", id, set.Has(id), set.Len(), twin[id], len(twin))
		}
	}
	var got, want []NodeID
	for id, ok := set.Next(0); ok; id, ok = set.Next(id + 1) {
		got = append(got, id)
	}
	for id := range twin {
		want = append(want, id)
	}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Fatalf("the set holds %d nodes in order, want %d", len(got), len(want))
	}
	if _, ok := set.Next(1 << 30); ok {
		t.Error("there is a node after the last")
	}
}

func TestNextAbsent(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 9))
	for range 2000 {
		var s Set
		for range r.IntN(400) {
			s.Add(NodeID(r.IntN(300)))
		}
		from := NodeID(r.IntN(320))
		want := from
		for s.Has(want) {
			want++
		}
		if got := s.NextAbsent(from); got != want {
			t.Fatalf("the next absent from %d is %d, want %d", from, got, want)
		}
	}
}
