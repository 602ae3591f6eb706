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
// the two it was. before is how many pods were created before those of the submitter, which
// may be nil.
func (s *Session) follow(ctx context.Context, before int, created *submitter, bound *observer, wanted <-chan struct{}) bool {
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
		there, total := before, before
		if created != nil {
			there += int(created.count.Load())
			total += len(created.created)
		}
		line := s.progressLine(there, total, bound, time.Since(start))
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

func (s *Session) progressLine(created, total int, o *observer, elapsed time.Duration) string {
	bound, whole := o.progress()
	line := fmt.Sprintf("%4.0f s  created %d/%d  bound %d  gangs complete %d", elapsed.Seconds(), created, total, bound, whole)
	if evicted := o.evictions(); evicted.Gangs() > 0 {
		line += fmt.Sprintf("  evicted %d", evicted.Gangs())
	}
	return line
}
