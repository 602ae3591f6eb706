package quota

import (
	"math/bits"
	"slices"
	"time"
)

// Time is an instant, in nanoseconds since any one instant.
type Time int64

// Mean is an average amount: Whole + Fraction / 2^64.
type Mean struct {
	Whole    Amount
	Fraction uint64
}

// Averages are the decayed averages of what the queues of a tree use:
//
//	dA/dt = (usage - A) / tau,  tau = half-life / ln 2
//
// so that steady usage u gives A = u in the end, and what was used a half-life ago weighs
// half of what is used now. Between two changes of the usage, after a time d,
//
//	A = usage + (A before - usage) * 2^(-d / half-life)
//
// which is exact in however many steps it is taken, but for 2^-60 or so of it. A queue
// without half-life has no average.
//
// Two equal queues of which one had all to itself until the other came back, and both
// want all of it: with the order by (A + usage) / 2, the part of the one that was away is
// (1 + e^(-2t/tau)) / 2 a time t later, and its average (1 - e^(-2t/tau)) / 2.
type Averages struct {
	tree *Tree
	mean []Mean
	at   []Time
}

// NewAverages returns those of a tree of which nothing was ever used.
func NewAverages(t *Tree) *Averages {
	return &Averages{tree: t, mean: make([]Mean, len(t.guaranteed)), at: make([]Time, t.Len())}
}

// SetTree goes on with a tree that With made of this one.
func (a *Averages) SetTree(t *Tree) { a.tree = t }

// Advance brings the averages of a queue and all around it up to an instant. The usage is
// that since the last time; it is called before each change. Time does not run
// backwards: an instant before the last one counts as that.
func (a *Averages) Advance(q QueueID, now Time, u *Usage) {
	for ; q != NoQueue; q = a.tree.Parent(q) {
		if a.tree.HalfLife(q) == 0 || now <= a.at[q] {
			continue
		}
		used, mean := u.Of(q), a.row(q)
		keep := a.keep(q, now)
		for r := range mean {
			mean[r] = mean[r].toward(used[r], keep)
		}
		a.at[q] = now
	}
}

// Of returns the average of a queue and a resource at an instant, if the queue has used so
// much since the last Advance.
func (a *Averages) Of(q QueueID, r int, now Time, used Amount) Mean {
	mean := a.row(q)[r]
	if a.tree.HalfLife(q) == 0 || now <= a.at[q] {
		return mean
	}
	return mean.toward(used, a.keep(q, now))
}

// Set gives a queue an average that was known before, as of an instant.
func (a *Averages) Set(q QueueID, r int, now Time, mean Mean) {
	a.row(q)[r], a.at[q] = mean, now
}

// Carry takes over the averages of queues and resources of the same name in another tree, as
// of an instant, and with what they use there. Own gangs of a queue that has got its first
// children take over those of the queue.
func (a *Averages) Carry(from *Averages, u *Usage, now Time) {
	for q := range QueueID(a.tree.Len()) {
		old, known := from.tree.Queue(a.tree.Name(q))
		if !known {
			continue
		}
		if up := a.tree.Parent(q); up != NoQueue && a.tree.Own(up) == q {
			old = from.tree.Own(old)
		}
		for r, resource := range a.tree.resources {
			if was := slices.Index(from.tree.resources, resource); was >= 0 {
				a.Set(q, r, now, from.Of(old, was, now, u.Of(old)[was]))
			}
		}
	}
}

func (a *Averages) row(q QueueID) []Mean {
	n := len(a.tree.resources)
	return a.mean[int(q)*n : (int(q)+1)*n]
}

// keep returns how much of the difference is kept up to an instant after the last.
func (a *Averages) keep(q QueueID, now Time) uint64 {
	return halved(uint64(now)-uint64(a.at[q]), a.tree.HalfLife(q))
}

// toward returns the mean when the given part, in 2^-64, is kept of its difference from the
// usage.
func (m Mean) toward(used Amount, keep uint64) Mean {
	if m.Whole >= used {
		high, low := scale(uint64(m.Whole-used), m.Fraction, keep)
		return Mean{used + Amount(high), low}
	}
	low, borrow := bits.Sub64(0, m.Fraction, 0)
	high, _ := bits.Sub64(uint64(used), uint64(m.Whole), borrow)
	high, low = scale(high, low, keep)
	low, borrow = bits.Sub64(0, low, 0)
	return Mean{used - Amount(high+borrow), low}
}

// scale returns (high + low / 2^64) * by / 2^64.
func scale(high, low, by uint64) (uint64, uint64) {
	whole, fraction := bits.Mul64(high, by)
	more, _ := bits.Mul64(low, by)
	fraction, carry := bits.Add64(fraction, more, 0)
	return whole + carry, fraction
}

// halved returns 2^(-d / h) in 2^-64, at most 1 - 2^-64, for an h above 0.
func halved(d uint64, h time.Duration) uint64 {
	times := d / uint64(h)
	if times >= 64 {
		return 0
	}
	rest, _ := bits.Div64(d%uint64(h), 0, uint64(h))
	kept := ^uint64(0)
	for i, root := range roots {
		if rest>>(63-i)&1 == 1 {
			kept, _ = bits.Mul64(kept, root)
		}
	}
	// The last 32 digits are so little that 2^-x is 1 - x ln 2.
	lost, _ := bits.Mul64(rest&(1<<32-1), ln2)
	lost, _ = bits.Mul64(kept, lost)
	return (kept - lost) >> times
}

// ln2 is the natural logarithm of 2, in 2^-64.
const ln2 = 0xb17217f7d1cf79ac

// roots are 2^(-1/2), 2^(-1/4), 2^(-1/8) and so on, in 2^-64.
var roots = [32]uint64{
	0xb504f333f9de6484, 0xd744fccad69d6af4, 0xeac0c6e7dd24392f, 0xf5257d152486cc2c,
	0xfa83b2db722a033a, 0xfd3e0c0cf486c175, 0xfe9e115c7b8f884c, 0xff4ecb59511ec8a5,
	0xffa756521c8daed2, 0xffd3a751c0f7e10c, 0xffe9d2b2f7db2756, 0xfff4e91bff1b8c3e,
	0xfffa747ea0040664, 0xfffd3a3b7814eb54, 0xfffe9d1cc60ddab1, 0xffff4e8e25879bfa,
	0xffffa7470363f451, 0xffffd3a37dda0313, 0xffffe9d1bdf703af, 0xfffff4e8debe025e,
	0xfffffa746f4fa150, 0xfffffd3a37a3f8b0, 0xfffffe9d1bd1065a, 0xffffff4e8de845ae,
	0xffffffa746f41377, 0xffffffd3a37a05e4, 0xffffffe9d1bd01fc, 0xfffffff4e8de80c0,
	0xfffffffa746f4051, 0xfffffffd3a37a025, 0xfffffffe9d1bd011, 0xffffffff4e8de808,
}
