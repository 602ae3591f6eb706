package operators

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Outcome is what came of one row.
type Outcome string

// The outcomes of a row.
const (
	Works  Outcome = "yes"
	Fails  Outcome = "**no**"
	Cannot Outcome = "n/a"
	notRun Outcome = "not run"
)

// A Result is what came of the rows of one operator.
type Result struct {
	Operator Operator
	Scenario Scenario
	Outcomes map[string]Outcome
}

// Page returns the page of results, as of a day.
func Page(results []Result, kubernetes string, day time.Time) string {
	var b strings.Builder
	fmt.Fprintf(&b, `<!-- Written by make test-operators. Do not edit. -->

# Operators that Berth was run with

Each operator is the released program, built from its module, on a real API server
(Kubernetes %s) with simulated kubelets. It makes the pods, and Berth schedules
them, with the rights of manifests/suspend. Run on %s.

`, kubernetes, day.UTC().Format(time.DateOnly))
	for _, name := range Rows() {
		fmt.Fprintf(&b, "- **%s**: %s\n", name, meaning[name])
	}
	fmt.Fprintf(&b, "\n| operator | version | %s |\n|---|---|%s\n", strings.Join(Rows(), " | "), strings.Repeat("---|", len(Rows())))
	for _, r := range results {
		cells := []string{r.Operator.Title, r.Operator.Release.Version}
		for _, name := range Rows() {
			outcome := string(r.Outcomes[name])
			if outcome == "" {
				outcome = string(notRun)
			}
			cells = append(cells, outcome)
		}
		fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | "))
	}
	for _, r := range results {
		fmt.Fprintf(&b, "\n## %s %s\n\n`%s`\n", r.Operator.Title, r.Operator.Release.Version, r.Operator.Release.Module)
		if len(r.Scenario.Needs) == 0 {
			fmt.Fprintf(&b, "\nNothing to change but `schedulerName: berth` on the pods.\n")
		}
		var notes []string
		for _, need := range r.Scenario.Needs {
			notes = append(notes, "Note: "+need)
		}
		for _, tried := range r.Scenario.Rows {
			if tried.Cannot != "" {
				notes = append(notes, tried.Name+": "+tried.Cannot)
			}
		}
		if len(notes) > 0 {
			b.WriteString("\n")
		}
		for _, note := range notes {
			fmt.Fprintf(&b, "- %s\n", note)
		}
	}
	return b.String()
}

// meaning says of each row what it means that it works.
var meaning = map[string]string{
	"placed whole":       "no pod runs before all have a place; then all do",
	"a pod dies":         "what replaces it joins",
	"scaled up":          "the new pods run beside the others",
	"scaled down":        "the rest runs on, and a pod that dies then is replaced",
	"suspended, resumed": "all pods go, and all run again",
	"operator restarted": "a pod dies while the operator is down, and is replaced when it is back",
	"taken back":         "another queue takes its place: all pods go, and run again once there is room",
	"deleted":            "nothing is left behind",
}

// Missing returns the operators that a page does not have at their version.
func Missing(page string) []string {
	var missing []string
	for _, o := range All() {
		heading := fmt.Sprintf("## %s %s\n", o.Title, o.Release.Version)
		if !slices.Contains(strings.SplitAfter(page, "\n"), heading) {
			missing = append(missing, o.Title+" "+o.Release.Version)
		}
	}
	return missing
}
