package pack

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
	// shapes are those that were ever seen, by number; buckets go with them.
	numbers map[shape]int
	shapes  []shape
	buckets []Set
	// domains counts nodes by domain and number of shape.
	domains [][]int32
}

// entry is a node in its bucket; present is false for a number without node.
type entry struct {
	Node
	shape   int
	present bool
}

// NewIndex returns an index without nodes.
func NewIndex() *Index { return &Index{numbers: map[shape]int{}} }

// Set adds a node or replaces what is known of it. The index keeps node.Domains.
func (ix *Index) Set(id NodeID, node Node) {
	for int(id) >= len(ix.nodes) {
		ix.nodes = append(ix.nodes, entry{})
	}
	ix.Remove(id)
	e := &ix.nodes[id]
	e.Node, e.present = node, true
	e.shape = ix.number(shapeOf(node.Free))
	ix.buckets[e.shape].Add(id)
	ix.count(e, 1)
}

// Remove takes a node out of the index, if it is in.
func (ix *Index) Remove(id NodeID) {
	if int(id) >= len(ix.nodes) || !ix.nodes[id].present {
		return
	}
	e := &ix.nodes[id]
	ix.buckets[e.shape].Remove(id)
	ix.count(e, -1)
	*e = entry{}
}

// Free returns what a node has free; false if there is no such node.
func (ix *Index) Free(id NodeID) (Amounts, bool) {
	if int(id) >= len(ix.nodes) || !ix.nodes[id].present {
		return Amounts{}, false
	}
	return ix.nodes[id].Free, true
}

// Undo takes back one Take.
type Undo struct {
	node NodeID
	free Amounts
}

// Take subtracts a request from a node. It does not look whether there is room: a
// pod may be bound by somebody else. It must be a node of the index.
func (ix *Index) Take(id NodeID, request Amounts) Undo {
	undo := Undo{node: id, free: ix.nodes[id].Free}
	ix.move(id, undo.free.minus(request))
	return undo
}

// Revert takes back a Take. Takes of one node are reverted last first.
func (ix *Index) Revert(undo Undo) { ix.move(undo.node, undo.free) }

// move gives a node other free amounts.
func (ix *Index) move(id NodeID, free Amounts) {
	e := &ix.nodes[id]
	e.Free = free
	to := ix.number(shapeOf(free))
	if to == e.shape {
		return
	}
	ix.buckets[e.shape].Remove(id)
	ix.count(e, -1)
	e.shape = to
	ix.buckets[to].Add(id)
	ix.count(e, 1)
}

// number returns the number of a shape and gives it one if it is new.
func (ix *Index) number(s shape) int {
	if n, known := ix.numbers[s]; known {
		return n
	}
	n := len(ix.shapes)
	ix.numbers[s] = n
	ix.shapes = append(ix.shapes, s)
	ix.buckets = append(ix.buckets, Set{})
	return n
}
