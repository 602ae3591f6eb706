package report

import (
	"fmt"
	"slices"
)

// ScaleSample is one run of one scheduler as a process of its own.
type ScaleSample struct {
	Scenario  string `json:"scenario"`
	Nodes     int    `json:"nodes"`
	Scheduler string `json:"scheduler"`
	// Round is the round in which everybody took a turn, from 1.
	Round int `json:"round"`
	// Measures are in the order in which they are shown.
	Measures []Measure `json:"measures,omitempty"`
	// Failed says why the run is not counted; empty if it is.
	Failed string `json:"failed,omitempty"`
}

// Measure is one amount of a run. Name says what it is, with its unit.
type Measure struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
}

// scaleRow is one amount of all schedulers.
type scaleRow struct {
	scenario string
	nodes    int
	measure  string
	values   map[string][]float64
}

// scaleTable has a row for each scenario, number of nodes and amount, and a column for each
// scheduler: the median of the runs, and their spread, which is (greatest - least) / median.
func scaleTable(samples []ScaleSample) table {
	var rows []scaleRow
	var names []string
	for _, s := range samples {
		if s.Failed != "" {
			continue
		}
		if !slices.Contains(names, s.Scheduler) {
			names = append(names, s.Scheduler)
		}
		for _, m := range s.Measures {
			i := slices.IndexFunc(rows, func(r scaleRow) bool {
				return r.scenario == s.Scenario && r.nodes == s.Nodes && r.measure == m.Name
			})
			if i < 0 {
				i = len(rows)
				rows = append(rows, scaleRow{s.Scenario, s.Nodes, m.Name, map[string][]float64{}})
			}
			rows[i].values[s.Scheduler] = append(rows[i].values[s.Scheduler], m.Value)
		}
	}
	slices.SortStableFunc(rows, func(a, b scaleRow) int { return a.nodes - b.nodes })
	columns := []column[scaleRow]{
		{"scenario", words, func(r scaleRow) string { return r.scenario }},
		{"nodes", figures, func(r scaleRow) string { return count(r.nodes) }},
		{"what", words, func(r scaleRow) string { return r.measure }},
	}
	for _, name := range names {
		columns = append(columns, column[scaleRow]{name, figures, func(r scaleRow) string {
			values := r.values[name]
			if len(values) == 0 {
				return none
			}
			return fmt.Sprintf("%s (%s, n=%d)", amount(Median(values)), percent(Spread(values)), len(values))
		}})
	}
	return tabulate(rows, columns)
}

// amount has three digits that count, or all of a whole number.
func amount(v float64) string {
	switch {
	case v >= 100 || v <= -100 || v == 0:
		return number(v, 0)
	case v >= 10 || v <= -10:
		return number(v, 1)
	case v >= 1 || v <= -1:
		return number(v, 2)
	}
	return number(v, 4)
}

// ScaleTable renders samples as PerfTable does.
func ScaleTable(samples []ScaleSample) string { return scaleTable(samples).markdown() }
