package catalog

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestLabelsNameNobody checks that no label is for what users of a cluster make.
func TestLabelsNameNobody(t *testing.T) {
	for _, label := range Labels() {
		for _, word := range []string{"pod", "node", "gang", "group", "user", "uid", "namespace", "name", "job", "workload", "instance", "domain", "rack"} {
			if strings.Contains(label, word) {
				t.Errorf("label %q may have the name of a %s", label, word)
			}
		}
	}
}

func TestEachAndSeries(t *testing.T) {
	state := Label{Name: "state", Values: []string{"a", "b"}}
	m := Metric{Kind: Histogram, Labels: []Label{state, {Name: "why", Values: []string{"c", "d"}}}, Buckets: []float64{1, 2}}
	var got []string
	m.Each(func(values ...string) { got = append(got, fmt.Sprint(values)) })
	if diff := cmp.Diff([]string{"[a c]", "[a d]", "[b c]", "[b d]"}, got); diff != "" {
		t.Errorf("combinations (-want +got):\n%s", diff)
	}
	if got := m.Series(nil); got != 4*5 {
		t.Errorf("%d series, want 20", got)
	}
	m.Labels[0] = QueueLabel
	if got := m.Series(map[string]int{"queue": 50}); got != 50*2*5 {
		t.Errorf("%d series, want 500", got)
	}
}
