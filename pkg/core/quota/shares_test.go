package quota

import (
	"cmp"
	"fmt"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"
)

// twinFill divides by weighted max-min with fractions, round by round: whoever would be
// full at the present level is, and the others try again.
func twinFill(amount int64, weights, caps []int64) []int64 {
	got, full := make([]int64, len(caps)), make([]bool, len(caps))
	left := amount
	for {
		sum := int64(0)
		for i, w := range weights {
			if !full[i] {
				sum += w
			}
		}
		if sum == 0 {
			return got
		}
		level := big.NewRat(left, sum)
		again := false
		for i, w := range weights {
			if !full[i] && w > 0 && new(big.Rat).Mul(level, big.NewRat(w, 1)).Cmp(big.NewRat(caps[i], 1)) >= 0 {
				full[i], again = true, true
				got[i] = caps[i]
				left -= caps[i]
			}
		}
		if again {
			continue
		}
		// Nobody is full any more: whole parts first, then one unit each by remainder.
		type odd struct {
			i         int
			remainder *big.Rat
		}
		var odds []odd
		units := left
		for i, w := range weights {
			if full[i] || w == 0 {
				continue
			}
			exact := new(big.Rat).Mul(level, big.NewRat(w, 1))
			whole := new(big.Int).Quo(exact.Num(), exact.Denom())
			got[i] = whole.Int64()
			units -= got[i]
			odds = append(odds, odd{i, exact.Sub(exact, new(big.Rat).SetInt(whole))})
		}
		slices.SortStableFunc(odds, func(a, b odd) int { return b.remainder.Cmp(a.remainder) })
		for _, o := range odds[:units] {
			got[o.i]++
		}
		return got
	}
}

// twinShares follows the rules of Tree.Shares for one resource, queue by queue.
func twinShares(t *Tree, r int, q QueueID, amount int64, demand []Vector, out []Vector) {
	out[q][r] = Amount(amount)
	first, n := t.Children(q)
	if n == 0 {
		return
	}
	sum := func(xs []int64) (s int64) {
		for _, x := range xs {
			s += x
		}
		return s
	}
	wants, due, guaranteed, weights, rest := make([]int64, n), make([]int64, n), make([]int64, n), make([]int64, n), make([]int64, n)
	for i := range n {
		child := first + QueueID(i)
		wants[i] = twinDemand(t, r, child, demand)
		guaranteed[i] = int64(t.Guaranteed(child)[r])
		due[i] = min(wants[i], guaranteed[i])
		weights[i] = int64(t.Weight(child)[r])
		rest[i] = wants[i] - due[i]
	}
	got := twinFill(amount, guaranteed, due)
	if left := amount - sum(due); left >= 0 {
		got = due
		more := twinFill(left, weights, rest)
		for i := range more {
			if weights[i] > 0 {
				weights[i], rest[i] = 0, 0
			} else {
				weights[i] = 1
			}
		}
		last := twinFill(left-sum(more), weights, rest)
		for i := range got {
			got[i] += more[i] + last[i]
		}
	}
	for i := range n {
		twinShares(t, r, first+QueueID(i), got[i], demand, out)
	}
}

// twinDemand is what a queue and all in it ask for.
func twinDemand(t *Tree, r int, q QueueID, demand []Vector) int64 {
	limit := int64(t.Limit(q)[r])
	first, n := t.Children(q)
	if n == 0 {
		if up := t.Parent(q); up != NoQueue && t.Own(up) == q {
			q = up
		}
		if demand[q] == nil {
			return 0
		}
		return min(limit, int64(demand[q][r]))
	}
	sum := int64(0)
	for i := range n {
		sum += twinDemand(t, r, first+QueueID(i), demand)
	}
	return min(limit, sum)
}

// randomSpecs returns the specs of up to so many queues, some of them with faults.
func randomSpecs(r *rand.Rand, queues int) []Spec {
	maybe := func(n int) *Amount {
		if r.IntN(3) == 0 {
			return nil
		}
		return new(Amount(r.IntN(n)))
	}
	specs := make([]Spec, r.IntN(queues)+1)
	for i := range specs {
		specs[i] = Spec{Name: fmt.Sprintf("q%d", i), Resources: map[string]Quota{}}
		if i > 0 && r.IntN(3) > 0 {
			specs[i].Parent = fmt.Sprintf("q%d", r.IntN(i))
		}
		for _, resource := range []string{"gpu", "cpu"} {
			if r.IntN(4) == 0 {
				continue
			}
			q := Quota{Guaranteed: maybe(12), Weight: maybe(6)}
			if r.IntN(4) == 0 {
				q.Limit = new(Amount(12 + r.IntN(30)))
			}
			specs[i].Resources[resource] = q
		}
	}
	r.Shuffle(len(specs), func(i, j int) { specs[i], specs[j] = specs[j], specs[i] })
	return specs
}

func checkShares(t *testing.T, r *rand.Rand, queues int) (binding bool) {
	tree, _ := NewTree(randomSpecs(r, queues), []string{"gpu", "cpu"})
	demand, want := make([]Vector, tree.Len()), make([]Vector, tree.Len())
	capacity := Vector{Amount(r.IntN(60)), Amount(r.IntN(500))}
	for q := range demand {
		want[q] = make(Vector, 2)
		if r.IntN(5) > 0 {
			demand[q] = Vector{Amount(r.IntN(20)), Amount(r.IntN(100))}
		}
	}
	got := tree.Shares(capacity, demand)
	for i := range capacity {
		twinShares(tree, i, RootID, int64(capacity[i]), demand, want)
	}
	for q := range want {
		if !slices.Equal(got[q], want[q]) {
			t.Fatalf("queue %d (%s): share %v, want %v\ncapacity %v, demand %v", q, tree.Name(QueueID(q)), got[q], want[q], capacity, demand)
		}
		// The sum is exact: a queue leaves nothing undivided that somebody in it asks for.
		first, n := tree.Children(QueueID(q))
		for i := range capacity {
			sum := Amount(0)
			for child := first; child < first+QueueID(n); child++ {
				sum += got[child][i]
			}
			asked := Amount(0)
			for child := first; child < first+QueueID(n); child++ {
				asked += Amount(twinDemand(tree, i, child, demand))
			}
			if n > 0 && sum != min(got[q][i], asked) {
				t.Fatalf("queue %d has %s, its children ask for %s and have %s", q, got[q][i], asked, sum)
			}
			binding = binding || n > 2 && asked > got[q][i]
		}
	}
	return binding
}

func TestSharesAgreeWithFractions(t *testing.T) {
	const trees = 10_000
	r := rand.New(rand.NewPCG(3, 4))
	binding := 0
	for range trees {
		if checkShares(t, r, 9) {
			binding++
		}
	}
	if binding < trees/2 {
		t.Fatalf("only in %d of %d trees is there too little: the test is too easy", binding, trees)
	}
}

func FuzzShares(f *testing.F) {
	f.Add(uint64(1), uint8(5))
	f.Add(uint64(2), uint8(60))
	f.Fuzz(func(t *testing.T, seed uint64, queues uint8) {
		checkShares(t, rand.New(rand.NewPCG(seed, 0)), int(queues)+1)
	})
}

func TestSharesDoNotDependOnTheOrderOfSpecs(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	compared := 0
	for range 2000 {
		specs := randomSpecs(r, 12)
		a, faults := NewTree(specs, []string{"gpu", "cpu"})
		if len(faults) > 0 {
			continue
		}
		compared++
		slices.SortFunc(specs, func(x, y Spec) int { return cmp.Compare(y.Name, x.Name) })
		b, _ := NewTree(specs, []string{"gpu", "cpu"})
		demand := make([]Vector, a.Len())
		for q := range demand {
			demand[q] = Vector{Amount(r.IntN(20)), Amount(r.IntN(20))}
		}
		x, y := a.Shares(Vector{50, 70}, demand), b.Shares(Vector{50, 70}, demand)
		for q := range x {
			if !slices.Equal(x[q], y[q]) {
				t.Fatalf("queue %d: %v and %v", q, x[q], y[q])
			}
		}
	}
	if compared < 500 {
		t.Fatalf("only %d trees had no fault", compared)
	}
}
