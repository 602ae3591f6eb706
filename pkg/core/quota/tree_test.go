package quota

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"
)

// wildSpecs returns specs with every kind of fault.
func wildSpecs(r *rand.Rand) []Spec {
	amounts := []Amount{0, 1, 5, 10, 30, Most, Unlimited, -1, Most / 2}
	maybe := func() *Amount {
		if r.IntN(2) == 0 {
			return nil
		}
		return new(amounts[r.IntN(len(amounts)-r.IntN(4))])
	}
	specs := make([]Spec, r.IntN(12))
	for i := range specs {
		specs[i] = Spec{Name: fmt.Sprintf("q%d", r.IntN(14)), Resources: map[string]Quota{}}
		if r.IntN(2) == 0 {
			specs[i].Parent = fmt.Sprintf("q%d", r.IntN(14))
		}
		if r.IntN(20) == 0 {
			specs[i].Name = Root
		}
		if r.IntN(20) == 0 {
			specs[i].HalfLife = -time.Second
		}
		for _, resource := range []string{"gpu", "cpu", "memory"} {
			if r.IntN(3) > 0 {
				specs[i].Resources[resource] = Quota{maybe(), maybe(), maybe()}
			}
		}
	}
	return specs
}

// Whatever the specs say, the tree is one on which all arithmetic works.
func checkTree(t *testing.T, specs []Spec) (faulty int) {
	tree, faults := NewTree(specs, []string{"memory", "gpu", "cpu", "gpu"})
	again, same := NewTree(specs, []string{"memory", "gpu", "cpu", "gpu"})
	if !reflect.DeepEqual(tree, again) || !reflect.DeepEqual(faults, same) {
		t.Fatal("the same specs make two trees")
	}
	wrong := map[string]bool{}
	for _, fault := range faults {
		wrong[fault.Queue] = wrong[fault.Queue] || fault.Code != Duplicate && fault.Code != NoName
	}
	seen := 1
	for q := range QueueID(tree.Len()) {
		up := tree.Parent(q)
		first, n := tree.Children(q)
		if n > 0 && (tree.Own(q) != first || first <= q) || n == 0 && tree.Own(q) != q {
			t.Fatalf("queue %d has its own gangs at %d and its children from %d on", q, tree.Own(q), first)
		}
		seen += n
		if id, ok := tree.Queue(tree.Name(q)); !ok || id != q && tree.Own(id) != q {
			t.Fatalf("queue %d is called %q, which is %d", q, tree.Name(q), id)
		}
		if q != RootID {
			if blocked := tree.Fault(up) != nil || wrong[tree.Name(q)]; blocked != (tree.Fault(q) != nil) {
				t.Fatalf("queue %q: fault %v, in one with %v", tree.Name(q), tree.Fault(q), tree.Fault(up))
			}
		}
		guaranteed, weights := make(Vector, 3), make(Vector, 3)
		for i := range n {
			child := first + QueueID(i)
			if tree.Parent(child) != q || tree.Depth(child) != tree.Depth(q)+1 {
				t.Fatalf("queue %d is a child of %d, and in %d", child, q, tree.Parent(child))
			}
			if i > 1 && tree.Name(child) <= tree.Name(child-1) {
				t.Fatalf("%q comes after %q", tree.Name(child), tree.Name(child-1))
			}
			guaranteed, weights = guaranteed.Plus(tree.Guaranteed(child)), weights.Plus(tree.Weight(child))
		}
		if n > 0 && !slices.Equal(guaranteed, tree.Guaranteed(q)) {
			t.Fatalf("queue %q is guaranteed %v, its children %v", tree.Name(q), tree.Guaranteed(q), guaranteed)
		}
		for r := range guaranteed {
			if g := tree.Guaranteed(q)[r]; g < 0 || g == Unlimited || g > tree.Limit(q)[r] || weights[r] > 1<<mostWeightLen || tree.Weight(q)[r] < 0 {
				t.Fatalf("queue %q: guaranteed %v, limit %v, its children weigh %v", tree.Name(q), tree.Guaranteed(q), tree.Limit(q), weights)
			}
		}
		if tree.Fault(q) != nil {
			faulty++
		}
	}
	if seen != tree.Len() {
		t.Fatalf("%d of %d queues are in the tree", seen, tree.Len())
	}
	return faulty
}

func TestTreesMakeSense(t *testing.T) {
	r := rand.New(rand.NewPCG(17, 18))
	faulty := 0
	for range 20_000 {
		if checkTree(t, wildSpecs(r)) > 0 {
			faulty++
		}
	}
	if faulty < 5000 || faulty > 19_000 {
		t.Fatalf("%d of 20000 trees have faults", faulty)
	}
}

func FuzzTree(f *testing.F) {
	f.Add(uint64(1))
	f.Fuzz(func(t *testing.T, seed uint64) { checkTree(t, wildSpecs(rand.New(rand.NewPCG(seed, 0)))) })
}

// Siblings are left alone by the faults of others, of which there is one for each cause.
func TestFaultsStayWithTheirQueue(t *testing.T) {
	r := rand.New(rand.NewPCG(19, 20))
	for range 5000 {
		specs := wildSpecs(r)
		// Fine in itself, and the first among equals.
		fine := Spec{Name: "fine", Resources: map[string]Quota{"a": {Guaranteed: new(Amount(1))}}}
		tree, faults := NewTree(append([]Spec{fine}, specs...), nil)
		q, _ := tree.Queue("fine")
		if tree.Fault(q) != nil || tree.Guaranteed(q)[0] != 1 {
			t.Fatalf("guaranteed %v, faults %v", tree.Guaranteed(q), faults)
		}
	}
}
