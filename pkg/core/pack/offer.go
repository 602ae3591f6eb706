package pack

import "iter"

// Among says which nodes may be offered.
type Among struct {
	// In are sets that all hold the node.
	In []*Set
	// Not, if there is one, is a set that does not hold it.
	Not *Set
	// NoRoom, if not nil, is told of nodes that were looked at and had no room. Who
	// takes them out of a set of In has them looked at once, and not once a request.
	NoRoom func(NodeID)
}

// Offer yields the nodes that have room for a request, best first. The index must
// not change while the sequence is read; the sets of among may lose nodes that were
// yielded, or told to NoRoom. A ranking offers one sequence at a time.
//
// The cost of the first node is that of the shapes with nodes that come before its own
// and are short of CPU or memory, and of the nodes in between that are not among, or
// whose shape leaves open whether they have room.
func (r *Ranking) Offer(request Amounts, among Among) iter.Seq[NodeID] {
	return func(yield func(NodeID) bool) {
		o := r.order(request)
		for place, more := o.live.Next(0); more; {
			// Shapes of one rank are offered as one, by number of node.
			rank := o.ranked[place].rank
			o.cursors = o.cursors[:0]
			for ; more && o.ranked[place].rank == rank; place, more = o.live.Next(place + 1) {
				o.cursors = r.index.open(o.cursors, o.ranked[place].shape, request, among)
			}
			if !r.index.offerMerged(o.cursors, request, among, yield) {
				return
			}
		}
	}
}

// cursor is the next node of a bucket that is among.
type cursor struct {
	bucket *Set
	fit    fit
	id     NodeID
}

// open adds a cursor at the first node of a shape, if there is one that may have room.
func (ix *Index) open(cursors []cursor, shape int, request Amounts, among Among) []cursor {
	f := ix.shapes[shape].fits(request)
	if f == fitsNever {
		return cursors
	}
	bucket := &ix.buckets[shape]
	if id, ok := among.first(bucket, 0); ok {
		cursors = append(cursors, cursor{bucket: bucket, fit: f, id: id})
	}
	return cursors
}

// offerMerged yields the nodes of some buckets, by number.
func (ix *Index) offerMerged(cursors []cursor, request Amounts, among Among, yield func(NodeID) bool) bool {
	for len(cursors) > 0 {
		least := 0
		for i := range cursors {
			if cursors[i].id < cursors[least].id {
				least = i
			}
		}
		c := &cursors[least]
		switch {
		case c.fit == fitsAlways || ix.nodes[c.id].Free.Fits(request):
			if !yield(c.id) {
				return false
			}
		case among.NoRoom != nil:
			among.NoRoom(c.id)
		}
		var more bool
		if c.id, more = among.first(c.bucket, c.id+1); !more {
			cursors[least] = cursors[len(cursors)-1]
			cursors = cursors[:len(cursors)-1]
		}
	}
	return true
}

// first returns the least node of a bucket from a number on that is among.
func (a Among) first(bucket *Set, from NodeID) (NodeID, bool) {
	for id, ok := bucket.Next(from); ok; id, ok = bucket.Next(id) {
		next, more := a.next(id)
		if !more {
			return 0, false
		}
		if next == id {
			return id, true
		}
		id = next
	}
	return 0, false
}

// Each yields the nodes that are among, by number. There must be a set in In. The sets
// may lose nodes that were yielded.
func (a Among) Each() iter.Seq[NodeID] {
	return func(yield func(NodeID) bool) {
		for id := NodeID(0); ; {
			next, more := a.next(id)
			if !more {
				return
			}
			if next == id {
				if !yield(id) {
					return
				}
				next++
			}
			id = next
		}
	}
}

// next returns a node that is among, or one before the next that is: the least, at
// or after id, that the sets let pass one after another.
func (a Among) next(id NodeID) (NodeID, bool) {
	for _, set := range a.In {
		next, more := set.Next(id)
		if !more {
			return 0, false
		}
		id = next
	}
	if a.Not != nil && a.Not.Has(id) {
		id = a.Not.NextAbsent(id)
	}
	return id, true
}
