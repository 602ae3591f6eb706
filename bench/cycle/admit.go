package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"slices"
	"time"

	"github.com/berth-dev/berth/bench/report"
)

const (
	// crowdPatience is how long a crowd may take for what is waited for.
	crowdPatience = time.Minute
	// crowdWarmUp is how long nothing is measured, after all gangs are known.
	crowdWarmUp = 3 * time.Second
)

// crowds measures a crowd with queues, and the same gangs where there are none.
func (o *options) crowds() ([]report.QueueRow, error) {
	var rows []report.QueueRow
	for _, unqueued := range []bool{false, true} {
		s := crowdSetup{nodes: slices.Min(o.nodes), queues: o.queues, pending: o.pending, unqueued: unqueued}
		var row report.QueueRow
		var err error
		pprof.Do(context.Background(), pprof.Labels("crowd", fmt.Sprintf("queued=%t", !unqueued)), func(context.Context) {
			row, err = measureCrowd(s, o.queueTime)
		})
		if err != nil {
			return nil, fmt.Errorf("%d gangs of %d queues: %w", s.pending, s.queues, err)
		}
		rows = append(rows, row)
		fmt.Fprintf(os.Stderr, "%6d queues, %6d gangs  first %.1f s, all known %.1f s  %.0f gangs a second\n", row.Queues, row.Pending,
			row.FirstSeconds, row.CompleteSeconds, row.PerSecond)
	}
	return rows, nil
}

// measureCrowd measures one.
func measureCrowd(s crowdSetup, long time.Duration) (report.QueueRow, error) {
	c, err := newCrowd(s)
	if err != nil {
		return report.QueueRow{}, err
	}
	runtime.GC()
	row := report.QueueRow{Nodes: s.nodes, Pending: s.pending, Pods: gangPods}
	if !s.unqueued {
		row.Queues = len(c.forest.objects)
	}
	began := time.Now()
	if err := c.start(); err != nil {
		return report.QueueRow{}, err
	}
	defer c.stop()
	if err := c.wait("all gangs are known, and one is bound", func() bool { return c.count() > 0 && c.known() }); err != nil {
		return report.QueueRow{}, err
	}
	row.CompleteSeconds = time.Since(began).Seconds()
	if err := c.turns(crowdWarmUp); err != nil {
		return report.QueueRow{}, err
	}
	row.FirstSeconds = c.first.Sub(began).Seconds()
	c.reset()
	processor, from := processorTime(), time.Now()
	for last := 0; time.Since(from) < long; {
		began := time.Now()
		if err := c.turns(min(time.Second, long)); err != nil {
			return report.QueueRow{}, err
		}
		rate := float64(c.count()-last) / time.Since(began).Seconds()
		if last == 0 || rate < row.LeastPerSecond {
			row.LeastPerSecond = rate
		}
		last = c.count()
	}
	placed, chosen := c.taken()
	row.Seconds = time.Since(from).Seconds()
	row.PerSecond = float64(placed) / row.Seconds
	row.ProcessorUs = float64((processorTime() - processor).Microseconds()) / float64(max(1, placed))
	if row.Choices = len(chosen); row.Choices > 0 {
		us := make([]float64, len(chosen))
		for i, took := range chosen {
			us[i] = float64(took.Nanoseconds()) / 1000
		}
		slices.Sort(us)
		row.UsP50, row.UsP99, row.UsMax = quantile(us, 50), quantile(us, 99), us[len(us)-1]
	}
	return row, nil
}

// known reports whether every gang is known to its queue.
func (c *crowd) known() bool {
	if c.unqueued {
		return true
	}
	gangs := 0
	for _, r := range c.embedded.Queues().Report() {
		gangs += r.Pending + r.Running
	}
	return gangs >= c.pending+len(c.running)
}

// turns has gangs come and go for a time.
func (c *crowd) turns(long time.Duration) error {
	for end := time.Now().Add(long); time.Now().Before(end); {
		if err := c.turn(); err != nil {
			return err
		}
	}
	return nil
}

// count returns how many gangs were placed, since the last reset.
func (c *crowd) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.placed
}

// tried returns how many gangs were placed, or tried and refused, since the last reset.
func (c *crowd) tried() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.placed + len(c.refused)
}

// taken returns how many gangs were placed, and how long choices took, since the last reset.
func (c *crowd) taken() (placed int, chosen []time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.placed, c.chosen
}

func (c *crowd) reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.placed, c.chosen = 0, nil
	clear(c.refused)
}
