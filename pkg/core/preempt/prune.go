package preempt

import "slices"

// prune spares victims, the most damaging first, as long as the domain holds the gang and the
// permit lets it come: then each that is left is needed. Of an elastic gang it spares members where it can.
func (d *draft) prune(holds func() bool) {
	ask := func() bool { return holds() && d.enough() }
	order := slices.Clone(d.went)
	slices.SortFunc(order, func(a, b int) int { return b - a })
	for _, h := range order {
		before := d.posture(h)
		if d.set(h, stays, nil); !ask() {
			d.restore(before)
			d.shrink(h, ask)
		}
	}
	d.went = slices.DeleteFunc(d.went, func(h int) bool { return d.standing[h] == stays })
}

// shrink lets only members of an elastic gang go that are needed, if it can spare them; those
// with the most device-seconds stay first.
func (d *draft) shrink(h int, ask func() bool) {
	one := &d.holdings[h]
	if one.candidate.spare == 0 {
		return
	}
	before := d.posture(h)
	kept := slices.DeleteFunc(slices.Clone(before.out), func(p int32) bool { return !one.candidate.alone[d.parts[p].member] })
	if len(kept) == 0 {
		return
	}
	if d.set(h, goesInPart, kept); !ask() {
		d.restore(before)
		return
	}
	for i := len(kept) - 1; i >= 0 && len(kept) > 1; i-- {
		fewer := slices.Delete(slices.Clone(kept), i, i+1)
		d.set(h, goesInPart, fewer)
		if ask() {
			kept = fewer
		}
	}
	if d.set(h, goesInPart, kept); len(kept) > one.candidate.spare {
		d.restore(before)
	}
}

// widen lets more go until the planner finds places, the cheapest for what they have first;
// false if it never does. Each time it asks, twice as many more have gone.
func (d *draft) widen() bool {
	order := d.byCost()
	for more := 1; !d.works(d.picks()); more *= 2 {
		added := 0
		for _, h := range order {
			if added == more {
				break
			}
			before := d.gone[h]
			for _, p := range d.holdings[h].parts {
				if _, may := d.price(p); !d.out[p] && may && !d.put(p) {
					break
				}
			}
			if d.gone[h] > before {
				added++
			}
		}
		if added == 0 {
			return false
		}
	}
	return true
}

// byCost returns the holdings in the order of what they cost for what they have.
func (d *domain) byCost() []int {
	order := make([]int, len(d.holdings))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(x, y int) int {
		a, b := &d.holdings[x], &d.holdings[y]
		return cheaper(a.cost(), max(a.gain, 1), b.cost(), max(b.gain, 1))
	})
	return order
}
