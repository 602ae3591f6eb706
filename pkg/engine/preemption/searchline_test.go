package preemption

import (
	"testing"
	"time"
)

// Victims are searched for one gang at a time, with a pause after each search that was in vain, in
// the order in which the gangs were refused.
func TestSearchLine(t *testing.T) {
	start := time.Unix(1_000_000, 0)
	at := func(ms int) time.Time { return start.Add(time.Duration(ms) * time.Millisecond) }
	l := newSearchLine()
	enter := func(name string, ms int, want bool) {
		t.Helper()
		if got := l.enter(name, at(ms)); got != want {
			t.Errorf("at %d ms, %s may search: %t, want %t", ms, name, got, want)
		}
	}
	next := func(ms int, want string, after time.Duration) {
		t.Helper()
		name, wait := l.next(at(ms))
		if name != want || wait != after {
			t.Errorf("at %d ms, %q is next, or somebody after %s; want %q, or after %s", ms, name, wait, want, after)
		}
		if name != "" {
			l.call(name, at(ms))
		}
	}
	next(0, "", 0)
	enter("first", 0, true)
	l.searched(at(0), at(10)) // 30 ms of pause
	for _, name := range []string{"a", "b", "a", "c", "d"} {
		enter(name, 20, false)
	}
	next(20, "", 20*time.Millisecond)
	enter("d", 50, false) // others stand in line before it
	next(50, "a", 0)
	next(50, "", searchPatience) // one at a time
	enter("b", 60, true)         // the next in line, which is tried for another reason
	l.searched(at(60), at(61))
	enter("a", 62, false) // it was called, and another searched meanwhile: it stands in line again
	next(64, "c", 0)
	next(64+int(searchPatience/time.Millisecond), "d", 0) // c is not tried
	enter("c", 200, true)                                 // and comes late
	next(200, "", searchPatience-36*time.Millisecond)
	enter("d", 201, true)
	next(201, "a", 0)
	enter("a", 202, true)
	next(202, "", 0)
	enter("first", 300, true)
	l.searched(at(300), at(400)) // its victims were found: there is no pause
	l.found(at(400))
	enter("second", 400, true)
	l.searched(at(400), at(500))
	enter("third", 501, false)
	next(501, "", 299*time.Millisecond)
	next(800, "third", 0)
	enter("third", 800, true)
	if l.in.Len()+l.called.Len()+len(l.names) > 0 {
		t.Errorf("nobody waits, and %+v is kept", l)
	}
}
