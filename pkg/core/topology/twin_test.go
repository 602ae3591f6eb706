package topology

import (
	"math/rand/v2"
	"testing"
)

// randomMatrix returns a matrix of n devices: a mesh of NVLinks, uneven and with gaps,
// islands, or none; a switch, perhaps with a device off it; NUMA nodes and adapters that
// may not be known.
func randomMatrix(random *rand.Rand, n int) Matrix {
	m := Matrix{Devices: n}
	style, nodes := random.IntN(5), 1+random.IntN(3)
	off := random.IntN(n + 1)
	for d := range n {
		m.NUMA[d] = int16(d * nodes / n)
		if random.IntN(8) == 0 {
			m.NUMA[d] = UnknownNUMA
		}
		m.NIC[d] = Path(random.IntN(int(Bridge) + 1))
	}
	for a := range n {
		for b := range a {
			link := Link{Path: Path(random.IntN(int(Bridge) + 1))}
			switch style {
			case 0: // PCIe only
			case 1:
				link.NVLinks = uint8(random.IntN(3))
			case 2:
				link.NVLinks = uint8(random.IntN(2))
			case 3: // islands
				if a/2 == b/2 {
					link.NVLinks = 12
				}
			case 4:
				if a != off && b != off {
					link.NVLinks, link.Switched = uint8(18-random.IntN(2)), true
				}
			}
			m.Join(a, b, link)
		}
	}
	m.Rates = Rates{NVLink: 25_000, PCIe: 12_000, System: 10_000}
	return m
}

// naiveRings returns all rings of a set of at least three devices, each once, as lists.
func naiveRings(devices []int) [][]int {
	var out [][]int
	var extend func(path, left []int)
	extend = func(path, left []int) {
		if len(left) == 0 {
			if path[1] < path[len(path)-1] {
				out = append(out, append([]int(nil), path...))
			}
			return
		}
		for i := range left {
			rest := append(append([]int(nil), left[:i]...), left[i+1:]...)
			extend(append(path[:len(path):len(path)], left[i]), rest)
		}
	}
	extend(devices[:1], devices[1:])
	return out
}

// naiveDisjoint returns the most rings, of those from an index on, that share no NVLink.
func naiveDisjoint(links *[MaxDevices][MaxDevices]int, rings [][]int) int {
	most := 0
	for i, ring := range rings {
		fits := true
		for j, a := range ring {
			fits = fits && links[a][ring[(j+1)%len(ring)]] > 0
		}
		if !fits {
			continue
		}
		take := func(by int) {
			for j, a := range ring {
				b := ring[(j+1)%len(ring)]
				links[a][b] -= by
				links[b][a] -= by
			}
		}
		take(1)
		most = max(most, 1+naiveDisjoint(links, rings[i:]))
		take(-1)
	}
	return most
}

func naiveQuality(m *Matrix, set Mask) int32 {
	var devices []int
	for d := range set.Each() {
		devices = append(devices, d)
	}
	if len(devices) < 2 {
		return 0
	}
	if len(devices) == 2 {
		return m.bandwidth(devices[0], devices[1])
	}
	links := [MaxDevices][MaxDevices]int{}
	least, switched := 255, true
	for _, a := range devices {
		for _, b := range devices {
			if a != b {
				links[a][b] = int(m.Links[a][b].NVLinks)
				least, switched = min(least, links[a][b]), switched && m.Links[a][b].Switched
			}
		}
	}
	if switched {
		return int32(least) * m.Rates.NVLink
	}
	rings := naiveRings(devices)
	if n := naiveDisjoint(&links, rings); n > 0 {
		return int32(n) * m.Rates.NVLink
	}
	best := int32(0)
	for _, ring := range rings {
		slowest := int32(1 << 30)
		for i, a := range ring {
			slowest = min(slowest, m.bandwidth(a, ring[(i+1)%len(ring)]))
		}
		best = max(best, slowest)
	}
	return best
}

// naiveSubsets returns the sets of k devices of those that are free, device by device.
func naiveSubsets(free Mask, k int) []Mask {
	var out []Mask
	for set := Mask(0); ; set++ {
		if set&free == set && set.Len() == k {
			out = append(out, set)
		}
		if set == free {
			break
		}
	}
	return out
}

func naiveLeft(c *Class, quality map[Mask]int32, free Mask) int {
	total := 0
	for k := 1; k <= c.Devices(); k++ {
		best := -1
		for _, set := range naiveSubsets(free, k) {
			best = max(best, int(quality[set]))
		}
		ideal := 0
		for _, set := range naiveSubsets(All(c.Devices()), k) {
			ideal = max(ideal, int(quality[set]))
		}
		switch {
		case best < 0:
		case k == 1:
			total += int(c.sizes[k]) * Unit
		default:
			total += int(c.sizes[k]) * (best * Unit / ideal)
		}
	}
	return total
}

// TestAgainstNaive compares qualities, and the best sets, with what a search through
// everything finds.
func TestAgainstNaive(t *testing.T) {
	for seed := range uint64(60) {
		random := rand.New(rand.NewPCG(seed, 1))
		m := randomMatrix(random, 2+random.IntN(5))
		c := NewClass(m, Scheduler, Sizes{1: 1, 2: 3, 3: 1, 4: 2, 6: 1})
		quality := map[Mask]int32{}
		for set := range All(m.Devices) + 1 {
			quality[set] = naiveQuality(&m, set)
			if got := c.Quality(set); got != quality[set] {
				t.Fatalf("seed %d, set %b: quality %d, want %d\n%s", seed, set, got, quality[set], Table{Matrix: m, Numbers: []int{0, 1, 2, 3, 4, 5, 6, 7}[:m.Devices]}.Format())
			}
		}
		for range 30 {
			free, k, level := Mask(random.IntN(int(All(m.Devices))+1)), 1+random.IntN(m.Devices), Level(random.IntN(int(levels)))
			if got, want := int(c.Left(free)), naiveLeft(c, quality, free); got != want {
				t.Fatalf("seed %d, free %b: left %d, want %d", seed, free, got, want)
			}
			var want Mask
			for _, set := range naiveSubsets(free, k) {
				if naiveLevel(&m, set) >= level && (want == 0 || naiveBetter(&m, c, quality, set, want, free)) {
					want = set
				}
			}
			got, ok := c.Choose(level, k, free)
			if got.Set != want || ok != (want != 0) {
				t.Fatalf("seed %d, %d of %b with %v: set %b, want %b", seed, k, free, level, got.Set, want)
			}
		}
	}
}

func naiveLevel(m *Matrix, set Mask) Level {
	least := NVLink
	for a := range set.Each() {
		for b := range set.Each() {
			if a != b {
				least = min(least, m.Links[a][b].level())
			}
		}
	}
	return least
}

func naiveBetter(m *Matrix, c *Class, quality map[Mask]int32, set, other, free Mask) bool {
	numas := func(s Mask) (int, int) {
		nodes, nics := map[int16]bool{}, 0
		for d := range s.Each() {
			nodes[m.NUMA[d]] = true
			nics += int(m.NIC[d])
		}
		return len(nodes), nics
	}
	n1, c1 := numas(set)
	n2, c2 := numas(other)
	l1, l2 := naiveLeft(c, quality, free&^set), naiveLeft(c, quality, free&^other)
	switch {
	case quality[set] != quality[other]:
		return quality[set] > quality[other]
	case l1 != l2:
		return l1 > l2
	case n1 != n2:
		return n1 < n2
	case c1 != c2:
		return c1 > c2
	}
	for d := range m.Devices {
		if set.Has(d) != other.Has(d) {
			return set.Has(d)
		}
	}
	return false
}

// TestNumberingDoesNotMatter permutes the devices of machines: what can be had stays
// the same, by either picker.
func TestNumberingDoesNotMatter(t *testing.T) {
	for seed := range uint64(40) {
		random := rand.New(rand.NewPCG(seed, 2))
		n := 1 + random.IntN(8)
		if seed%8 == 0 {
			n = 9 + random.IntN(4)
		}
		m := randomMatrix(random, n)
		if seed%3 == 0 {
			m = fixture(t, fixtures(t)[int(seed/3)%len(fixtures(t))]).Matrix
		}
		to := random.Perm(m.Devices)
		permuted := Matrix{Devices: m.Devices, Rates: m.Rates}
		move := func(set Mask) (out Mask) {
			for d := range set.Each() {
				out |= 1 << to[d]
			}
			return out
		}
		for a := range m.Devices {
			permuted.NUMA[to[a]], permuted.NIC[to[a]] = m.NUMA[a], m.NIC[a]
			for b := range a {
				permuted.Join(to[a], to[b], m.Links[a][b])
			}
		}
		for _, picker := range []Picker{DevicePlugin, Scheduler} {
			c, p := NewClass(m, picker, DefaultSizes()), NewClass(permuted, picker, DefaultSizes())
			for range 50 {
				free, k, level := Mask(random.IntN(int(All(m.Devices))+1)), 1+random.IntN(m.Devices), Level(random.IntN(int(levels)))
				if c.Quality(free) != p.Quality(move(free)) || c.Left(free) != p.Left(move(free)) {
					t.Fatalf("seed %d: set %b has quality %d and left %d, and permuted %d and %d", seed, free, c.Quality(free), c.Left(free), p.Quality(move(free)), p.Left(move(free)))
				}
				a, okA := c.Choose(level, k, free)
				b, okB := p.Choose(level, k, move(free))
				if okA != okB || a.Quality != b.Quality || a.Ratio != b.Ratio || a.Cost != b.Cost {
					t.Fatalf("seed %d, picker %d, %d of %b with %v: %+v, and permuted %+v", seed, picker, k, free, level, a, b)
				}
				if okA && (a.Set&^free != 0 || a.Set.Len() != k || picker == Scheduler && c.Level(a.Set) < level) {
					t.Fatalf("seed %d, %d of %b with %v: %+v is no such set", seed, k, free, level, a)
				}
			}
		}
	}
}

// TestKinds checks that sets of one kind are worth the same to every pod.
func TestKinds(t *testing.T) {
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 3))
		m := randomMatrix(random, 1+random.IntN(6))
		c := NewClass(m, Picker(random.IntN(2)), DefaultSizes())
		for free := range All(m.Devices) + 1 {
			like := c.Example(c.KindOf(free))
			if c.KindOf(like) != c.KindOf(free) {
				t.Fatalf("seed %d: %b and its example %b are of two kinds", seed, free, like)
			}
			for k := range m.Devices + 1 {
				for level := range levels {
					a, okA := c.Choose(level, k, free)
					b, okB := c.Choose(level, k, like)
					if okA != okB || a.Ratio != b.Ratio || a.Cost != b.Cost {
						t.Fatalf("seed %d: %d of %b: %+v, and of %b of the same kind: %+v", seed, k, free, a, like, b)
					}
				}
			}
		}
	}
}

// naiveStock returns the sets that the device plugin's policy can pick: it tries all
// orders in which the ways to divide the free devices may come, that is, all ways.
func naiveStock(m *Matrix, k int, free Mask) map[Mask]bool {
	score := func(set Mask) (sum int32) {
		for a := range set.Each() {
			for b := range (set &^ All(a+1)).Each() {
				sum += pairScore(m.Links[a][b])
			}
		}
		return sum
	}
	picked, highest := map[Mask]bool{}, int32(-1)
	// A way is found once for every order of its sets: that does not matter.
	var divide func(left Mask, sets []Mask, rest Mask)
	divide = func(left Mask, sets []Mask, rest Mask) {
		if left != 0 {
			for _, set := range naiveSubsets(left, k) {
				divide(left&^set, append(sets[:len(sets):len(sets)], set), rest)
			}
			return
		}
		sum, best := score(rest), int32(-1)
		for _, set := range sets {
			sum, best = sum+score(set), max(best, score(set))
		}
		if sum > highest {
			highest = sum
			clear(picked)
		}
		if sum == highest {
			for _, set := range sets {
				if score(set) == best {
					picked[set] = true
				}
			}
		}
	}
	if k == 1 {
		for d := range free.Each() {
			picked[1<<d] = true
		}
		return picked
	}
	for _, rest := range naiveSubsets(free, free.Len()%k) {
		divide(free&^rest, nil, rest)
	}
	return picked
}

func TestDevicePluginAgainstNaive(t *testing.T) {
	for seed := range uint64(40) {
		random := rand.New(rand.NewPCG(seed, 4))
		m := randomMatrix(random, 1+random.IntN(6))
		c := NewClass(m, DevicePlugin, DefaultSizes())
		for range 20 {
			free, k := Mask(random.IntN(int(All(m.Devices))+1)), 1+random.IntN(m.Devices)
			if free.Len() < k {
				continue
			}
			got := map[Mask]bool{}
			for _, set := range c.stockSets(k, free) {
				got[set] = true
			}
			want := naiveStock(&m, k, free)
			if len(got) != len(want) {
				t.Fatalf("seed %d, %d of %b: %v, want %v", seed, k, free, got, want)
			}
			for set := range want {
				if !got[set] {
					t.Fatalf("seed %d, %d of %b: %v, want %v", seed, k, free, got, want)
				}
			}
		}
	}
}
