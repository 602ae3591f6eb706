package report

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLinearTicks(t *testing.T) {
	tests := []struct {
		greatest float64
		want     []float64
		decimals int
	}{
		{0, []float64{0, 1}, 0},
		{7, []float64{0, 2, 4, 6, 8}, 0},
		{1000, []float64{0, 200, 400, 600, 800, 1000}, 0},
		{1001, []float64{0, 500, 1000, 1500}, 0},
		{0.5, []float64{0, 0.1, 0.2, 0.3, 0.4, 0.5}, 1},
	}
	for _, test := range tests {
		got, decimals := linearTicks(test.greatest)
		if diff := cmp.Diff(test.want, got, nearly); diff != "" || decimals != test.decimals {
			t.Errorf("%v: %d decimals, want %d (-want +got):\n%s", test.greatest, decimals, test.decimals, diff)
		}
	}
}

func TestLogTicks(t *testing.T) {
	tests := []struct {
		least, greatest float64
		want            []float64
	}{
		{3, 40, []float64{2, 5, 10, 20, 50}},
		{1, 10, []float64{1, 2, 5, 10}},
		{1000, 1000, []float64{1000, 2000}},
		{0.3, 0.3, []float64{0.2, 0.5}},
		{3, 300_000, []float64{1, 10, 100, 1000, 10_000, 100_000, 1_000_000}},
	}
	for _, test := range tests {
		if diff := cmp.Diff(test.want, logTicks(test.least, test.greatest), nearly); diff != "" {
			t.Errorf("%v to %v (-want +got):\n%s", test.least, test.greatest, diff)
		}
	}
}

var nearly = cmp.Comparer(func(a, b float64) bool { return math.Abs(a-b) <= 1e-9*max(math.Abs(a), math.Abs(b)) })

func TestApart(t *testing.T) {
	tests := []struct {
		name string
		at   []float64
		want []float64
	}{
		{"none", nil, nil},
		{"far enough", []float64{50, 20}, []float64{50, 20}},
		{"too near", []float64{50, 49}, []float64{59, 49}},
		{"alike, in order", []float64{50, 50}, []float64{50, 60}},
		{"pushed back from the edge", []float64{95, 99, 100}, []float64{80, 90, 100}},
		{"outside", []float64{-5, 120}, []float64{0, 100}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, apart(test.at, 10, 0, 100)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestNumber(t *testing.T) {
	tests := []struct {
		x        float64
		decimals int
		want     string
	}{
		{0, 0, "0"},
		{999.4, 0, "999"},
		{999.5, 0, "1,000"},
		{1234567.891, 2, "1,234,567.89"},
		{-1234.5, 1, "-1,234.5"},
		{-0.001, 2, "0.00"},
		{math.Inf(1), 0, "-"},
		{math.NaN(), 2, "-"},
	}
	for _, test := range tests {
		if got := number(test.x, test.decimals); got != test.want {
			t.Errorf("%v with %d decimals is %q, want %q", test.x, test.decimals, got, test.want)
		}
	}
	for _, test := range []struct {
		x    *float64
		want string
	}{{nil, "-"}, {new(3.0), "+3"}, {new(-3.0), "-3"}, {new(0.0), "+0"}, {new(math.NaN()), "-"}} {
		if got := signed(test.x, 0); got != test.want {
			t.Errorf("signed is %q, want %q", got, test.want)
		}
	}
}

func TestPlotBars(t *testing.T) {
	got := plotBars("t", []PerfRow{
		{Scheduler: "upstream-pack", PodsPerSecond: 100, RatioToUpstreamPack: new(1.0), Runs: 3},
		{Scheduler: "berth", PodsPerSecond: 400, RatioToUpstreamPack: new(4.0), Runs: 3, Spread: 0.5},
		{Scheduler: "stuck", Runs: 1, Spread: 0},
	}, map[string]int{"upstream-pack": 1, "stuck": 5})
	// From 118 to 448, for 0 to 500.
	want := []bar{
		{Scheduler: "upstream-pack", Slot: 1, Top: 14, Middle: 23, Thickness: 18, Length: 66, Low: 184, High: 184, LabelAt: 192, Label: "100 (1.00×)", Tip: "upstream-pack: 100 pods a second, spread 0 % over 3 runs"},
		{Scheduler: "berth", Slot: 0, Top: 48, Middle: 57, Thickness: 18, Length: 264, Low: 316, High: 448, LabelAt: 456, Label: "400 (4.00×)", Tip: "berth: 400 pods a second, spread 50 % over 3 runs"},
		{Scheduler: "stuck", Slot: 5, Top: 82, Middle: 91, Thickness: 18, Low: 118, High: 118, LabelAt: 126, Label: "0", Tip: "stuck: 0 pods a second, spread 0 % over 1 runs"},
	}
	if diff := cmp.Diff(want, got.Bars); diff != "" {
		t.Errorf("bars (-want +got):\n%s", diff)
	}
	ticks := []tick{{118, "0"}, {184, "100"}, {250, "200"}, {316, "300"}, {382, "400"}, {448, "500"}}
	if diff := cmp.Diff(ticks, got.Ticks); diff != "" {
		t.Errorf("ticks (-want +got):\n%s", diff)
	}
}

func TestPlotLines(t *testing.T) {
	slots := map[string]int{"berth": 0, "upstream-pack": 1}
	got := plotLines([]CycleRow{
		{Scheduler: "berth", Nodes: 10_000, Fill: "empty", NsPerPod: 20_000},
		{Scheduler: "berth", Nodes: 100, Fill: "empty", NsPerPod: 10_000},
		{Scheduler: "upstream-pack", Nodes: 100, Fill: "empty", NsPerPod: 1_000_000},
		{Scheduler: "berth", Nodes: 1000, Fill: "half", NsPerPod: 10_000},
		{Scheduler: "upstream-pack", Nodes: 100, Fill: "half"},
	}, slots)
	if len(got) != 2 || got[0].Title != "Empty cluster" || got[1].Title != "Half full" {
		t.Fatalf("plots are %+v", got)
	}
	if diff := cmp.Diff(got[0].YTicks, got[1].YTicks); diff != "" {
		t.Errorf("the axes differ:\n%s", diff)
	}
	if diff := cmp.Diff([]tick{{72, "100"}, {249, "1,000"}, {426, "10,000"}}, got[1].XTicks); diff != "" {
		t.Errorf("x ticks (-want +got):\n%s", diff)
	}
	first, last := got[0].YTicks[0], got[0].YTicks[len(got[0].YTicks)-1]
	if diff := cmp.Diff([]tick{{336, "10"}, {28, "1,000"}}, []tick{first, last}); diff != "" {
		t.Errorf("ends of the y axis (-want +got):\n%s", diff)
	}
	type drawn struct {
		Scheduler, Path string
		Slot            int
		NameY           float64
	}
	var lines []drawn
	for _, p := range got {
		for _, l := range p.Lines {
			lines = append(lines, drawn{l.Scheduler, l.Path, l.Slot, l.NameY})
		}
	}
	want := []drawn{
		// From the fewest nodes to the most, whatever the order of the rows.
		{"berth", "72,336 426,289.6", 0, 289.6},
		{"upstream-pack", "72,28", 1, 28},
		// What took no time is left out.
		{"berth", "249,336", 0, 336},
	}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
	if plots := plotLines([]CycleRow{{Scheduler: "berth", Nodes: 1, Fill: "empty"}}, slots); plots != nil {
		t.Errorf("plots of nothing: %+v", plots)
	}
	// A cluster of one size is a line of one point, in the middle.
	one := plotLines([]CycleRow{{Scheduler: "berth", Nodes: 100, Fill: "other", NsPerPod: 1500}}, slots)
	if len(one) != 1 || one[0].Title != "other" || one[0].Lines[0].Points[0].X != 249 {
		t.Errorf("one point: %+v", one)
	}
}
