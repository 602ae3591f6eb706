package main

import (
	"slices"
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

// gangRows returns the row of each place where gangs were measured.
func (r *results) gangRows(size int) []report.GangCycleRow {
	var rows []report.GangCycleRow
	for _, p := range r.order {
		var algorithm, cycle []float64
		for _, g := range r.gangs[p] {
			algorithm = append(algorithm, float64(g.algorithm)/float64(time.Millisecond))
			cycle = append(cycle, float64(g.cycle)/float64(time.Millisecond))
		}
		if len(algorithm) == 0 {
			continue
		}
		rows = append(rows, report.GangCycleRow{
			Scheduler: p.scheduler, Nodes: p.nodes, Pods: size, MsPerGang: report.Median(algorithm), MsPerCycle: report.Median(cycle),
			Runs: len(algorithm), Spread: report.Spread(algorithm),
		})
	}
	return rows
}
