package workload

import (
	"testing"
)

func TestNamesForUsers(t *testing.T) {
	for _, c := range []struct{ name, reader, shown, called string }{
		{"ns/berth:train", "ns", "ns/train", "gang train"},
		{"ns/berth:train", "other", "ns/train", "gang ns/train"},
		{"ns/train", "ns", "ns/train", "gang train"},
		{"ns/train", "", "ns/train", "gang ns/train"},
		{"ns/eval (pod)", "ns", "ns/eval", "pod eval"},
		{"ns/eval (pod)", "other", "ns/eval", "pod ns/eval"},
		// The second of two pods that have the name one after another.
		{"ns/eval (pod) 7f3a", "ns", "ns/eval", "pod eval"},
	} {
		if got := Shown(c.name); got != c.shown {
			t.Errorf("%q is shown as %q, want %q", c.name, got, c.shown)
		}
		if got := Called(c.name, c.reader); got != c.called {
			t.Errorf("%q is called %q in namespace %q, want %q", c.name, got, c.reader, c.called)
		}
	}
}
