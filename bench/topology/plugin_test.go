package main

import (
	"math/bits"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/berth-dev/berth/pkg/core/topology"
)

// picks are the sets that the plugin gives out, over many orders of the free devices.
func picks(p *devicePlugin, k int, free topology.Mask) []topology.Mask {
	random := rand.New(rand.NewPCG(uint64(free), uint64(k)))
	found := map[topology.Mask]bool{}
	for range 30 {
		found[p.pick(k, free, random)] = true
	}
	var out []topology.Mask
	for set := range found {
		out = append(out, set)
	}
	slices.Sort(out)
	return out
}

func TestPick(t *testing.T) {
	p := newDevicePlugin(&prepare(t).Matrix)
	tests := []struct {
		name string
		k    int
		free topology.Mask
		want []topology.Mask
	}{
		{"one of an idle machine is any", 1, 0b11111111, []topology.Mask{1, 2, 4, 8, 16, 32, 64, 128}},
		{"four of an idle machine are a half", 4, 0b11111111, []topology.Mask{0b00001111, 0b11110000}},
		{"all that are free", 3, 0b10010001, []topology.Mask{0b10010001}},
		// 2 and 3, 1 and 2, 0 and 3 have two links each; together only 0 and 3 with 1 and 2
		// leave none out.
		{"two of a half, so that the others have links as well", 2, 0b00001111, []topology.Mask{0b00000110, 0b00001001}},
		// Of 0, 1 and 7, only 0 and 1 have a link; the rest is alone.
		{"the rest is not taken", 2, 0b10000011, []topology.Mask{0b00000011}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, picks(p, test.k, test.free)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// dumbest returns the highest sum of the scores of a way to divide devices, of which so
// many are the rest, by looking at all sets with the lowest device.
func dumbest(p *devicePlugin, left topology.Mask, k, rest int, known map[[2]int]int) int {
	if left == 0 {
		return 0
	}
	key := [2]int{int(left), rest}
	if sum, ok := known[key]; ok {
		return sum
	}
	most := -1 << 30
	for set := left; set > 0; set = (set - 1) & left {
		if set&(left&-left) == 0 {
			continue
		}
		score := p.score(slices.Collect(set.Each()))
		switch n := bits.OnesCount16(uint16(set)); {
		case n == rest:
			most = max(most, score+dumbest(p, left&^set, k, 0, known))
			if n != k {
				break
			}
			fallthrough
		case n == k:
			most = max(most, score+dumbest(p, left&^set, k, rest, known))
		}
	}
	known[key] = most
	return most
}

// Whatever is free, the set that is picked belongs to a way with the highest sum.
func TestPickIsOfTheBestWay(t *testing.T) {
	p := newDevicePlugin(&prepare(t).Matrix)
	for k := 2; k <= 4; k++ {
		known := map[[2]int]int{}
		for free := topology.Mask(1); free < 256; free++ {
			if free.Len() < k {
				continue
			}
			rest := free.Len() % k
			want := dumbest(p, free, k, rest, known)
			for _, set := range picks(p, k, free) {
				if set.Len() != k || set&^free != 0 {
					t.Fatalf("%d of %08b: picked %08b", k, free, set)
				}
				got := p.score(slices.Collect(set.Each())) + dumbest(p, free&^set, k, rest, known)
				if got != want {
					t.Errorf("%d of %08b: picked %08b, of a way with the sum %d; the highest is %d", k, free, set, got, want)
				}
			}
		}
	}
}

// The bandwidths of the model: how many sets of a size have which, in GB/s.
func TestBandwidths(t *testing.T) {
	m := prepare(t)
	want := map[int]map[int32]int{
		2: {50: 8, 25: 8, 10: 12},
		3: {25: 8, 10: 48},
		4: {50: 2, 25: 6, 10: 62},
	}
	got := map[int]map[int32]int{2: {}, 3: {}, 4: {}}
	ringless := map[int]int{}
	for set := topology.Mask(1); set < 256; set++ {
		if k := set.Len(); got[k] != nil {
			got[k][m.class.Quality(set)/1000]++
			if m.ringless(set) {
				ringless[k]++
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("sets of a size by bandwidth (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[int]int{2: 12, 3: 48, 4: 62}, ringless); diff != "" {
		t.Errorf("sets of a size without a ring (-want +got):\n%s", diff)
	}
}
