package remedy

import (
	"flag"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/berth-dev/berth/pkg/core/fabric"
	"github.com/berth-dev/berth/pkg/core/pack"
	"github.com/berth-dev/berth/pkg/core/plan"
)

var worlds = flag.Int("worlds", 200, "how many random gangs that wait are explained")

// Whoever brings about what a remedy says has the gang placed, on a cluster that is made anew.
// The bar is 95 in 100; what is reached is logged.
func TestRemediesHelp(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	helps, all := map[Kind]int{}, map[Kind]int{}
	explained, hopeless, without := 0, 0, 0
	for explained < *worlds {
		w := randomWorld(random, 1+random.IntN(3), 1+random.IntN(3), 2+random.IntN(4), 4+random.IntN(20))
		c, r := w.cluster(nil), w.request()
		before := frees(c)
		answer := Find(c, r, Bounds{})
		if diff := cmp.Diff(before, frees(c)); diff != "" {
			t.Fatalf("the index was changed: %s", diff)
		}
		if answer.Fits != w.placed(c, r) {
			t.Fatalf("fits %v, and it is the other way", answer.Fits)
		}
		if answer.Fits {
			continue
		}
		explained++
		if answer.Constraint == None || len(answer.Levels) == 0 {
			t.Errorf("nothing decides: %+v", answer)
		}
		if answer.Hopeless {
			hopeless++
		}
		if len(answer.Remedies) == 0 {
			without++
		}
		for _, remedy := range answer.Remedies {
			all[remedy.Kind]++
			if w.apply(remedy) {
				helps[remedy.Kind]++
			} else {
				t.Logf("%+v does not help %+v", remedy, w.asks)
			}
		}
	}
	sum, sumHelps := 0, 0
	for kind, n := range all {
		t.Logf("%s: %d of %d help", kind, helps[kind], n)
		sum, sumHelps = sum+n, sumHelps+helps[kind]
	}
	t.Logf("%d gangs that wait, %d hopeless, %d without any remedy; %d of %d remedies help", explained, hopeless, without, sumHelps, sum)
	if sumHelps*100 < sum*95 {
		t.Errorf("%d of %d remedies help, less than 95 in 100", sumHelps, sum)
	}
	for _, kind := range []Kind{GangsEnd, NodesFree, NodesAdded, NodesOpen, AskLess, FewerPods} {
		if *worlds >= 200 && all[kind] == 0 {
			t.Errorf("no remedy of kind %s was found: the worlds are too plain", kind)
		}
	}
}

// apply reports whether the gang has a place on a cluster that is changed as the remedy says.
func (w *world) apply(r Remedy) bool {
	gone := map[int]bool{}
	changed := &world{nodes: append([]node(nil), w.nodes...), running: w.running, asks: w.asks, tolerates: w.tolerates}
	changed.asks.Pods = append([]plan.Pod(nil), w.asks.Pods...)
	switch r.Kind {
	case GangsEnd:
		for _, g := range r.Gangs {
			gone[g] = true
		}
	case NodesFree:
		free := map[pack.NodeID]bool{}
		for _, n := range r.Nodes {
			free[n] = true
		}
		changed.running = nil
		for _, g := range w.running {
			left := g
			left.Members = nil
			for _, m := range g.Members {
				if !free[m.Node] {
					left.Members = append(left.Members, m)
				}
			}
			changed.running = append(changed.running, left)
		}
	case NodesAdded:
		for range r.Count {
			changed.nodes = append(changed.nodes, w.nodes[r.Like])
		}
	case NodesOpen:
		for _, n := range r.Nodes {
			changed.nodes[n].tainted = false
		}
	case AskLess:
		for i := range changed.asks.Pods {
			request := &changed.asks.Pods[i].Request
			if r.Short == CPU {
				request.CPU = min(request.CPU, r.Amount)
			} else {
				request.Memory = min(request.Memory, r.Amount)
			}
		}
	case FewerPods:
		changed.asks.Pods = changed.asks.Pods[:min(r.Count, len(changed.asks.Pods))]
		changed.asks.Least = min(changed.asks.Least, len(changed.asks.Pods))
	}
	return changed.placed(changed.cluster(gone), changed.request())
}

func frees(c Cluster) (out []pack.Amounts) {
	for id := range c.Whole {
		free, _ := c.Planner.Index.Free(pack.NodeID(id))
		out = append(out, free)
	}
	return out
}

// What is said to be hopeless is: no set of gangs whose end would help, nor the end of all.
// What is not, is not.
func TestHopelessByBruteForce(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	hopeless, hopeful := 0, 0
	for hopeless < 60 || hopeful < 60 {
		w := randomWorld(random, 1, 1+random.IntN(2), 1+random.IntN(3), random.IntN(7))
		answer := Find(w.cluster(nil), w.request(), Bounds{})
		if answer.Fits {
			continue
		}
		helps := false
		for set := range 1 << len(w.running) {
			gone := map[int]bool{}
			for g := range w.running {
				gone[g] = set&(1<<g) != 0
			}
			helps = helps || w.placed(w.cluster(gone), w.request())
		}
		if helps == answer.Hopeless {
			t.Errorf("hopeless %v, and some end helps %v: %+v", answer.Hopeless, helps, w.asks)
		}
		if helps {
			hopeful++
		} else {
			hopeless++
		}
	}
	t.Logf("%d hopeless, %d not", hopeless, hopeful)
}

// small is a world of one block with two racks of two nodes of 8 devices.
func small(required fabric.Level, pods int, asks pack.Amounts) *world {
	w := &world{asks: plan.Request{Required: required, Preferred: fabric.NoLevel, SegmentLevel: fabric.NoLevel, Least: pods}}
	for _, r := range []string{"r0", "r0", "r1", "r1"} {
		w.nodes = append(w.nodes, node{whole: pack.Amounts{Kind: 1, Devices: 8, CPU: 64, Memory: 512, Pods: 20}, block: "b0", rack: r})
	}
	for rank := range pods {
		w.asks.Pods = append(w.asks.Pods, plan.Pod{Rank: rank, Request: asks})
	}
	return w
}

func (w *world) run(name string, ends Instant, asks pack.Amounts, nodes ...pack.NodeID) *world {
	g := Gang{Name: name, Ends: ends}
	for _, n := range nodes {
		g.Members = append(g.Members, Member{Node: n, Request: asks})
	}
	w.running = append(w.running, g)
	return w
}

func TestFind(t *testing.T) {
	eight := pack.Amounts{Kind: 1, Devices: 8, CPU: 16, Memory: 64, Pods: 1}
	four := pack.Amounts{Kind: 1, Devices: 4, CPU: 16, Memory: 64, Pods: 1}
	cpus := pack.Amounts{CPU: 60, Memory: 64, Pods: 1}
	with := func(a pack.Amounts, change func(*pack.Amounts)) pack.Amounts { change(&a); return a }
	type want struct {
		Constraint Constraint
		Hopeless   bool
		Remedies   map[Kind]int // gangs, nodes, pods or the amount
		Ends       Instant
	}
	tests := []struct {
		name  string
		world *world
		want  want
	}{
		{"all nodes are taken", small(fabric.NoLevel, 1, eight).run("a", 5000, eight, 0, 1).run("b", 3000, eight, 2, 3),
			want{Devices, false, map[Kind]int{GangsEnd: 1, NodesFree: 1, NodesAdded: 1}, 3000}},
		{"each rack has a node", small(rack, 2, eight).run("a", 5000, eight, 0).run("b", Unknown, eight, 2),
			want{Level, false, map[Kind]int{GangsEnd: 1, NodesFree: 1, NodesAdded: 1, FewerPods: 1}, 5000}},
		{"a taint", func() *world { w := small(fabric.NoLevel, 4, eight); w.nodes[1].tainted = true; return w }(),
			want{Nodes, true, map[Kind]int{NodesOpen: 1, NodesAdded: 1, FewerPods: 3}, Unknown}},
		{"CPU beside the devices", small(fabric.NoLevel, 4, eight).run("a", 2000, cpus, 0),
			want{CPU, false, map[Kind]int{GangsEnd: 1, NodesFree: 1, NodesAdded: 1, AskLess: 4, FewerPods: 3}, 2000}},
		{"more memory than a node has", small(fabric.NoLevel, 1, with(eight, func(a *pack.Amounts) { a.Memory = 600 })),
			want{Memory, true, map[Kind]int{AskLess: 512}, Unknown}},
		{"more devices than a node has", small(fabric.NoLevel, 1, with(eight, func(a *pack.Amounts) { a.Devices = 16 })),
			want{Devices, true, map[Kind]int{}, Unknown}},
		{"more nodes than a rack has", small(rack, 3, eight),
			want{Level, true, map[Kind]int{NodesAdded: 1, FewerPods: 2}, Unknown}},
		{"devices in pieces", small(fabric.NoLevel, 1, eight).run("a", Unknown, four, 0, 1, 2, 3).run("b", 1500, four, 0),
			want{Devices, false, map[Kind]int{GangsEnd: 1, NodesFree: 1, NodesAdded: 1}, Unknown}},
		{"room is kept", func() *world {
			w := small(fabric.NoLevel, 1, eight).run("a", Unknown, eight, 0, 1, 2).run("kept", Unknown, eight, 3)
			w.running[1].Kept = true
			return w
		}(), want{Kept, false, map[Kind]int{GangsEnd: 1, NodesFree: 1, NodesAdded: 1}, Unknown}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			answer := Find(test.world.cluster(nil), test.world.request(), Bounds{})
			got := want{Constraint: answer.Constraint, Hopeless: answer.Hopeless, Remedies: map[Kind]int{}}
			for _, r := range answer.Remedies {
				n := max(r.Count, len(r.Gangs), int(r.Amount))
				got.Remedies[r.Kind] = n
				if r.Kind == GangsEnd {
					got.Ends = r.Ends
				}
				if !test.world.apply(r) {
					t.Errorf("%+v does not help", r)
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}
