package quota

import (
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"
)

// exact returns what a sum or product is, or where it stays.
func exact(x *big.Int) Amount {
	switch most := big.NewInt(int64(Most)); {
	case x.Cmp(most) > 0:
		return Most
	case x.Cmp(most.Neg(most)) < 0:
		return -Most
	}
	return Amount(x.Int64())
}

func TestAmounts(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	edges := []Amount{0, 1, -1, 2, Most, Most - 1, -Most, -Most + 1, Most / 2, Most/2 + 1, -Most/2 - 1}
	wide := func() Amount { return Amount(r.Int64() >> r.IntN(64)) }
	pick := func() Amount {
		if r.IntN(2) == 0 {
			return edges[r.IntN(len(edges))]
		}
		return wide().Minus(wide())
	}
	for range 200_000 {
		a, b := pick(), pick()
		x, y := big.NewInt(int64(a)), big.NewInt(int64(b))
		if got, want := a.Plus(b), exact(new(big.Int).Add(x, y)); got != want {
			t.Fatalf("%s + %s = %s, want %s", a, b, got, want)
		}
		if got, want := a.Minus(b), exact(new(big.Int).Sub(x, y)); got != want {
			t.Fatalf("%s - %s = %s, want %s", a, b, got, want)
		}
		if b >= 0 {
			if got, want := a.Times(int64(b)), exact(new(big.Int).Mul(x, y)); got != want {
				t.Fatalf("%s * %s = %s, want %s", a, b, got, want)
			}
		}
	}
}

func TestUnlimited(t *testing.T) {
	tests := []struct {
		name      string
		got, want Amount
	}{
		{"plus less than nothing", Unlimited.Plus(-5), Unlimited},
		{"added to", Amount(-5).Plus(Unlimited), Unlimited},
		{"minus most", Unlimited.Minus(Most), Unlimited},
		{"minus itself", Unlimited.Minus(Unlimited), Unlimited},
		{"taken away", Amount(5).Minus(Unlimited), -Most},
		{"times nothing", Unlimited.Times(0), 0},
		{"times", Unlimited.Times(3), Unlimited},
		{"nothing times", Amount(0).Times(1 << 62), 0},
	}
	for _, test := range tests {
		if test.got != test.want {
			t.Errorf("%s: got %s, want %s", test.name, test.got, test.want)
		}
	}
}

func TestVectors(t *testing.T) {
	v, w := Vector{1, 2, Unlimited}, Vector{3, Most, -5}
	if got, want := v.Plus(w), (Vector{4, Most, Unlimited}); !slices.Equal(got, want) {
		t.Errorf("sum %v, want %v", got, want)
	}
	if got, want := v.Times(3), (Vector{3, 6, Unlimited}); !slices.Equal(got, want) {
		t.Errorf("product %v, want %v", got, want)
	}
	tests := []struct {
		name  string
		asked Vector
		want  bool
	}{
		{"all there is", Vector{4, 1, 0}, true},
		{"one too many", Vector{5, 1, 0}, false},
		{"nothing of what is overdrawn", Vector{0, 1, 0}, true},
		{"something of what is overdrawn", Vector{0, 1, 1}, false},
	}
	for _, test := range tests {
		if got := test.asked.Fits(Vector{4, 1, -2}); got != test.want {
			t.Errorf("%s: fits %v", test.name, got)
		}
	}
}
