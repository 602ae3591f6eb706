package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"slices"
	"time"

	"k8s.io/klog/v2"
	"k8s.io/kubernetes/pkg/scheduler"
	"k8s.io/kubernetes/pkg/scheduler/framework"

	"github.com/berth-dev/berth/bench/report"
)

// stepGate lets a scheduling loop run a number of cycles, and stops it after them.
type stepGate struct {
	// passes are how many cycles may begin, and stopped is sent to after them.
	passes  chan int
	stopped chan struct{}
}

func newStepGate() *stepGate {
	return &stepGate{passes: make(chan int), stopped: make(chan struct{})}
}

// install puts it before the cycles of a scheduler, until the context is done.
func (t *stepGate) install(ctx context.Context, sched *scheduler.Scheduler) {
	next, left := sched.NextEntity, 0
	sched.NextEntity = func(logger klog.Logger) (framework.QueuedEntityInfo, error) {
		if left == 0 {
			select {
			case t.stopped <- struct{}{}:
			case <-ctx.Done():
				return nil, ctx.Err()
			}
			select {
			case left = <-t.passes:
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
		left--
		return next(logger)
	}
}

// run has n cycles run, and returns how long they took.
func (t *stepGate) run(n int) (time.Duration, error) {
	began := time.Now()
	t.passes <- n
	select {
	case <-t.stopped:
		return time.Since(began), nil
	case <-time.After(crowdPatience):
		return 0, fmt.Errorf("there are not %d gangs that may be admitted one after another; let more wait (--pending)", n)
	}
}

// admissions measures how many gangs a second the scheduling loop admits, with queues and
// without.
func (o *options) admissions() ([]report.AdmissionRow, error) {
	var rows []report.AdmissionRow
	for _, unqueued := range []bool{false, true} {
		s := crowdSetup{nodes: slices.Min(o.nodes), queues: o.queues, pending: o.pending, unqueued: unqueued, stops: newStepGate()}
		row, err := measureAdmissions(s, o.queueTime)
		if err != nil {
			return nil, fmt.Errorf("admitting %d gangs of %d queues: %w", s.pending, s.queues, err)
		}
		rows = append(rows, row)
		fmt.Fprintf(os.Stderr, "%6d queues, %6d gangs  %.0f gangs a second admitted in the cycle, %.0f in the worst second\n", row.Queues, row.Pending,
			row.PerSecond, row.LeastPerSecond)
	}
	return rows, nil
}

// measureAdmissions measures the cycles of gangs, for so long. What follows from them waits
// until a batch is through.
func measureAdmissions(s crowdSetup, long time.Duration) (report.AdmissionRow, error) {
	c, err := newCrowd(s)
	if err != nil {
		return report.AdmissionRow{}, err
	}
	if err := c.start(); err != nil {
		return report.AdmissionRow{}, err
	}
	defer c.stop()
	<-c.stops.stopped
	row := report.AdmissionRow{Nodes: s.nodes, Pending: s.pending, Pods: gangPods}
	if !s.unqueued {
		row.Queues = len(c.forest.objects)
	}
	// The first batch opens the queues, and is not measured.
	if _, _, err := c.batch(); err != nil {
		return report.AdmissionRow{}, err
	}
	if err := c.wait("all gangs are known", c.known); err != nil {
		return report.AdmissionRow{}, err
	}
	runtime.GC()
	var total, second time.Duration
	gangs := 0
	for total < long {
		admitted, took, err := c.batch()
		if err != nil {
			return report.AdmissionRow{}, err
		}
		total, second, gangs, row.Gangs = total+took, second+took, gangs+admitted, row.Gangs+admitted
		if second >= time.Second || total >= long && row.LeastPerSecond == 0 {
			if rate := float64(gangs) / second.Seconds(); row.LeastPerSecond == 0 || rate < row.LeastPerSecond {
				row.LeastPerSecond = rate
			}
			second, gangs = 0, 0
		}
	}
	row.Seconds = total.Seconds()
	row.PerSecond = float64(row.Gangs) / row.Seconds
	return row, nil
}

// batch runs cycles, and returns how many gangs were admitted by them, and how long they took.
// Then it has those run, as many others end and as many come, and waits until all of that is
// known.
func (c *crowd) batch() (admitted int, took time.Duration, err error) {
	c.server.Hold()
	n := max(1, batchOf(c.nodes)/gangPods)
	if took, err = c.stops.run(n); err != nil {
		return 0, 0, err
	}
	if err := c.wait("each gang that was tried is bound or refused", func() bool { return c.tried() == n }); err != nil {
		return 0, 0, err
	}
	c.server.Resume()
	begun, ended, come := c.replace()
	c.reset()
	return len(begun), took, c.wait("who came and went is known", func() bool {
		return !slices.ContainsFunc(begun, func(t *workload) bool { _, runs := c.has(t); return !runs && !c.leaves(t) }) &&
			!slices.ContainsFunc(ended, func(t *workload) bool { stays, _ := c.has(t); return stays }) &&
			!slices.ContainsFunc(come, func(t *workload) bool { return !c.waits(t) })
	})
}
