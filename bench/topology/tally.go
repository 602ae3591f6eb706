package main

import (
	"math"
	"slices"

	"github.com/berth-dev/berth/bench/report"
	"github.com/berth-dev/berth/bench/rig"
	"github.com/berth-dev/berth/pkg/state/device"
)

// fillsUp is how long the cluster fills up, in mean run times: jobs that come until then
// do not count.
const fillsUp = 10

// tally counts what happens in a world.
type tally struct {
	// last is when the last job comes: what is after that does not count either, for
	// the cluster empties.
	last float64
	// jobs counts those that ask for more than one GPU. Of these, ofIdeal is the sum of
	// their bandwidths over the best of their size, ringless how many have no ring.
	jobs, ringless int
	ofIdeal        float64
	// all counts all jobs, and waited is the sum of how long they waited.
	all    int
	waited float64
	// gpus is the GPUs in use times how long, measured is how long.
	gpus, measured float64
	// told counts those of which a scheduler was told that expected something, foreseen
	// those that got what it expected, or devices as good.
	told, foreseen int
}

// pass takes in that time passes with so many GPUs in use.
func (t *tally) pass(from, to float64, gpus int) {
	if took := math.Min(to, t.last) - math.Max(from, fillsUp); took > 0 {
		t.measured += took
		t.gpus += took * float64(gpus)
	}
}

// start takes in that a job gets its devices, and how they compare with what the scheduler
// had expected, if anything.
func (t *tally) start(m *machine, p *placed, foreseen device.Prediction) {
	if p.job.comes < fillsUp {
		return
	}
	t.all++
	t.waited += p.begin - p.job.comes
	if p.job.gpus < 2 {
		return
	}
	t.jobs++
	t.ofIdeal += m.ofIdeal(p.set)
	if m.ringless(p.set) {
		t.ringless++
	}
	switch foreseen {
	case device.PredictedExactly, device.PredictedEqual:
		t.foreseen++
		t.told++
	case device.PredictedBetter, device.PredictedWorse:
		t.told++
	}
}

// row sums up the tallies of all seeds.
func row(c contestant, load, nodes int, tallies []tally) report.TopologyRow {
	out := report.TopologyRow{Contestant: c.name, Load: load, Nodes: nodes, Seeds: len(tallies)}
	var sum tally
	var means []float64
	for _, t := range tallies {
		means = append(means, t.ofIdeal/float64(max(t.jobs, 1)))
		sum.jobs += t.jobs
		sum.ringless += t.ringless
		sum.ofIdeal += t.ofIdeal
		sum.all += t.all
		sum.waited += t.waited
		sum.gpus += t.gpus
		sum.measured += t.measured
		sum.told += t.told
		sum.foreseen += t.foreseen
	}
	out.Jobs = sum.jobs
	out.OfIdeal = sum.ofIdeal / float64(max(sum.jobs, 1))
	out.Least, out.Greatest = slices.Min(means), slices.Max(means)
	out.Ringless = float64(sum.ringless) / float64(max(sum.jobs, 1))
	out.Waited = sum.waited / float64(max(sum.all, 1))
	if sum.measured > 0 {
		out.InUse = sum.gpus / sum.measured / float64(nodes*rig.GPUsPerNode)
	}
	if sum.told > 0 {
		out.Foreseen = new(float64(sum.foreseen) / float64(sum.told))
	}
	return out
}
