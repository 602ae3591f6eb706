package engine

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"k8s.io/component-base/metrics"
	"k8s.io/component-base/metrics/legacyregistry"

	"github.com/berth-dev/berth/pkg/engine/catalog"
	"github.com/berth-dev/berth/pkg/engine/measure"
)

const (
	// manyQueues is for how many queues series are counted, and mostSeries how many there may
	// be then.
	manyQueues = 50
	mostSeries = 2000
)

// countedRegistry returns a registry of the metrics that are counted as it happens: before
// they are in any, nothing is counted.
func countedRegistry() metrics.KubeRegistry {
	registry := metrics.NewKubeRegistry()
	measure.RegisterIn(registry)
	return registry
}

// populated is a test cluster with many queues, gangs of all sizes that run and wait, and reasons
// of many kinds.
func populated(t testing.TB) *testCluster {
	var rules []testQueue
	for i := range manyQueues {
		rules = append(rules, testQueue{name: fmt.Sprintf("team-%02d", i), guaranteed: 8, limit: 64, cpuLimit: 1 << 20, memoryLimit: 1 << 50, weight: 1})
	}
	countedRegistry()
	h := newTestCluster(t, rackNodes(64, 8), rules...)
	h.nodes[0].Spec.Unschedulable = true
	h.nodeFeed.set(h.nodes[0])
	for i := range 120 {
		c := testJob{name: fmt.Sprint("c", i), queue: rules[i%manyQueues].name, size: 1 + i%5, gpus: []int64{0, 1, 2, 4, 8}[i/2%5], rack: i%3 == 0}
		if i%7 == 0 {
			c.size, c.pods, c.rack = 0, 1, false
		}
		h.submit(c)
		if i%20 == 19 {
			h.settle()
		}
	}
	h.submit(testJob{name: "incomplete", queue: rules[0].name, size: 4, pods: 2, gpus: 8})
	h.submit(testJob{name: "lost", queue: "nowhere", size: 2, gpus: 8})
	h.submit(testJob{name: "huge", queue: rules[1].name, size: 100, gpus: 8})
	h.settle()
	return h
}

// serve returns what an engine serves, as it is scraped, by the name of the family.
func (h *testCluster) serve() (map[string]*dto.MetricFamily, []byte) {
	h.t.Helper()
	registry := countedRegistry()
	registry.CustomMustRegister(&measure.QueueCollector{Queues: h.engine.queues}, &measure.ShortCollector{Gangs: h.engine.gangs, Leading: func() bool { return true }}, &measure.CensusCollector{Census: h.census})
	out := map[string]*dto.MetricFamily{}
	var text bytes.Buffer
	for _, g := range []metrics.Gatherer{registry, legacyregistry.DefaultGatherer} {
		families, err := g.Gather()
		if err != nil {
			h.t.Fatal(err)
		}
		for _, f := range families {
			if !strings.HasPrefix(f.GetName(), "berth_") || out[f.GetName()] != nil {
				continue
			}
			out[f.GetName()] = f
			if _, err := expfmt.MetricFamilyToText(&text, f); err != nil {
				h.t.Fatal(err)
			}
		}
	}
	return out, text.Bytes()
}

// TestServedMetrics scrapes an engine at work: what it serves is what is defined, all of it,
// every label has a value from its set, and there are few series.
func TestServedMetrics(t *testing.T) {
	h := populated(t)
	h.census.Count()
	h.pass(3, time.Second)
	h.census.Count()
	families, text := h.serve()

	queues := map[string]bool{}
	for _, name := range h.engine.queues.Names() {
		queues[name] = true
	}
	if len(queues) != manyQueues {
		t.Fatalf("%d queues, want %d", len(queues), manyQueues)
	}
	names := map[string]func(string) bool{
		"queue":    func(v string) bool { return queues[v] },
		"resource": func(v string) bool { return v == "cpu" || v == "memory" || v == gpuName },
	}
	defined := map[string]catalog.Metric{}
	for _, m := range measure.Metrics() {
		defined[m.Name] = m
		if families[m.Name] == nil {
			t.Errorf("%s is defined and not served", m.Name)
		}
		if m.Series(map[string]int{"queue": manyQueues, "resource": 3}) > 700 {
			t.Errorf("%s may have %d series with %d queues", m.Name, m.Series(map[string]int{"queue": manyQueues, "resource": 3}), manyQueues)
		}
	}
	for name, f := range families {
		m, known := defined[name]
		if !known {
			t.Errorf("%s is served and not defined", name)
			continue
		}
		if kind := strings.ToLower(f.GetType().String()); kind != string(m.Kind) {
			t.Errorf("%s is a %s, and defined as a %s", name, kind, m.Kind)
		}
		if help := strings.TrimPrefix(f.GetHelp(), "[ALPHA] "); help != m.Help {
			t.Errorf("%s: help %q, defined %q", name, help, m.Help)
		}
		for _, series := range f.GetMetric() {
			checkLabels(t, m, series.GetLabel(), names)
		}
	}
	n := 0
	byName := map[string]int{}
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "#") {
			n++
			byName[regexp.MustCompile(`^[a-z_]+`).FindString(line)]++
		}
	}
	t.Logf("%d series with %d queues, %d bytes", n, manyQueues, len(text))
	if n >= mostSeries {
		t.Errorf("%d series with %d queues, want fewer than %d: %v", n, manyQueues, mostSeries, byName)
	}
	// What the test stands on: all of it happened.
	for series, want := range map[string]string{
		`berth_gpus{resource="nvidia.com/gpu",state="unavailable"}`: `^8$`,
		`berth_gpus{resource="nvidia.com/gpu",state="allocated"}`:   `^[1-9]\d\d$`,
		`berth_gpus{resource="nvidia.com/gpu",state="asked"}`:       `^[1-9]\d*$`,
		`berth_held_gangs{reason="GangIncomplete"}`:                 `^1$`,
		`berth_held_gangs{reason="QueueNotFound"}`:                  `^1$`,
		`berth_queue_wait_duration_seconds_count{queue="team-07"}`:  `^[1-9]\d*$`,
		`berth_pod_bound_duration_seconds_count{gpus="8+"}`:         `^[1-9]\d*$`,
		`berth_gang_decisions_total{outcome="placed"}`:              `^[1-9]\d*$`,
	} {
		got := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(series) + ` (.*)$`).FindStringSubmatch(string(text))
		if got == nil || !regexp.MustCompile(want).MatchString(got[1]) {
			t.Errorf("%s: %q, want %s", series, got, want)
		}
	}
}

func checkLabels(t *testing.T, m catalog.Metric, labels []*dto.LabelPair, names map[string]func(string) bool) {
	t.Helper()
	var got, want []string
	for _, l := range labels {
		got = append(got, l.GetName())
	}
	for _, l := range m.Labels {
		want = append(want, l.Name)
	}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%s has labels %v, and is defined with %v", m.Name, got, want)
		return
	}
	for _, l := range labels {
		i := slices.IndexFunc(m.Labels, func(d catalog.Label) bool { return d.Name == l.GetName() })
		if values := m.Labels[i].Values; values != nil && !slices.Contains(values, l.GetValue()) ||
			values == nil && (names[l.GetName()] == nil || !names[l.GetName()](l.GetValue())) {
			t.Errorf("%s has %s=%q, which is none of its values", m.Name, l.GetName(), l.GetValue())
		}
	}
}

// BenchmarkScrape renders what is served.
func BenchmarkScrape(b *testing.B) {
	h := populated(b)
	h.census.Count()
	b.ReportAllocs()
	for b.Loop() {
		h.serve()
	}
}

// BenchmarkCensus counts once at 2,500 nodes.
func BenchmarkCensus(b *testing.B) {
	h := newTestCluster(b, rackNodes(2500, 32), testQueue{name: "q", guaranteed: 8, weight: 1})
	h.unchecked = true
	for i := range 200 {
		h.submit(testJob{name: fmt.Sprint("c", i), queue: "q", size: 1 + i%4, gpus: []int64{1, 2, 4, 8}[i%4]})
	}
	h.settle()
	for b.Loop() {
		h.census.Count()
	}
}
