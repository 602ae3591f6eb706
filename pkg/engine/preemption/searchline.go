package preemption

import (
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/util/sets"
)

// searchShare has victims be searched for in vain at most one part in so many of the time.
const searchShare = 4

// searchPatience is how long the next is not called while one that was called is not tried.
const searchPatience = 100 * time.Millisecond

// searchLine says whose turn it is to have victims searched for. A search costs as much as all
// that runs and waits, so there is a pause after each that finds nobody: it may be made again and
// again. One that does is one less to be made, and a pause after it would only have the others
// wait. Whoever is refused a place during a pause
// stands in line, and is tried again when it is its turn: one at a time, as a try without a
// search is for nothing.
type searchLine struct {
	// quiet is until when nothing is searched.
	quiet time.Time
	// names are those that stand in line, the first first; in has the same.
	names []string
	in    sets.Set[string]
	// called are those that were called and were not tried since, and calledAt is when the last
	// of them was.
	called   sets.Set[string]
	calledAt time.Time
	// news is sent to when somebody may be called, or may be later.
	news chan struct{}
}

func newSearchLine() searchLine {
	return searchLine{in: sets.New[string](), called: sets.New[string](), news: make(chan struct{}, 1)}
}

// join puts one in line.
func (l *searchLine) join(name string) {
	if l.in.Has(name) {
		return
	}
	l.in.Insert(name)
	l.names = append(l.names, name)
	l.tell()
}

// enter reports whether it is the turn of one that is tried, and puts it in line if it is not.
func (l *searchLine) enter(name string, now time.Time) bool {
	called := l.called.Has(name)
	l.called.Delete(name)
	if now.Before(l.quiet) || !called && len(l.names) > 0 && l.names[0] != name {
		l.join(name)
		return false
	}
	l.leave(name)
	return true
}

// leave takes one out of the line.
func (l *searchLine) leave(name string) {
	if l.in.Has(name) {
		l.in.Delete(name)
		l.names = slices.DeleteFunc(l.names, func(n string) bool { return n == name })
	}
}

// searched takes in that somebody searched from one instant to another.
func (l *searchLine) searched(from, to time.Time) {
	l.quiet = to.Add((searchShare - 1) * to.Sub(from))
}

// found takes in that the search which was made last found somebody.
func (l *searchLine) found(now time.Time) { l.quiet = now }

// next takes the next out of the line, if it may be called; else it says after how long one may
// be, 0 if nobody stands in line.
func (l *searchLine) next(now time.Time) (name string, after time.Duration) {
	if len(l.names) == 0 {
		return "", 0
	}
	if wait := l.quiet.Sub(now); wait > 0 {
		return "", wait
	}
	if wait := l.calledAt.Add(searchPatience).Sub(now); wait > 0 && l.called.Len() > 0 {
		return "", wait
	}
	name, l.names = l.names[0], l.names[1:]
	l.in.Delete(name)
	return name, 0
}

// call takes in that one is called.
func (l *searchLine) call(name string, now time.Time) {
	l.called.Insert(name)
	l.calledAt = now
}

func (l *searchLine) tell() {
	select {
	case l.news <- struct{}{}:
	default:
	}
}

// callNext has the next be tried whose turn it is to have victims searched for, and returns after
// how long it is to be called again, 0 if nobody stands in line.
func (r *Reclaimer) callNext() time.Duration {
	for {
		now := r.Clock.Now()
		r.mu.Lock()
		name, after := r.line.next(now)
		if name == "" {
			r.mu.Unlock()
			return after
		}
		r.line.call(name, now)
		r.mu.Unlock()
		if r.Queues.Again(name) {
			continue // it says after how long the next may be called
		}
		r.mu.Lock()
		r.line.called.Delete(name) // it waits no more, or is about to be tried anyway
		r.mu.Unlock()
	}
}

// leaveSearchLine calls the next after a search, or has it called after the pause.
func (r *Reclaimer) leaveSearchLine() {
	if r.callNext() > 0 {
		r.line.tell()
	}
}
