package repair

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
)

// keptOf is the twin of Keeper: it works out anew who takes which of the nodes that are free.
func keptOf(claims []Claim, free map[string]map[string]string) map[string]string {
	claims = slices.Clone(claims)
	slices.SortFunc(claims, func(a, b Claim) int {
		return cmp.Or(cmp.Compare(a.Queue, b.Queue), cmp.Compare(a.Level, b.Level))
	})
	kept := map[string]string{}
	for _, c := range claims {
		taken := map[string]int{}
		for _, node := range slices.Sorted(maps.Keys(free)) {
			domain := free[node][c.Level]
			if _, before := kept[node]; !before && domain != "" && taken[domain] < c.Nodes {
				kept[node] = c.Queue
				taken[domain]++
			}
		}
	}
	return kept
}

// Whatever nodes come, go, are used and fall ill, those are kept that the twin keeps, and whoever
// goes by the changes alone knows them.
func TestKeeperAgainstTwin(t *testing.T) {
	r := rand.New(rand.NewPCG(17, 23))
	shared, most := 0, 0
	for range 400 {
		var claims []Claim
		for _, queue := range []string{"b", "a", "c"} {
			for _, level := range []string{"rack", "zone", "none"} {
				if r.IntN(2) == 0 {
					claims = append(claims, Claim{queue, level, r.IntN(4)})
				}
			}
		}
		k := NewKeeper(claims)
		free, heard := map[string]map[string]string{}, map[string]string{}
		for range 150 {
			i := r.IntN(24)
			node := fmt.Sprint("n", i)
			labels := map[string]string{"rack": fmt.Sprint("r", i%5), "zone": fmt.Sprint("z", i%2)}
			if i%7 == 0 {
				delete(labels, "rack")
			}
			var changed []string
			if _, is := free[node]; is {
				delete(free, node)
				changed = k.Remove(node)
			} else {
				free[node] = labels
				changed = k.Add(node, func(level string) string { return labels[level] })
			}
			if n := 2*len(claims) + 1; len(changed) > n {
				t.Fatalf("%v: one node changed %v", claims, changed)
			}
			for _, node := range changed {
				if queue, kept := k.For(node); kept {
					heard[node] = queue
				} else {
					delete(heard, node)
				}
			}
			want := keptOf(claims, free)
			if !maps.Equal(heard, want) || !maps.Equal(k.kept, want) {
				t.Fatalf("claims %v, free %v: kept %v, heard of %v, want %v", claims, slices.Sorted(maps.Keys(free)), k.kept, heard, want)
			}
			if len(want) == len(free) && len(free) > 3 {
				shared++
			}
			most = max(most, len(want))
		}
		if got := len(k.free); got != len(free) {
			t.Fatalf("%d nodes are known, %d are free", got, len(free))
		}
	}
	if shared < 100 || most < 12 {
		t.Errorf("claims competed for all nodes %d times, and %d nodes were kept at most", shared, most)
	}
}
