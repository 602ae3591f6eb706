package report

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// PerfTable renders rows as a markdown table, which ends with a newline; empty without
// rows.
func PerfTable(rows []PerfRow) string { return perfTable(rows, false).markdown() }

// CycleTable renders rows as PerfTable does. What a row is to others is taken from rows.
func CycleTable(rows []CycleRow) string { return cycleTable(rows, false).markdown() }

// GangTable renders rows as CycleTable does.
func GangTable(rows []GangCycleRow) string { return gangTable(rows, false).markdown() }

// QualityTable renders rows as PerfTable does.
func QualityTable(rows []QualityRow) string { return qualityTable(rows).markdown() }

// LinkTable renders rows as PerfTable does.
func LinkTable(rows []LinkRow) string { return linkTable(rows).markdown() }

// PlanTable renders rows as PerfTable does.
func PlanTable(rows []PlanRow) string { return planTable(rows).markdown() }

// QueueTable renders rows as PerfTable does.
func QueueTable(rows []QueueRow) string { return queueTable(rows).markdown() }

// AdmissionTable renders rows as PerfTable does.
func AdmissionTable(rows []AdmissionRow) string { return admissionTable(rows).markdown() }

// QueuePairTable renders rows as PerfTable does.
func QueuePairTable(rows []QueuePairRow) string { return queuePairTable(rows).markdown() }

// TopologyTable renders rows as PerfTable does.
func TopologyTable(rows []TopologyRow) string { return topologyTable(rows).markdown() }

// FragmentationTable renders rows as PerfTable does.
func FragmentationTable(rows []FragmentationRow) string { return fragmentationTable(rows).markdown() }

// markdown pads the cells, so that the table can be read as text too.
func (t table) markdown() string {
	if len(t.Rows) == 0 {
		return ""
	}
	lines := slices.Concat([][]cell{t.Heads}, t.Rows)
	widths := make([]int, len(t.Heads))
	for _, line := range lines {
		for i, c := range line {
			widths[i] = max(widths[i], utf8.RuneCountInString(plain(c.Text)), len("-:"))
		}
	}
	var out strings.Builder
	for i, line := range lines {
		out.WriteByte('|')
		for j, c := range line {
			text := plain(c.Text)
			pad := strings.Repeat(" ", widths[j]-utf8.RuneCountInString(text))
			if c.Kind == figures {
				text = pad + text
			} else {
				text += pad
			}
			out.WriteString(" " + text + " |")
		}
		out.WriteByte('\n')
		if i == 0 {
			out.WriteByte('|')
			for j, c := range line {
				rule := strings.Repeat("-", widths[j])
				if c.Kind == figures {
					rule = rule[1:] + ":"
				}
				out.WriteString(" " + rule + " |")
			}
			out.WriteByte('\n')
		}
	}
	return out.String()
}

// plain is text that does not end its cell.
func plain(text string) string {
	return strings.NewReplacer("|", `\|`, "\r", " ", "\n", " ").Replace(text)
}

// closing is the marker that ends the place of every table.
const closing = "<!-- /tables -->"

// A marker is a line of its own.
var marker = regexp.MustCompile(`(?m)^<!-- tables: (\S+) -->$`)

func opening(name string) string { return "<!-- tables: " + name + " -->" }

// Fill replaces what stands in a markdown text between the lines <!-- tables: NAME -->
// and <!-- /tables --> by the table, which is empty or ends with a newline. The place
// must be there, once, and closed before the next begins.
func Fill(text, name, table string) (string, error) {
	var places [][]int
	for _, at := range marker.FindAllStringSubmatchIndex(text, -1) {
		if text[at[2]:at[3]] == name {
			places = append(places, at)
		}
	}
	if len(places) != 1 {
		if len(places) == 0 {
			return "", fmt.Errorf("finding the place of table %q: there is no line %q", name, opening(name))
		}
		return "", fmt.Errorf("finding the place of table %q: there are %d lines %q", name, len(places), opening(name))
	}
	start := places[0][1]
	// The rest begins with the end of the marker's line.
	before, after, closed := strings.Cut(text[start:], "\n"+closing)
	if !closed || marker.MatchString(before) {
		return "", fmt.Errorf("finding the place of table %q: no line %q closes %q", name, closing, opening(name))
	}
	if table != "" {
		table = "\n" + table + "\n" // not every renderer sees a table right after a comment
	}
	return text[:start] + "\n" + table + closing + after, nil
}

// FillTables fills the places of the tables perf, cycle, gangs, links, quality, plans,
// admissions, queues, queue-pairs, topology, fragmentation and scale, as Fill does. All of
// them must be there, and no others.
func (r Report) FillTables(text string) (string, error) {
	tables := []struct{ name, text string }{
		{"perf", PerfTable(r.Perf)},
		{"cycle", CycleTable(r.Cycles)},
		{"gangs", GangTable(r.Gangs)},
		{"links", LinkTable(r.Links)},
		{"quality", QualityTable(r.Quality)},
		{"plans", PlanTable(r.Plans)},
		{"admissions", AdmissionTable(r.Admissions)},
		{"queues", QueueTable(r.Queues)},
		{"queue-pairs", QueuePairTable(r.QueuePairs)},
		{"topology", TopologyTable(r.Topology)},
		{"fragmentation", FragmentationTable(r.Fragmentation)},
		{"scale", ScaleTable(r.Scale)},
	}
	var names []string
	for _, t := range tables {
		names = append(names, t.name)
		var err error
		if text, err = Fill(text, t.name, t.text); err != nil {
			return "", err
		}
	}
	for _, found := range marker.FindAllStringSubmatch(text, -1) {
		if !slices.Contains(names, found[1]) {
			return "", fmt.Errorf("filling table %q: there are only %s", found[1], strings.Join(names, ", "))
		}
	}
	return text, nil
}
