package fabric

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/berth-dev/berth/pkg/core/pack"
)

// twin is a fabric as anybody would first write it: labels of nodes, and nothing kept.
type twin struct {
	trees [][]string
	nodes map[pack.NodeID]labels
}

// place is what a node has of each level of a tree, widest first, down to one of them: a
// domain of that level, if the last is there. "-" stands for no label.
type place string

func (tw *twin) at(id pack.NodeID, tree []string, level int) (place, bool) {
	var parts []string
	node := tw.nodes[id]
	for _, key := range tree[:level+1] {
		if value, ok := node[key]; ok {
			parts = append(parts, "="+value)
		} else {
			parts = append(parts, "-")
		}
	}
	_, ok := node[tree[level]]
	return place(strings.Join(parts, ",")), ok
}

// nodesAt returns the nodes of a place.
func (tw *twin) nodesAt(p place, tree []string, level int) []pack.NodeID {
	out := []pack.NodeID{}
	for id := range tw.nodes {
		if at, ok := tw.at(id, tree, level); ok && at == p {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return out
}

// follower checks a fabric against its twin, and that numbers stay.
type follower struct {
	t       *testing.T
	f       *Fabric
	twin    *twin
	numbers map[string]pack.DomainID
}

func (w *follower) check(step int) {
	w.t.Helper()
	all := []pack.NodeID{}
	for id := range w.twin.nodes {
		all = append(all, id)
	}
	slices.Sort(all)
	if got := nodesOf(&w.f.Domain(Root).Nodes); !reflect.DeepEqual(got, all) {
		w.t.Fatalf("step %d: the cluster has %v, want %v", step, got, all)
	}
	level := 0
	for _, tree := range w.twin.trees {
		inTree := map[pack.DomainID]bool{}
		for l := range tree {
			filled := map[pack.DomainID]bool{}
			for _, id := range all {
				d := w.f.At(id, Level(level))
				p, ok := w.twin.at(id, tree, l)
				if ok != (d != NoDomain) {
					w.t.Fatalf("step %d: node %d is in domain %d of level %d, and its place is %q", step, id, d, level, p)
				}
				if !ok {
					continue
				}
				filled[d], inTree[d] = true, true
				if got, want := nodesOf(&w.f.Domain(d).Nodes), w.twin.nodesAt(p, tree, l); !reflect.DeepEqual(got, want) {
					w.t.Fatalf("step %d: domain %q has %v, want %v", step, w.f.Domain(d).Path, got, want)
				}
				key := fmt.Sprint(level, " ", p)
				if before, known := w.numbers[key]; known && before != d {
					w.t.Fatalf("step %d: domain %q was %d and is %d", step, p, before, d)
				}
				w.numbers[key] = d
				w.checkParent(step, id, tree, l, level, d)
			}
			var listed []pack.DomainID
			for _, d := range w.f.Of(Level(level)) {
				if w.f.Domain(d).Level != Level(level) {
					w.t.Fatalf("step %d: level %d lists domain %d of level %d", step, level, d, w.f.Domain(d).Level)
				}
				if w.f.Domain(d).Nodes.Len() > 0 {
					listed = append(listed, d)
				}
			}
			if slices.Sort(listed); len(slices.Compact(listed)) != len(filled) || len(listed) != len(filled) {
				w.t.Fatalf("step %d: level %d lists %v, and nodes are in %v", step, level, listed, filled)
			}
			level++
		}
		w.checkChildren(step, Level(level-1), inTree)
	}
}

// checkParent checks what a domain says of the one around it, and the narrowest of a node.
func (w *follower) checkParent(step int, id pack.NodeID, tree []string, l, level int, d pack.DomainID) {
	w.t.Helper()
	parent := Root
	for up := l - 1; up >= 0 && parent == Root; up-- {
		if _, ok := w.twin.at(id, tree, up); ok {
			parent = w.f.At(id, Level(level-l+up))
		}
	}
	if got := w.f.Domain(d).Parent; got != parent {
		w.t.Fatalf("step %d: domain %q is in %d, want %d", step, w.f.Domain(d).Path, got, parent)
	}
	if !w.f.Within(d, parent) || w.f.Within(parent, d) {
		w.t.Fatalf("step %d: domain %q is not within the one around it, or that in it", step, w.f.Domain(d).Path)
	}
	narrowest := d
	for down := l + 1; down < len(tree); down++ {
		if _, ok := w.twin.at(id, tree, down); ok {
			narrowest = w.f.At(id, Level(level-l+down))
		}
	}
	if got := w.f.Narrowest(id, Level(level)); got != narrowest {
		w.t.Fatalf("step %d: the narrowest of node %d is %d, want %d", step, id, got, narrowest)
	}
}

// checkChildren walks a tree from the top: every domain with nodes is met once, in the
// order of paths.
func (w *follower) checkChildren(step int, of Level, want map[pack.DomainID]bool) {
	w.t.Helper()
	met := map[pack.DomainID]bool{}
	var walk func(d pack.DomainID)
	walk = func(d pack.DomainID) {
		last := ""
		for i, child := range w.f.Children(d, of) {
			one := w.f.Domain(child)
			if one.Parent != d || met[child] || i > 0 && one.Path <= last {
				w.t.Fatalf("step %d: domain %d lists %d %q after %q, which is in %d", step, d, child, one.Path, last, one.Parent)
			}
			last, met[child] = one.Path, one.Nodes.Len() > 0
			walk(child)
		}
	}
	walk(Root)
	for d, filled := range met {
		if filled != want[d] {
			w.t.Fatalf("step %d: domain %q is met: %t, want %t", step, w.f.Domain(d).Path, filled, want[d])
		}
	}
	for d := range want {
		if !met[d] {
			w.t.Fatalf("step %d: domain %q is not met", step, w.f.Domain(d).Path)
		}
	}
}

// follow lets nodes come, move and go as bytes say, two a step, and checks after each step.
func follow(t *testing.T, steps []byte) {
	tw := &twin{trees: [][]string{{"zone", "block", "rack"}, {"link"}}, nodes: map[pack.NodeID]labels{}}
	w := &follower{t: t, f: New(tw.trees...), twin: tw, numbers: map[string]pack.DomainID{}}
	for step := 0; step+1 < len(steps); step += 2 {
		what, of := steps[step], steps[step+1]
		id := pack.NodeID(what & 7)
		if what>>6 == 0 {
			w.f.Remove(id)
			delete(tw.nodes, id)
			w.check(step)
			continue
		}
		node := labels{}
		// Two bits a level: no label, or one of three values, of which one is empty.
		for i, key := range []string{"zone", "block", "rack", "link"} {
			if value := of >> (2 * i) & 3; value > 0 {
				node[key] = []string{"", "1", "2"}[value-1]
			}
		}
		got := w.f.Set(id, fmt.Sprint("n", what), node)
		tw.nodes[id] = node
		want := []pack.DomainID{Root}
		for level := range Level(w.f.Levels()) {
			if d := w.f.At(id, level); d != NoDomain {
				want = append(want, d)
			}
		}
		if !reflect.DeepEqual(got, want) || w.f.NodeName(id) != fmt.Sprint("n", what) {
			t.Fatalf("step %d: node %d, %q, is in %v, want %v", step, id, w.f.NodeName(id), got, want)
		}
		w.check(step)
	}
}

func TestFabricAgainstNaive(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 5))
	for range 200 {
		steps := make([]byte, 200)
		for i := range steps {
			steps[i] = byte(random.Uint32())
		}
		follow(t, steps)
	}
}

func FuzzFabric(f *testing.F) {
	f.Add([]byte("a rack comes, moves and goes"))
	f.Fuzz(follow)
}
