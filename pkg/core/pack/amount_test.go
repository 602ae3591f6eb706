package pack

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

// TestAmountsOfAnySize compares what is given back and taken with arithmetic that knows
// no bounds, on amounts of which many are at those of their types.
func TestAmountsOfAnySize(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 4))
	edges := [...]int64{0, 1, -1, 8, math.MaxInt32, math.MinInt32, math.MaxInt64, math.MinInt64}
	wide := func() int64 {
		edge := edges[r.IntN(len(edges))]
		if r.IntN(3) == 0 {
			return int64(r.Uint64())
		}
		return edge + int64(r.IntN(3)) - 1 // past the edge on the other side, at times
	}
	count := func() int32 { return int32(wide()) }
	some := func() Amounts {
		return Amounts{Kind: DeviceKind(1 + r.IntN(2)), Devices: count(), CPU: wide(), Memory: wide(), Pods: count(), Held: count()}
	}
	within := func(a, b int64, sign int64, least, most int64) int64 {
		exact := new(big.Int).Mul(big.NewInt(b), big.NewInt(sign))
		exact.Add(exact, big.NewInt(a))
		switch {
		case exact.Cmp(big.NewInt(least)) < 0:
			return least
		case exact.Cmp(big.NewInt(most)) > 0:
			return most
		}
		return exact.Int64()
	}
	count32 := func(a, b int32, sign int64) int32 {
		return int32(within(int64(a), int64(b), sign, math.MinInt32, math.MaxInt32))
	}
	amount64 := func(a, b, sign int64) int64 { return within(a, b, sign, math.MinInt64, math.MaxInt64) }
	for range 50000 {
		free, request := some(), some()
		want := free
		want.CPU, want.Memory = amount64(free.CPU, request.CPU, -1), amount64(free.Memory, request.Memory, -1)
		want.Devices = count32(free.Devices, request.Devices, -1)
		want.Pods, want.Held = count32(free.Pods, request.Pods, -1), count32(free.Held, request.Pods, 1)
		if got := free.Minus(request); got != want {
			t.Fatalf("%+v minus %+v = %+v, want %+v", free, request, got, want)
		}
		want = free
		want.CPU, want.Memory = amount64(free.CPU, request.CPU, 1), amount64(free.Memory, request.Memory, 1)
		if request.Kind == free.Kind {
			want.Devices = count32(free.Devices, request.Devices, 1)
		}
		want.Pods, want.Held = count32(free.Pods, request.Pods, 1), count32(free.Held, request.Pods, -1)
		if got := free.Plus(request); got != want {
			t.Fatalf("%+v plus %+v = %+v, want %+v", free, request, got, want)
		}
	}
}

// A node that was filled far past its capacity has no room, whoever filled it.
func TestNoRoomPastTheBounds(t *testing.T) {
	ix := NewIndex()
	ix.Set(0, Node{Free: Amounts{Kind: 1, Devices: 8, CPU: 1000, Memory: 1 << 30, Pods: 110}})
	most := Amounts{Kind: 1, Devices: math.MaxInt32, CPU: math.MaxInt64, Memory: math.MaxInt64, Pods: 1}
	before, _ := ix.Free(0)
	var undo []Undo
	for range 3 {
		undo = append(undo, ix.Take(0, most))
	}
	one := Amounts{Kind: 1, Devices: 1, Pods: 1}
	if free, _ := ix.Free(0); free.Devices != math.MinInt32 || free.CPU != math.MinInt64 || free.Memory != math.MinInt64 || free.Fits(one) {
		t.Errorf("after three pods that ask for the most, a node has %+v free", free)
	}
	for i := range undo {
		ix.Revert(undo[len(undo)-1-i])
	}
	if free, _ := ix.Free(0); free != before {
		t.Errorf("after the pods are gone it has %+v, want %+v", free, before)
	}
}

func TestRequestsTogether(t *testing.T) {
	for _, c := range []struct {
		name       string
		a, b, want Amounts
	}{
		{"nothing and one", Amounts{}, Amounts{Kind: 2, Devices: 1, CPU: 3, Memory: 4, Pods: 1, Link: 1}, Amounts{Kind: 2, Devices: 1, CPU: 3, Memory: 4, Pods: 1, Link: 1}},
		{"two", Amounts{Kind: 1, Devices: 1, CPU: 3, Memory: 4, Pods: 1}, Amounts{Kind: 1, Devices: 2, CPU: 5, Memory: 6, Pods: 1}, Amounts{Kind: 1, Devices: 3, CPU: 8, Memory: 10, Pods: 2}},
		{"the second alone has devices", Amounts{CPU: 1, Pods: 1}, Amounts{Kind: 2, Devices: 2, Pods: 1}, Amounts{Kind: 2, Devices: 2, CPU: 1, Pods: 2}},
		{"more than can be counted", Amounts{Kind: 1, Devices: math.MaxInt32, CPU: math.MaxInt64, Pods: 1}, Amounts{Kind: 1, Devices: 1, CPU: 1, Pods: 1}, Amounts{Kind: 1, Devices: math.MaxInt32, CPU: math.MaxInt64, Pods: 2}},
	} {
		if got := c.a.And(c.b); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
}
