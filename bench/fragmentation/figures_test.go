package main

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/berth-dev/berth/bench/report"
)

// Figures on a stream that can be counted by hand: six nodes in racks of two.
func TestFigures(t *testing.T) {
	p := params{Load: 85, Racks: 3, NodesInRack: 2, RacksInBlock: 3}
	gangs := []gang{
		{number: 0, size: 2, comes: 0, runs: 15}, {number: 1, size: 2, comes: 10, runs: 5},
		{number: 2, size: 2, comes: 12, runs: 4}, {number: 3, size: 3, comes: 20, runs: 1},
	}
	placements := []placement{
		{Begin: 0, Nodes: []int{0, 1}, Took: 100 * time.Millisecond}, // before anything counts, but its nodes do
		{Begin: 10, Nodes: []int{2, 3}, Took: 4 * time.Millisecond},
		{Begin: 15, Nodes: []int{2, 1}, Took: 2 * time.Millisecond},
		{Begin: 20, Nodes: []int{3, 4, 5}, Took: 8 * time.Millisecond},
	}
	row := func(arrivals int) report.FragmentationRow {
		return report.FragmentationRow{Contestant: "berth", Load: 85, Nodes: 6, Racks: 3, Arrivals: arrivals}
	}
	tests := []struct {
		name   string
		placed int
		want   func(*report.FragmentationRow)
	}{
		{"nothing", 0, nil},
		{"too early", 1, nil},
		{"at the end of the filling up", 2, func(r *report.FragmentationRow) {
			r.Gangs, r.InOneRack, r.RacksPerSmallGang, r.RacksPerGang = 1, 1, 1, 1
			r.MsPerGang, r.MsP99 = new(4.0), new(4.0)
		}},
		{"all", 4, func(r *report.FragmentationRow) {
			r.Gangs, r.InOneRack, r.RacksPerSmallGang, r.RacksPerGang = 3, 0.5, 1.5, 5.0/3
			r.Waited, r.InUse = 1, float64(5*2+5*2+4*2)/10/6
			r.MsPerGang, r.MsP99 = new(4.0), new(8.0)
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, ok := p.figures("berth", gangs, placements[:test.placed])
			if ok != (test.want != nil) {
				t.Fatalf("something counts: %t", ok)
			}
			want := row(test.placed)
			if ok {
				test.want(&want)
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			}
		})
	}
}

// Contestants are compared over the gangs that all of them have placed.
func TestRows(t *testing.T) {
	c, err := find("first-fit")
	if err != nil {
		t.Fatal(err)
	}
	gangs := tiny.stream(tinyArrivals)
	history := lived(t, c, tiny, gangs).history
	placed := func(name string, placed int) record {
		return record{Contestant: name, Params: tiny, Placements: history[:placed]}
	}
	type short struct {
		Contestant string
		Arrivals   int
	}
	tests := []struct {
		name    string
		records []record
		want    []short
	}{
		{"none", nil, nil},
		{"equally far", []record{placed("a", 290), placed("b", 290)}, []short{{"a", 290}, {"b", 290}}},
		{"differently far", []record{placed("a", 290), placed("b", 200), placed("c", 270)}, []short{{"a", 200}, {"b", 200}, {"c", 200}, {"c", 270}, {"a", 290}}},
		{"one that fills up the cluster", []record{placed("a", 290), placed("b", 5)}, []short{{"a", 290}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var got []short
			for _, row := range tiny.rows(test.records) {
				got = append(got, short{row.Contestant, row.Arrivals})
				want, _ := tiny.figures(row.Contestant, gangs, history[:row.Arrivals])
				if diff := cmp.Diff(want, row); diff != "" {
					t.Errorf("figures (-want +got):\n%s", diff)
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
