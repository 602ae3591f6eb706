package remedy

import (
	"cmp"
	"math"
	"slices"

	"github.com/berth-dev/berth/pkg/core/quota"
)

// Charge is what a gang, or plain pod, that has places is charged.
type Charge struct {
	Name  string
	Queue quota.QueueID
	By    quota.Vector
	Ends  Instant
}

// Limit is a limit that a gang would pass.
type Limit struct {
	quota.Refusal
	// Over is by how much it would, and Enough the limit that would do.
	Over, Enough quota.Amount
	// Never says that it asks for more than the limit, whatever else runs.
	Never bool
	// Gangs are the places of charges, by name, of those whose end brings Over back: those
	// that end soonest. None if all together would not. Ends is when the last of them does;
	// Unknown if one does not say so.
	Gangs []int
	Ends  Instant
}

// Quota returns the limits that a gang would pass, from its queue upwards, each with what
// brings back what is over. All of them have to be lifted. A queue with a fault has none.
func Quota(used *quota.Usage, queue quota.QueueID, asks quota.Vector, running []Charge) []Limit {
	tree := used.Tree()
	if tree.Fault(queue) != nil {
		return nil
	}
	var out []Limit
	for q := tree.Own(queue); q != quota.NoQueue; q = tree.Parent(q) {
		uses, limits := used.Of(q), tree.Limit(q)
		for r, asked := range asks {
			if asked <= 0 || asked <= limits[r].Minus(uses[r]) {
				continue
			}
			l := Limit{
				Refusal: quota.Refusal{Queue: q, Resource: r, Used: uses[r], Limit: limits[r], Asked: asked},
				Over:    uses[r].Plus(asked).Minus(limits[r]), Enough: uses[r].Plus(asked), Never: asked > limits[r],
			}
			if !l.Never {
				l.Gangs = back(tree, q, r, l.Over, running)
				l.Ends = last(l.Gangs, func(g int) Instant { return running[g].Ends })
			}
			out = append(out, l)
		}
	}
	return out
}

// back returns who of a queue, and those in it, has to end for so much of a resource to come
// back: those first that end soonest, then those that have most of it.
func back(tree *quota.Tree, q quota.QueueID, r int, over quota.Amount, running []Charge) []int {
	var in []int
	for i := range running {
		if running[i].By[r] > 0 && tree.In(running[i].Queue, q) {
			in = append(in, i)
		}
	}
	slices.SortFunc(in, func(a, b int) int {
		x, y := &running[a], &running[b]
		return cmp.Or(cmp.Compare(x.Ends.orNever(), y.Ends.orNever()),
			cmp.Compare(y.By[r], x.By[r]), cmp.Compare(x.Name, y.Name))
	})
	sum := quota.Amount(0)
	n := 0
	for ; n < len(in) && sum < over; n++ {
		sum = sum.Plus(running[in[n]].By[r])
	}
	if sum < over {
		return nil
	}
	// The last is needed; of the others, those with least may not be.
	chosen := in[:n]
	few := slices.Clone(chosen)
	slices.SortStableFunc(few, func(a, b int) int { return cmp.Compare(running[a].By[r], running[b].By[r]) })
	for _, g := range few {
		if by := running[g].By[r]; sum.Minus(by) >= over {
			sum = sum.Minus(by)
			chosen = slices.DeleteFunc(slices.Clone(chosen), func(other int) bool { return other == g })
		}
	}
	slices.SortFunc(chosen, func(a, b int) int { return cmp.Compare(running[a].Name, running[b].Name) })
	return chosen
}

// orNever is a moment after all others for one that is unknown.
func (i Instant) orNever() Instant {
	if i == Unknown {
		return math.MaxInt64
	}
	return i
}
