package quota

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// ledger is usage as anybody would first write it: a list of all charges.
type ledger struct {
	tree    *Tree
	charges []charge
}

type charge struct {
	queue QueueID
	v     Vector
	// forced says that the limits were not asked.
	forced bool
}

// in reports whether a queue is another, or in it.
func (l *ledger) in(q, of QueueID) bool {
	for ; q != NoQueue; q = l.tree.Parent(q) {
		if q == of {
			return true
		}
	}
	return false
}

// of sums up the charges in a queue.
func (l *ledger) of(q QueueID) Vector {
	sum := make(Vector, len(l.tree.Resources()))
	for _, c := range l.charges {
		if l.in(l.tree.Own(c.queue), q) {
			sum = sum.Plus(c.v)
		}
	}
	return sum
}

// randomTree returns a tree of up to so many queues with limits, and the specs of it.
func randomTree(r *rand.Rand, queues int) *Tree {
	specs := make([]Spec, 1+r.IntN(queues))
	for i := range specs {
		specs[i] = Spec{Name: fmt.Sprintf("q%d", i), Resources: map[string]Quota{}}
		if i > 0 && r.IntN(4) > 0 {
			specs[i].Parent = fmt.Sprintf("q%d", r.IntN(i))
		}
		for _, resource := range []string{"gpu", "cpu", "memory"} {
			q := Quota{}
			if r.IntN(2) == 0 {
				q.Limit = new(Amount(20 + r.IntN(100)))
			}
			if r.IntN(50) == 0 {
				q.Guaranteed = new(Amount(r.IntN(200)))
			}
			specs[i].Resources[resource] = q
		}
	}
	tree, _ := NewTree(specs, []string{"gpu", "cpu", "memory"})
	return tree
}

// books is usage, the ledger beside it, and what can be undone.
type books struct {
	usage                                *Usage
	ledger                               ledger
	undo                                 []Undo
	before                               [][]charge
	refused, charged, forced, undone, no int
}

func (b *books) step(t *testing.T, r *rand.Rand) {
	t.Helper()
	tree := b.usage.Tree()
	q := QueueID(r.IntN(tree.Len()))
	v := Vector{Amount(r.IntN(12)), Amount(r.IntN(3)), Amount(r.IntN(12))}
	switch what := r.IntN(10); {
	case what < 4:
		refusal, ok := b.usage.CanCharge(q, v)
		if !ok {
			b.refuses(t, q, v, refusal)
			return
		}
		b.charge(t, charge{queue: q, v: v})
	case what < 5:
		b.charge(t, charge{queue: q, v: v, forced: true})
	case what < 8 && len(b.ledger.charges) > 0:
		i := r.IntN(len(b.ledger.charges))
		c := b.ledger.charges[i]
		undo, err := b.usage.Release(c.queue, c.v)
		if err != nil {
			t.Fatal(err)
		}
		b.keep(undo)
		b.ledger.charges = slices.Delete(slices.Clone(b.ledger.charges), i, i+1)
	case what < 9:
		// More than the own gangs have, in one resource.
		i := r.IntN(len(v))
		v[i] += b.usage.Of(tree.Own(q))[i] + 1
		before := slices.Clone(b.usage.used)
		if _, err := b.usage.Release(q, v); err == nil {
			t.Fatalf("%v were released of %v", v, b.usage.Of(tree.Own(q)))
		}
		if !slices.Equal(before, b.usage.used) {
			t.Fatal("a release that failed changed something")
		}
		b.no++
	case len(b.undo) > 0:
		for n := 1 + r.IntN(min(5, len(b.undo))); n > 0; n-- {
			last := len(b.undo) - 1
			b.usage.Revert(b.undo[last])
			b.ledger.charges = b.before[last]
			b.undo, b.before = b.undo[:last], b.before[:last]
			b.undone++
		}
	}
}

// charge charges both.
func (b *books) charge(t *testing.T, c charge) {
	t.Helper()
	undo, err := b.usage.Charge(c.queue, c.v)
	if err != nil {
		t.Fatal(err)
	}
	b.keep(undo)
	b.ledger.charges = append(slices.Clip(b.ledger.charges), c)
	b.charged++
	if c.forced {
		b.forced++
		return
	}
	// A charge that was allowed keeps the limits in what it asks for.
	for q := c.queue; q != NoQueue; q = b.usage.Tree().Parent(q) {
		for i, limit := range b.usage.Tree().Limit(q) {
			if c.v[i] > 0 && b.usage.Of(q)[i] > limit {
				t.Fatalf("queue %d has %s, and its limit is %s", q, b.usage.Of(q)[i], limit)
			}
		}
	}
}

// keep notes how to go back.
func (b *books) keep(undo Undo) {
	b.undo, b.before = append(b.undo, undo), append(b.before, b.ledger.charges)
	if len(b.undo) > 100 {
		b.undo, b.before = b.undo[50:], b.before[50:]
	}
}

// refuses checks a refusal against the ledger.
func (b *books) refuses(t *testing.T, q QueueID, v Vector, refusal Refusal) {
	t.Helper()
	b.refused++
	if refusal.Fault != nil {
		return
	}
	i := refusal.Resource
	used := b.ledger.of(refusal.Queue)[i]
	if !b.ledger.in(q, refusal.Queue) || refusal.Used != used || refusal.Asked != v[i] || v[i] == 0 || used+v[i] <= refusal.Limit || refusal.Limit != b.usage.Tree().Limit(refusal.Queue)[i] {
		t.Fatalf("queue %d is refused %v by %+v, which uses %s", q, v, refusal, used)
	}
}

// agree compares everything.
func (b *books) agree(t *testing.T) {
	t.Helper()
	for q := range QueueID(b.usage.Tree().Len()) {
		want := b.ledger.of(q)
		if got := b.usage.Of(q); !slices.Equal(got, want) {
			t.Fatalf("queue %d uses %v, want %v", q, got, want)
		}
		if slices.Min(b.usage.Of(q)) < 0 {
			t.Fatalf("queue %d uses %v", q, b.usage.Of(q))
		}
	}
}

// consistent checks that what a queue uses is what its children do, at every level.
func (b *books) consistent(t *testing.T) {
	t.Helper()
	tree := b.usage.Tree()
	for q := range QueueID(tree.Len()) {
		first, n := tree.Children(q)
		if n == 0 {
			continue
		}
		sum := make(Vector, len(tree.Resources()))
		for child := first; child < first+QueueID(n); child++ {
			sum = sum.Plus(b.usage.Of(child))
		}
		if !slices.Equal(sum, b.usage.Of(q)) {
			t.Fatalf("queue %d uses %v, its children %v", q, b.usage.Of(q), sum)
		}
	}
}

func TestUsageAgreesWithALedger(t *testing.T) {
	const trees, steps = 100, 2000
	r := rand.New(rand.NewPCG(7, 8))
	var all books
	for range trees {
		tree := randomTree(r, 200)
		b := books{usage: NewUsage(tree), ledger: ledger{tree: tree}}
		for step := range steps {
			b.step(t, r)
			if step%20 == 0 {
				b.consistent(t)
			}
			if step%500 == 0 {
				b.agree(t)
			}
		}
		b.agree(t)
		for len(b.undo) > 0 {
			last := len(b.undo) - 1
			b.usage.Revert(b.undo[last])
			b.ledger.charges = b.before[last]
			b.undo, b.before = b.undo[:last], b.before[:last]
		}
		b.agree(t)
		all.refused, all.charged, all.forced, all.undone, all.no = all.refused+b.refused, all.charged+b.charged, all.forced+b.forced, all.undone+b.undone, all.no+b.no
	}
	const total = trees * steps
	if all.refused < total/20 || all.charged < total/5 || all.undone < total/20 || all.no < total/20 {
		t.Fatalf("%d refusals, %d charges, %d undone, %d releases too many in %d steps: the test is too easy", all.refused, all.charged, all.undone, all.no, total)
	}
}

func FuzzUsage(f *testing.F) {
	f.Add(uint64(1), uint16(300))
	f.Fuzz(func(t *testing.T, seed uint64, steps uint16) {
		r := rand.New(rand.NewPCG(seed, 0))
		tree := randomTree(r, 30)
		b := books{usage: NewUsage(tree), ledger: ledger{tree: tree}}
		for range steps % 2000 {
			b.step(t, r)
		}
		b.consistent(t)
		b.agree(t)
	})
}
