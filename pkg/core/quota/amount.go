package quota

import (
	"math"
	"strconv"
)

// Amount is a number of whole units of one resource: GPUs, thousandths of a core, bytes.
// It saturates: no sum or product wraps round.
type Amount int64

const (
	// Unlimited is more than any amount. It stays so whatever is added or taken away.
	Unlimited Amount = math.MaxInt64
	// Most is the highest amount that is counted. Sums and products that would pass it
	// stay there, and never become Unlimited.
	Most = Unlimited - 1
)

// Plus returns a + b.
func (a Amount) Plus(b Amount) Amount {
	sum := a + b
	switch {
	case a == Unlimited || b == Unlimited:
		return Unlimited
	case a > 0 && b > 0 && (sum < 0 || sum > Most):
		return Most
	case a < 0 && b < 0 && (sum >= 0 || sum < -Most):
		return -Most
	}
	return sum
}

// Minus returns a - b. Unlimited less anything is Unlimited; anything else less Unlimited
// is as little as there is.
func (a Amount) Minus(b Amount) Amount {
	switch {
	case a == Unlimited:
		return Unlimited
	case b == Unlimited:
		return -Most
	}
	return a.Plus(-max(b, -Most))
}

// Times returns a * n, for n of 0 or more. Nothing times Unlimited is nothing.
func (a Amount) Times(n int64) Amount {
	switch {
	case a == 0 || n == 0:
		return 0
	case a == Unlimited:
		return Unlimited
	case a > Most/Amount(n):
		return Most
	case a < -Most/Amount(n):
		return -Most
	}
	return a * Amount(n)
}

// String is the number, or "unlimited".
func (a Amount) String() string {
	if a == Unlimited {
		return "unlimited"
	}
	return strconv.FormatInt(int64(a), 10)
}

// Vector is an amount of each resource of a tree, in the order of Tree.Resources.
type Vector []Amount

// Plus returns the sum of two vectors of one length.
func (v Vector) Plus(w Vector) Vector {
	sum := make(Vector, len(v))
	for r := range v {
		sum[r] = v[r].Plus(w[r])
	}
	return sum
}

// Times returns n times the vector: what a gang of n equal pods asks for.
func (v Vector) Times(n int64) Vector {
	product := make(Vector, len(v))
	for r := range v {
		product[r] = v[r].Times(n)
	}
	return product
}

// Fits reports whether all that is asked for is there. What is not asked for fits always.
func (v Vector) Fits(room Vector) bool {
	for r, asked := range v {
		if asked > 0 && asked > room[r] {
			return false
		}
	}
	return true
}
