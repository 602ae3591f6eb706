package preempt

import (
	"cmp"
	"math"
	"math/bits"
)

// Damage is what a set of victims costs those who run.
type Damage struct {
	// Priority is the highest priority of a victim; 0 if there is none.
	Priority int32
	// Ended are the device-seconds of all that those have done who end for good.
	Ended int64
	// Lost are the device-seconds of work that go with the victims.
	Lost int64
	// Gangs are those that lose a pod at least, Pods all pods that go.
	Gangs, Pods int
}

// Compare orders damages: none at all comes first, then the lowest priority, the fewest
// device-seconds of those who end for good, the fewest device-seconds, the fewest gangs, the fewest pods.
func (d Damage) Compare(than Damage) int {
	return cmp.Or(
		cmp.Compare(min(d.Gangs, 1), min(than.Gangs, 1)),
		cmp.Compare(d.Priority, than.Priority),
		cmp.Compare(d.Ended, than.Ended),
		cmp.Compare(d.Lost, than.Lost),
		cmp.Compare(d.Gangs, than.Gangs),
		cmp.Compare(d.Pods, than.Pods),
	)
}

// and returns the sum of damages.
func (d Damage) and(more Damage) Damage {
	if d.Gangs == 0 || more.Gangs > 0 && more.Priority > d.Priority {
		d.Priority = more.Priority
	}
	return Damage{
		Priority: d.Priority, Ended: sum(d.Ended, more.Ended), Lost: sum(d.Lost, more.Lost),
		Gangs: d.Gangs + more.Gangs, Pods: d.Pods + more.Pods,
	}
}

// sum returns the sum of amounts that are not negative, at most what 64 bits hold.
func sum(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

// cheaper compares a/b with c/d, of amounts that are not negative; b and d are positive.
func cheaper(a, b, c, d int64) int {
	h1, l1 := bits.Mul64(uint64(a), uint64(d))
	h2, l2 := bits.Mul64(uint64(c), uint64(b))
	return cmp.Or(cmp.Compare(h1, h2), cmp.Compare(l1, l2))
}

// portion returns a * part / whole, rounded down; part is at most whole, which is positive.
func portion(a, part, whole int64) int64 {
	high, low := bits.Mul64(uint64(a), uint64(part))
	quotient, _ := bits.Div64(high, low, uint64(whole))
	return int64(quotient)
}
