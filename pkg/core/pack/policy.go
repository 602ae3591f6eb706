package pack

import (
	"cmp"
	"slices"
)

// MaxWeight is the largest weight of CPU or memory in a Policy.
const MaxWeight = 100

// Policy says which of the nodes with room is offered first.
type Policy struct {
	// Spread offers the emptiest node first instead of the tightest.
	Spread bool
	// CPU and Memory weigh the levels of what is free, each from 0 to MaxWeight. A
	// level is a factor of two, so 1 and 1 compare the product of CPU and memory.
	CPU, Memory int32
}

// The bits of a rank, from the least: what decides first comes last.
const (
	kindBits     = 8
	levelBits    = 7
	heldBits     = 5
	weightedBits = 14 // 2 levels of at most 64, times MaxWeight
	deviceBits   = 8
	shapeBits    = kindBits + 2*levelBits + heldBits + weightedBits + deviceBits
)

// rank returns the place of a shape in the order of a policy: the lower, the
// earlier it is offered, in the order that the package doc states.
func (p Policy) rank(s shape) int64 {
	weighted := int64(p.CPU)*int64(s.cpu) + int64(p.Memory)*int64(s.memory)
	r := int64(s.devices)
	r = r<<weightedBits | weighted
	r = r<<heldBits | int64(maxHeld-s.held)
	r = r<<levelBits | int64(s.cpu)
	r = r<<levelBits | int64(s.memory)
	r = r<<kindBits | int64(s.kind)
	if p.Spread {
		r ^= 1<<shapeBits - 1
	}
	return r
}

// Rank returns the place of a node among those that have room for a request, by
// what it has free: nodes are offered by rank, lowest first, and those of one rank
// by number. It is not negative and below 1<<52.
func (p Policy) Rank(free, request Amounts) int64 {
	r := p.rank(shapeOf(free))
	if request.Devices <= 0 && free.Kind != NoDevice {
		// Nodes with devices come last for a request without.
		r |= 1 << shapeBits
	}
	return r
}

// Ranking is the order of an index's shapes by one policy. It takes in new shapes
// when it is used; so it belongs to one index.
type Ranking struct {
	policy Policy
	order  []ranked
	// seen is how many shapes of the index are in the order.
	seen int
}

// ranked is a shape by its number, with its rank.
type ranked struct {
	rank  int64
	shape int
}

// NewRanking returns a ranking by a policy.
func NewRanking(policy Policy) *Ranking { return &Ranking{policy: policy} }

// Policy returns what it ranks by.
func (r *Ranking) Policy() Policy { return r.policy }

// update takes in the shapes that the index has seen since the last time.
func (r *Ranking) update(ix *Index) {
	for ; r.seen < len(ix.shapes); r.seen++ {
		n := ranked{rank: r.policy.rank(ix.shapes[r.seen]), shape: r.seen}
		r.order = slices.Insert(r.order, r.from(n.rank), n)
	}
}

// from returns the place of the first shape whose rank is at least this.
func (r *Ranking) from(rank int64) int {
	at, _ := slices.BinarySearchFunc(r.order, rank, func(e ranked, rank int64) int { return cmp.Compare(e.rank, rank) })
	return at
}

// start returns the place of the first shape that may have enough devices: where
// the tightest comes first, those with too few are before it.
func (r *Ranking) start(devices int32) int {
	if r.policy.Spread || devices <= 0 {
		return 0
	}
	return r.from(int64(min(devices, MaxDevices)) << (shapeBits - deviceBits))
}
