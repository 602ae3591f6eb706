// Package fabric knows where nodes are: in which domain of each level of the network,
// such as a rack in a block, or an NVLink domain beside the racks.
//
// A level is a key of node labels; the levels of one tree are nested, widest first. A
// domain is named by the labels of its node from the widest level of the tree to its own,
// so that two racks "1" in two blocks are two domains. A node without the label of a
// level is in no domain of it.
//
// Domains are numbered densely, for the counts of package pack; number [Root] is the
// whole cluster.
//
// Files: fabric.go (levels, domains, nodes).
package fabric

import (
	"slices"
	"strings"

	"github.com/berth-dev/berth/pkg/core/pack"
)

// Level is the number of a level of a Fabric, from 0 on. NoLevel is none.
type Level int

// NoLevel is no level.
const NoLevel Level = -1

// Root is the domain of the whole cluster.
const Root pack.DomainID = 0

// NoDomain is the domain of a node without the label of a level.
const NoDomain pack.DomainID = -1

// Domain is one domain of a level, or the whole cluster.
type Domain struct {
	Level Level
	// Path is the value of the label of each level from the widest on, with a slash after
	// each: "" in quotes for an empty value, nothing for a label that is not there. Name is
	// the same for a person to read, without the slashes at its ends.
	Name, Path string
	// Parent is the domain around it, of the nearest wider level of its tree, or Root.
	Parent pack.DomainID
	// Nodes are the nodes in it. The set is read only.
	Nodes pack.Set
	// children are the domains within it, by path.
	children []pack.DomainID
}

// Fabric is the domains of a cluster. It is not safe for concurrent use.
type Fabric struct {
	// keys are the label keys of all levels, tree the number of each level's tree.
	keys    []string
	tree    []int
	domains []Domain
	numbers map[identity]pack.DomainID
	// byLevel are the domains of each level that were ever seen.
	byLevel [][]pack.DomainID
	nodes   []placed
	// tops are the domains of each tree that are in no other, by path.
	tops [][]pack.DomainID
}

// identity is what tells a domain from others: its level, the domain around it, and the
// value of its label.
type identity struct {
	level  Level
	parent pack.DomainID
	value  string
}

// placed is a node with its domain of each level.
type placed struct {
	name    string
	domains []pack.DomainID
	in      bool
}

// New returns a fabric without nodes. Each tree is a list of label keys, widest first; no
// key may be there twice.
func New(trees ...[]string) *Fabric {
	f := &Fabric{numbers: map[identity]pack.DomainID{}, domains: []Domain{{Level: NoLevel, Parent: NoDomain}}}
	for t, keys := range trees {
		for _, key := range keys {
			f.keys, f.tree = append(f.keys, key), append(f.tree, t)
		}
	}
	f.byLevel, f.tops = make([][]pack.DomainID, len(f.keys)), make([][]pack.DomainID, len(trees))
	return f
}

// Levels returns how many levels there are.
func (f *Fabric) Levels() int { return len(f.keys) }

// Key returns the label key of a level.
func (f *Fabric) Key(level Level) string { return f.keys[level] }

// LevelOf returns the level of a label key; NoLevel if there is none.
func (f *Fabric) LevelOf(key string) Level {
	return Level(slices.Index(f.keys, key))
}

// Wider returns the next wider level of a level's tree; NoLevel for the widest.
func (f *Fabric) Wider(level Level) Level {
	if level <= 0 || f.tree[level-1] != f.tree[level] {
		return NoLevel
	}
	return level - 1
}

// SameTree reports whether two levels are of one tree.
func (f *Fabric) SameTree(a, b Level) bool { return f.tree[a] == f.tree[b] }

// Set places a node by its labels, anew if it is known, and returns its domains, for
// pack.Node. The result is not changed later.
func (f *Fabric) Set(id pack.NodeID, name string, labels map[string]string) []pack.DomainID {
	f.Remove(id)
	for int(id) >= len(f.nodes) {
		f.nodes = append(f.nodes, placed{})
	}
	n := placed{name: name, domains: make([]pack.DomainID, len(f.keys)), in: true}
	all := []pack.DomainID{Root}
	f.domains[Root].Nodes.Add(id)
	parent := Root
	for level, key := range f.keys {
		if level == 0 || f.tree[level] != f.tree[level-1] {
			parent = Root
		}
		value, ok := labels[key]
		n.domains[level] = NoDomain
		if !ok {
			continue
		}
		d := f.domain(identity{Level(level), parent, value})
		n.domains[level] = d
		f.domains[d].Nodes.Add(id)
		all = append(all, d)
		parent = d
	}
	f.nodes[id] = n
	return all
}

// domain returns a domain, and makes it if it is new.
func (f *Fabric) domain(of identity) pack.DomainID {
	if d, known := f.numbers[of]; known {
		return d
	}
	d := pack.DomainID(len(f.domains))
	f.numbers[of] = d
	path := f.path(of)
	f.domains = append(f.domains, Domain{Level: of.level, Name: strings.Trim(path, "/"), Path: path, Parent: of.parent})
	f.byLevel[of.level] = append(f.byLevel[of.level], d)
	children := &f.tops[f.tree[of.level]]
	if of.parent != Root {
		children = &f.domains[of.parent].children
	}
	at, _ := slices.BinarySearchFunc(*children, path, func(c pack.DomainID, path string) int { return strings.Compare(f.domains[c].Path, path) })
	*children = slices.Insert(*children, at, d)
	return d
}

// path returns the path of a domain.
func (f *Fabric) path(of identity) string {
	path := f.domains[of.parent].Path
	for wider := f.Wider(of.level); wider != NoLevel && wider != f.domains[of.parent].Level; wider = f.Wider(wider) {
		path += "/"
	}
	if of.value == "" {
		return path + `""/`
	}
	return path + of.value + "/"
}

// Remove takes a node out, if it is in.
func (f *Fabric) Remove(id pack.NodeID) {
	if int(id) >= len(f.nodes) || !f.nodes[id].in {
		return
	}
	f.domains[Root].Nodes.Remove(id)
	for _, d := range f.nodes[id].domains {
		if d != NoDomain {
			f.domains[d].Nodes.Remove(id)
		}
	}
	f.nodes[id] = placed{}
}

// Domain returns a domain.
func (f *Fabric) Domain(d pack.DomainID) *Domain { return &f.domains[d] }

// Children returns the domains within a domain, by path; some may be empty. Those of Root
// are the widest of one tree, that of a level, or, with NoLevel, the first that has any.
// The slice is read only.
func (f *Fabric) Children(d pack.DomainID, of Level) []pack.DomainID {
	switch {
	case d != Root:
		return f.domains[d].children
	case of != NoLevel:
		return f.tops[f.tree[of]]
	}
	for _, tops := range f.tops {
		if len(tops) > 0 {
			return tops
		}
	}
	return nil
}

// Of returns the domains of a level; some may be empty. The slice is read only.
func (f *Fabric) Of(level Level) []pack.DomainID { return f.byLevel[level] }

// At returns the domain of a node at a level; NoDomain if it is in none.
func (f *Fabric) At(id pack.NodeID, level Level) pack.DomainID {
	if int(id) >= len(f.nodes) || !f.nodes[id].in {
		return NoDomain
	}
	return f.nodes[id].domains[level]
}

// Narrowest returns the narrowest domain of a node in the tree of a level, or, with NoLevel,
// in the first tree of which it is in any; NoDomain if there is none.
func (f *Fabric) Narrowest(id pack.NodeID, of Level) pack.DomainID {
	narrowest := NoDomain
	for level := range Level(f.Levels()) {
		d := f.At(id, level)
		if d == NoDomain || of != NoLevel && !f.SameTree(level, of) {
			continue
		}
		if of == NoLevel {
			of = level
		}
		narrowest = d
	}
	return narrowest
}

// NodeName returns the name of a node.
func (f *Fabric) NodeName(id pack.NodeID) string { return f.nodes[id].name }

// Within reports whether a domain is another, or in it.
func (f *Fabric) Within(d, of pack.DomainID) bool {
	for ; d != NoDomain; d = f.domains[d].Parent {
		if d == of {
			return true
		}
	}
	return false
}
