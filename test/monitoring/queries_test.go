package monitoring

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

// metric is what is served of one name.
type metric struct {
	Name string
	Kind string
	// Labels are the values by label; nil for names of objects.
	Labels map[string][]string
}

// target are the labels that Prometheus gives to what it scrapes.
var target = map[string][]string{"job": {"berth"}, "instance": nil, "pod": nil, "namespace": nil}

// served returns what there is to ask for: what the scheduler serves, and what rules record.
func served(t *testing.T) map[string]metric {
	t.Helper()
	out := map[string]metric{}
	for _, file := range []string{"served.json", "upstream.json"} {
		content, err := os.ReadFile(filepath.Join("testdata", file))
		if err != nil {
			t.Fatal(err)
		}
		var all []metric
		if err := json.Unmarshal(content, &all); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for _, m := range all {
			if m.Kind != "histogram" {
				out[m.Name] = m
				continue
			}
			for _, suffix := range []string{"_bucket", "_sum", "_count"} {
				part := metric{Name: m.Name + suffix, Kind: "counter", Labels: map[string][]string{}}
				for label, values := range m.Labels {
					part.Labels[label] = values
				}
				if suffix == "_bucket" {
					part.Labels["le"] = nil
				}
				out[part.Name] = part
			}
		}
	}
	return out
}

// withRecorded adds what rules record: it has the labels that the rule keeps.
func withRecorded(t *testing.T, all map[string]metric) map[string]metric {
	t.Helper()
	for _, g := range rules(t).Spec.Groups {
		for _, r := range g.Rules {
			if r.Record != "" {
				all[r.Record] = metric{Name: r.Record, Kind: "gauge", Labels: map[string][]string{"queue": nil}}
			}
		}
	}
	return all
}

// faults returns what is wrong with a query.
func faults(query string, all map[string]metric) []string {
	for variable, value := range map[string]string{"$__rate_interval": "5m", "$__range": "1h"} {
		query = strings.ReplaceAll(query, variable, value)
	}
	expr, err := parser.NewParser(parser.Options{}).ParseExpr(query)
	if err != nil {
		return []string{err.Error()}
	}
	var out []string
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		switch n := node.(type) {
		case *parser.VectorSelector:
			out = append(out, selectorFaults(n, all)...)
		case *parser.AggregateExpr:
			if !n.Without {
				out = append(out, unknownLabels(n.Grouping, n.Expr, all)...)
			}
		case *parser.BinaryExpr:
			if n.VectorMatching != nil && n.VectorMatching.On {
				out = append(out, unknownLabels(n.VectorMatching.MatchingLabels, n.LHS, all)...)
				out = append(out, unknownLabels(n.VectorMatching.MatchingLabels, n.RHS, all)...)
			}
		case *parser.Call:
			if counter := countsUp(n, all); counter != "" {
				out = append(out, counter)
			}
		}
		return nil
	})
	return out
}

// selectorFaults looks at the name and the matchers of a selector.
func selectorFaults(s *parser.VectorSelector, all map[string]metric) []string {
	m, known := all[s.Name]
	if !known {
		return []string{fmt.Sprintf("nobody serves %q", s.Name)}
	}
	var out []string
	for _, matcher := range s.LabelMatchers {
		if matcher.Name == labels.MetricName {
			continue
		}
		values, has := m.Labels[matcher.Name]
		if !has {
			values, has = target[matcher.Name]
		}
		switch {
		case !has:
			out = append(out, fmt.Sprintf("%s has no label %q", s.Name, matcher.Name))
		case values == nil || strings.Contains(matcher.Value, "$"):
			// Names of objects, or a variable of the dashboard.
		case matcher.Type == labels.MatchEqual || matcher.Type == labels.MatchNotEqual:
			if !slices.Contains(values, matcher.Value) {
				out = append(out, fmt.Sprintf("%s never has %s=%q", s.Name, matcher.Name, matcher.Value))
			}
		default:
			for _, alternative := range strings.Split(matcher.Value, "|") {
				one := labels.MustNewMatcher(labels.MatchRegexp, matcher.Name, alternative)
				if !slices.ContainsFunc(values, one.Matches) {
					out = append(out, fmt.Sprintf("%s never has %s that is like %q", s.Name, matcher.Name, alternative))
				}
			}
		}
	}
	return out
}

// unknownLabels returns which labels no selector of an expression has.
func unknownLabels(names []string, expr parser.Expr, all map[string]metric) []string {
	var out []string
	for _, name := range names {
		found, selectors := false, 0
		parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
			if s, ok := node.(*parser.VectorSelector); ok {
				selectors++
				_, has := all[s.Name].Labels[name]
				_, common := target[name]
				found = found || has || common
			}
			return nil
		})
		if selectors > 0 && !found {
			out = append(out, fmt.Sprintf("nothing in %s has label %q", expr, name))
		}
	}
	return out
}

// countsUp says what is wrong with the rate of what does not count up; "" if nothing is.
func countsUp(call *parser.Call, all map[string]metric) string {
	if !slices.Contains([]string{"rate", "irate", "increase"}, call.Func.Name) {
		return ""
	}
	if matrix, ok := call.Args[0].(*parser.MatrixSelector); ok {
		if s := matrix.VectorSelector.(*parser.VectorSelector); all[s.Name].Name != "" && all[s.Name].Kind != "counter" {
			return fmt.Sprintf("%s of %s, which is a %s", call.Func.Name, s.Name, all[s.Name].Kind)
		}
	}
	return ""
}

// TestFaults checks the checker.
func TestFaults(t *testing.T) {
	all := map[string]metric{
		"gauge":   {Name: "gauge", Kind: "gauge", Labels: map[string][]string{"state": {"idle", "used"}, "queue": nil}},
		"c_total": {Name: "c_total", Kind: "counter", Labels: map[string][]string{"why": {"a"}}},
	}
	for query, want := range map[string]string{
		`sum by (state) (gauge{state="idle", queue="any", job="berth"})`: "",
		`rate(c_total{why=~"a"}[$__rate_interval])`:                      "",
		`gauge{queue=~"$queue"} > on (queue) gauge`:                      "",
		`gone`:                      `nobody serves "gone"`,
		`gauge{pool="x"}`:           `gauge has no label "pool"`,
		`gauge{state="lost"}`:       `gauge never has state="lost"`,
		`gauge{state=~"idle|lost"}`: `gauge never has state that is like "lost"`,
		`sum by (why) (gauge)`:      `nothing in gauge has label "why"`,
		`gauge > on (why) c_total`:  `nothing in gauge has label "why"`,
		`rate(gauge[5m])`:           `rate of gauge, which is a gauge`,
		`sum(`:                      `parse error`,
	} {
		got := strings.Join(faults(query, all), "; ")
		if (want == "") != (got == "") || !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", query, got, want)
		}
	}
}

// dashboard is what is read of a dashboard.
type dashboard struct {
	UID        string
	Templating struct {
		List []struct {
			Name, Type, Definition string
		}
	}
	Panels []struct {
		ID                       int
		Type, Title, Description string
		Targets                  []struct{ Expr string }
	}
}

func TestDashboards(t *testing.T) {
	all := withRecorded(t, served(t))
	files, err := filepath.Glob("../../manifests/monitoring/dashboards/*.json")
	if err != nil || len(files) != 2 {
		t.Fatalf("dashboards: %v, %v", files, err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var d dashboard
		if err := json.Unmarshal(content, &d); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		variables, ids := map[string]bool{"__rate_interval": true, "datasource": true}, map[int]bool{}
		for _, v := range d.Templating.List {
			variables[v.Name] = true
			if v.Type != "query" {
				continue
			}
			name, label, ok := strings.Cut(strings.TrimSuffix(strings.TrimPrefix(v.Definition, "label_values("), ")"), ", ")
			if _, has := all[name].Labels[label]; !ok || !has {
				t.Errorf("%s: variable %s is of %q, which nobody serves", file, v.Name, v.Definition)
			}
		}
		for _, p := range d.Panels {
			if ids[p.ID] {
				t.Errorf("%s: panel %q has the number of another", file, p.Title)
			}
			ids[p.ID] = true
			if p.Type != "row" && (p.Description == "" || len(p.Targets) == 0) {
				t.Errorf("%s: panel %q has no description or asks for nothing", file, p.Title)
			}
			for _, target := range p.Targets {
				for _, fault := range faults(target.Expr, all) {
					t.Errorf("%s: panel %q: %s: %s", file, p.Title, target.Expr, fault)
				}
				for _, word := range strings.Split(target.Expr, "$")[1:] {
					end := strings.IndexFunc(word, func(r rune) bool { return r != '_' && (r < 'a' || r > 'z') })
					if end > 0 && !variables[word[:end]] {
						t.Errorf("%s: panel %q has $%s, which is no variable", file, p.Title, word[:end])
					}
				}
			}
		}
	}
}

func TestRuleQueries(t *testing.T) {
	all := withRecorded(t, served(t))
	for _, g := range rules(t).Spec.Groups {
		for _, r := range g.Rules {
			for _, fault := range faults(r.Expr.String(), all) {
				t.Errorf("%s%s: %s", r.Alert, r.Record, fault)
			}
		}
	}
	for _, trigger := range scaledObject(t).Spec.Triggers {
		for _, fault := range faults(trigger.Metadata["query"], all) {
			t.Errorf("the example for KEDA: %s: %s", trigger.Metadata["query"], fault)
		}
	}
}
