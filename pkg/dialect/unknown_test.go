package dialect

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestUnknownKeys(t *testing.T) {
	many := map[string]string{}
	var said []string
	for i := range 9 {
		many[fmt.Sprintf("berth.dev/unknown-key-%d", i)] = ""
		if i < mostUnknown {
			said = append(said, fmt.Sprintf("annotation berth.dev/unknown-key-%d is unknown", i))
		}
	}
	long := ownPrefix + strings.Repeat("x", 200)
	tests := []struct {
		name                string
		labels, annotations map[string]string
		want                []string
	}{
		{name: "nothing"},
		{name: "what is read", labels: map[string]string{"berth.dev/gang": "a"}, annotations: map[string]string{"berth.dev/gang-size": "2", "berth.dev/gpu-link": "pcie"}},
		{name: "keys of others", labels: map[string]string{"example.com/gangsize": "2"}, annotations: map[string]string{"gang-size": "2"}},
		{name: "a local cluster's", annotations: map[string]string{"berth.dev/simulate-run-for": "1s"}},
		{
			name: "a letter left out", annotations: map[string]string{"berth.dev/gangsize": "16"},
			want: []string{"annotation berth.dev/gangsize is unknown; did you mean berth.dev/gang-size?"},
		},
		{
			name: "capital letters", annotations: map[string]string{"berth.dev/gangSize": "16"},
			want: []string{"annotation berth.dev/gangSize is unknown; did you mean berth.dev/gang-size?"},
		},
		{
			name: "a label for an annotation", labels: map[string]string{"berth.dev/gang-size": "16"},
			want: []string{"label berth.dev/gang-size is unknown: it has to be an annotation"},
		},
		{
			name: "an annotation for a label", annotations: map[string]string{"berth.dev/queue": "research"},
			want: []string{"annotation berth.dev/queue is unknown: it has to be a label"},
		},
		{
			name: "both", labels: map[string]string{"berth.dev/require-topology": "rack"},
			want: []string{"label berth.dev/require-topology is unknown; did you mean the annotation berth.dev/required-topology?"},
		},
		{
			name: "nothing like it", labels: map[string]string{"berth.dev/colour": "red"}, annotations: map[string]string{"berth.dev/topology": "rack"},
			want: []string{"label berth.dev/colour is unknown", "annotation berth.dev/topology is unknown"},
		},
		{name: "the first of many", annotations: many, want: said},
		{name: "a long one", annotations: map[string]string{long: ""}, want: []string{"annotation " + clip(long) + " is unknown"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := UnknownKeys(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Labels: test.labels, Annotations: test.annotations}})
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestEdits(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"abc", "abc", 0}, {"abc", "axc", 1}, {"abc", "ac", 1}, {"ac", "abc", 1}, {"kitten", "sitting", 3}} {
		if got := edits(test.a, test.b); got != test.want {
			t.Errorf("from %q to %q: got %d, want %d", test.a, test.b, got, test.want)
		}
	}
}
