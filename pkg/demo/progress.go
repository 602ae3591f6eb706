package demo

import (
	"context"
	"fmt"
	"time"
)

// How often the progress is told: to a terminal, and to a log.
const (
	terminalInterval = 200 * time.Millisecond
	logInterval      = 5 * time.Second
)

// follow tells the progress until what is wanted is bound, or ctx ends, and reports which of
// the two it was. pods is how many there are to be; the submitter may be nil.
func (s *Session) follow(ctx context.Context, submitter *submitter, pods int, o *observer, wanted <-chan struct{}) bool {
	interval := logInterval
	if s.options.Terminal {
		interval = terminalInterval
	}
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	start := time.Now()
	for {
		over, all := false, false
		select {
		case <-wanted:
			over, all = true, true
		case <-ctx.Done():
			over = true
		case <-ticker.C:
		}
		line := progressLine(submitter, pods, o, time.Since(start))
		switch {
		case !s.options.Terminal:
			s.say("%s", line)
		case over:
			s.say("\r%s\x1b[K", line)
		default:
			fmt.Fprintf(s.options.Log, "\r%s\x1b[K", line)
		}
		if over {
			return all
		}
	}
}

func progressLine(s *submitter, pods int, o *observer, elapsed time.Duration) string {
	line := fmt.Sprintf("%4.0f s", elapsed.Seconds())
	if s != nil {
		line += fmt.Sprintf("  submitted %d/%d", s.count.Load(), s.total)
	}
	a := o.progress()
	line += fmt.Sprintf("  pods made %d/%d  bound %d  gangs complete %d", a.made, pods, a.bound, a.whole)
	if evicted := o.evictions().Gangs(); evicted > 0 {
		line += fmt.Sprintf("  evicted %d", evicted)
	}
	return line
}
