package record

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMessageKey(t *testing.T) {
	for _, c := range []struct {
		name, a, b string
		same       bool
	}{
		{"counts", "0/5 nodes are available: 3 Insufficient cpu.", "0/6 nodes are available: 4 Insufficient cpu.", true},
		{"counts that reorder the parts", "0/5 nodes are available: 12 Insufficient cpu, 3 node(s) had taints.",
			"0/5 nodes are available: 2 node(s) had taints, 13 Insufficient cpu.", true},
		{"another reason", "0/5 nodes are available: 3 Insufficient cpu.", "0/5 nodes are available: 3 Insufficient memory.", false},
		{"a number in a name", `pod "worker-3" is late`, `pod "worker-4" is late`, false},
		{"an added reason", "1 Insufficient cpu", "1 Insufficient cpu, 2 Insufficient memory", false},
		{"nothing", "", "", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := MessageKey(c.a) == MessageKey(c.b); got != c.same {
				t.Errorf("the same: %v, want %v (%q, %q)", got, c.same, MessageKey(c.a), MessageKey(c.b))
			}
		})
	}
}

func TestRecent(t *testing.T) {
	var r Recent
	var news []string
	for _, said := range strings.Fields("a b a b c d a e b") {
		if r.News(said) {
			news = append(news, said)
		}
	}
	if diff := cmp.Diff(strings.Fields("a b c d e"), news[:5]); diff != "" {
		t.Errorf("news (-want +got):\n%s", diff)
	}
	if len(r) != recentLimit || cap(r) > 2*recentLimit {
		t.Errorf("%d things are remembered in room for %d, want %d", len(r), cap(r), recentLimit)
	}
}
