package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/berth-dev/berth/bench/report"
)

// place is what is measured: a scheduler on a cluster.
type place struct {
	scheduler string
	nodes     int
	fill      string
}

// results are the samples of all rounds.
type results struct {
	order []place
	pods  map[place][]sample
	gangs map[place][]gangSample
}

func newResults() *results {
	return &results{pods: map[place][]sample{}, gangs: map[place][]gangSample{}}
}

func (r *results) note(p place) {
	if !slices.Contains(r.order, p) {
		r.order = append(r.order, p)
	}
}

// cycles returns the row of each place where pods were measured.
func (r *results) cycles() []report.CycleRow {
	var rows []report.CycleRow
	for _, p := range r.order {
		samples := r.pods[p]
		if len(samples) == 0 {
			continue
		}
		var ns, allocs, bytes []float64
		for _, s := range samples {
			ns = append(ns, float64(s.took.Nanoseconds())/float64(s.pods))
			allocs = append(allocs, float64(s.allocs)/float64(s.pods))
			bytes = append(bytes, float64(s.bytes)/float64(s.pods))
		}
		rows = append(rows, report.CycleRow{
			Scheduler: p.scheduler, Nodes: p.nodes, Fill: p.fill, Runs: len(samples),
			NsPerPod: report.Median(ns), AllocsPerPod: report.Median(allocs), BytesPerPod: report.Median(bytes), Spread: report.Spread(ns),
		})
	}
	return rows
}

// findings are what one run of this program writes.
type findings struct {
	Cycles []report.CycleRow `json:"cycle"`
	Gangs  []gangRow         `json:"gangs,omitempty"`
}

// gangRow has the milliseconds of the search for places, and those of the whole
// cycle beside them.
type gangRow struct {
	report.GangCycleRow
	MsPerCycle float64 `json:"ms_per_cycle"`
}

// gangRows returns the row of each place where gangs were measured.
func (r *results) gangRows(size int) []gangRow {
	var rows []gangRow
	for _, p := range r.order {
		var algorithm, cycle []float64
		for _, g := range r.gangs[p] {
			algorithm = append(algorithm, float64(g.algorithm)/float64(time.Millisecond))
			cycle = append(cycle, float64(g.cycle)/float64(time.Millisecond))
		}
		if len(algorithm) == 0 {
			continue
		}
		rows = append(rows, gangRow{
			GangCycleRow: report.GangCycleRow{
				Scheduler: p.scheduler, Nodes: p.nodes, Pods: size,
				MsPerGang: report.Median(algorithm), Runs: len(algorithm), Spread: report.Spread(algorithm),
			},
			MsPerCycle: report.Median(cycle),
		})
	}
	return rows
}

// write writes the rows as JSON.
func write(path string, all findings) error {
	data, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return fmt.Errorf("rendering the results: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("writing the results: %w", err)
	}
	if err := os.WriteFile(path, append(data, '\n'), 0o644); err != nil {
		return fmt.Errorf("writing the results: %w", err)
	}
	return nil
}

// show prints the rows, with what they are to upstream-pack, to the same scheduler on
// the smallest cluster, and to the floor.
func show(out io.Writer, all findings) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "fill\tnodes\tscheduler\tµs a pod\tspread\tallocations\tKiB\tof upstream-pack\tof its smallest\tallocations over floor\t")
	cycles := report.Cycles{Cycles: all.Cycles}
	for _, row := range all.Cycles {
		relative := cycles.Relate(row)
		fmt.Fprintf(w, "%s\t%d\t%s\t%.1f\t%.0f%%\t%.0f\t%.0f\t%s\t%s\t%s\t\n", row.Fill, row.Nodes, row.Scheduler, row.NsPerPod/1000, 100*row.Spread, row.AllocsPerPod, row.BytesPerPod/1024,
			times(relative.ToUpstreamPack), times(relative.ToSmallest), difference(relative.AllocsOverFloor))
	}
	if err := w.Flush(); err != nil || len(all.Gangs) == 0 {
		return err
	}
	fmt.Fprintln(w)
	fmt.Fprintln(w, "gang\tnodes\tscheduler\tms of algorithm\tspread\tms of the cycle\t")
	for _, row := range all.Gangs {
		fmt.Fprintf(w, "%d\t%d\t%s\t%.1f\t%.0f%%\t%.1f\t\n", row.Pods, row.Nodes, row.Scheduler, row.MsPerGang, 100*row.Spread, row.MsPerCycle)
	}
	return w.Flush()
}

func times(x *float64) string {
	if x == nil {
		return "-"
	}
	return fmt.Sprintf("%.3f", *x)
}

func difference(x *float64) string {
	if x == nil {
		return "-"
	}
	return fmt.Sprintf("%+.0f", *x)
}
