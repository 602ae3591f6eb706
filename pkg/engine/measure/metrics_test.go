package measure

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"k8s.io/component-base/metrics"

	"github.com/berth-dev/berth/pkg/engine/catalog"
	"github.com/berth-dev/berth/pkg/engine/waitreason"
)

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
		"../../core/gang/code.go": "Code", "../../core/admission/reason.go": "Code", "../../state/queueing/charges.go": "QueueCode", "../../state/queueing/access.go": "QueueCode",
		"../waitreason/reason.go": "",
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
			if value == nil || value.Kind != token.STRING || typed != "" && (name == nil || name.Name != typed) {
				return true
			}
			found++
			if reason, _ := strconv.Unquote(value.Value); waitreason.Label(reason) != reason {
				t.Errorf("%s: reason %q is not among waitReasons", file, reason)
			}
			return true
		})
		if found == 0 {
			t.Errorf("%s: no reasons found", file)
		}
	}
	if got := waitreason.Label("pod-17 is broken"); got != waitreason.Other {
		t.Errorf("a reason of somebody else is %q, want %q", got, waitreason.Other)
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
	for file, want := range map[string][]byte{"../../../docs/metrics.md": page.Bytes(), "../../../test/monitoring/testdata/served.json": served.Bytes()} {
		if got, err := os.ReadFile(file); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is out of date: run make generate (%v)", file, err)
		}
	}
}

func TestSizeClasses(t *testing.T) {
	for size, want := range map[int64]string{0: "0", 1: "1-7", 7: "1-7", 8: "8-63", 64: "64-511", 511: "64-511", 512: "512+", 1 << 40: "512+"} {
		if got := GangSizes.Of(size); got != want {
			t.Errorf("a gang of %d is of class %q, want %q", size, got, want)
		}
	}
	for size, want := range map[int64]string{0: "0", 1: "1", 2: "2-7", 8: "8+", 16: "8+"} {
		if got := podSizes.Of(size); got != want {
			t.Errorf("a pod of %d is of class %q, want %q", size, got, want)
		}
	}
}

// TestCensusFollowsQueues checks that a queue that is gone leaves no series behind.
func TestCensusFollowsQueues(t *testing.T) {
	RegisterIn(metrics.NewKubeRegistry())
	names := []string{"here", "there"}
	c := &Census{queues: func() []string { return names }}
	has := func(queue string) bool { return QueuePlaced.Delete(map[string]string{"queue": queue}) }
	c.follow()
	names = names[:1]
	c.follow()
	if has("there") || !has("here") {
		t.Error("histograms are kept of a queue that is gone, or of none that is there")
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
