package pack

import "github.com/berth-dev/berth/pkg/core/topology"

// Node is what the index knows of a node.
type Node struct {
	// Free is what is left of the node's allocatable amounts.
	Free Amounts
	// Domains are the fabric domains that the node is in, at most one a level.
	Domains []DomainID
}

// Index holds the nodes of a cluster by shape. It is not safe for concurrent use.
type Index struct {
	nodes []entry
	// classes are those of the machines, from number 1 on.
	classes []*topology.Class
	// shapes are those that were seen since the last were forgotten, by number; buckets
	// go with them.
	numbers map[shape]int
	shapes  []shape
	buckets []Set
	// kept is how many shapes had nodes then, fewShapes how many are not worth forgetting.
	kept, fewShapes int
	// domains counts nodes by domain and number of shape.
	domains [][]int32
	// orders are told which buckets are empty.
	orders []*order
}

// entry is a node in its bucket; present is false for a number without node.
type entry struct {
	Node
	shape   int
	present bool
}

// fewShapes is how many shapes an index keeps whether they have nodes or not: more than
// most clusters have in a day.
const fewShapes = 4096

// NewIndex returns an index without nodes.
func NewIndex() *Index {
	return &Index{numbers: map[shape]int{}, classes: []*topology.Class{nil}, fewShapes: fewShapes}
}

// AddClass gives a class of machines its number, for Amounts.Class. The index asks the
// class whenever it is asked itself.
func (ix *Index) AddClass(class *topology.Class) ClassID {
	ix.classes = append(ix.classes, class)
	return ClassID(len(ix.classes) - 1)
}

// Set adds a node or replaces what is known of it. The index keeps node.Domains.
func (ix *Index) Set(id NodeID, node Node) {
	for int(id) >= len(ix.nodes) {
		ix.nodes = append(ix.nodes, entry{})
	}
	ix.Remove(id)
	shape := ix.number(ix.shapeOf(node.Free))
	e := &ix.nodes[id]
	*e = entry{Node: node, shape: shape, present: true}
	ix.add(id, e)
}

// Remove takes a node out of the index, if it is in.
func (ix *Index) Remove(id NodeID) {
	if int(id) >= len(ix.nodes) || !ix.nodes[id].present {
		return
	}
	e := &ix.nodes[id]
	ix.drop(id, e)
	*e = entry{}
}

// Free returns what a node has free; false if there is no such node.
func (ix *Index) Free(id NodeID) (Amounts, bool) {
	if int(id) >= len(ix.nodes) || !ix.nodes[id].present {
		return Amounts{}, false
	}
	return ix.nodes[id].Free, true
}

// Undo takes back one Take or Give.
type Undo struct {
	// Devices are those that Take took; none if the request asks for none, the class of
	// the node is not known, or such devices are not free.
	Devices topology.Mask

	node NodeID
	free Amounts
}

// Take subtracts a request from a node. It does not look whether there is room: a
// pod may be bound by somebody else. It must be a node of the index.
func (ix *Index) Take(id NodeID, request Amounts) Undo {
	undo := Undo{node: id, free: ix.nodes[id].Free}
	left := undo.free.Minus(request)
	if class := ix.class(undo.free); class != nil && request.Devices > 0 && request.Kind == undo.free.Kind {
		choice, _ := class.Choose(request.Link, int(request.Devices), undo.free.Mask)
		undo.Devices = choice.Set
		left.Mask &^= choice.Set
	}
	ix.move(id, left)
	return undo
}

// Give adds to a node what a pod on it has: its request, and the devices that it holds.
// It must be a node of the index.
func (ix *Index) Give(id NodeID, request Amounts, held topology.Mask) Undo {
	undo := Undo{node: id, free: ix.nodes[id].Free}
	ix.move(id, ix.Given(undo.free, request, held))
	return undo
}

// Given returns what is free after a Give. Devices of another kind than the node's, and
// such as a machine of its class has not, are not given.
func (ix *Index) Given(free, request Amounts, held topology.Mask) Amounts {
	given := free.Plus(request)
	if class := ix.class(free); class != nil && request.Devices > 0 && request.Kind == free.Kind {
		given.Mask |= held & topology.All(class.Devices())
	}
	return given
}

// Revert takes back a Take or a Give. Those of one node are reverted last first.
func (ix *Index) Revert(undo Undo) { ix.move(undo.node, undo.free) }

// move gives a node other free amounts.
func (ix *Index) move(id NodeID, free Amounts) {
	e := &ix.nodes[id]
	e.Free = free
	to := ix.number(ix.shapeOf(free))
	if to == e.shape {
		return
	}
	ix.drop(id, e)
	e.shape = to
	ix.add(id, e)
}

// add puts a node into the bucket of its shape.
func (ix *Index) add(id NodeID, e *entry) {
	bucket := &ix.buckets[e.shape]
	bucket.Add(id)
	ix.count(e, 1)
	if bucket.Len() == 1 {
		for _, o := range ix.orders {
			o.filled(e.shape)
		}
	}
}

// drop takes a node out of the bucket of its shape.
func (ix *Index) drop(id NodeID, e *entry) {
	bucket := &ix.buckets[e.shape]
	bucket.Remove(id)
	ix.count(e, -1)
	if bucket.Len() == 0 {
		for _, o := range ix.orders {
			o.emptied(e.shape)
		}
	}
}

// number returns the number of a shape and gives it one if it is new.
func (ix *Index) number(s shape) int {
	if n, known := ix.numbers[s]; known {
		return n
	}
	if len(ix.shapes) >= max(ix.fewShapes, 2*ix.kept) {
		ix.forget()
	}
	n := len(ix.shapes)
	ix.numbers[s] = n
	ix.shapes = append(ix.shapes, s)
	ix.buckets = append(ix.buckets, Set{})
	return n
}

// forget takes out the shapes without nodes and numbers the others anew, in their order.
// Levels of CPU and memory, pods held and kinds of free devices combine to hundreds of
// thousands of shapes, which a cluster would go through in time. At least half of the
// shapes are new since the last time, so the cost for each stays small; and no answer
// depends on their numbers.
func (ix *Index) forget() {
	to, kept := make([]int, len(ix.shapes)), 0
	for n, s := range ix.shapes {
		if ix.buckets[n].Len() == 0 {
			to[n] = -1
			delete(ix.numbers, s)
			continue
		}
		to[n] = kept
		ix.numbers[s], ix.shapes[kept], ix.buckets[kept] = kept, s, ix.buckets[n]
		kept++
	}
	clear(ix.buckets[kept:])
	ix.shapes, ix.buckets, ix.kept = ix.shapes[:kept], ix.buckets[:kept], kept
	for id := range ix.nodes {
		if e := &ix.nodes[id]; e.present {
			e.shape = to[e.shape]
		}
	}
	for d, counts := range ix.domains {
		for n, count := range counts {
			counts[n] = 0
			if to[n] >= 0 {
				counts[to[n]] = count
			}
		}
		ix.domains[d] = counts[:min(len(counts), kept)]
	}
	for _, o := range ix.orders {
		o.forget()
	}
}
