package main

import (
	"log/slog"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"k8s.io/klog/v2"

	"github.com/berth-dev/berth/bench/rig"
	"github.com/berth-dev/berth/pkg/engine/podgroups"
)

// tiny is a cluster of 48 nodes: a block of four racks of 8, and one of two.
var tiny = params{Seed: 1, Load: 85, Racks: 6, NodesInRack: 8, RacksInBlock: 4, Smallest: 2, Largest: 16}

const tinyArrivals = 300

// but leaves out what differs from run to run.
var but = cmpopts.IgnoreFields(placement{}, "Took")

func prepare(t *testing.T) {
	t.Helper()
	if err := podgroups.EnableGangEngine(); err != nil {
		t.Fatal(err)
	}
	klog.SetSlogLogger(slog.New(slog.DiscardHandler))
}

func newTestWorld(t *testing.T, c contestant, p params) *world {
	t.Helper()
	w, err := newWorld(c, p)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.placer.stop)
	return w
}

func always() (bool, error) { return true, nil }

// lived returns a world in which all gangs were placed, those of a history where they were.
func lived(t *testing.T, c contestant, p params, gangs []gang, history ...placement) *world {
	t.Helper()
	w := newTestWorld(t, c, p)
	if err := w.replay(gangs, history); err != nil {
		t.Fatalf("%s: %v", c.name, err)
	}
	if err := w.live(gangs, always); err != nil {
		t.Fatalf("%s: %v", c.name, err)
	}
	return w
}

// room reports whether a gang of a size has room where its contestant lets it go, on nodes
// of which some are free.
func room(c contestant, size int, free []bool) bool {
	inRack, inBlock, all := map[int]int{}, map[int]int{}, 0
	for n, isFree := range free {
		if isFree {
			inRack[n/8]++
			inBlock[n/32]++
			all++
		}
	}
	most := func(domains map[int]int) (most int) {
		for _, n := range domains {
			most = max(most, n)
		}
		return most
	}
	switch {
	case c.name == "first-fit" || c.name == "upstream":
		return all >= size
	case c.name == "berth" || size > 8:
		return most(inBlock) >= size
	}
	return most(inRack) >= size
}

// Every contestant places every gang of the stream, each on nodes of its own, as early as
// can be in the order in which they come; and the figures say so.
func TestEveryGangHasItsNodes(t *testing.T) {
	prepare(t)
	gangs := tiny.stream(tinyArrivals)
	whole := map[string]float64{} // the part of the gangs in one rack
	for _, c := range contestants {
		t.Run(c.name, func(t *testing.T) {
			history := lived(t, c, tiny, gangs).history
			if len(history) != len(gangs) {
				t.Fatalf("%d gangs were placed, want %d", len(history), len(gangs))
			}
			until := make([]float64, 48) // by node, when its gang ends
			before := 0.0
			for i, at := range history {
				g := gangs[i]
				earliest := max(g.comes, before)
				for _, end := range append(slices.Clone(until), earliest) {
					if end < earliest || end >= at.Begin {
						continue
					}
					free := make([]bool, len(until))
					for n := range free {
						free[n] = until[n] <= end
					}
					if room(c, g.size, free) {
						t.Fatalf("gang %d of %d begins at %v, and had room at %v", i, g.size, at.Begin, end)
					}
				}
				if at.Begin < earliest {
					t.Fatalf("gang %d begins at %v, before %v", i, at.Begin, earliest)
				}
				before = at.Begin
				if len(at.Nodes) != g.size {
					t.Fatalf("gang %d of %d is on %d nodes", i, g.size, len(at.Nodes))
				}
				own := make([]bool, len(until))
				for _, n := range at.Nodes {
					if until[n] > at.Begin || own[n] {
						t.Fatalf("gang %d is put on node %d, which is taken", i, n)
					}
					own[n] = true
				}
				if !room(c, g.size, own) {
					t.Fatalf("gang %d of %d is on nodes %v: not all in one domain", i, g.size, at.Nodes)
				}
				for _, n := range at.Nodes {
					until[n] = at.Begin + g.runs
				}
			}
			whole[c.name] = checkFigures(t, c, gangs, history)
		})
	}
	// What gangs ask of racks is worth something.
	for _, name := range []string{"berth-required", "upstream-tas"} {
		if whole[name] != 1 {
			t.Errorf("%s has %.3f of the gangs in one rack, and all require one", name, whole[name])
		}
	}
	for _, name := range []string{"first-fit", "upstream"} {
		if whole["berth"] <= whole[name] {
			t.Errorf("berth has %.3f of the gangs in one rack, and %s %.3f", whole["berth"], name, whole[name])
		}
	}
}

// checkFigures computes the figures of placements anew, and returns the part of the gangs
// that is in one rack.
func checkFigures(t *testing.T, c contestant, gangs []gang, history []placement) float64 {
	t.Helper()
	row, ok := tiny.figures(c.name, gangs, history)
	if !ok {
		t.Fatal("nothing counts")
	}
	var racks, racksOfSmall, counted, small, whole, waited float64
	last := gangs[len(gangs)-1].comes
	times := []float64{10, last}
	for i, at := range history {
		times = append(times, at.Begin, at.Begin+gangs[i].runs)
		if gangs[i].comes < 10 {
			continue
		}
		in := map[int]bool{}
		for _, n := range at.Nodes {
			in[n/8] = true
		}
		counted++
		racks += float64(len(in))
		waited += at.Begin - gangs[i].comes
		if gangs[i].size <= 8 {
			small++
			racksOfSmall += float64(len(in))
			if len(in) == 1 {
				whole++
			}
		}
	}
	slices.Sort(times)
	busy := 0.0
	for k, from := range times[:len(times)-1] {
		if from < 10 || from >= last {
			continue
		}
		for i, at := range history {
			if at.Begin <= from && from < at.Begin+gangs[i].runs {
				busy += float64(gangs[i].size) * (times[k+1] - from)
			}
		}
	}
	for _, f := range []struct {
		name      string
		want, got float64
	}{
		{"gangs", counted, float64(row.Gangs)},
		{"part in one rack", whole / small, row.InOneRack},
		{"racks a gang that a rack can hold", racksOfSmall / small, row.RacksPerSmallGang},
		{"racks a gang", racks / counted, row.RacksPerGang},
		{"wait", waited / counted, row.Waited},
		{"in use", busy / (last - 10) / 48, row.InUse},
	} {
		if math.Abs(f.want-f.got) > 1e-9 {
			t.Errorf("%s: %v, want %v", f.name, f.got, f.want)
		}
	}
	if hasTime := row.MsPerGang != nil && *row.MsPerGang > 0; hasTime != (c.scheduler != "") {
		t.Errorf("the time of a gang is there: %t", hasTime)
	}
	return row.InOneRack
}

// A gang is placed if there is room for it where it may go, and refused if not. One that was
// refused is forgotten, and placed when there is room.
func TestRefusals(t *testing.T) {
	prepare(t)
	for _, c := range contestants {
		t.Run(c.name, func(t *testing.T) {
			w := newTestWorld(t, c, tiny)
			random := rand.New(rand.NewPCG(7, 7))
			on := map[int][]int{} // the nodes of each gang that runs
			var running []gang
			placed, refused := 0, 0
			for number := range 120 {
				g := gang{number: number, size: 2 + random.IntN(15)}
				free := make([]bool, 48)
				for n, by := range w.by {
					free[n] = by == nobody
				}
				want := room(c, g.size, free)
				if got := w.holds(g.size, c.required(tiny, g.size)); got != want {
					t.Fatalf("gang %d of %d has room: %t, want %t", number, g.size, got, want)
				}
				p, err := w.placer.place(g)
				if err != nil {
					t.Fatal(err)
				}
				if got := len(p.Nodes) > 0; got != want {
					t.Fatalf("gang %d of %d was placed: %t, and there is room: %t", number, g.size, got, want)
				}
				if want {
					placed++
					if err := w.take(g, p.Nodes, c.required(tiny, g.size)); err != nil {
						t.Fatal(err)
					}
					on[number], running = p.Nodes, append(running, g)
					continue
				}
				refused++
				if s, ok := w.placer.(*scheduler); ok {
					if _, err := s.Sched.Cache.PodGroupStates().Get(rig.Namespace, g.name()); err == nil {
						t.Fatalf("gang %d was refused, and the scheduler has its pods still", number)
					}
				}
				at := random.IntN(len(running))
				gone := running[at]
				running = slices.Delete(running, at, at+1)
				w.give(on[gone.number])
				if err := w.placer.end(gone); err != nil {
					t.Fatal(err)
				}
			}
			if placed < 40 || refused < 40 {
				t.Errorf("%d gangs were placed and %d refused: that tells little", placed, refused)
			}
		})
	}
}

// Who does not break ties at random places the same stream the same way, also if it was
// stopped in between.
func TestDeterministic(t *testing.T) {
	prepare(t)
	gangs := tiny.stream(200)
	for _, c := range contestants {
		if c.random {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			want := lived(t, c, tiny, gangs).history
			if diff := cmp.Diff(want, lived(t, c, tiny, gangs).history, but); diff != "" {
				t.Errorf("run twice:\n%s", diff)
			}
			if diff := cmp.Diff(want, lived(t, c, tiny, gangs, want[:120]...).history, but); diff != "" {
				t.Errorf("stopped and continued:\n%s", diff)
			}
		})
	}
}

// Who breaks ties at random can be continued all the same.
func TestContinueWithTies(t *testing.T) {
	prepare(t)
	gangs := tiny.stream(100)
	for _, c := range contestants {
		if !c.random {
			continue
		}
		first := lived(t, c, tiny, gangs[:60]).history
		got := lived(t, c, tiny, gangs, first...).history
		if diff := cmp.Diff(first, got[:60]); diff != "" || len(got) != 100 {
			t.Errorf("%s: %d gangs, and the first are not those placed before:\n%s", c.name, len(got), diff)
		}
	}
}

// Waiting and its order, on six nodes.
func TestWaiting(t *testing.T) {
	p := params{Racks: 3, NodesInRack: 2, RacksInBlock: 3}
	gangs := []gang{
		{number: 0, size: 4, comes: 1, runs: 10}, {number: 1, size: 2, comes: 2, runs: 3},
		{number: 2, size: 3, comes: 3, runs: 1}, {number: 3, size: 1, comes: 4, runs: 1}, {number: 4, size: 6, comes: 12, runs: 1},
	}
	c, err := find("first-fit")
	if err != nil {
		t.Fatal(err)
	}
	want := []placement{
		{Begin: 1, Nodes: []int{0, 1, 2, 3}}, {Begin: 2, Nodes: []int{4, 5}},
		{Begin: 11, Nodes: []int{0, 1, 2}}, {Begin: 11, Nodes: []int{3}}, {Begin: 12, Nodes: []int{0, 1, 2, 3, 4, 5}},
	}
	if diff := cmp.Diff(want, lived(t, c, p, gangs).history); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A history that cannot have been is an error.
func TestReplayErrors(t *testing.T) {
	p := params{Racks: 3, NodesInRack: 2, RacksInBlock: 3}
	gangs := []gang{{number: 0, size: 2, comes: 1, runs: 10}, {number: 1, size: 2, comes: 2, runs: 10}}
	first := placement{Begin: 1, Nodes: []int{0, 1}}
	tests := []struct {
		name    string
		history []placement
		want    string
	}{
		{"a node with two pods", []placement{first, {Begin: 2, Nodes: []int{1, 2}}}, `gang-1 is on node "node-00001", and so is gang 0`},
		{"a pod without a node", []placement{first, {Begin: 2, Nodes: []int{2}}}, "gang-1 of 2 pods is on 1 nodes"},
		{"a node twice", []placement{{Begin: 1, Nodes: []int{3, 3}}}, `gang-0 is on node "node-00003", and so is gang 0`},
		{"a node that there is not", []placement{{Begin: 1, Nodes: []int{5, 6}}}, "gang-0 is on node 6, which there is not"},
		{"no nodes", []placement{{Begin: 1}}, "gang-0 of 2 pods was refused, and there is room for it"},
		{"at another time", []placement{{Begin: 1.5, Nodes: []int{0, 1}}}, "gang-0 began at 1.5, and may begin at 1"},
		{"more than come", []placement{first, first, first}, "3 gangs were placed, and 2 come"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := &world{occupancy: newOccupancy(p), placer: unchecked{}}
			err := w.replay(gangs, test.history)
			if err == nil || err.Error() != test.want {
				t.Errorf("error %v, want %q", err, test.want)
			}
		})
	}
	w := &world{occupancy: newOccupancy(p), placer: unchecked{}}
	if err := w.live([]gang{{size: 7, comes: 1}}, always); err == nil || err.Error() != "gang-0 of 7 pods has no room on an empty cluster" {
		t.Errorf("a gang that is too large: %v", err)
	}
	rack := contestant{name: "rack", rack: true}
	w = &world{occupancy: newOccupancy(p), contestant: rack, placer: unchecked{}}
	if err := w.replay(gangs, []placement{{Begin: 1, Nodes: []int{1, 2}}}); err == nil || err.Error() != `gang-0 requires one domain of topology.kubernetes.io/rack, and is on nodes "node-00001" and "node-00002"` {
		t.Errorf("a gang in two racks: %v", err)
	}
}

// unchecked takes everything for good.
type unchecked struct{}

func (unchecked) place(gang) (placement, error) { return placement{}, nil }
func (unchecked) put(gang, []int) error         { return nil }
func (unchecked) end(gang) error                { return nil }
func (unchecked) stop()                         {}
