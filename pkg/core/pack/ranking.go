package pack

import (
	"cmp"
	"slices"

	"github.com/berth-dev/berth/pkg/core/topology"
)

// Ranking is the order of an index's shapes by one policy, for each form of request. It
// belongs to one index, and takes in new shapes when it is used.
type Ranking struct {
	policy Policy
	index  *Index
	orders map[form]*order
}

// form is what a rank depends on of a request.
type form struct {
	kind    DeviceKind
	devices int32
	link    topology.Level
}

// order has the shapes with the devices of one form of request, by rank.
type order struct {
	request Amounts
	ranked  []ranked
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
	return &Ranking{policy: policy, index: ix, orders: map[form]*order{}}
}

// Policy returns what it ranks by.
func (r *Ranking) Policy() Policy { return r.policy }

// order returns the order for a request, with all shapes of the index.
func (r *Ranking) order(request Amounts) *order {
	f := form{}
	if request.Devices > 0 {
		f = form{kind: request.Kind, devices: request.Devices, link: request.Link}
	}
	o := r.orders[f]
	if o == nil {
		o = &order{request: Amounts{Kind: f.kind, Devices: f.devices, Link: f.link}}
		r.orders[f] = o
		r.index.orders = append(r.index.orders, o)
	}
	if len(o.at) < len(r.index.shapes) {
		o.update(r)
	}
	return o
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
