package preempt

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// TestDisruptionsTwin takes and undoes random pods under random budgets 20,000 times. They
// may go if, for each budget, all that have gone so far and are not back are no more than it
// allows, and no pod has two.
func TestDisruptionsTwin(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 37))
	seen := map[bool]int{}
	for round := range 500 {
		budgets := make([]*Budget, 1+r.IntN(4))
		for i := range budgets {
			budgets[i] = &Budget{Name: fmt.Sprint("ns/b", i), Allowed: r.IntN(6) - 1}
			if r.IntN(8) == 0 {
				budgets[i].Why = "it is new"
			}
		}
		var d Disruptions
		type one struct {
			pods [][]*Budget
			undo func()
		}
		var gone []one
		for range 40 {
			if len(gone) > 0 && r.IntN(3) == 0 {
				gone[len(gone)-1].undo()
				gone = gone[:len(gone)-1]
				continue
			}
			pods := make([][]*Budget, 1+r.IntN(4))
			for i := range pods {
				for range r.IntN(10) / 4 % 3 {
					pods[i] = append(pods[i], budgets[r.IntN(len(budgets))])
				}
			}
			want := true
			for _, b := range budgets {
				before, n := 0, 0
				for _, of := range gone {
					before += count(of.pods, b)
				}
				n = count(pods, b)
				want = want && (n == 0 || b.Why == "" && before+n <= b.Allowed)
			}
			for _, p := range pods {
				want = want && len(p) < 2
			}
			undo, why := d.Take(pods)
			if (why == nil) != want || (undo == nil) == want {
				t.Fatalf("round %d: may go %v, want %v: %v", round, why == nil, want, why)
			}
			if why != nil && why.Sentence() == "" {
				t.Fatalf("round %d: refused without a word", round)
			}
			seen[want]++
			if want {
				gone = append(gone, one{pods, undo})
			}
		}
	}
	if seen[true] < 1000 || seen[false] < 1000 {
		t.Errorf("answers came up %v times", seen)
	}
}

func count(pods [][]*Budget, b *Budget) (n int) {
	for _, of := range pods {
		for _, one := range of {
			if one == b {
				n++
			}
		}
	}
	return n
}

func TestProtectionSentence(t *testing.T) {
	keep, fresh := &Budget{Name: "ns/keep", Allowed: 1}, &Budget{Name: "ns/new", Why: "its controller has not seen it yet"}
	for _, c := range []struct {
		pods [][]*Budget
		want string
	}{
		{[][]*Budget{{keep}, {keep}, nil}, `disruption budget "ns/keep" protects 2 pods that would have to go, and allows 1 disruption`},
		{[][]*Budget{{fresh}}, `disruption budget "ns/new" protects 1 pod that would have to go: its controller has not seen it yet`},
		{[][]*Budget{{keep, fresh}}, `more than one disruption budget protects a pod that would have to go ("ns/keep", "ns/new"), and then it cannot be evicted`},
	} {
		_, why := (&Disruptions{}).Take(c.pods)
		if why == nil || why.Sentence() != c.want {
			t.Errorf("%v\nwant %s", why, c.want)
		}
	}
}
