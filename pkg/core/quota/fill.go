package quota

import (
	"cmp"
	"math/bits"
	"slices"
)

// part is one of those among whom an amount is divided.
type part struct {
	weight, cap Amount
	// got is what it has been given.
	got Amount
	// place and remainder decide who gets an odd unit.
	place     int
	remainder uint64
}

// fill divides an amount by weighted max-min: parts grow in proportion to their weights,
// and each stops at its cap. It sets what each got and returns what nobody could take.
// Weights are at least 0 and their sum is below 2^63; parts without weight get nothing.
//
// Units are whole. What parts that are not full would get is divided by largest remainder,
// and of equal remainders, the first part has the largest.
func (f *filler) fill(amount Amount, parts []part) Amount {
	open, weights := f.open[:0], Amount(0)
	for i := range parts {
		p := &parts[i]
		p.got, p.place = 0, i
		if p.weight > 0 && p.cap > 0 {
			open = append(open, p)
			weights += p.weight
		}
	}
	f.open = open
	// Parts are full in the order of cap / weight.
	slices.SortFunc(open, func(a, b *part) int {
		return cmp.Or(compareProducts(a.cap, b.weight, b.cap, a.weight), cmp.Compare(a.place, b.place))
	})
	for i, p := range open {
		if compareProducts(p.cap, weights, amount, p.weight) > 0 {
			divide(amount, weights, open[i:])
			return 0
		}
		p.got = p.cap
		amount = amount.Minus(p.cap)
		weights -= p.weight
	}
	return amount
}

// filler keeps room for the work of fill.
type filler struct{ open []*part }

// divide gives an amount to parts in proportion to their weights, of which the sum is
// given. A part whose exact portion is below its cap stays at or below it.
func divide(amount, weights Amount, parts []*part) {
	left := amount
	for _, p := range parts {
		high, low := bits.Mul64(uint64(amount), uint64(p.weight))
		got, remainder := bits.Div64(high, low, uint64(weights))
		p.got, p.remainder = Amount(got), remainder
		left -= p.got
	}
	slices.SortFunc(parts, func(a, b *part) int {
		return cmp.Or(cmp.Compare(b.remainder, a.remainder), cmp.Compare(a.place, b.place))
	})
	for _, p := range parts[:left] {
		p.got++
	}
}

// compareProducts compares a * b with c * d, all at least 0.
func compareProducts(a, b, c, d Amount) int {
	h1, l1 := bits.Mul64(uint64(a), uint64(b))
	h2, l2 := bits.Mul64(uint64(c), uint64(d))
	return cmp.Or(cmp.Compare(h1, h2), cmp.Compare(l1, l2))
}
