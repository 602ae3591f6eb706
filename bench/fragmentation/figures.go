package main

import (
	"slices"
	"time"

	"github.com/berth-dev/berth/bench/report"
)

// fillsUp is how long the cluster fills up, in mean run times: gangs that come until then
// do not count.
const fillsUp = 10

// figures sums up the placements of the first gangs of a stream; false if none of these
// counts.
func (p params) figures(contestant string, gangs []gang, placements []placement) (report.FragmentationRow, bool) {
	row := report.FragmentationRow{Contestant: contestant, Load: p.Load, Nodes: p.nodes(), Racks: p.Racks, Arrivals: len(placements)}
	if len(placements) == 0 {
		return row, false
	}
	until := gangs[len(placements)-1].comes
	small, busy := 0, 0.0
	var took []float64
	for i, at := range placements {
		g := gangs[i]
		if in := min(at.Begin+g.runs, until) - max(at.Begin, fillsUp); in > 0 {
			busy += in * float64(g.size)
		}
		if g.comes < fillsUp {
			continue
		}
		racks := p.racksOf(at.Nodes)
		row.Gangs++
		row.RacksPerGang += float64(racks)
		row.Waited += at.Begin - g.comes
		if g.size <= p.NodesInRack {
			small++
			row.RacksPerSmallGang += float64(racks)
			if racks == 1 {
				row.InOneRack++
			}
		}
		if at.Took > 0 {
			took = append(took, float64(at.Took)/float64(time.Millisecond))
		}
	}
	if row.Gangs == 0 {
		return row, false
	}
	row.RacksPerGang /= float64(row.Gangs)
	row.Waited /= float64(row.Gangs)
	row.RacksPerSmallGang /= float64(max(small, 1))
	row.InOneRack /= float64(max(small, 1))
	if until > fillsUp {
		row.InUse = busy / (until - fillsUp) / float64(p.nodes())
	}
	if len(took) > 0 {
		slices.Sort(took)
		row.MsPerGang, row.MsP99 = new(report.Median(took)), new(took[(99*len(took)+99)/100-1])
	}
	return row, true
}

// rows makes rows of records of the same parameters: over the gangs that all of them have
// placed, and, where some have placed more, over all that each of those has. Records that
// only fill up the cluster so far have no part.
func (p params) rows(records []record) []report.FragmentationRow {
	most := 0
	for _, r := range records {
		most = max(most, len(r.Placements))
	}
	gangs := p.stream(most)
	common := most
	var whole []report.FragmentationRow
	var counted []record
	for _, r := range records {
		if row, ok := p.figures(r.Contestant, gangs, r.Placements); ok {
			whole, counted = append(whole, row), append(counted, r)
			common = min(common, len(r.Placements))
		}
	}
	var out []report.FragmentationRow
	for _, r := range counted {
		row, _ := p.figures(r.Contestant, gangs, r.Placements[:common])
		out = append(out, row)
	}
	slices.SortStableFunc(whole, func(a, b report.FragmentationRow) int { return a.Arrivals - b.Arrivals })
	for _, row := range whole {
		if row.Arrivals > common {
			out = append(out, row)
		}
	}
	return out
}
