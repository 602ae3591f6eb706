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
// of the matrix must not be 0. Rings are searched for with so many steps.
func (m *Matrix) qualities(steps int) []int32 {
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
	var direct []Mask
	for mask := range Mask(len(out) - 1) {
		mask++
		if mask.Len() < 3 || !rings[mask] {
			continue
		}
		if links, switched := m.switchedLinks(mask); switched {
			out[mask] = int32(links) * m.Rates.NVLink
		} else {
			direct = append(direct, mask)
		}
	}
	m.disjointRings(direct, out, steps)
	return out
}

// slowestHops sets the bandwidth of the slowest hop of each set's best ring.
//
// widest[mask][last] is the slowest hop of the best path that starts at the lowest device
// of the mask, passes through all of it and ends at last: the best, over the devices that
// may come before last, of the slower of their path and the hop from there (Held and Karp).
// Hops are compared by their places in the order of bandwidths, from 1; 0 is no path.
func (m *Matrix) slowestHops(out []int32) {
	n := m.Devices
	hops := []int32{0}
	for a := range n {
		for b := range a {
			hop := m.bandwidth(a, b)
			out[Mask(1<<a|1<<b)] = hop
			hops = append(hops, hop)
		}
	}
	slices.Sort(hops)
	hops = slices.Compact(hops)
	var places [MaxDevices][MaxDevices]uint8
	for a := range n {
		for b := range a {
			place, _ := slices.BinarySearch(hops, m.bandwidth(a, b))
			places[a][b], places[b][a] = uint8(place), uint8(place)
		}
	}
	widest := make([][MaxDevices]uint8, 1<<n)
	for set := 3; set < 1<<n; set++ {
		mask := Mask(set)
		first := mask.lowest()
		rest := mask &^ (1 << first)
		if rest == 0 {
			continue
		}
		if rest&(rest-1) == 0 {
			last := rest.lowest()
			widest[mask][last] = places[first][last]
			continue
		}
		var ring uint8
		for ends := rest; ends != 0; ends &= ends - 1 {
			last := ends.lowest()
			hop, before := &places[last], &widest[mask&^(1<<last)]
			var best uint8
			for others := rest &^ (1 << last); others != 0; others &= others - 1 {
				d := others.lowest() % MaxDevices
				best = max(best, min(before[d], hop[d]))
			}
			widest[mask][last] = best
			ring = max(ring, min(best, hop[first]))
		}
		out[mask] = hops[ring]
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
