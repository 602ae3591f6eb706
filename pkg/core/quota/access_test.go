package quota

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// teams selects namespaces by one label.
type teams []string

func (s teams) Selects(labels map[string]string) bool { return slices.Contains(s, labels["team"]) }

func TestMayUse(t *testing.T) {
	gpus := func(n Amount) map[string]Quota { return map[string]Quota{"gpu": {Guaranteed: &n}} }
	weighs := func(n Amount) map[string]Quota { return map[string]Quota{"gpu": {Weight: &n}} }
	tree, faults := NewTree([]Spec{
		{Name: "free"},
		{Name: "weighs", Resources: weighs(3)},
		{Name: "guaranteed", Resources: gpus(8)},
		{Name: "named", Resources: gpus(8), Access: Access{Namespaces: []string{"a", "b"}}},
		{Name: "selected", Access: Access{Selector: teams{"red"}}},
		{Name: "both", Access: Access{Namespaces: []string{"a"}, Selector: teams{"red"}}},
		{Name: "company", Resources: gpus(100), Access: Access{Selector: teams{"red", "blue"}}},
		{Name: "silent", Parent: "company"},
		{Name: "strict", Parent: "company", Access: Access{Namespaces: []string{"a"}}},
		{Name: "derived"},
		{Name: "has", Parent: "derived", Resources: gpus(4)},
		{Name: "has-not", Parent: "derived"},
	}, nil)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	none := Namespace{Name: "none", Queue: "default"}
	a := Namespace{Name: "a", Queue: "default"}
	red := Namespace{Name: "c", Labels: map[string]string{"team": "red"}, Queue: "default"}
	of := func(queue string) Namespace { return Namespace{Name: "own", Queue: queue} }
	for _, c := range []struct {
		queue string
		n     Namespace
		want  bool
	}{
		{Root, none, true},
		{"free", none, true},
		{"weighs", none, true},
		{"guaranteed", none, false},
		{"guaranteed", of("guaranteed"), true},
		{"guaranteed", of("free"), false},
		{"named", a, true},
		{"named", none, false},
		{"named", of("named"), false}, // what it says is all
		{"selected", red, true},
		{"selected", none, false},
		{"both", a, true},
		{"both", red, true},
		{"both", none, false},
		{"company", red, true},
		{"silent", red, true},
		{"silent", a, false},
		{"strict", a, true},
		{"strict", red, false},
		{"derived", none, false},
		{"has", none, false},
		{"has-not", none, false}, // it would use what its siblings are guaranteed
		{"has-not", of("has-not"), true},
		{"has-not", of("has"), false},
	} {
		id, ok := tree.Queue(c.queue)
		if !ok {
			t.Fatalf("there is no queue %q", c.queue)
		}
		for _, id := range []QueueID{id, tree.Own(id)} {
			if got := tree.MayUse(id, c.n); got != c.want {
				t.Errorf("namespace %+v may use %s: %t, want %t", c.n, tree.called(id), got, c.want)
			}
		}
	}
}

// mayUse decides from the specs, queue by queue upwards. It knows nothing of numbers.
func mayUse(tree *Tree, specs []Spec, name string, n Namespace) bool {
	own, closed := name, false
	for steps := 0; name != Root && steps <= len(specs); steps++ {
		i := slices.IndexFunc(specs, func(s Spec) bool { return s.Name == name })
		s := &specs[i]
		if len(s.Access.Namespaces) > 0 || s.Access.Selector != nil {
			return slices.Contains(s.Access.Namespaces, n.Name) || s.Access.Selector != nil && s.Access.Selector.Selects(n.Labels)
		}
		id, _ := tree.Queue(name)
		for _, amount := range tree.Guaranteed(id) {
			closed = closed || amount > 0
		}
		name = tree.Name(tree.Parent(id))
	}
	return !closed || n.Queue == own
}

func TestMayUseAgainstTheSpecs(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	refused := 0
	for range 3000 {
		specs := wildSpecs(r)
		for i := range specs {
			if r.IntN(3) == 0 {
				specs[i].Access.Namespaces = []string{fmt.Sprint("n", r.IntN(4))}
			}
			if r.IntN(4) == 0 {
				specs[i].Access.Selector = teams{fmt.Sprint("t", r.IntN(3))}
			}
		}
		tree, _ := NewTree(specs, nil)
		for range 8 {
			n := Namespace{Name: fmt.Sprint("n", r.IntN(5)), Labels: map[string]string{"team": fmt.Sprint("t", r.IntN(4))}, Queue: fmt.Sprintf("q%d", r.IntN(14))}
			for name, id := range tree.byName {
				want := mayUse(tree, specs, name, n)
				if got := tree.MayUse(tree.Own(id), n); got != want {
					t.Fatalf("%+v may use %q of %+v: %t, want %t", n, name, specs, got, want)
				}
				if !want {
					refused++
				}
			}
		}
	}
	if refused < 1000 {
		t.Errorf("only %d were refused", refused)
	}
}
