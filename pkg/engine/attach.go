package engine

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/klog/v2"
	"k8s.io/kubernetes/pkg/scheduler"
	"k8s.io/kubernetes/pkg/scheduler/framework"

	"github.com/berth-dev/berth/pkg/engine/attempts"
	"github.com/berth-dev/berth/pkg/engine/reporting"
)

// hook puts Berth into upstream's scheduler. This is all that is replaced in it, in this order;
// each hook calls the one before it, and upstream's own first of all.
//
//	SchedulingQueue   requeue.Queue              wakes only pods that a change may help, and hears who is held
//	Cache             fast path (cache.go)       counts the devices of pods
//	Cache             requeue.GroupCache         leaves gangs out of snapshots that nothing is done with
//	Cache             fast path (cache.go)       tells the index which nodes changed
//	SchedulePod       fast path (schedule.go)    finds the node by the index
//	PodActivator      attempts.SpareActivations  activates a gang once, however many of its pods ask for it
//	Profiles          attempts.GuardPostFilters  look for victims only where there may be some
//	APICacher         reporting.WritePods        has reasons written later, and the rest at once
//	FailureHandler    Reporter.ObserveRefusals   tells the reporter why a member has no place
//	NextEntity        Attempts.Observe           ends and begins each attempt, and refuses at once what never fits
//	SchedulingQueue   Attempts.Observe           hears of gangs that come back, and of room that comes free
//
// Attach adds the last: NextEntity makes the first cycle wait until the replica may lead.
func (e *engine) hook(ctx context.Context, sched *scheduler.Scheduler) error {
	if err := e.fast.Attach(sched); err != nil {
		return err
	}
	attempts.SpareActivations(sched)
	attempts.GuardPostFilters(sched, e.fast.AnyBelow, e.queues.Some)
	reporting.WritePods(ctx, sched, e.client)
	sched.FailureHandler = e.reporter.ObserveRefusals(sched.FailureHandler)
	e.attempts.Observe(ctx, sched)

	e.gate.Activate = sched.SchedulingQueue.Activate
	e.explainer.Attach(sched)
	e.reclaimer.Attach(ctx)
	return nil
}

// attach puts Berth into the scheduler, makes its first cycle wait for the gangs, and starts
// with it what only the leader does. Upstream asks for the first entity once it leads.
func (e *engine) attach(ctx context.Context, sched *scheduler.Scheduler) error {
	if err := e.hook(ctx, sched); err != nil {
		return err
	}
	if e.takeover != nil {
		e.takeover.Holder = func(pod *corev1.Pod) string {
			if known, err := sched.Cache.GetPod(pod); err == nil {
				return known.Spec.NodeName
			}
			return ""
		}
	}
	go e.attempts.AdmitByQueue(ctx, sched)
	go e.attempts.AdmitByWindow(ctx, sched)
	next := sched.NextEntity
	sched.NextEntity = func(logger klog.Logger) (framework.QueuedEntityInfo, error) {
		e.leadOnce.Do(func() { e.lead(ctx, logger) })
		return next(logger)
	}
	return nil
}

// lead waits until all is known that a leader decides by, and starts what only a leader does.
func (e *engine) lead(ctx context.Context, logger klog.Logger) {
	waitCtx, cancel := context.WithTimeout(ctx, syncPatience)
	defer cancel()
	err := wait.PollUntilContextCancel(waitCtx, 20*time.Millisecond, true, func(context.Context) (bool, error) {
		return e.kinds.Synced() && e.namespacesKnown() && e.ended.Synced() && e.gangs.Settled(), nil
	})
	if err != nil && ctx.Err() == nil {
		logger.Error(err, "Objects that declare gangs are not all known; scheduling starts without them", "waited", syncPatience)
	}
	if e.takeover != nil {
		e.takeover.Wait(ctx)
	}
	e.recovery.Resume(ctx)
	e.leading.Store(true)
	e.occupancy.Tell()
	e.queues.Open()
	go e.conditions.Run(ctx)
	go e.reporter.Run(ctx)
	go e.explainer.Run(ctx)
	go e.recovery.Run(ctx)
	go e.statuses.Run(ctx)
	go e.announced.Run(ctx)
	go e.reclaimer.Run(ctx)
	go e.suspender.Run(ctx)
	go e.departures.Run(ctx)
	go e.repairer.Run(ctx)
	go e.census.Run(ctx)
}
