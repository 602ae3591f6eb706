package engine

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"

	dto "github.com/prometheus/client_model/go"
	"k8s.io/component-base/metrics"
	"k8s.io/component-base/metrics/legacyregistry"

	"github.com/berth-dev/berth/pkg/engine/catalog"
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
	registry.MustRegister(counted()...)
	begin()
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
	registry.CustomMustRegister(&queueCollector{queues: h.engine.queues}, &shortCollector{gangs: h.engine.gangs, leading: func() bool { return true }}, &censusCollector{census: h.census})
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
	h.census.count()
	h.pass(3, time.Second)
	h.census.count()
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
	for _, m := range Metrics() {
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

// TestMetricsFollowConventions checks names, helps and labels of all definitions.
func TestMetricsFollowConventions(t *testing.T) {
	seen := map[string]bool{}
	for _, m := range Metrics() {
		if seen[m.Name] {
			t.Errorf("%s is defined twice", m.Name)
		}
		seen[m.Name] = true
		if !regexp.MustCompile(`^berth_[a-z]+(_[a-z]+)*$`).MatchString(m.Name) {
			t.Errorf("%s is no name of a metric of Berth", m.Name)
		}
		if strings.HasSuffix(m.Name, "_total") != (m.Kind == catalog.Counter) {
			t.Errorf("%s is a %s: counters and they alone end in _total", m.Name, m.Kind)
		}
		if m.Kind == catalog.Histogram && !strings.HasSuffix(m.Name, "_duration_seconds") {
			t.Errorf("%s does not say what it measures in its unit", m.Name)
		}
		if (m.Kind == catalog.Histogram) != (len(m.Buckets) > 0) || !slices.IsSorted(m.Buckets) {
			t.Errorf("%s is a %s with buckets %v", m.Name, m.Kind, m.Buckets)
		}
		if !regexp.MustCompile(`^[A-Z].*[^ ]\.$`).MatchString(m.Help) {
			t.Errorf("%s: help %q is no sentence", m.Name, m.Help)
		}
		for _, l := range m.Labels {
			if !slices.Contains(catalog.Labels(), l.Name) {
				t.Errorf("%s has label %q, which catalog.Labels does not allow", m.Name, l.Name)
			}
			if l.Values == nil && l.Name != catalog.QueueLabel.Name && l.Name != catalog.DeviceLabel.Name {
				t.Errorf("%s: the values of label %q are not listed", m.Name, l.Name)
			}
		}
	}
}

// TestReasonsAreListed finds the reasons in the source that a gang may wait for.
func TestReasonsAreListed(t *testing.T) {
	for file, typed := range map[string]string{
		"../core/gang/code.go": "Code", "../core/admission/reason.go": "Code", "../state/queueing/charges.go": "QueueCode", "../state/queueing/access.go": "QueueCode",
		"explain.go": "", "reclaim.go": "", "windows.go": "",
	} {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		found := 0
		ast.Inspect(parsed, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || len(spec.Values) != 1 {
				return true
			}
			name, _ := spec.Type.(*ast.Ident)
			value, _ := spec.Values[0].(*ast.BasicLit)
			if value == nil || value.Kind != token.STRING || typed == "" && !strings.HasPrefix(spec.Names[0].Name, "reason") || typed != "" && (name == nil || name.Name != typed) {
				return true
			}
			found++
			if reason, _ := strconv.Unquote(value.Value); reasonLabel(reason) != reason {
				t.Errorf("%s: reason %q is not among waitReasons", file, reason)
			}
			return true
		})
		if found == 0 {
			t.Errorf("%s: no reasons found", file)
		}
	}
	if got := reasonLabel("pod-17 is broken"); got != otherReason {
		t.Errorf("a reason of somebody else is %q, want %q", got, otherReason)
	}
}

// TestMetricsPage checks that docs/metrics.md is what make generate writes.
func TestMetricsPage(t *testing.T) {
	var page, served bytes.Buffer
	if err := catalog.Write(&page, Metrics()); err != nil {
		t.Fatal(err)
	}
	if err := catalog.WriteJSON(&served, Metrics()); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string][]byte{"../../docs/metrics.md": page.Bytes(), "../../test/monitoring/testdata/served.json": served.Bytes()} {
		if got, err := os.ReadFile(file); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is out of date: run make generate (%v)", file, err)
		}
	}
}

func TestSizeClasses(t *testing.T) {
	for size, want := range map[int64]string{0: "0", 1: "1-7", 7: "1-7", 8: "8-63", 64: "64-511", 511: "64-511", 512: "512+", 1 << 40: "512+"} {
		if got := gangSizes.of(size); got != want {
			t.Errorf("a gang of %d is of class %q, want %q", size, got, want)
		}
	}
	for size, want := range map[int64]string{0: "0", 1: "1", 2: "2-7", 8: "8+", 16: "8+"} {
		if got := podSizes.of(size); got != want {
			t.Errorf("a pod of %d is of class %q, want %q", size, got, want)
		}
	}
}

// TestCensusFollowsQueues checks that a queue that is gone leaves no series behind.
func TestCensusFollowsQueues(t *testing.T) {
	countedRegistry()
	names := []string{"here", "there"}
	c := &census{queues: func() []string { return names }}
	has := func(queue string) bool { return queuePlaced.Delete(map[string]string{"queue": queue}) }
	c.follow()
	names = names[:1]
	c.follow()
	if has("there") || !has("here") {
		t.Error("histograms are kept of a queue that is gone, or of none that is there")
	}
}

// BenchmarkScrape renders what is served.
func BenchmarkScrape(b *testing.B) {
	h := populated(b)
	h.census.count()
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
		h.census.count()
	}
}

// However many scrape, what costs a look at all gangs is made once in a while.
func TestLately(t *testing.T) {
	made := 0
	var l lately[int]
	for range 3 {
		if got := l.get(func() int { made++; return made }); got != 1 {
			t.Errorf("%d is served", got)
		}
	}
	l.made = l.made.Add(-collectPeriod)
	if got := l.get(func() int { made++; return made }); got != 2 {
		t.Errorf("%d is served once the value is old", got)
	}
}
