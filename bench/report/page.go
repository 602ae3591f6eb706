package report

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"slices"
	"strconv"
)

//go:embed page.html.tmpl
var pageText string

// page is parsed once; that it can be is what the tests are for.
var page = template.Must(template.New("page").Parse(pageText))

// subject is the scheduler whose ratios head the page.
const subject = "berth"

// colours is how many the page has.
const colours = 8

// known are the schedulers that always have the same colour, with what the legend says
// about them.
var known = []legend{
	{"berth", 0, "Berth's built-in profile"},
	{"upstream-pack", 1, "kube-scheduler, scoring nodes by MostAllocated on GPUs"},
	{"upstream", 2, "kube-scheduler as it is shipped"},
	{"null", 3, "a scheduler that takes a node without looking: what the harness itself can do"},
	{"floor", 4, "Berth's plugins on one node that is not looked for: what the framework itself costs"},
	{"berth-topology", 5, "berth, told of every node how its GPUs are linked"},
	{"berth-exact", 6, "berth, with jobs that get the GPUs that it takes for them"},
}

// legend says what a colour stands for.
type legend struct {
	Scheduler string
	Slot      int // of the colour
	Means     string
}

// pageData is what page.html.tmpl is filled with.
type pageData struct {
	Facts                    []fact
	Heads                    []fact // ratios of the subject, by topic
	Legend                   []legend
	Bars                     []barPlot
	Lines                    []linePlot
	Perf                     pageTable
	Cycles                   pageTable
	Gangs                    pageTable
	Links, Quality, Topology pageTable
	Plans, Queues            pageTable
	Admissions, QueuePairs   pageTable
	Fragmentation            pageTable
}

// fact is something with a name.
type fact struct{ Name, Value string }

// pageTable is a table whose rows know the colour of their scheduler.
type pageTable struct {
	Heads []cell
	Rows  []pageRow
}

type pageRow struct {
	Slot  int
	Cells []cell
}

// Page renders the report as one HTML file that needs nothing else and runs nothing.
func (r Report) Page() ([]byte, error) {
	names := r.legend()
	slots := map[string]int{}
	for _, l := range names {
		slots[l.Scheduler] = l.Slot
	}
	data := pageData{
		Facts: r.Environment.facts(), Legend: names, Heads: headline(r.Perf),
		Lines: plotLines(r.Cycles, slots),
		Perf:  coloured(perfTable(r.Perf, true), slots), Cycles: coloured(cycleTable(r.Cycles, true), slots),
		Gangs: coloured(gangTable(r.Gangs, true), slots), Quality: coloured(qualityTable(r.Quality), slots),
		Links: coloured(linkTable(r.Links), slots), Topology: coloured(topologyTable(r.Topology), slots),
		Plans: coloured(planTable(r.Plans), slots), Admissions: coloured(admissionTable(r.Admissions), slots),
		Queues: coloured(queueTable(r.Queues), slots), QueuePairs: coloured(queuePairTable(r.QueuePairs), slots),
		Fragmentation: coloured(fragmentationTable(r.Fragmentation), slots),
	}
	for _, rows := range byTopic(r.Perf) {
		title := fmt.Sprintf("%s, %s pods on %s nodes", rows[0].Topic, count(rows[0].Pods), count(rows[0].Nodes))
		data.Bars = append(data.Bars, plotBars(title, rows, slots))
	}
	var out bytes.Buffer
	if err := page.Execute(&out, data); err != nil {
		return nil, fmt.Errorf("rendering the page: %w", err)
	}
	return out.Bytes(), nil
}

// WritePage writes the page to path, in a directory that is made if need be.
func (r Report) WritePage(path string) error {
	text, err := r.Page()
	if err != nil {
		return err
	}
	return write(path, text)
}

// legend returns the schedulers of the report: those that are known, then others by
// name, which share colours where there are more of them than colours are left.
func (r Report) legend() []legend {
	var names []string
	for _, row := range r.Perf {
		names = append(names, row.Scheduler)
	}
	for _, row := range r.Cycles {
		names = append(names, row.Scheduler)
	}
	for _, row := range r.Gangs {
		names = append(names, row.Scheduler)
	}
	for _, row := range r.Quality {
		names = append(names, row.Scheduler)
	}
	for _, row := range r.Topology {
		names = append(names, row.Contestant)
	}
	for _, row := range r.Fragmentation {
		names = append(names, row.Contestant)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	var out []legend
	for _, l := range known {
		if slices.Contains(names, l.Scheduler) {
			out = append(out, l)
		}
	}
	slot := len(known)
	for _, name := range names {
		if slices.ContainsFunc(known, func(l legend) bool { return l.Scheduler == name }) {
			continue
		}
		out = append(out, legend{Scheduler: name, Slot: slot})
		if slot++; slot == colours {
			slot = len(known)
		}
	}
	return out
}

// facts are what is known of the machine and the code.
func (e Environment) facts() []fact {
	var out []fact
	add := func(name, value string) {
		if value != "" {
			out = append(out, fact{name, value})
		}
	}
	add("Date", e.Date)
	add("Commit", e.Commit)
	add("Kubernetes", e.Kubernetes)
	add("Go", e.Go)
	add("CPU", e.CPU)
	if e.CPUs > 0 {
		add("CPUs", strconv.Itoa(e.CPUs))
	}
	if e.MemoryGiB > 0 {
		add("Memory", number(e.MemoryGiB, 1)+" GiB")
	}
	return out
}

// headline returns the subject's rate over that of upstream-pack for each topic that
// has both.
func headline(rows []PerfRow) []fact {
	var out []fact
	for _, row := range rows {
		if row.Scheduler == subject && row.RatioToUpstreamPack != nil {
			out = append(out, fact{row.Topic, maybe(row.RatioToUpstreamPack, 2) + "×"})
		}
	}
	return out
}

// byTopic returns the rows of each topic and number of nodes, in their order.
func byTopic(rows []PerfRow) [][]PerfRow {
	var out [][]PerfRow
	for _, row := range rows {
		i := slices.IndexFunc(out, func(g []PerfRow) bool { return g[0].Topic == row.Topic && g[0].Nodes == row.Nodes })
		if i < 0 {
			i = len(out)
			out = append(out, nil)
		}
		out[i] = append(out[i], row)
	}
	return out
}

func coloured(t table, slots map[string]int) pageTable {
	out := pageTable{Heads: t.Heads}
	for _, cells := range t.Rows {
		row := pageRow{Cells: cells}
		for _, c := range cells {
			if c.Kind == scheduler {
				row.Slot = slots[c.Text]
			}
		}
		out.Rows = append(out.Rows, row)
	}
	return out
}
