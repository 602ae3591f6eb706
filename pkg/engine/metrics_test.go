package engine

import "testing"

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
