package pack

import (
	"math/rand/v2"
	"testing"
)

// asked is what the naive twin of Verdicts keeps of a node.
type asked struct {
	known, lasting bool
	answer         Answer
	noRoom         bool
}

func TestVerdictsAgreeWithATable(t *testing.T) {
	const steps, nodes, answers = 50_000, 70, 4
	r := rand.New(rand.NewPCG(3, 3))
	var v Verdicts
	table := [nodes]asked{}
	refusals := 0
	for range steps {
		id := NodeID(r.IntN(nodes))
		n := &table[id]
		switch r.IntN(8) {
		case 0:
			v.Gone(id)
			*n = asked{}
		case 1:
			if n.known {
				v.NoRoom(id)
				n.noRoom = true
			}
		case 2, 3:
			object := r.IntN(3) == 0
			v.Changed(id, object)
			if object || !n.lasting {
				*n = asked{known: true}
			}
		default:
			if !n.known {
				continue
			}
			*n = asked{known: true, answer: Answer(1 + r.IntN(answers)), lasting: r.IntN(3) == 0}
			v.Refuse(id, n.answer, n.lasting)
			refusals++
		}
		counts := [answers + 1]int{}
		for id := range NodeID(nodes) {
			n := table[id]
			counts[n.answer]++
			if open := n.known && n.answer == NoAnswer; v.Open().Has(id) != open || v.Of(id) != n.answer {
				t.Fatalf("node %d: open %v, answer %d, want %v, %d", id, v.Open().Has(id), v.Of(id), open, n.answer)
			} else if roomy := open && !n.noRoom; v.Roomy().Has(id) != roomy {
				t.Fatalf("node %d: roomy %v, want %v", id, v.Roomy().Has(id), roomy)
			}
		}
		for a := Answer(1); a <= answers; a++ {
			if v.Count(a) != counts[a] {
				t.Fatalf("answer %d: %d nodes, want %d", a, v.Count(a), counts[a])
			}
		}
	}
	if refusals < steps/4 {
		t.Fatalf("%d refusals in %d steps: the test is too easy", refusals, steps)
	}
}
