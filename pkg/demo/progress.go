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

// follow tells the progress until every pod is bound or ctx ends.
func (s *Session) follow(ctx context.Context, created *submitter, bound *observer) {
	interval := logInterval
	if s.options.Terminal {
		interval = terminalInterval
	}
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	start := time.Now()
	for {
		over := false
		select {
		case <-bound.all:
			over = true
		case <-ctx.Done():
			over = true
		case <-ticker.C:
		}
		pods, gangs := bound.progress()
		line := progressLine(s.workload, int(created.count.Load()), pods, gangs, time.Since(start))
		switch {
		case !s.options.Terminal:
			s.say("%s", line)
		case over:
			s.say("\r%s\x1b[K", line)
		default:
			fmt.Fprintf(s.options.Log, "\r%s\x1b[K", line)
		}
		if over {
			return
		}
	}
}

func progressLine(w Workload, created, bound, gangs int, elapsed time.Duration) string {
	total := len(w.Order)
	return fmt.Sprintf("%4.0f s  created %d/%d  bound %d/%d  gangs complete %d/%d",
		elapsed.Seconds(), created, total, bound, total, gangs, w.Gangs())
}
