package waitreason

import "testing"

// What was said stays as long as it is true enough.
func TestContradicts(t *testing.T) {
	for _, c := range []struct {
		said, is string
		want     bool
	}{
		{"GangIncomplete", "GangIncomplete", false},
		{"GangIncomplete", "QueueAtLimit", true},
		{"Unschedulable", Backoff, false},
		{"Unschedulable", "GangIncomplete", true},
		{"QueuedBehind", "QueueNotItsTurn", false},
		{"QueuedBehind", "QueueAtLimit", true},
		{"QueuedBehind", "Unschedulable", true},
		{"Unschedulable", "QueuedBehind", false},
		{"Unschedulable", "QueuedBehindHeld", false},
		{"Unschedulable", "QueueAtLimit", true},
		{"QueueAtLimit", NotTried, true},
		{NotTried, Backoff, false},
		{NamespaceWindow, NotTried, false},
		{"Unschedulable", NamespaceWindow, false},
	} {
		if got := Contradicts(c.said, c.is); got != c.want {
			t.Errorf("%s was said and %s is: %v, want %v", c.said, c.is, got, c.want)
		}
	}
}
