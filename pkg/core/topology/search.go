package topology

import (
	"cmp"
	"slices"
)

// searchSteps bounds the search for the rings of all sets of a class together: it takes
// some 20 ms. Machines as they are built take a tenth of it at most, a DGX-1V a thousandth.
const searchSteps = 2_000_000

// leastShare is the fewest steps that a set is searched with.
const leastShare = 256

// boundSteps is what a bound counts for in steps, roughly by its time.
const boundSteps = 50

// openSet is a set with a bound of its rings from above.
type openSet struct {
	mask  Mask
	rings int
}

// search replaces the bounds of sets by how many rings there are, as far as the steps go.
//
// All sets are searched with a few steps each, then those that are still open with four
// times as many, and so on, until the steps that are left are shared out equally. As long
// as a share is not worth a search, the largest sets are left open. A set that is open in
// the end counts with the least bound that was found for it. Of such sets, and no others,
// the count may depend on the numbers of the devices.
func (m *Matrix) search(sets []openSet, steps int) {
	open := make([]*openSet, 0, len(sets))
	for size := range exactRings + 1 {
		for i := range sets {
			if sets[i].mask.Len() == size {
				open = append(open, &sets[i])
			}
		}
	}
	left, share := steps, 0
	for len(open) > 0 {
		next := min(max(leastShare, 4*share), left/len(open))
		if next <= share || next < leastShare {
			largest := open[len(open)-1].mask.Len()
			open = slices.DeleteFunc(open, func(set *openSet) bool { return set.mask.Len() == largest })
			continue
		}
		share = next
		still := open[:0]
		for _, set := range open {
			s := ringSearch{steps: share}
			s.take(m, set.mask)
			s.sort()
			if !s.count(set) {
				still = append(still, set)
			}
			left -= share - max(s.steps, 0)
		}
		open = still
	}
}

// ringSearch looks for rings among the devices of a set.
type ringSearch struct {
	multigraph
	path  [MaxDevices]int
	steps int
}

// sort numbers the devices anew, those with the fewest hops first, then by how many they
// have to each other: so sets that are the same are mostly searched in the same way.
func (s *ringSearch) sort() {
	type device struct {
		at     int
		degree int32
		row    [MaxDevices]int32
	}
	var devices [MaxDevices]device
	for i := range s.n {
		d := &devices[i]
		d.at, d.row = i, s.links[i]
		slices.Sort(d.row[:s.n])
		for _, links := range d.row[:s.n] {
			d.degree += links
		}
	}
	slices.SortStableFunc(devices[:s.n], func(a, b device) int {
		return cmp.Or(cmp.Compare(a.degree, b.degree), slices.Compare(a.row[:s.n], b.row[:s.n]))
	})
	links := s.links
	for i := range s.n {
		for j := range s.n {
			s.links[i][j] = links[devices[i].at][devices[j].at]
		}
	}
}

// count lowers the bound of a set to how many rings it has; false if the steps are used
// up before that is known.
func (s *ringSearch) count(set *openSet) bool {
	for ; set.rings > 1; set.rings-- {
		if s.find(set.rings, 0) {
			return true
		}
		if s.steps < 0 {
			return false
		}
	}
	return true
}

// find reports whether there are so many rings. The rings are found in an order: none
// has a second device lower than from, the second device of the one before it.
func (s *ringSearch) find(rings, from int) bool {
	if rings == 0 {
		return true
	}
	if s.steps -= boundSteps; s.steps < 0 || s.bound() < rings {
		return false
	}
	for second := max(from, 1); second < s.n; second++ {
		if s.links[0][second] > 0 {
			s.path[1] = second
			if s.extend(2, 1|1<<second, rings) {
				return true
			}
		}
	}
	return false
}

// bound returns a number that the rings among what is left do not exceed.
func (s *ringSearch) bound() int {
	var within [1 << exactRings]int32
	all := All(s.n)
	for set := Mask(1); set <= all; set++ {
		within[set] = s.within(set, within[set&(set-1)])
	}
	return bound(within[:], all)
}

// extend goes on with a path of so many devices, and looks for the other rings once it
// is closed.
func (s *ringSearch) extend(length int, on Mask, rings int) bool {
	if s.steps--; s.steps < 0 {
		return false
	}
	last := s.path[length-1]
	if length == s.n {
		// Each ring is found once: its last device is above its second.
		if last < s.path[1] || s.links[last][0] == 0 {
			return false
		}
		ring := s.path
		s.remove(ring, 1)
		found := s.find(rings-1, ring[1])
		s.remove(ring, -1)
		s.path = ring
		return found
	}
	for next := 1; next < s.n; next++ {
		if !on.Has(next) && s.links[last][next] > 0 {
			s.path[length] = next
			if s.extend(length+1, on|1<<next, rings) {
				return true
			}
		}
	}
	return false
}

// remove takes the hops of a ring away, or gives them back.
func (s *ringSearch) remove(ring [MaxDevices]int, by int32) {
	for i := range s.n {
		a, b := ring[i], ring[(i+1)%s.n]
		s.links[a][b] -= by
		s.links[b][a] -= by
	}
}
