package main

import (
	"context"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/klog/v2"
	"k8s.io/kubernetes/pkg/scheduler"
	internalqueue "k8s.io/kubernetes/pkg/scheduler/backend/queue"
	"k8s.io/kubernetes/pkg/scheduler/framework"
)

// gate is a scheduling queue that tells when all measured pods are in, and holds the
// scheduler from the first of them until then.
type gate struct {
	internalqueue.SchedulingQueue
	pods  int
	meter *meter

	mu    sync.Mutex
	added int
	// open is closed while nothing is held.
	open chan struct{}
}

// hold puts a gate before a scheduler, and has it timed.
func hold(ctx context.Context, sched *scheduler.Scheduler, pods int, m *meter) {
	g := &gate{SchedulingQueue: sched.SchedulingQueue, pods: pods, meter: m, open: make(chan struct{})}
	close(g.open)
	sched.SchedulingQueue = g
	next := sched.NextEntity
	sched.NextEntity = func(logger klog.Logger) (framework.QueuedEntityInfo, error) {
		m.cycleEnded(time.Now())
		entity, err := next(logger)
		g.wait(ctx)
		m.cycleBegan(time.Now())
		return entity, err
	}
}

// Add adds a pod to the queue.
func (g *gate) Add(ctx context.Context, pod *corev1.Pod) {
	if pod.Namespace != measured {
		g.SchedulingQueue.Add(ctx, pod)
		return
	}
	g.mu.Lock()
	if g.added == 0 {
		g.open = make(chan struct{})
	}
	g.mu.Unlock()
	g.SchedulingQueue.Add(ctx, pod)
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.added++; g.added == g.pods {
		g.meter.begin()
		close(g.open)
	}
}

func (g *gate) wait(ctx context.Context) {
	g.mu.Lock()
	open := g.open
	g.mu.Unlock()
	select {
	case <-open:
	case <-ctx.Done():
	}
}
