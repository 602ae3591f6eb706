package quota

import (
	"cmp"
	"slices"
	"strings"
)

// NewTree makes the tree of the queues. Its resources are those given, in their order, and
// after them those that only specs name, by name.
//
// Specs come in the order of their right, oldest first: of two with one name, the first
// stands and the second is left out; where children are guaranteed more than their parent,
// it is the later ones that have a fault. Faults are in the order of the specs. A queue
// with a fault keeps its place in the tree, or is at the top if it has none: what it uses
// counts.
func NewTree(specs []Spec, resources []string) (*Tree, []Fault) {
	t := &Tree{resources: resourcesOf(specs, resources), byName: make(map[string]QueueID, len(specs))}
	var all faults
	root := &node{spec: &Spec{}}
	for _, n := range link(specs, root, &all) {
		before := len(all)
		all.checkSpec(n.spec, t.resources)
		if n.fault == nil && len(all) > before {
			fault := all[before]
			n.fault = &fault
		}
	}
	t.number(root)
	t.settle(&all)
	rank := make(map[string]int, len(specs))
	for i := range specs {
		if _, known := rank[specs[i].Name]; !known {
			rank[specs[i].Name] = i
		}
	}
	slices.SortStableFunc(all, func(a, b Fault) int { return cmp.Compare(rank[a.Queue], rank[b.Queue]) })
	return t, all
}

// resourcesOf returns the resources given, and after them all that specs name besides.
func resourcesOf(specs []Spec, given []string) []string {
	known := map[string]bool{}
	var resources, more []string
	for _, resource := range given {
		if !known[resource] {
			known[resource] = true
			resources = append(resources, resource)
		}
	}
	for i := range specs {
		for resource := range specs[i].Resources {
			if !known[resource] {
				known[resource] = true
				more = append(more, resource)
			}
		}
	}
	slices.Sort(more)
	return append(resources, more...)
}

// node is a queue, or the own gangs of one, while the tree is made.
type node struct {
	spec *Spec
	// rank is the place among the specs.
	rank     int
	parent   *node
	children []*node
	fault    *Fault
}

// link makes nodes and joins them below root, in the order of the specs.
func link(specs []Spec, root *node, all *faults) []*node {
	byName := map[string]*node{Root: root}
	var nodes []*node
	for i := range specs {
		s := &specs[i]
		switch {
		case s.Name == Root:
			all.add(NoName, s.Name, "name", "the name is empty, which is that of the root: give it one")
		case byName[s.Name] != nil:
			all.add(Duplicate, s.Name, "name", "there is a queue of this name already, which stands: give this one another")
		default:
			n := &node{spec: s, rank: i}
			byName[s.Name] = n
			nodes = append(nodes, n)
		}
	}
	for _, n := range nodes {
		if n.parent = byName[n.spec.Parent]; n.parent == nil {
			n.fault = all.add(NoParent, n.spec.Name, "parent", "there is no queue %q to be its parent: make it, or name another", n.spec.Parent)
			n.parent = root
		}
	}
	cycles := make([][]string, len(nodes))
	for i, n := range nodes {
		cycles[i] = n.cycle(len(nodes))
	}
	for i, n := range nodes {
		if names := cycles[i]; len(names) > 0 {
			n.fault = all.add(Cycle, n.spec.Name, "parent", "the queue is in itself (%s): give one of them another parent", strings.Join(append(names, n.spec.Name), " in "))
			n.parent = root
		}
		n.parent.children = append(n.parent.children, n)
	}
	return nodes
}

// cycle returns the names of the queues from a queue up to itself, in a tree of so many;
// none if it is in no cycle.
func (n *node) cycle(nodes int) []string {
	var names []string
	for up := n; up.parent != nil && len(names) < nodes; {
		names = append(names, up.spec.Name)
		if up = up.parent; up == n {
			return names
		}
	}
	return nil
}

// number gives each node its number, level by level, and those with children a second one
// for their own gangs.
func (t *Tree) number(root *node) {
	var byID []*node
	add := func(n *node, parent QueueID) {
		q := queue{
			name:       n.spec.Name,
			parent:     parent,
			own:        QueueID(len(t.queues)),
			order:      n.spec.Order,
			preemption: n.spec.Preemption,
			halfLife:   max(0, n.spec.HalfLife),
			fault:      n.fault,
			access:     n.spec.Access,
		}
		if parent != NoQueue {
			up := &t.queues[parent]
			q.depth = up.depth + 1
			if q.halfLife == 0 {
				q.halfLife = up.halfLife
			}
		}
		t.queues, t.said = append(t.queues, q), append(t.said, said{n.rank, n.spec.HalfLife, n.spec.Resources})
		byID = append(byID, n)
	}
	add(root, NoQueue)
	for id := QueueID(0); int(id) < len(byID); id++ {
		n := byID[id]
		if len(n.children) == 0 {
			continue
		}
		q := &t.queues[id]
		q.own, q.first, q.children = QueueID(len(t.queues)), QueueID(len(t.queues)), QueueID(len(n.children)+1)
		add(&node{spec: &Spec{Name: n.spec.Name, Order: n.spec.Order, Preemption: n.spec.Preemption}, parent: n}, id)
		slices.SortFunc(n.children, func(a, b *node) int { return strings.Compare(a.spec.Name, b.spec.Name) })
		for _, c := range n.children {
			t.byName[c.spec.Name] = QueueID(len(t.queues))
			add(c, id)
		}
	}
}
