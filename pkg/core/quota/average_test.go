package quota

import (
	"math"
	"math/big"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"
)

func TestHalved(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	if got := halved(0, time.Hour); got != math.MaxUint64 {
		t.Errorf("after no time, %#x is kept", got)
	}
	if got := halved(uint64(time.Hour), time.Hour); got != 1<<63-1 {
		t.Errorf("after one half-life, %#x is kept", got)
	}
	if got := halved(uint64(64*time.Hour), time.Hour); got != 0 {
		t.Errorf("after 64 half-lives, %#x is kept", got)
	}
	for range 200_000 {
		h := time.Duration(1 + r.Int64()>>r.IntN(63))
		d := uint64(float64(h) * 12 * r.Float64())
		want := math.Exp2(-float64(d) / float64(h))
		if got := float64(halved(d, h)) / (1 << 64); math.Abs(got-want) > 1e-13 {
			t.Fatalf("after %d of %d, %.17g is kept, want %.17g", d, h, got, want)
		}
	}
}

// The average goes where a float would, in however many steps, up and down.
func TestAveragesDecay(t *testing.T) {
	tree, _ := NewTree([]Spec{{Name: "a", HalfLife: 7 * 24 * time.Hour}, {Name: "b", Parent: "a", HalfLife: time.Minute}, {Name: "c"}}, []string{"gpu", "memory"})
	usage, averages := NewUsage(tree), NewAverages(tree)
	a, _ := tree.Queue("a")
	b, _ := tree.Queue("b")
	c, _ := tree.Queue("c")
	r := rand.New(rand.NewPCG(11, 12))
	now, want := Time(0), map[QueueID]float64{}
	charged := []Vector(nil)
	for step := range 50_000 {
		d := Time(r.Int64N(int64(time.Second)))
		if step%1000 == 0 {
			d = Time(r.Int64N(int64(14 * 24 * time.Hour)))
		}
		for q, h := range map[QueueID]time.Duration{a: 7 * 24 * time.Hour, b: time.Minute} {
			used := float64(usage.Of(q)[1])
			want[q] = used + (want[q]-used)*math.Exp2(-float64(d)/float64(h))
		}
		now += d
		// To look does not change anything.
		averages.Of(b, 1, now-d/2, usage.Of(b)[1])
		averages.Advance(b, now, usage)
		averages.Advance(c, now, usage)
		if len(charged) > 0 && r.IntN(2) == 0 {
			if _, err := usage.Release(b, charged[0]); err != nil {
				t.Fatal(err)
			}
			charged = charged[1:]
		} else {
			v := Vector{1, Amount(r.Int64N(1 << 50))}
			if _, err := usage.Charge(b, v); err != nil {
				t.Fatal(err)
			}
			charged = append(charged, v)
		}
		for q := range want {
			got := averages.Of(q, 1, now, usage.Of(q)[1])
			if x := float64(got.Whole) + float64(got.Fraction)/(1<<64); math.Abs(x-want[q]) > 1e-9*want[q]+1e-6 {
				t.Fatalf("step %d: queue %d has %.12g on average, want %.12g", step, q, x, want[q])
			}
		}
	}
	if got := averages.Of(c, 1, now, 5); got != (Mean{}) {
		t.Errorf("without half-life, there is an average: %v", got)
	}
	// Steady usage is its own average in the end, from above and from below.
	averages.Set(a, 1, now, Mean{Whole: Most})
	for _, used := range []Amount{3, 1 << 40, Most, 0} {
		averages.Advance(a, now, usage)
		if got := averages.Of(a, 1, now+Time(100*365*24*time.Hour), used); got != (Mean{Whole: used}) {
			t.Errorf("after a hundred years of %s, the average is %v", used, got)
		}
	}
}

// Time that runs backwards changes nothing.
func TestAveragesKeepTheirTime(t *testing.T) {
	tree, _ := NewTree([]Spec{{Name: "a", HalfLife: time.Hour}}, []string{"gpu"})
	usage, averages := NewUsage(tree), NewAverages(tree)
	a, _ := tree.Queue("a")
	averages.Set(a, 0, 1000, Mean{Whole: 8})
	averages.Advance(a, 999, usage)
	if got := averages.Of(a, 0, -5, 0); got != (Mean{Whole: 8}) {
		t.Errorf("got %v", got)
	}
	averages.Advance(a, 1000+Time(time.Hour), usage)
	if got := averages.Of(a, 0, 1000, 0); got.Whole != 3 || got.Fraction < 1<<64-100 {
		t.Errorf("half of 8 is %v", got)
	}
}

func TestRatioAgreesWithFractions(t *testing.T) {
	r := rand.New(rand.NewPCG(13, 14))
	inner, saturated := 0, 0
	for range 40_000 {
		capacity := Amount(r.Int64() >> r.IntN(63))
		weights := []Amount{Amount(r.Int64() >> r.IntN(63)), Amount(r.Int64() >> r.IntN(63))}
		if weights[0] == 0 {
			continue
		}
		tree, _ := NewTree([]Spec{
			{Name: "a", Resources: map[string]Quota{"gpu": {Weight: &weights[0]}}},
			{Name: "b", Resources: map[string]Quota{"gpu": {Weight: &weights[1]}}},
		}, nil)
		a, _ := tree.Queue("a")
		weight, sum := int64(tree.Weight(a)[0]), int64(tree.Weight(a)[0]+tree.Weight(a + 1)[0])
		used := Amount(r.Int64() >> r.IntN(63))
		got := NewScale(tree, Vector{capacity}).Ratio(a, Vector{used}, Vector{0}, NewUsage(tree), NewAverages(tree), 0)
		if used == 0 || capacity == 0 {
			if want := min(Ratio(used), 1) * MostRatio; got != want {
				t.Fatalf("%s of %s: ratio %d, want %d", used, capacity, got, want)
			}
			continue
		}
		exact := new(big.Rat).SetFrac(
			new(big.Int).Mul(big.NewInt(int64(used)), big.NewInt(sum)),
			new(big.Int).Mul(big.NewInt(int64(capacity)), big.NewInt(weight)))
		want, _ := exact.Float64()
		want *= 1 << 32
		switch {
		case got == MostRatio:
			saturated++
			if want < 1<<63 {
				t.Fatalf("%s of %s, %d of %d: no ratio, want %g", used, capacity, weight, sum, want)
			}
		case weight > sum>>40:
			inner++
			if diff := math.Abs(float64(got) - want); diff > 1+want*1e-6 {
				t.Fatalf("%s of %s, %d of %d: ratio %d, want %g", used, capacity, weight, sum, got, want)
			}
		}
	}
	if inner < 20_000 || saturated < 200 {
		t.Fatalf("%d ratios, %d of them out of range: the test is too easy", inner, saturated)
	}
}

func TestRatioOfResources(t *testing.T) {
	half := func(q Quota) map[string]Quota { return map[string]Quota{"gpu": q} }
	tree, _ := NewTree([]Spec{
		{Name: "a", Resources: half(Quota{Weight: new(Amount(1))})},
		{Name: "b", Resources: half(Quota{Weight: new(Amount(3))}), HalfLife: time.Hour},
		{Name: "none", Resources: half(Quota{Weight: new(Amount(0))})},
		{Name: "x", Parent: "none"},
		{Name: "y", Parent: "none"},
	}, []string{"gpu", "cpu"})
	usage, averages := NewUsage(tree), NewAverages(tree)
	b, _ := tree.Queue("b")
	averages.Set(b, 0, 0, Mean{Whole: 4, Fraction: 1 << 63})
	scale := NewScale(tree, Vector{16, 1000})
	tests := []struct {
		name, queue string
		used, asked Vector
		want        float64
		weightless  bool
	}{
		{"a quarter of 16, all of it", "a", Vector{4, 0}, Vector{0, 0}, 1, false},
		{"CPU has no weight among them", "a", Vector{4, 999}, Vector{0, 9}, 1, false},
		{"twice its part", "a", Vector{8, 0}, Vector{0, 0}, 2, false},
		{"half of the next gang", "a", Vector{8, 0}, Vector{1, 0}, 2.125, false},
		{"the next gang, up to the part", "a", Vector{8, 0}, Vector{16, 0}, 2.5, false},
		{"the average counts half", "b", Vector{12, 0}, Vector{0, 0}, 0.6875, false},
		{"half of the next gang, beside the average", "b", Vector{12, 0}, Vector{2, 0}, 0.72916666666, false},
		{"without a weight", "none", Vector{8, 0}, Vector{0, 0}, 0.5, true},
		{"without a weight, for what it asks", "none", Vector{0, 0}, Vector{4, 0}, 0.125, true},
		{"without a weight where there is none", "none", Vector{0, 5}, Vector{0, 1}, 0, false},
		{"one of three that are equal, in the resource of which it has most", "x", Vector{1, 500}, Vector{0, 0}, 1.5, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			q, _ := tree.Queue(test.queue)
			got := float64(scale.Ratio(q, test.used, test.asked, usage, averages, 0)) / (1 << 32)
			if math.Abs(got-test.want) > 1e-8 {
				t.Errorf("ratio %g, want %g", got, test.want)
			}
			if got := scale.Weightless(q, test.used, test.asked); got != test.weightless {
				t.Errorf("weightless %v", got)
			}
		})
	}
}

func TestAveragesAreCarriedOver(t *testing.T) {
	specs := []Spec{{Name: "a", HalfLife: time.Hour}, {Name: "b", Parent: "a"}, {Name: "gone", HalfLife: time.Hour}}
	old, _ := NewTree(specs, []string{"gpu", "cpu"})
	usage, averages := NewUsage(old), NewAverages(old)
	b, _ := old.Queue("b")
	a, _ := old.Queue("a")
	for q, v := range map[QueueID]Vector{b: {8, 80}, a: {4, 40}} {
		if _, err := usage.Charge(q, v); err != nil {
			t.Fatal(err)
		}
	}
	// Half of it in the average, after an hour.
	hour := Time(time.Hour)

	specs[2] = Spec{Name: "c", Parent: "b"}
	tree, _ := NewTree(specs, []string{"memory", "gpu"})
	carried := NewAverages(tree)
	carried.Carry(averages, usage, hour)
	got := map[string]Amount{}
	for q := range QueueID(tree.Len()) {
		name := tree.Name(q)
		if tree.Parent(q) != NoQueue && tree.Own(tree.Parent(q)) == q {
			name += " own"
		}
		mean := carried.Of(q, 1, hour, 0)
		if mean.Whole > 0 || mean.Fraction > 0 {
			got[name] = Amount(math.Round(float64(mean.Whole) + float64(mean.Fraction)/(1<<64)))
		}
	}
	want := map[string]Amount{"a": 6, "a own": 2, "b": 4, "b own": 4}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
