package remedy

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/berth-dev/berth/pkg/core/quota"
)

func limited(name, parent string, gpus quota.Amount) quota.Spec {
	s := quota.Spec{Name: name, Parent: parent}
	if gpus > 0 {
		s.Resources = map[string]quota.Quota{"gpu": {Limit: &gpus}}
	} else {
		weight := quota.Amount(1)
		s.Resources = map[string]quota.Quota{"gpu": {Weight: &weight}}
	}
	return s
}

func TestQuota(t *testing.T) {
	tree, faults := quota.NewTree([]quota.Spec{limited("org", "", 64), limited("a", "org", 40), limited("b", "org", 0)}, []string{"gpu"})
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	id := func(name string) quota.QueueID {
		q, ok := tree.Queue(name)
		if !ok {
			t.Fatal(name)
		}
		return q
	}
	running := []Charge{
		{Name: "a1", Queue: id("a"), By: quota.Vector{8}, Ends: 500},
		{Name: "a2", Queue: id("a"), By: quota.Vector{24}, Ends: Unknown},
		{Name: "b1", Queue: id("b"), By: quota.Vector{16}, Ends: 300},
		{Name: "b2", Queue: id("b"), By: quota.Vector{8}, Ends: 200},
	}
	used := quota.NewUsage(tree)
	for _, c := range running {
		if _, err := used.Charge(c.Queue, c.By); err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct {
		asks quota.Amount
		want string
	}{
		{8, ""},
		{9, "a +1 41 [a1] 500; org +1 65 [b2] 200"},
		{12, "a +4 44 [a1] 500; org +4 68 [b2] 200"},
		{24, "a +16 56 [a2] 0; org +16 80 [b1] 300"},
		{40, "a +32 72 [a1 a2] 0; org +32 96 [a1 b1 b2] 500"},
		{41, "a never 73; org +33 97 [a2 b1] 0"},
	}
	for _, test := range tests {
		got := ""
		for i, l := range Quota(used, id("a"), quota.Vector{test.asks}, running) {
			if i > 0 {
				got += "; "
			}
			if got += tree.Name(l.Queue); l.Never {
				got += fmt.Sprint(" never ", l.Enough)
				continue
			}
			names := []string{}
			for _, g := range l.Gangs {
				names = append(names, running[g].Name)
			}
			got += fmt.Sprint(" +", l.Over, " ", l.Enough, " ", names, " ", l.Ends)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("for %d: -want +got:\n%s", test.asks, diff)
		}
	}
}

// What brings a limit back is enough, and none of it can be left off; and where nothing is
// named, all that runs would not be enough.
func TestQuotaIsEnough(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	limits := 0
	for range 500 {
		limit := func() quota.Amount { return quota.Amount(random.IntN(60)) }
		tree, _ := quota.NewTree([]quota.Spec{limited("org", "", limit()), limited("a", "org", limit()), limited("b", "org", limit())}, []string{"gpu"})
		used := quota.NewUsage(tree)
		names := []string{"a", "b", "org"}
		var running []Charge
		for i := range random.IntN(8) {
			q, _ := tree.Queue(names[random.IntN(3)])
			c := Charge{Name: fmt.Sprint("g", i), Queue: q, By: quota.Vector{quota.Amount(random.IntN(20))}, Ends: Instant(random.IntN(3) * 100)}
			running = append(running, c)
			if _, err := used.Charge(c.Queue, c.By); err != nil {
				t.Fatal(err)
			}
		}
		q, _ := tree.Queue("a")
		asks := quota.Vector{quota.Amount(1 + random.IntN(30))}
		_, may := used.CanCharge(q, asks)
		found := Quota(used, q, asks, running)
		if may != (len(found) == 0) {
			t.Fatalf("it may be charged: %v, and there are %d limits in the way", may, len(found))
		}
		for _, l := range found {
			limits++
			holds := func(without int) bool {
				sum := quota.Amount(0)
				for i, g := range l.Gangs {
					if i != without {
						sum += running[g].By[0]
					}
				}
				return used.Of(l.Queue)[0]-sum+asks[0] <= l.Limit
			}
			switch {
			case l.Never != (asks[0] > l.Limit):
				t.Errorf("never %v: %+v", l.Never, l)
			case !l.Never && !holds(-1):
				t.Errorf("not enough: %+v", l)
			}
			for i := range l.Gangs {
				if holds(i) {
					t.Errorf("%s is not needed: %+v", running[l.Gangs[i]].Name, l)
				}
			}
		}
	}
	if limits < 100 {
		t.Errorf("only %d limits were in the way", limits)
	}
}
