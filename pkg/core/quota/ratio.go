package quota

import (
	"math"
	"math/bits"
)

// Ratio says how much of what it is entitled to a queue has, in 2^-32, in the resource in
// which that is most. Of siblings, the one with the least is served first.
type Ratio uint64

// MostRatio is as much as can be said, and that of whoever has anything of what there is
// none of.
const MostRatio Ratio = math.MaxUint64

// Scale measures usage against what the weights of queues are worth of a capacity. It is
// immutable.
type Scale struct {
	tree *Tree
	// By queue and resource: entitled is the weight's part of the capacity, times 2^digits
	// of the resource; without, whether the queue has no weight and a sibling has.
	entitled []uint64
	without  []bool
	digits   []int
}

// scaleLen is how many binary digits a capacity is scaled to.
const scaleLen = 63

// NewScale returns the scale for a capacity. Each queue is entitled to the part of the
// whole capacity that its weight is of those of its siblings, or an equal part if none has a
// weight. All levels are measured alike, for only siblings are compared.
func NewScale(t *Tree, capacity Vector) *Scale {
	s := &Scale{tree: t, entitled: make([]uint64, len(t.weight)), without: make([]bool, len(t.weight)), digits: make([]int, len(capacity))}
	n := len(capacity)
	for r, amount := range capacity {
		whole := uint64(max(0, amount))
		s.digits[r] = scaleLen - bits.Len64(whole)
		whole <<= s.digits[r]
		for q := range QueueID(t.Len()) {
			first, children := t.Children(q)
			weights := uint64(0)
			for child := first; child < first+QueueID(children); child++ {
				weights += uint64(t.Weight(child)[r])
			}
			for child := first; child < first+QueueID(children); child++ {
				at := int(child)*n + r
				weight := uint64(t.Weight(child)[r])
				switch {
				case weights == 0:
					s.entitled[at] = whole / uint64(children)
				case weight == 0:
					s.entitled[at], s.without[at] = whole, true
				default:
					high, low := bits.Mul64(whole, weight)
					s.entitled[at], _ = bits.Div64(high, low, weights)
				}
			}
		}
	}
	return s
}

// Weightless reports whether a queue has, or asks for, anything of which only its siblings
// have a weight. It is then served after them, unless it stays within what it is
// guaranteed.
func (s *Scale) Weightless(q QueueID, used, asked Vector) bool {
	without := s.without[int(q)*len(used):]
	for r := range used {
		if without[r] && (used[r] > 0 || asked[r] > 0) {
			return true
		}
	}
	return false
}

// Ratio returns the highest ratio, over the resources that the siblings of a queue share,
// of usage to entitlement. Used is what counts as used now. If the queue has a half-life,
// that counts half, and its average at an instant the other half; averages are those of
// the usage given as steady, which may be less than used.
//
// Of what its next gang asks for, half counts as used, but no more than half of what the
// queue is entitled to. A queue that is served has too much afterwards by as much as it had
// too little before, so that on average it has what it is entitled to, whatever the size of
// its gangs (Webster's method of apportionment; without that half, small queues would get
// too much). And one that has nothing is never above a half.
func (s *Scale) Ratio(q QueueID, used, asked Vector, steady *Usage, averages *Averages, now Time) Ratio {
	t, n := s.tree, len(used)
	shared := t.sharedBy(t.Parent(q))
	most := Ratio(0)
	for r := range used {
		if !shared[r] {
			continue
		}
		entitled := s.entitled[int(q)*n+r]
		// Twice what is measured: whole units, and 2^-64 of one.
		next := min(uint64(asked[r]), entitled>>s.digits[r])
		sum, low := uint64(used[r]), uint64(0)
		if t.HalfLife(q) > 0 {
			mean := averages.Of(q, r, now, steady.Of(q)[r])
			sum += uint64(mean.Whole)
			low, next = mean.Fraction, next/2
		} else {
			sum += uint64(used[r])
		}
		high, carry := bits.Add64(sum, next, 0)
		if carry != 0 {
			return MostRatio
		}
		most = max(most, ratio(high, low, entitled, s.digits[r]))
	}
	return most
}

// ratio returns (high + low / 2^64) / 2 / (entitled / 2^digits), in 2^-32.
func ratio(high, low, entitled uint64, digits int) Ratio {
	switch shift := digits - 33; {
	case high == 0 && low == 0:
		return 0
	case shift <= 0:
		// The sum is a number of 128 digits, of which 64 are behind the point.
		low = low>>-shift | high<<(64+shift)
		high >>= -shift
	case bits.Len64(high)+shift > 64:
		return MostRatio
	default:
		high, low = high<<shift|low>>(64-shift), low<<shift
	}
	if high >= entitled {
		return MostRatio
	}
	quotient, _ := bits.Div64(high, low, entitled)
	return Ratio(quotient)
}
