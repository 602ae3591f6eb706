package topology

import "slices"

// qualities returns the ring bandwidth of each set of devices, by mask, in MB/s: what a
// collective over the set can count on, each way. It is
//
//	links x rate                    of the pair, for two devices
//	min(links) x rate               if all are on a switch
//	edge-disjoint rings x rate      over direct NVLinks, if there is a ring
//	the slowest hop of the best ring, in every other case
//
// and 0 for less than two devices. A ring passes through every device once. The rates
// of the matrix must not be 0.
func (m *Matrix) qualities() []int32 {
	n := m.Devices
	out := make([]int32, 1<<n)
	m.slowestHops(out)
	var linked [MaxDevices]Mask
	for a := range n {
		for b := range n {
			if m.Links[a][b].NVLinks > 0 {
				linked[a] |= 1 << b
			}
		}
	}
	rings := hamiltonian(linked[:n])
	for mask := range Mask(len(out) - 1) {
		mask++
		if mask.Len() < 3 || !rings[mask] {
			continue
		}
		links, switched := m.switchedLinks(mask)
		if !switched {
			links = m.edgeDisjointRings(mask)
		}
		out[mask] = int32(links) * m.Rates.NVLink
	}
	return out
}

// slowestHops sets the bandwidth of the slowest hop of each set's best ring.
func (m *Matrix) slowestHops(out []int32) {
	n := m.Devices
	var hops []int32
	for a := range n {
		for b := range a {
			hop := m.bandwidth(a, b)
			out[Mask(1<<a|1<<b)] = hop
			if !slices.Contains(hops, hop) {
				hops = append(hops, hop)
			}
		}
	}
	// A set has a ring of hops that are no slower than one of these, or not: from the
	// fastest on, the first with a ring is the answer.
	slices.Sort(hops)
	for _, slowest := range slices.Backward(hops) {
		var linked [MaxDevices]Mask
		for a := range n {
			for b := range n {
				if a != b && m.bandwidth(a, b) >= slowest {
					linked[a] |= 1 << b
				}
			}
		}
		for mask, ring := range hamiltonian(linked[:n]) {
			if ring && out[mask] == 0 {
				out[mask] = slowest
			}
		}
	}
}

// hamiltonian returns which sets of three devices and more have a ring in a graph, which
// is given by the neighbours of each device.
//
// ends[mask] are the devices at which a path can end that starts at the lowest of the
// mask and passes through all of it: those that are linked with an end of the mask
// without them (Held and Karp).
func hamiltonian(linked []Mask) []bool {
	n := len(linked)
	ends := make([]Mask, 1<<n)
	rings := make([]bool, 1<<n)
	for mask := Mask(1); int(mask) < 1<<n; mask++ {
		first := mask & -mask
		rest := mask &^ first
		if rest == 0 {
			ends[mask] = first
		}
		for others := rest; others != 0; others &= others - 1 {
			last := others & -others
			if ends[mask&^last]&linked[others.lowest()] != 0 {
				ends[mask] |= last
			}
		}
		rings[mask] = mask.Len() > 2 && ends[mask]&linked[mask.lowest()] != 0
		if mask == ^Mask(0) {
			break
		}
	}
	return rings
}

// switchedLinks returns the fewest NVLinks of a device of the set to its switch, and
// whether all are on one.
func (m *Matrix) switchedLinks(mask Mask) (int, bool) {
	least := 0
	for a := range mask.Each() {
		for b := range (mask &^ All(a+1)).Each() {
			link := m.Links[a][b]
			if !link.Switched {
				return 0, false
			}
			if least == 0 || int(link.NVLinks) < least {
				least = int(link.NVLinks)
			}
		}
	}
	return least, true
}

// exactRings is the most devices of which the edge-disjoint rings are counted exactly.
// Direct meshes of more have been built as tori only, which reach the bound.
const exactRings = 8

// ringSteps bounds the search for one set: past it, the rings that were found count.
const ringSteps = 200_000

// edgeDisjointRings returns how many rings there are that share no NVLink, where two
// devices with several have a hop for each. There must be one. For more than exactRings
// devices it is a bound from above: half the links of the device with the fewest.
func (m *Matrix) edgeDisjointRings(mask Mask) int {
	s := ringSearch{steps: ringSteps}
	for d := range mask.Each() {
		s.devices = append(s.devices, d)
	}
	n := len(s.devices)
	bound, uniform := int(^uint(0)>>1), true
	for i, a := range s.devices {
		degree := 0
		for j, b := range s.devices {
			s.links[i][j] = int(m.Links[a][b].NVLinks)
			degree += s.links[i][j]
			uniform = uniform && (i == j || s.links[i][j] == s.links[0][1])
		}
		bound = min(bound, degree/2)
	}
	// A complete graph with as many hops between all pairs reaches the bound (Walecki).
	if uniform || n > exactRings {
		return bound
	}
	for rings := bound; rings > 1; rings-- {
		if s.find(rings, 0) {
			return rings
		}
	}
	return 1
}

// ringSearch looks for rings among the devices 0 to n-1 of a set.
type ringSearch struct {
	devices []int
	links   [MaxDevices][MaxDevices]int
	path    [MaxDevices]int
	steps   int
}

// find reports whether there are so many rings. The rings are found in an order: none
// has a second device lower than from, the second device of the one before it.
func (s *ringSearch) find(rings, from int) bool {
	if rings == 0 {
		return true
	}
	for i := range s.devices {
		degree := 0
		for j := range s.devices {
			degree += s.links[i][j]
		}
		if degree < 2*rings {
			return false
		}
	}
	for second := max(from, 1); second < len(s.devices); second++ {
		if s.links[0][second] > 0 {
			s.path[1] = second
			if s.extend(2, 1|1<<second, rings) {
				return true
			}
		}
	}
	return false
}

// extend goes on with a path of so many devices, and looks for the other rings once it
// is closed.
func (s *ringSearch) extend(length int, on Mask, rings int) bool {
	if s.steps--; s.steps < 0 {
		return false
	}
	n, last := len(s.devices), s.path[length-1]
	if length == n {
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
	for next := 1; next < n; next++ {
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
func (s *ringSearch) remove(ring [MaxDevices]int, by int) {
	n := len(s.devices)
	for i := range n {
		a, b := ring[i], ring[(i+1)%n]
		s.links[a][b] -= by
		s.links[b][a] -= by
	}
}
