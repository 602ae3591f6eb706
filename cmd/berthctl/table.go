package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
)

// writeDecision prints a decision as one line of JSON.
func writeDecision(out io.Writer, d *decision) error { return writeLine(out, d) }

// writeTable prints a decision for a person.
func writeTable(out io.Writer, name string, d *decision) error {
	var text strings.Builder
	if d.Feasible {
		writePlaces(&text, name, d)
	} else {
		writeReason(&text, name, d)
	}
	for _, remark := range d.Remarks {
		fmt.Fprintf(&text, "remark  %s\n", remark)
	}
	_, err := io.WriteString(out, text.String())
	return err
}

// writePlaces prints the pods by domain, in the order of ranks, and what the plan was
// chosen for.
func writePlaces(text *strings.Builder, name string, d *decision) {
	where := "the cluster"
	if d.Level != "" {
		where = fmt.Sprintf("%s (%s)", d.Domain, d.Level)
	}
	var out []string
	byDomain := map[string][]assignment{}
	for _, a := range d.Assignments {
		if a.Node == "" {
			out = append(out, a.Pod)
			continue
		}
		byDomain[a.domain] = append(byDomain[a.domain], a)
	}
	fmt.Fprintf(text, "%s: %s in %s\n", name, count(len(d.Assignments)-len(out), "pod"), where)
	domains := slices.SortedFunc(maps.Keys(byDomain), func(a, b string) int {
		return cmp.Or(cmp.Compare(byDomain[a][0].Rank, byDomain[b][0].Rank), strings.Compare(a, b))
	})
	for _, domain := range domains {
		pods := byDomain[domain]
		nodes := map[string]bool{}
		for _, a := range pods {
			nodes[a.Node] = true
		}
		fmt.Fprintf(text, "\n%s: %s on %s\n", cmp.Or(domain, "in no domain"), count(len(pods), "pod"), count(len(nodes), "node"))
		// The builder takes whatever it is given.
		table := tabwriter.NewWriter(text, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "  RANK\tPOD\tNODE\tGPUS")
		for _, a := range pods {
			fmt.Fprintf(table, "  %d\t%s\t%s\t%s\n", a.Rank, a.Pod, a.Node, cmp.Or(list(a.Devices), "-"))
		}
		_ = table.Flush()
	}
	text.WriteString("\n")
	if len(out) > 0 {
		fmt.Fprintf(text, "later   %s, for which there is no room now\n", strings.Join(out, ", "))
	}
	fmt.Fprintf(text, "left    %s free in %s\n", count(int(d.Score.Left), "GPU"), cmp.Or(d.Domain, "the cluster"))
	for _, level := range slices.Sorted(maps.Keys(d.Score.Used)) {
		fmt.Fprintf(text, "used    %d of %s\n", d.Score.Used[level], level)
	}
}

// writeReason prints why there is no plan, level by level.
func writeReason(text *strings.Builder, name string, d *decision) {
	fmt.Fprintf(text, "%s: no place, %s\n\n", name, d.Reason.Code)
	if len(d.Reason.Levels) == 0 {
		fmt.Fprintf(text, "%s\n", d.Reason.Text)
	}
	for _, l := range d.Reason.Levels {
		fmt.Fprintf(text, "%s\n  %s\n", cmp.Or(l.Level, "the whole cluster"), l.text)
	}
}
