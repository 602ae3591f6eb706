package catalog

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Write writes the page that documents metrics, as Markdown.
func Write(w io.Writer, all []Metric) error {
	var b strings.Builder
	b.WriteString(`# Metrics

<!-- Written by make generate from the definitions in pkg/engine. Change those. -->

The scheduler serves these at ` + "`/metrics`" + ` beside those of kube-scheduler. Times are in seconds.
` + "`gpus`" + ` is the size of what asks, in devices of any make. [monitoring.md](monitoring.md) says how to use
them, and what they cost.

Labels have the values that are listed here and no others. None has the name of a pod, gang, node
or user.
`)
	for _, m := range sorted(all) {
		fmt.Fprintf(&b, "\n## `%s`\n\n%s, alpha. %s\n", m.Name, m.Kind, m.Help)
		if len(m.Labels) > 0 {
			b.WriteString("\n| label | values |\n|---|---|\n")
		}
		for _, l := range m.Labels {
			values := "the names of " + l.Of
			if l.Values != nil {
				values = "`" + strings.Join(l.Values, "`, `") + "`"
			}
			fmt.Fprintf(&b, "| `%s` | %s |\n", l.Name, values)
		}
		if len(m.Buckets) > 0 {
			var bounds []string
			for _, bound := range m.Buckets {
				bounds = append(bounds, fmt.Sprint(bound))
			}
			fmt.Fprintf(&b, "\nBuckets: %s.\n", strings.Join(bounds, ", "))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// served is a metric as a test of queries reads it.
type served struct {
	Name string `json:"name"`
	Kind Kind   `json:"kind"`
	// Labels are the values by label; null for names of objects.
	Labels  map[string][]string `json:"labels,omitempty"`
	Buckets []float64           `json:"buckets,omitempty"`
}

// WriteJSON writes what is served, for tests of the queries of dashboards and alerts.
func WriteJSON(w io.Writer, all []Metric) error {
	var out []served
	for _, m := range sorted(all) {
		s := served{Name: m.Name, Kind: m.Kind, Labels: map[string][]string{}, Buckets: m.Buckets}
		for _, l := range m.Labels {
			s.Labels[l.Name] = l.Values
		}
		out = append(out, s)
	}
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(out)
}

func sorted(all []Metric) []Metric {
	return slices.SortedFunc(slices.Values(all), func(a, b Metric) int { return cmp.Compare(a.Name, b.Name) })
}
