package main

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The stream asks for what it says.
func TestStream(t *testing.T) {
	p := params{Seed: 4, Load: 85, Racks: 78, NodesInRack: 32, RacksInBlock: 32, Smallest: 2, Largest: 64}
	const n = 200_000
	gangs := p.stream(n)
	asked, sum, runs, sizes := 0.0, 0.0, 0.0, map[int]int{}
	for i, g := range gangs {
		if i > 0 && g.comes < gangs[i-1].comes {
			t.Fatalf("gang %d comes before the one before it", i)
		}
		asked += float64(g.size) * g.runs
		sum += float64(g.size)
		runs += g.runs
		sizes[g.size]++
	}
	if got := asked / gangs[n-1].comes / float64(p.nodes()); math.Abs(got-0.85) > 0.015 {
		t.Errorf("%.3f of the nodes are asked for, want 0.85", got)
	}
	if got := sum / n; math.Abs(got-p.meanSize()) > 0.15 {
		t.Errorf("the mean size is %.2f, want %.2f", got, p.meanSize())
	}
	if got := runs / n; math.Abs(got-1) > 0.01 {
		t.Errorf("gangs run for %.3f in the mean, want 1", got)
	}
	for size := range sizes {
		if size < p.Smallest || size > p.Largest {
			t.Errorf("a gang of %d", size)
		}
	}
	// As many in each doubling, for which 64 alone, at the end, is too little.
	for from := p.Smallest; from < p.Largest; from *= 2 {
		count := 0
		for size := from; size < 2*from; size++ {
			count += sizes[size]
		}
		want := math.Log(2) / math.Log(65.0/2)
		if got := float64(count) / n; math.Abs(got-want) > 0.005 {
			t.Errorf("%.3f of the gangs are of %d to %d, want %.3f", got, from, 2*from-1, want)
		}
	}
	if diff := cmp.Diff(gangs[:100], p.stream(100), cmp.AllowUnexported(gang{})); diff != "" {
		t.Errorf("a shorter stream is not the beginning of a longer one:\n%s", diff)
	}
	p.Load = 42
	for i, g := range p.stream(100) {
		if g.size != gangs[i].size || g.runs != gangs[i].runs {
			t.Fatalf("gang %d is another at another load: %+v, and was %+v", i, g, gangs[i])
		}
	}
}
