package topology

import "iter"

// Choose returns the set that a pod of k devices gets of those that are free, if every
// pair of it must have a level; false if there is none. Of the sets that do, the first
// in this order is the best:
//
//  1. the highest quality;
//  2. the most that is left for pods to come;
//  3. the fewest NUMA nodes, then the nearest network adapters;
//  4. the lowest device, then the second lowest, and so on.
func (c *Class) Choose(level Level, k int, free Mask) (Choice, bool) {
	if k < 1 || k > c.matrix.Devices || int(free) >= len(c.quality) || free.Len() < k {
		return Choice{}, false
	}
	row := c.choices[free]
	if row == nil {
		row = make([]Choice, free.Len()*int(levels))
		c.choices[free] = row
	}
	choice := &row[(k-1)*int(levels)+int(level)]
	if choice.known == notKnown {
		if c.picker == DevicePlugin {
			*choice = c.predict(level, k, free)
		} else {
			*choice = c.best(level, k, free)
		}
	}
	return *choice, choice.known == hasSet
}

// best finds the best set by looking at all.
func (c *Class) best(level Level, k int, free Mask) Choice {
	var found Mask
	for set := range subsets(free, k) {
		if c.level[set] >= level && (found == 0 || c.better(set, found, free)) {
			found = set
		}
	}
	if found == 0 {
		return Choice{known: noSet}
	}
	return c.choice(found, free)
}

// better reports whether a set comes before another.
func (c *Class) better(set, other, free Mask) bool {
	switch {
	case c.quality[set] != c.quality[other]:
		return c.quality[set] > c.quality[other]
	case c.left[free&^set] != c.left[free&^other]:
		return c.left[free&^set] > c.left[free&^other]
	case c.numas[set] != c.numas[other]:
		return c.numas[set] < c.numas[other]
	case c.nics[set] != c.nics[other]:
		return c.nics[set] > c.nics[other]
	}
	return set.before(other)
}

// before reports whether a set comes before another of its size, device by device.
func (m Mask) before(other Mask) bool {
	differ := m ^ other
	return m&differ&-differ != 0
}

// choice says what a set is worth that is taken of the free devices.
func (c *Class) choice(set, free Mask) Choice {
	return Choice{
		Set: set, Quality: c.quality[set], Ratio: uint16(c.ratio(set.Len(), c.quality[set])),
		Cost: uint16(int64(c.left[free]-c.left[free&^set]) * Unit / int64(c.worth)), known: hasSet,
	}
}

// subsets yields the sets of k devices of those in all, lowest first.
func subsets(all Mask, k int) iter.Seq[Mask] {
	return func(yield func(Mask) bool) {
		n := all.Len()
		if k < 1 || k > n {
			return
		}
		var devices [MaxDevices]Mask
		i := 0
		for d := range all.Each() {
			devices[i] = 1 << d
			i++
		}
		// The sets of k of n places in ascending order, each as a mask of places.
		for places := uint32(1<<k - 1); places < 1<<n; {
			var set Mask
			for p := places; p != 0; p &= p - 1 {
				set |= devices[Mask(p).lowest()]
			}
			if !yield(set) {
				return
			}
			// The next number with as many bits: the lowest run of ones gives one to
			// the place above it, and the rest goes to the bottom.
			low := places & -places
			up := places + low
			places = up | (places^up)/low>>2
		}
	}
}
