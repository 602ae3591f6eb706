package fabric

import (
	"reflect"
	"slices"
	"testing"

	"github.com/berth-dev/berth/pkg/core/pack"
)

// The levels of the tables: blocks of racks of shelves, and NVLink domains beside them.
const (
	block = Level(iota)
	rack
	shelf
	link
)

func newFabric() *Fabric { return New([]string{"block", "rack", "shelf"}, []string{"link"}) }

type labels = map[string]string

// paths returns the paths of the domains that a list has, of those with nodes.
func (f *Fabric) paths(domains []pack.DomainID) []string {
	out := []string{}
	for _, d := range domains {
		if f.Domain(d).Nodes.Len() > 0 {
			out = append(out, f.Domain(d).Path)
		}
	}
	return out
}

func nodesOf(set *pack.Set) []pack.NodeID {
	out := []pack.NodeID{}
	for id, ok := set.Next(0); ok; id, ok = set.Next(id + 1) {
		out = append(out, id)
	}
	return out
}

func TestDomainsOfNodes(t *testing.T) {
	for _, test := range []struct {
		name  string
		nodes []labels
		// want are the paths of the domains of each node, with those around them, from the
		// narrowest on.
		want [][]string
	}{
		{"no labels", []labels{{}, {"other": "x"}}, [][]string{{}, {}}},
		{"all levels", []labels{{"block": "b", "rack": "r", "shelf": "s"}}, [][]string{{"b/r/s/", "b/r/", "b/"}}},
		{"equal racks in two blocks", []labels{{"block": "a", "rack": "1"}, {"block": "b", "rack": "1"}}, [][]string{{"a/1/", "a/"}, {"b/1/", "b/"}}},
		{"a rack without its block", []labels{{"rack": "1"}, {"block": "b", "rack": "1"}}, [][]string{{"/1/"}, {"b/1/", "b/"}}},
		{"a shelf without its rack", []labels{{"block": "b", "shelf": "s"}, {"block": "b", "rack": "1", "shelf": "s"}}, [][]string{{"b//s/", "b/"}, {"b/1/s/", "b/1/", "b/"}}},
		{"a shelf alone", []labels{{"shelf": "s"}}, [][]string{{"//s/"}}},
		{"an empty value is a value", []labels{{"block": "", "rack": "1"}, {"rack": "1"}}, [][]string{{`""/1/`, `""/`}, {"/1/"}}},
		{"and in any order", []labels{{"rack": "1"}, {"block": "", "rack": "1"}}, [][]string{{"/1/"}, {`""/1/`, `""/`}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFabric()
			for i, l := range test.nodes {
				f.Set(pack.NodeID(i), "n", l)
			}
			for i, want := range test.want {
				got := []string{}
				for d := f.Narrowest(pack.NodeID(i), block); d != NoDomain && d != Root; d = f.Domain(d).Parent {
					got = append(got, f.Domain(d).Path)
				}
				if !reflect.DeepEqual(got, want) {
					t.Errorf("node %d is in %q, want %q", i, got, want)
				}
			}
		})
	}
}

func TestLevels(t *testing.T) {
	f := newFabric()
	for _, test := range []struct {
		key   string
		level Level
		wider Level
	}{{"block", block, NoLevel}, {"rack", rack, block}, {"shelf", shelf, rack}, {"link", link, NoLevel}} {
		if got := f.LevelOf(test.key); got != test.level || f.Key(got) != test.key {
			t.Errorf("level of %q: %d, want %d", test.key, got, test.level)
		}
		if got := f.Wider(test.level); got != test.wider {
			t.Errorf("wider than %q: %d, want %d", test.key, got, test.wider)
		}
		for other := range Level(f.Levels()) {
			if got, want := f.SameTree(test.level, other), (test.level == link) == (other == link); got != want {
				t.Errorf("%q and %q in one tree: %t, want %t", test.key, f.Key(other), got, want)
			}
		}
	}
	if f.Levels() != 4 || f.LevelOf("row") != NoLevel || f.Wider(NoLevel) != NoLevel {
		t.Errorf("%d levels, %d for a key that is none, wider than none: %d", f.Levels(), f.LevelOf("row"), f.Wider(NoLevel))
	}
}

// Domains are listed by path, whatever the order in which their nodes come, and a level's
// own tree is looked at.
func TestOrderOfDomains(t *testing.T) {
	f := newFabric()
	for i, l := range []labels{
		{"block": "b", "rack": "2"}, {"block": "a", "rack": "9"}, {"block": "b", "rack": "10"}, {"link": "z"}, {"block": "b", "rack": "1"}, {"rack": "0"}, {"link": "y"},
	} {
		f.Set(pack.NodeID(i), "n", l)
	}
	if got, want := f.paths(f.Children(Root, NoLevel)), []string{"/0/", "a/", "b/"}; !reflect.DeepEqual(got, want) {
		t.Errorf("the widest: %q, want %q", got, want)
	}
	if got, want := f.paths(f.Children(Root, rack)), []string{"/0/", "a/", "b/"}; !reflect.DeepEqual(got, want) {
		t.Errorf("the widest of the tree of racks: %q, want %q", got, want)
	}
	if got, want := f.paths(f.Children(Root, link)), []string{"y/", "z/"}; !reflect.DeepEqual(got, want) {
		t.Errorf("the widest of links: %q, want %q", got, want)
	}
	if got, want := f.paths(f.Children(f.At(0, block), NoLevel)), []string{"b/1/", "b/10/", "b/2/"}; !reflect.DeepEqual(got, want) {
		t.Errorf("within a block: %q, want %q", got, want)
	}
	if got := f.Children(f.At(0, rack), NoLevel); len(got) != 0 {
		t.Errorf("within a rack: %v", got)
	}
	links := New([]string{"block"}, []string{"link"})
	links.Set(0, "n", labels{"link": "z"})
	if got, want := links.paths(links.Children(Root, NoLevel)), []string{"z/"}; !reflect.DeepEqual(got, want) {
		t.Errorf("the widest of the first tree that has any: %q, want %q", got, want)
	}
}

// Names are paths as a person would write them: of levels that no node has, nothing is said.
func TestNames(t *testing.T) {
	f := newFabric()
	for level, test := range []struct {
		in   labels
		want string
	}{{labels{"block": "b"}, "b"}, {labels{"rack": "1"}, "1"}, {labels{"block": "b", "shelf": "s"}, "b//s"}, {labels{"link": "l"}, "l"}} {
		f.Set(0, "n", test.in)
		if got := f.Domain(f.At(0, Level(level))).Name; got != test.want {
			t.Errorf("%v is called %q, want %q", test.in, got, test.want)
		}
	}
}

// A domain keeps its number while it is empty, and has it again.
func TestNodesComeAndGo(t *testing.T) {
	f := newFabric()
	in := labels{"block": "b", "rack": "1", "link": "l"}
	first := f.Set(0, "alone", in)
	if want := []pack.DomainID{Root, f.At(0, block), f.At(0, rack), f.At(0, link)}; !reflect.DeepEqual(first, want) {
		t.Errorf("domains %v, want %v", first, want)
	}
	one := f.At(0, rack)
	if got, want := nodesOf(&f.Domain(one).Nodes), []pack.NodeID{0}; !reflect.DeepEqual(got, want) {
		t.Errorf("a domain of one node has %v", got)
	}

	f.Remove(0)
	f.Remove(0)
	f.Remove(7)
	if n := f.Domain(one).Nodes.Len() + f.Domain(Root).Nodes.Len(); n != 0 {
		t.Errorf("%d nodes are left where none is", n)
	}
	for level := range Level(f.Levels()) {
		if d := f.At(0, level); d != NoDomain {
			t.Errorf("a node that is gone is in domain %d of %q", d, f.Key(level))
		}
	}
	if got := f.Narrowest(0, NoLevel); got != NoDomain {
		t.Errorf("the narrowest domain of a node that is gone: %d", got)
	}

	if again := f.Set(3, "another", in); !reflect.DeepEqual(again, first) {
		t.Errorf("a node that comes where one went is in %v, and that was in %v", again, first)
	}
	f.Set(0, "reused", labels{"block": "c"})
	if got := f.NodeName(0); got != "reused" {
		t.Errorf("a number that is given again is of %q", got)
	}
	if f.At(0, rack) != NoDomain || f.At(0, block) == f.At(3, block) {
		t.Errorf("a number that is given again is in rack %d and block %d", f.At(0, rack), f.At(0, block))
	}
	// A change of labels moves a node; what was returned before stays as it was.
	before := slices.Clone(first)
	f.Set(3, "another", labels{"block": "b", "rack": "2"})
	if n := f.Domain(one).Nodes.Len(); n != 0 || f.Domain(f.At(3, rack)).Name != "b/2" {
		t.Errorf("after a move, %d nodes are left, and the node is in %q", n, f.Domain(f.At(3, rack)).Name)
	}
	if !reflect.DeepEqual(first, before) {
		t.Errorf("domains that were returned have changed from %v to %v", before, first)
	}
}

func TestWithin(t *testing.T) {
	f := newFabric()
	f.Set(0, "n", labels{"block": "b", "rack": "1", "shelf": "s", "link": "l"})
	f.Set(1, "m", labels{"block": "c", "rack": "1"})
	at := func(id pack.NodeID, l Level) pack.DomainID { return f.At(id, l) }
	for _, test := range []struct {
		name  string
		d, of pack.DomainID
		want  bool
	}{
		{"itself", at(0, rack), at(0, rack), true},
		{"its rack", at(0, shelf), at(0, rack), true},
		{"its block", at(0, shelf), at(0, block), true},
		{"the cluster", at(0, shelf), Root, true},
		{"the cluster in itself", Root, Root, true},
		{"what is in it", at(0, block), at(0, rack), false},
		{"another block", at(0, rack), at(1, block), false},
		{"the same nodes in another tree", at(0, rack), at(0, link), false},
		{"the cluster in a block", Root, at(0, block), false},
		{"none", NoDomain, Root, false},
	} {
		if got := f.Within(test.d, test.of); got != test.want {
			t.Errorf("within %s: %t, want %t", test.name, got, test.want)
		}
	}
	if got := f.Narrowest(0, NoLevel); got != at(0, shelf) {
		t.Errorf("the narrowest of the first tree is %q", f.Domain(got).Name)
	}
	if got := f.Narrowest(0, link); got != at(0, link) {
		t.Errorf("the narrowest of links is %q", f.Domain(got).Name)
	}
	f.Set(2, "k", labels{"link": "l"})
	if got := f.Narrowest(2, NoLevel); got != at(2, link) {
		t.Errorf("the narrowest of a node that is in one tree is %d", got)
	}
	if got := f.Narrowest(2, rack); got != NoDomain {
		t.Errorf("the narrowest in a tree that the node is not in is %d", got)
	}
}
