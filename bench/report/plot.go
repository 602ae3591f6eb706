package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
)

// Plots are drawn by the page's template; here is where their parts stand. Positions
// and lengths are units of the drawing, x to the right and y downwards.

// frame is the rectangle of a drawing that has data in it.
type frame struct {
	Width, Height            float64 // of the drawing
	Left, Right, Top, Bottom float64
}

// tick is a mark on an axis.
type tick struct {
	At    float64
	Label string
}

// barPlot is a horizontal bar for each scheduler.
type barPlot struct {
	frame
	Title string
	Ticks []tick
	Bars  []bar
}

// bar is a scheduler's rate. The whisker is as long as (greatest - least) of its runs,
// with the median, where the bar ends, in its middle.
type bar struct {
	Scheduler         string
	Slot              int
	Top, Middle       float64
	Length, Thickness float64
	Low, High         float64 // ends of the whisker
	LabelAt           float64
	Label, Tip        string
}

// plotBars draws the rates of rows of one topic on one number of nodes, in their order.
func plotBars(title string, rows []PerfRow, slots map[string]int) barPlot {
	const (
		width, step, thickness = 560, 34, 18
		name, label            = 118, 112 // room left and right of the bars
	)
	p := barPlot{Title: title, frame: frame{
		Width: width, Left: name, Right: width - label, Top: 6, Bottom: 6 + step*float64(len(rows)),
	}}
	p.Height = p.Bottom + 40
	greatest := 0.0
	for _, row := range rows {
		greatest = max(greatest, row.PodsPerSecond*(1+row.Spread/2))
	}
	marks, decimals := linearTicks(greatest)
	at := func(rate float64) float64 {
		return round(p.Left + rate/marks[len(marks)-1]*(p.Right-p.Left))
	}
	for _, mark := range marks {
		p.Ticks = append(p.Ticks, tick{at(mark), number(mark, decimals)})
	}
	for i, row := range rows {
		half := row.PodsPerSecond * row.Spread / 2
		b := bar{
			Scheduler: row.Scheduler, Slot: slots[row.Scheduler],
			Top: p.Top + step*float64(i) + (step-thickness)/2, Thickness: thickness,
			Middle: p.Top + step*float64(i) + step/2,
			Length: round(at(row.PodsPerSecond) - p.Left),
			Low:    at(max(0, row.PodsPerSecond-half)), High: at(row.PodsPerSecond + half),
			Label: number(row.PodsPerSecond, 0),
			Tip:   fmt.Sprintf("%s: %s pods a second, spread %s over %d runs", row.Scheduler, number(row.PodsPerSecond, 0), percent(row.Spread), row.Runs),
		}
		b.LabelAt = b.High + 8
		if row.RatioToUpstreamPack != nil {
			b.Label += " (" + maybe(row.RatioToUpstreamPack, 2) + "×)"
		}
		p.Bars = append(p.Bars, b)
	}
	return p
}

// linePlot is a line for each scheduler, with logarithmic axes.
type linePlot struct {
	frame
	Title  string
	XTicks []tick
	YTicks []tick
	Lines  []line
}

type line struct {
	Scheduler string
	Slot      int
	Points    []point
	Path      string // "x,y x,y", as a polyline has it
	// The name stands at the right edge, as near the last point as others let it.
	NameX, NameY float64
}

type point struct {
	X, Y float64
	Tip  string
}

// bounds are the least and the greatest of positive values.
type bounds struct{ least, greatest float64 }

func (b *bounds) add(x float64) {
	if b.greatest == 0 {
		*b = bounds{x, x}
	}
	*b = bounds{min(b.least, x), max(b.greatest, x)}
}

// scale maps x between the bounds to where it stands between from and to.
func (b bounds) scale(x, from, to float64) float64 {
	if b.greatest <= b.least {
		return round((from + to) / 2)
	}
	part := (math.Log(x) - math.Log(b.least)) / (math.Log(b.greatest) - math.Log(b.least))
	return round(from + part*(to-from))
}

// plotLines draws the time of a cycle by the number of nodes, for each fill in the
// order of first appearance. All have the same axes, so that they can be compared. A
// time that is not positive has no place on a logarithmic axis and is left out.
func plotLines(rows []CycleRow, slots map[string]int) []linePlot {
	var nodes, times bounds
	var fills []string
	var sizes []int
	for _, row := range rows {
		if row.NsPerPod <= 0 || row.Nodes <= 0 {
			continue
		}
		nodes.add(float64(row.Nodes))
		times.add(row.NsPerPod / 1000)
		if !slices.Contains(fills, row.Fill) {
			fills = append(fills, row.Fill)
		}
		sizes = append(sizes, row.Nodes)
	}
	if len(fills) == 0 {
		return nil
	}
	slices.Sort(sizes)
	sizes = slices.Compact(sizes)
	marks := logTicks(times.least, times.greatest)
	times = bounds{marks[0], marks[len(marks)-1]}

	var plots []linePlot
	for _, fill := range fills {
		p := linePlot{Title: fillTitle(fill), frame: frame{Width: 560, Height: 384, Left: 58, Right: 440, Top: 28, Bottom: 336}}
		for _, mark := range marks {
			decimals := max(0, int(math.Ceil(-math.Log10(mark))))
			p.YTicks = append(p.YTicks, tick{times.scale(mark, p.Bottom, p.Top), number(mark, decimals)})
		}
		for _, size := range sizes {
			at := nodes.scale(float64(size), p.Left+14, p.Right-14)
			// Labels that would touch the one before are left out.
			if n := len(p.XTicks); n == 0 || at-p.XTicks[n-1].At >= 44 {
				p.XTicks = append(p.XTicks, tick{at, count(size)})
			}
		}
		for _, row := range rows {
			if row.Fill != fill || row.NsPerPod <= 0 || row.Nodes <= 0 {
				continue
			}
			i := slices.IndexFunc(p.Lines, func(l line) bool { return l.Scheduler == row.Scheduler })
			if i < 0 {
				i = len(p.Lines)
				p.Lines = append(p.Lines, line{Scheduler: row.Scheduler, Slot: slots[row.Scheduler]})
			}
			p.Lines[i].Points = append(p.Lines[i].Points, point{
				X:   nodes.scale(float64(row.Nodes), p.Left+14, p.Right-14),
				Y:   times.scale(row.NsPerPod/1000, p.Bottom, p.Top),
				Tip: fmt.Sprintf("%s, %s nodes: %s µs, spread %s over %d runs", row.Scheduler, count(row.Nodes), number(row.NsPerPod/1000, 1), percent(row.Spread), row.Runs),
			})
		}
		p.finish()
		plots = append(plots, p)
	}
	return plots
}

// finish joins the points of each line and sets its name beside it.
func (p *linePlot) finish() {
	var ends []float64
	for i := range p.Lines {
		l := &p.Lines[i]
		slices.SortStableFunc(l.Points, func(a, b point) int { return cmp.Compare(a.X, b.X) })
		var path []string
		for _, at := range l.Points {
			path = append(path, fmt.Sprintf("%g,%g", at.X, at.Y))
		}
		l.Path = strings.Join(path, " ")
		ends = append(ends, l.Points[len(l.Points)-1].Y)
	}
	for i, y := range apart(ends, 15, p.Top, p.Bottom) {
		p.Lines[i].NameX, p.Lines[i].NameY = p.Right+8, round(y)
	}
}

// fillTitle says how full a cluster is.
func fillTitle(fill string) string {
	switch fill {
	case "empty":
		return "Empty cluster"
	case "half":
		return "Half full"
	case "full":
		return "Full"
	}
	return fill
}

// linearTicks returns round numbers from 0 until one is at least greatest, four to six
// of them or the like, and how many decimals they have.
func linearTicks(greatest float64) (marks []float64, decimals int) {
	if greatest <= 0 {
		return []float64{0, 1}, 0
	}
	exponent := math.Floor(math.Log10(greatest / 5))
	for _, m := range []float64{1, 2, 5, 10} {
		step := m * math.Pow(10, exponent)
		if step*5 < greatest {
			continue
		}
		for i := 0; ; i++ {
			marks = append(marks, float64(i)*step)
			if float64(i)*step >= greatest {
				break
			}
		}
		break
	}
	return marks, max(0, -int(exponent))
}

// logTicks returns numbers of the series 1, 2, 5, 10, ... (of 1, 10, 100, ... where that
// would be many) from the last that is at most least to the first that is at least
// greatest. Both must be positive.
func logTicks(least, greatest float64) []float64 {
	series := []float64{1, 2, 5}
	if greatest/least > 1e4 {
		series = []float64{1}
	}
	var marks []float64
	for exponent := int(math.Floor(math.Log10(least))); ; exponent++ {
		for _, m := range series {
			mark := m * math.Pow10(exponent)
			if len(marks) == 1 && mark <= least {
				marks = marks[:0]
			}
			marks = append(marks, mark)
			if mark >= greatest && len(marks) > 1 {
				return marks
			}
		}
	}
}

// apart moves positions so that they are gap apart and between low and high, as far as
// there is room, and keep their order.
func apart(positions []float64, gap, low, high float64) []float64 {
	order := make([]int, len(positions))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(positions[a], positions[b]) })
	out := slices.Clone(positions)
	least := low
	for _, i := range order {
		out[i] = max(out[i], least)
		least = out[i] + gap
	}
	greatest := high
	for _, i := range slices.Backward(order) {
		out[i] = min(out[i], greatest)
		greatest = out[i] - gap
	}
	return out
}

// round rounds to tenths: finer is not seen.
func round(x float64) float64 { return math.Round(x*10) / 10 }
