package main

import (
	"context"
	"fmt"
	"runtime"
	"runtime/pprof"
	"syscall"
	"time"

	"github.com/berth-dev/berth/bench/rig"
)

// sample is what one measurement found.
type sample struct {
	pods int
	took time.Duration
	// processor is the time that all threads of this process were on a processor.
	processor     time.Duration
	allocs, bytes uint64
}

// budget bounds a measurement: it ends after this time or this many pods.
type budget struct {
	time time.Duration
	pods int
}

const (
	// warmUp is how many pods are placed before anything is measured.
	warmUp = 50
	// A batch is placed before all of it is removed: so few pods that the cluster
	// stays as full as it is.
	mostOfBatch  = 200
	batchPercent = 2
)

// batch returns the size of a batch.
func (l *loop) batch() int { return batchOf(l.nodes) }

// batchOf returns how many pods are in a batch on so many nodes.
func batchOf(nodes int) int { return min(mostOfBatch, max(1, nodes*rig.GPUsPerNode*batchPercent/100)) }

// measurePods schedules one-GPU pods, batch by batch.
func measurePods(l *loop, b budget) (sample, error) {
	if _, err := l.cycles(min(warmUp, l.batch()), 0); err != nil {
		return sample{}, err
	}
	var total sample
	for total.pods < b.pods && total.took < b.time {
		one, err := l.cycles(l.batch(), b.time-total.took)
		if err != nil {
			return sample{}, err
		}
		total.pods += one.pods
		total.took += one.took
		total.allocs += one.allocs
		total.bytes += one.bytes
	}
	return total, nil
}

// cycles schedules n pods, or as many as a time allows if it is not 0, and removes
// them.
func (l *loop) cycles(n int, limit time.Duration) (sample, error) {
	l.queue(n)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	s := l.schedule(n, limit)
	bound, err := l.placed(s.pods)
	runtime.ReadMemStats(&after)
	if err != nil {
		return sample{}, err
	}
	s.allocs, s.bytes = after.Mallocs-before.Mallocs, after.TotalAlloc-before.TotalAlloc
	if err := l.takeAway(bound); err != nil {
		return sample{}, err
	}
	l.drain()
	return s, nil
}

// schedule is what is timed. In a profile it is told apart from the rest by the
// label scheduler.
func (l *loop) schedule(n int, limit time.Duration) sample {
	var s sample
	pprof.Do(l.Ctx, pprof.Labels("scheduler", l.Who.Name), func(context.Context) {
		start, processor := time.Now(), processorTime()
		for s.pods < n && l.failed == nil {
			l.Sched.ScheduleOne(l.Ctx)
			s.pods++
			if limit > 0 && time.Since(start) > limit {
				break
			}
		}
		s.took, s.processor = time.Since(start), processorTime()-processor
	})
	return s
}

// processorTime returns how long the threads of this process were on a processor.
func processorTime() time.Duration {
	var used syscall.Rusage
	// It fails for an argument that is not one of its constants.
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &used)
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// placed waits for the binding of n pods that were scheduled. There must be no other,
// and none that was refused.
func (l *loop) placed(n int) ([]rig.Binding, error) {
	if l.failed != nil {
		return nil, l.failed
	}
	bound := l.Bound(n)
	if len(bound) != n {
		return nil, fmt.Errorf("%d pods were bound and %d scheduled", len(bound), n)
	}
	return bound, nil
}

// gangSample is what one gang took: to find places for all its pods, and the whole
// cycle, in which the pods are assumed and the group's condition is written.
type gangSample struct {
	algorithm, cycle time.Duration
	// processor is as in sample, of the whole cycle.
	processor time.Duration
}

// measureGang schedules one gang of pods of 8 GPUs, and removes it.
func measureGang(l *loop, size int) (gangSample, error) {
	gang := rig.NewGang("gang", size)
	if err := l.queueGang(gang); err != nil {
		return gangSample{}, err
	}
	before, err := rig.SearchTime()
	if err != nil {
		return gangSample{}, err
	}
	s := l.schedule(1, 0)
	after, err := rig.SearchTime()
	if err != nil {
		return gangSample{}, err
	}
	bound, err := l.placed(size)
	if err != nil {
		return gangSample{}, err
	}
	if err := l.takeAway(bound); err != nil {
		return gangSample{}, err
	}
	return gangSample{algorithm: after - before, cycle: s.took, processor: s.processor}, l.removeGang(gang)
}
