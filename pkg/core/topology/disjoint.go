package topology

// exactRings is the most devices of which the edge-disjoint rings are counted exactly.
// Direct meshes of more have been built as tori only, which reach the bound.
const exactRings = 8

// disjointRings sets the bandwidth of sets that have a ring of direct NVLinks: by how many
// there are that share none, where two devices with several have a hop for each. For more
// than exactRings devices it is a bound from above: half the hops of the device with the
// fewest. So it is where so many steps do not do for a search.
func (m *Matrix) disjointRings(sets []Mask, out []int32, steps int) {
	var open []openSet
	var within []int32
	for _, set := range sets {
		var g multigraph
		g.take(m, set)
		degree, uniform := g.leastDegree()
		rings := degree / 2
		switch {
		case uniform, g.n > exactRings:
			// A complete graph with as many hops between all pairs has so many (Walecki).
		case g.n == 3:
			rings = g.triangles()
		case g.n == 4:
			rings = g.squares()
		default:
			if within == nil {
				within = m.hopsWithin()
			}
			if rings = bound(within, set); rings > 1 {
				open = append(open, openSet{set, rings})
			}
		}
		out[set] = int32(rings) * m.Rates.NVLink
	}
	m.search(open, steps)
	for _, set := range open {
		out[set.mask] = int32(set.rings) * m.Rates.NVLink
	}
}

// hopsWithin returns the NVLinks within each set.
func (m *Matrix) hopsWithin() []int32 {
	var g multigraph
	g.take(m, All(m.Devices))
	within := make([]int32, 1<<m.Devices)
	for set := 1; set < len(within); set++ {
		within[set] = g.within(Mask(set), within[set&(set-1)])
	}
	return within
}

// multigraph is the devices of a set, from 0 to n-1, and how many hops each pair has.
type multigraph struct {
	n     int
	links [MaxDevices][MaxDevices]int32
}

// take takes in a set of a matrix.
func (g *multigraph) take(m *Matrix, mask Mask) {
	var devices [MaxDevices]int
	g.n = 0
	for d := range mask.Each() {
		devices[g.n] = d
		g.n++
	}
	for i := range g.n {
		row := &m.Links[devices[i]]
		for j := range g.n {
			g.links[i][j] = int32(row[devices[j]].NVLinks)
		}
	}
}

// leastDegree returns the hops of the device with the fewest, and whether all pairs have
// as many. Every ring takes two of them.
func (g *multigraph) leastDegree() (least int, uniform bool) {
	least, uniform = int(^uint(0)>>1), true
	for i := range g.n {
		degree := 0
		for j, links := range g.links[i][:g.n] {
			degree += int(links)
			uniform = uniform && (i == j || links == g.links[0][1])
		}
		least = min(least, degree)
	}
	return least, uniform
}

// triangles counts the rings of three devices: all are one.
func (g *multigraph) triangles() int {
	return int(min(g.links[0][1], g.links[0][2], g.links[1][2]))
}

// squares counts the rings of four devices. The six pairs are three pairs of opposite
// ones, and a ring is two of the three: so many rings as there are ways to take one each
// of two of three piles, until there are none.
func (g *multigraph) squares() int {
	a := min(g.links[0][1], g.links[2][3])
	b := min(g.links[0][2], g.links[1][3])
	c := min(g.links[0][3], g.links[1][2])
	return int(min((a+b+c)/2, a+b, a+c, b+c))
}

// within returns the hops within a set, given those without its lowest device.
func (g *multigraph) within(set Mask, rest int32) int32 {
	row := &g.links[set.lowest()]
	for others := set & (set - 1); others != 0; others &= others - 1 {
		rest += row[others.lowest()]
	}
	return rest
}

// bound returns a number that the rings of a set do not exceed, given the hops within each
// of its parts. Of each part a ring takes, where t devices of n are not in it,
//
//	at least two       of the hops between the part and the others, if there are some
//	at least n - 2t    of the hops within, as each device that is not in it takes two
func bound(within []int32, set Mask) int {
	n, total := set.Len(), within[set]
	least := total / int32(n)
	// One of each part and its rest has not the lowest device.
	others := set & (set - 1)
	for part := others; part != 0; part = (part - 1) & others {
		rest := set &^ part
		least = min(least, (total-within[part]-within[rest])/2)
		takes, larger := int32(2*part.Len()-n), part
		if takes < 0 {
			takes, larger = -takes, rest
		}
		if takes > 0 {
			least = min(least, within[larger]/takes)
		}
	}
	return int(least)
}
