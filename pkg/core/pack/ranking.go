package pack

import (
	"cmp"
	"slices"

	"github.com/berth-dev/berth/pkg/core/topology"
)

// Ranking is the order of an index's shapes by one policy, for each form of request. It
// belongs to one index, and takes in new shapes when it is used. It keeps the orders of
// the forms that were used last, mostOrders of them: each change of a node is told to all.
type Ranking struct {
	policy Policy
	index  *Index
	orders map[form]*order
	most   int
	// uses counts the uses of all orders.
	uses uint64
}

// mostOrders is how many orders a ranking keeps.
const mostOrders = 256

// form is what a rank depends on of a request. More than MaxDevices devices count as one
// more: only nodes with MaxDevices or more may have as many, and are looked at one by one.
type form struct {
	kind    DeviceKind
	devices int32
	link    topology.Level
}

// order has the shapes with the devices of one form of request, by rank.
type order struct {
	request Amounts
	// used is the last use of the order.
	used   uint64
	ranked []ranked
	// at is the place of each shape in ranked, by number; notRanked if it has not the
	// devices. len(at) shapes of the index are taken in.
	at []int32
	// live are the places of shapes with nodes.
	live Set
	// cursors are for offering.
	cursors []cursor
}

const notRanked = -1

// ranked is a shape by its number, with its rank.
type ranked struct {
	rank  int64
	shape int
}

// NewRanking returns a ranking by a policy.
func (ix *Index) NewRanking(policy Policy) *Ranking {
	return &Ranking{policy: policy, index: ix, orders: map[form]*order{}, most: mostOrders}
}

// Policy returns what it ranks by.
func (r *Ranking) Policy() Policy { return r.policy }

// order returns the order for a request, with all shapes of the index.
func (r *Ranking) order(request Amounts) *order {
	f := form{}
	if request.Devices > 0 {
		f = form{kind: request.Kind, devices: min(request.Devices, MaxDevices+1), link: request.Link}
	}
	o := r.orders[f]
	if o == nil {
		if len(r.orders) >= r.most {
			r.dropOldest()
		}
		o = &order{request: Amounts{Kind: f.kind, Devices: f.devices, Link: f.link}}
		r.orders[f] = o
		r.index.orders = append(r.index.orders, o)
	}
	r.uses++
	o.used = r.uses
	if len(o.at) < len(r.index.shapes) {
		o.update(r)
	}
	return o
}

// dropOldest drops the order that was used longest ago.
func (r *Ranking) dropOldest() {
	var oldest *order
	var of form
	for f, o := range r.orders {
		if oldest == nil || o.used < oldest.used {
			oldest, of = o, f
		}
	}
	delete(r.orders, of)
	r.index.orders = slices.DeleteFunc(r.index.orders, func(o *order) bool { return o == oldest })
}

// update takes in the shapes that are new. That is rare, so the places are made anew.
func (o *order) update(r *Ranking) {
	ix := r.index
	for n := len(o.at); n < len(ix.shapes); n++ {
		if ix.gives(ix.shapes[n], o.request) {
			o.ranked = append(o.ranked, ranked{rank: ix.rank(r.policy, ix.shapes[n], o.request), shape: n})
		}
	}
	slices.SortFunc(o.ranked, func(a, b ranked) int { return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(a.shape, b.shape)) })
	o.at = slices.Grow(o.at[:0], len(ix.shapes))[:len(ix.shapes)]
	for n := range o.at {
		o.at[n] = notRanked
	}
	o.live = Set{}
	for place, one := range o.ranked {
		o.at[one.shape] = int32(place)
		if ix.buckets[one.shape].Len() > 0 {
			o.live.Add(NodeID(place))
		}
	}
}

// filled notes that a shape has nodes now, emptied that it has none.
func (o *order) filled(shape int) {
	if shape < len(o.at) && o.at[shape] != notRanked {
		o.live.Add(NodeID(o.at[shape]))
	}
}

func (o *order) emptied(shape int) {
	if shape < len(o.at) && o.at[shape] != notRanked {
		o.live.Remove(NodeID(o.at[shape]))
	}
}

// forget forgets all shapes: they have other numbers from now on.
func (o *order) forget() {
	o.ranked, o.at, o.live = o.ranked[:0], o.at[:0], Set{}
}
