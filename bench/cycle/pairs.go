package main

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"time"

	"github.com/berth-dev/berth/bench/report"
	"github.com/berth-dev/berth/bench/rig"
	"github.com/berth-dev/berth/bench/schedulers"
)

// pair is berth and berth-topology on two clusters that are alike, which take turns
// batch by batch: what disturbs the machine disturbs both.
type pair struct {
	loops [2]*loop
	// ns are the processor times of a pod, in nanoseconds, one for each batch; batches with
	// the same number were measured one after the other.
	ns [2][]float64
}

// pairOf are the schedulers of a pair.
var pairOf = [2]string{schedulers.Berth, schedulers.BerthTopology}

// newPair makes both clusters.
func newPair(nodes int, fill string, machine *rig.Model) (*pair, error) {
	p := &pair{}
	for i, name := range pairOf {
		l, err := newLoop(setup{scheduler: name, nodes: nodes, part: fills[fill], machine: machine})
		if err != nil {
			p.stop()
			return nil, err
		}
		p.loops[i] = l
		if _, err := l.cycles(min(warmUp, l.batch()), 0); err != nil {
			p.stop()
			return nil, err
		}
	}
	runtime.GC()
	return p, nil
}

func (p *pair) stop() {
	for _, l := range p.loops {
		if l != nil {
			l.Stop()
		}
	}
}

// measure measures so many pairs: a batch of pods each, or a gang each if it has a size.
func (p *pair) measure(times, gang int) (report.InTurn, error) {
	for i := range p.ns {
		p.ns[i] = make([]float64, 0, times)
	}
	for n := range times {
		// Who begins changes, so that none is always second.
		for _, i := range [][2]int{{0, 1}, {1, 0}}[n%2] {
			ns, err := once(p.loops[i], gang)
			if err != nil {
				return report.InTurn{}, err
			}
			p.ns[i] = append(p.ns[i], ns)
		}
	}
	return p.sum(), nil
}

// once returns the nanoseconds on processors that a pod of one batch takes, or the cycle of
// a gang.
func once(l *loop, gang int) (float64, error) {
	if gang > 0 {
		g, err := measureGang(l, gang)
		return float64(g.processor.Nanoseconds()), err
	}
	s, err := l.cycles(l.batch(), 0)
	return float64(s.processor.Nanoseconds()) / float64(s.pods), err
}

// sum sums up.
func (p *pair) sum() report.InTurn {
	ratios := make([]float64, len(p.ns[0]))
	for i := range ratios {
		ratios[i] = p.ns[1][i] / p.ns[0][i]
	}
	slices.Sort(ratios)
	return report.InTurn{
		Pairs: len(ratios), NsWithout: report.Median(p.ns[0]), NsWith: report.Median(p.ns[1]),
		Ratio: report.Median(ratios), Lower: ratios[len(ratios)/4], Upper: ratios[len(ratios)*3/4],
	}
}

// links measures what it costs to know how devices are linked: pods on every cluster, and
// gangs on those that are empty.
func (o *options) links(all *report.Report) error {
	machine, err := rig.ModelOf(o.machine)
	if err != nil {
		return err
	}
	for _, nodes := range o.nodes {
		for _, fill := range o.fills {
			if err := o.linksOf(all, machine, nodes, fill); err != nil {
				return fmt.Errorf("pairs on %d nodes, %s: %w", nodes, fill, err)
			}
		}
	}
	return nil
}

func (o *options) linksOf(all *report.Report, machine *rig.Model, nodes int, fill string) error {
	p, err := newPair(nodes, fill, machine)
	if err != nil {
		return err
	}
	defer p.stop()
	gangs := []int{0}
	if fill == "empty" && o.gang > 0 {
		gangs = append(gangs, o.gang)
	}
	for _, gang := range gangs {
		times, start := o.pairs, time.Now()
		if gang > 0 {
			times = max(1, o.pairs/podPairsToGangPair)
		}
		found, err := p.measure(times, gang)
		if err != nil {
			return err
		}
		row := report.LinkRow{Machine: o.machine, Nodes: nodes, Fill: fill, Gang: gang, InTurn: found}
		all.Links = append(all.Links, row)
		fmt.Fprintf(os.Stderr, "links of %s, %6d nodes, %-5s, gang %4d  %9.1f µs without, %9.1f with: %.3f (quartiles %.3f and %.3f; %s)\n", o.machine, nodes, fill, gang,
			row.NsWithout/1000, row.NsWith/1000, row.Ratio, row.Lower, row.Upper, time.Since(start).Round(time.Second))
	}
	return nil
}

// podPairsToGangPair is how many pairs of batches go with a pair of gangs, which takes
// longer.
const podPairsToGangPair = 10
