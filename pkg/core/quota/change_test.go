package quota

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"
)

// otherwise returns a spec with something else in it; structure says that a tree of it has
// another structure.
func otherwise(r *rand.Rand, was Spec) (spec Spec, structure bool) {
	spec = was
	amount := func(other *Amount) *Amount {
		switch r.IntN(6) {
		case 0:
			return nil
		case 1:
			return new(Amount(r.IntN(40)))
		case 2:
			return new([]Amount{Most, Most / 2, Unlimited, -1}[r.IntN(4)])
		}
		return other
	}
	switch r.IntN(8) {
	case 0:
		spec.Access = Access{Namespaces: []string{fmt.Sprint("n", r.IntN(4))}}
	case 1:
		spec.Preemption.Reclaim, spec.Preemption.MinRuntime = Whom(r.IntN(3)), time.Second
	case 2:
		switch r.IntN(4) {
		case 0:
			spec.Order = (was.Order + 1) % 3
		case 1:
			spec.HalfLife += time.Second
		case 2:
			spec.Parent += "x"
		default:
			spec.Resources = map[string]Quota{"another": {}}
		}
		return spec, true
	default:
		spec.Resources = map[string]Quota{}
		for name, q := range was.Resources {
			spec.Resources[name] = Quota{Guaranteed: amount(q.Guaranteed), Limit: amount(q.Limit), Weight: amount(q.Weight)}
		}
	}
	return spec, false
}

// A tree in which a queue has another spec is the one that is made of the specs with that, and
// the tree before stays what it was.
func TestChangedTreesAreThoseMadeAnew(t *testing.T) {
	r := rand.New(rand.NewPCG(23, 24))
	var changed, refused, faulty int
	for range 5000 {
		specs := wildSpecs(r)
		if r.IntN(2) == 0 {
			// Without faults of structure, and few others.
			specs = specs[:0]
			for i := range 3 + r.IntN(8) {
				s := Spec{Name: fmt.Sprint("q", i), Resources: map[string]Quota{"gpu": {}, "cpu": {}}}
				if r.IntN(3) > 0 {
					s.Resources["gpu"] = Quota{Guaranteed: new(Amount(r.IntN(10)))}
				}
				if i > 0 && r.IntN(2) == 0 {
					s.Parent = fmt.Sprint("q", r.IntN(i))
				}
				specs = append(specs, s)
			}
		}
		tree, faults := NewTree(specs, nil)
		before, _ := NewTree(specs, nil)
		for range 4 {
			if len(specs) == 0 {
				break
			}
			i := r.IntN(len(specs))
			i = slices.IndexFunc(specs, func(s Spec) bool { return s.Name == specs[i].Name }) // the first stands
			spec, structure := otherwise(r, specs[i])
			got, ok := tree.With(spec)
			if !reflect.DeepEqual(tree, before) {
				t.Fatalf("%+v: the tree is another after %+v", specs, spec)
			}
			if !ok {
				refused++
				if len(faults) == 0 && !structure {
					specs := slices.Clone(specs)
					specs[i] = spec
					if _, faults := NewTree(specs, nil); len(faults) == 0 {
						t.Fatalf("%+v: %+v is refused, and neither makes another structure nor faults", specs, spec)
					}
				}
				continue
			}
			if structure {
				t.Fatalf("%+v: %+v makes another structure, and is not refused", specs, spec)
			}
			changed++
			specs = slices.Clone(specs)
			specs[i] = spec
			if before, faults = NewTree(specs, nil); !reflect.DeepEqual(got, before) {
				t.Fatalf("with %+v, the tree is not the one made of %+v:\n%+v\n%+v", spec, specs, got, before)
			}
			if len(faults) > 0 {
				faulty++
			}
			tree = got
		}
	}
	if changed < 5000 || refused < 1250 || faulty < 125 {
		t.Errorf("%d changed, %d of them with a fault elsewhere, and %d refused: the test is too easy", changed, faulty, refused)
	}
}
