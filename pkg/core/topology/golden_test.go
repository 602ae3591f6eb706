package topology

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var rewrite = flag.Bool("rewrite", false, "write testdata/golden.txt anew")

// fixture reads a matrix of testdata.
func fixture(t testing.TB, name string) Table {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name+".txt"))
	if err != nil {
		t.Fatal(err)
	}
	table, err := Parse(string(text))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return table
}

func fixtures(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, file := range files {
		if name := strings.TrimSuffix(filepath.Base(file), ".txt"); name != "golden" {
			names = append(names, name)
		}
	}
	return names
}

// qualityCounts says how many sets of k devices have which quality, in GB/s.
func qualityCounts(c *Class, k int) map[int32]int {
	counts := map[int32]int{}
	for set := range subsets(All(c.Devices()), k) {
		counts[c.Quality(set)/1000]++
	}
	return counts
}

// The figures of a DGX-1V: 25 GB/s a ring of NVLinks, else 10.
func TestHybridCubeMesh(t *testing.T) {
	c := NewClass(fixture(t, "dgx1-v100").Matrix, Scheduler, DefaultSizes())
	want := map[int]map[int32]int{
		2: {50: 8, 25: 8, 10: 12},
		3: {25: 8, 10: 48},
		4: {50: 2, 25: 6, 10: 62},
		5: {25: 24, 10: 32},
		6: {50: 4, 25: 24},
		7: {50: 8},
		8: {75: 1},
	}
	got := map[int]map[int32]int{}
	for k := range want {
		got[k] = qualityCounts(c, k)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("sets of a size by quality (-want +got):\n%s", diff)
	}
	for _, set := range []Mask{0b1111, 0b11110000} {
		if got := c.Quality(set); got != 50_000 {
			t.Errorf("set %08b has %d MB/s, want 50000", set, got)
		}
	}
}

// TestGolden compares what is said of every matrix with testdata/golden.txt.
func TestGolden(t *testing.T) {
	var out strings.Builder
	for _, name := range fixtures(t) {
		table := fixture(t, name)
		best := NewClass(table.Matrix, Scheduler, DefaultSizes())
		stock := NewClass(table.Matrix, DevicePlugin, DefaultSizes())
		n := table.Devices
		fmt.Fprintf(&out, "%s\n", name)
		for k := 1; k <= n; k++ {
			counts := qualityCounts(best, k)
			fmt.Fprintf(&out, "  k=%d GB/s x sets:", k)
			for _, q := range slices.Backward(slices.Sorted(maps.Keys(counts))) {
				fmt.Fprintf(&out, " %dx%d", q, counts[q])
			}
			b, _ := best.Choose(AnyLink, k, All(n))
			s, _ := stock.Choose(AnyLink, k, All(n))
			fmt.Fprintf(&out, "; best %v ratio %d cost %d; device plugin %v ratio %d cost %d\n",
				slices.Collect(b.Set.Each()), b.Ratio, b.Cost, slices.Collect(s.Set.Each()), s.Ratio, s.Cost)
		}
	}
	const file = "testdata/golden.txt"
	if *rewrite {
		if err := os.WriteFile(file, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), out.String()); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

func TestFormatIsRead(t *testing.T) {
	for _, name := range fixtures(t) {
		table := fixture(t, name)
		again, err := Parse(table.Format())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := cmp.Diff(table, again); diff != "" {
			t.Errorf("%s, printed and read (-want +got):\n%s", name, diff)
		}
	}
}
