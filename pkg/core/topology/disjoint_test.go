package topology

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// meshOf returns a matrix with so many NVLinks between each pair.
func meshOf(n int, links func(a, b int) int) Matrix {
	m := Matrix{Devices: n, Rates: defaultRates}
	for a := range n {
		for b := range a {
			m.Join(a, b, Link{Path: Node, NVLinks: uint8(links(b, a))})
		}
	}
	return m
}

// unevenMesh has from least to most NVLinks between each pair, at random.
func unevenMesh(seed uint64, n, least, most int) Matrix {
	random := rand.New(rand.NewPCG(seed, 5))
	return meshOf(n, func(int, int) int { return least + random.IntN(most-least+1) })
}

// builtMeshes are the machines with direct NVLinks that are built, and the meshes among
// them with a link that failed.
func builtMeshes(t testing.TB) map[string]Matrix {
	out := map[string]Matrix{"torus of 16": meshOf16()}
	for _, name := range fixtures(t) {
		out[name] = fixture(t, name).Matrix
	}
	// Two squares with diagonals, and a link from corner to corner.
	out["DGX-1 with P100"] = meshOf(8, func(a, b int) int {
		if a/4 == b/4 || b == a+4 {
			return 1
		}
		return 0
	})
	// Four packages of two dies with four links, and a ring of dies with two and one.
	mi250x := map[[2]int]int{
		{0, 1}: 4, {2, 3}: 4, {4, 5}: 4, {6, 7}: 4, {0, 2}: 1, {1, 3}: 1, {4, 6}: 1, {5, 7}: 1,
		{0, 6}: 2, {2, 4}: 2, {1, 7}: 1, {3, 5}: 1, {1, 5}: 1, {3, 7}: 1,
	}
	out["MI250X"] = meshOf(8, func(a, b int) int { return mi250x[[2]int{a, b}] })
	for _, n := range []int{3, 4, 6, 8} {
		for _, links := range []int{1, 2, 4, 6} {
			out[fmt.Sprintf("mesh of %d with %d links", n, links)] = meshOf(n, func(int, int) int { return links })
			out[fmt.Sprintf("mesh of %d with %d links and one that failed", n, links)] = meshOf(n, func(a, b int) int {
				if a == 0 && b == 1 {
					return links - 1
				}
				return links
			})
		}
	}
	return out
}

// TestBuiltMachinesAreExact checks that the steps are enough for them by far: with a
// quarter of them the qualities are the same as with a hundred times as many.
func TestBuiltMachinesAreExact(t *testing.T) {
	meshes := builtMeshes(t)
	for seed := range uint64(20) {
		meshes[fmt.Sprintf("uneven mesh %d", seed)] = unevenMesh(seed, 8, int(seed%2), 3)
	}
	for name, m := range meshes {
		m.Rates = m.Rates.Or(defaultRates)
		if diff := cmp.Diff(m.qualities(100*searchSteps), m.qualities(searchSteps/4)); diff != "" {
			t.Errorf("%s: qualities with the most steps and with a few (-want +got):\n%s", name, diff)
		}
	}
}

// TestAnyMatrixTakesAMoment has a limit with a lot of room, for busy machines and the race
// detector: each takes below 100 ms on a machine with nothing else to do, and took minutes when
// each set had a limit of its own.
func TestAnyMatrixTakesAMoment(t *testing.T) {
	const limit = 20 * time.Second
	next := 0
	matrices := map[string]Matrix{
		"all links differ": meshOf(16, func(int, int) int { next++; return next }),
	}
	for _, n := range []int{8, 12, 16} {
		for _, most := range []int{2, 36, 255} {
			matrices[fmt.Sprintf("%d devices with up to %d links", n, most)] = unevenMesh(1, n, 0, most)
			matrices[fmt.Sprintf("%d devices with 1 to %d links", n, most)] = unevenMesh(2, n, 1, most)
		}
	}
	for name, m := range matrices {
		start := time.Now()
		c := NewClass(m, Scheduler, DefaultSizes())
		if took := time.Since(start); took > limit {
			t.Errorf("%s: %v, want less than %v", name, took, limit)
		}
		if !slices.Equal(c.quality, m.qualities(searchSteps)) {
			t.Errorf("%s: the qualities are others the second time", name)
		}
	}
}

// TestOpenSetsCountWithABound gives the search no steps: no count is below the exact one,
// and none is above half the NVLinks of a device.
func TestOpenSetsCountWithABound(t *testing.T) {
	for seed := range uint64(10) {
		m := unevenMesh(seed, 7, 0, 3)
		exact, bound := m.qualities(searchSteps), m.qualities(0)
		for set := range All(m.Devices) + 1 {
			most := int32(1 << 30)
			for a := range set.Each() {
				degree := int32(0)
				for b := range set.Each() {
					degree += int32(m.Links[a][b].NVLinks)
				}
				most = min(most, max(degree/2*m.Rates.NVLink, m.Rates.PCIe))
			}
			if set.Len() > 2 && (bound[set] < exact[set] || bound[set] > most) {
				t.Errorf("seed %d, set %b: %d MB/s without a search, want from %d to %d", seed, set, bound[set], exact[set], most)
			}
		}
	}
}

// TestDisjointRingsAgainstNaive has more NVLinks a pair than TestAgainstNaive.
func TestDisjointRingsAgainstNaive(t *testing.T) {
	for seed := range uint64(60) {
		n := 3 + int(seed%3)
		m := unevenMesh(seed, n, 0, 9-n)
		got := m.qualities(searchSteps)
		for set := range All(n) + 1 {
			if want := naiveQuality(&m, set); got[set] != want {
				t.Errorf("seed %d, set %b: quality %d, want %d", seed, set, got[set], want)
			}
		}
	}
}

// TestRatesOfAnySize has rates at which a quality would not fit into 32 bits.
func TestRatesOfAnySize(t *testing.T) {
	m := meshOf(16, func(int, int) int { return 255 })
	m.Rates = Rates{NVLink: 1<<31 - 1, PCIe: 1<<31 - 1, System: 1<<31 - 1}
	c := NewClass(m, Scheduler, DefaultSizes())
	for set := range All(16) {
		if set.Len() > 1 && c.Quality(set) < MaxRate {
			t.Fatalf("set %b has %d MB/s, want %d at least", set, c.Quality(set), MaxRate)
		}
	}
	if got, want := c.Quality(All(16)), int32(255*15/2*MaxRate); got != want {
		t.Errorf("all have %d MB/s, want %d", got, want)
	}
}
