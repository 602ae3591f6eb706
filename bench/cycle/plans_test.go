package main

import (
	"testing"

	"github.com/berth-dev/berth/pkg/core/cluster"
)

// Every cluster gets a row for a gang that requires nothing and for one that requires a
// block; a gang that has no place, and the largest that has.
func TestPlans(t *testing.T) {
	rows, err := plans([]int{200, 1100, 600}, 5)
	if err != nil {
		t.Fatal(err)
	}
	type key struct {
		nodes, fill int
		required    string
	}
	feasible, largest := map[key]int{}, map[key]int{}
	for _, row := range rows {
		k := key{row.Nodes, row.Fill, row.Required}
		if row.MsP50 <= 0 || row.MsP99 < row.MsP50 || row.MsMax < row.MsP99 || row.Plans != 5 {
			t.Errorf("%+v", row)
		}
		if row.Feasible {
			feasible[k] = row.Gang
		}
		largest[k] = max(largest[k], row.Gang)
	}
	if len(largest) != 2*len(planFills)*2 {
		t.Errorf("%d gangs are measured, want those of two clusters, %d fills and two requirements: %v", len(largest), len(planFills), largest)
	}
	for k, want := range map[key]int{{1100, 0, ""}: planGang, {1100, 0, cluster.BlockLevel}: planGang, {1100, 90, ""}: planGang, {200, 0, ""}: 200, {200, 90, ""}: 200} {
		if largest[k] != want {
			t.Errorf("%+v: a gang of %d is planned, want %d", k, largest[k], want)
		}
	}
	for k, want := range map[key][2]int{{1100, 0, ""}: {512, 512}, {200, 0, ""}: {100, 200}, {1100, 50, ""}: {128, 511}, {1100, 90, ""}: {1, 110}, {200, 90, ""}: {0, 20}} {
		if n := feasible[k]; n < want[0] || n > want[1] {
			t.Errorf("%+v: a gang of %d has a place, want from %d to %d", k, n, want[0], want[1])
		}
	}
}

// Pods come and go between plans, and no node is taken twice.
func TestPlanGroundChanges(t *testing.T) {
	g, err := newPlanGround(100, 50)
	if err != nil {
		t.Fatal(err)
	}
	free := func() (sum int64) { return g.planner.Index.DevicesFree(0, g.kind) }
	before := free()
	for range 100 {
		g.change()
	}
	if got := free(); got != before-int64(len(g.strays)) || len(g.strays) == 0 || len(g.strays) > 25 {
		t.Errorf("%d pods came, %d devices are free of %d", len(g.strays), got, before)
	}
	for i := len(g.strays) - 1; i >= 0; i-- {
		g.planner.Index.Revert(g.strays[i])
	}
	if got := free(); got != before {
		t.Errorf("after all have gone, %d devices are free of %d", got, before)
	}
}

func TestQuantile(t *testing.T) {
	values := []float64{1, 2, 3, 4}
	for percent, want := range map[int]float64{0: 1, 25: 1, 50: 2, 75: 3, 99: 4, 100: 4} {
		if got := quantile(values, percent); got != want {
			t.Errorf("%d percent: %v, want %v", percent, got, want)
		}
	}
}
