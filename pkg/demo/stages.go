package demo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/util/workqueue"

	"github.com/berth-dev/berth/pkg/localcluster"
)

const (
	// quiet is for how long nothing may happen before the outcome is verified, and patience
	// how long that is waited for.
	quiet    = 2 * time.Second
	patience = 30 * time.Second
)

// A placing is a workload on its way.
type placing struct {
	*Session
	// ctx ends when the placing does, for whatever reason, and cancel ends it.
	ctx      context.Context
	cancel   context.CancelCauseFunc
	observer *observer
	result   Result
}

// Place submits the workload in its stages, each of which is verified, until all of it has
// been bound or the timeout has passed. The error says that this could not be done;
// Result.Err says whether the outcome is as it should be.
func (s *Session) Place(ctx context.Context) (Result, error) {
	under, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	observer, err := observe(under, s.cluster.Client(), s.workload)
	if err != nil {
		return Result{}, err
	}
	timer := time.AfterFunc(s.options.Timeout, func() {
		cancel(fmt.Errorf("%w: %s", errTimeout, s.options.Timeout))
	})
	defer timer.Stop()
	go s.guard(under, cancel)
	go createAnew(under, s.cluster.Client(), observer, cancel)

	p := &placing{Session: s, ctx: under, cancel: cancel, observer: observer, result: Result{Workload: s.workload}}
	for _, stage := range []func() error{p.early, p.late, p.back} {
		if err := stage(); err != nil {
			if stopped := context.Cause(under); stopped == nil || ctx.Err() != nil {
				return Result{}, fmt.Errorf("placing the workload: %w", err)
			}
			p.result.Stopped = context.Cause(under)
			break
		}
	}
	if p.result.Stopped != nil {
		// What there is says why. What comes late was submitted if the rest was verified.
		due := p.isEarly
		if len(p.result.Stages) > 0 {
			due = always
		}
		if err := p.verify(ctx, "when it was stopped", due); err != nil {
			return Result{}, errors.Join(p.result.Stopped, err)
		}
	}
	if err := p.countReclaims(ctx); err != nil {
		return Result{}, errors.Join(p.result.Stopped, err)
	}
	if err := s.countWrites(ctx, &p.result); err != nil {
		return Result{}, errors.Join(p.result.Stopped, err)
	}
	p.result.fill()
	return p.result, nil
}

// early places all that does not come late, and measures it.
func (p *placing) early() error {
	start := time.Now()
	wanted := p.observer.want(p.isEarly)
	submitter := submit(p.ctx, p.cluster.Client(), p.workload, p.workload.Order, p.cancel)
	placed := p.follow(p.ctx, 0, submitter, p.observer, wanted)
	cpu, cpuErr := p.scheduler.CPUTime() // before anything else takes time
	created := submitter.wait()
	bound, last := p.observer.seen()
	p.result.time(start, created, bound[:len(created)], last, cpu)
	if !placed {
		return context.Cause(p.ctx)
	}
	if cpuErr != nil {
		return cpuErr
	}
	return p.settled("before the late queue", p.isEarly)
}

// late places what comes late, for which something of the rest has to go.
func (p *placing) late() error {
	p.say("queue %s comes late: %d gangs of %d pods, for which others have to go", productionQueue, p.lateGangs(), len(p.workload.Late))
	wanted := p.observer.want(p.isLate)
	submitter := submit(p.ctx, p.cluster.Client(), p.workload, p.workload.Late, p.cancel)
	start := time.Now()
	if !p.follow(p.ctx, len(p.workload.Order), submitter, p.observer, wanted) {
		return context.Cause(p.ctx)
	}
	submitter.wait()
	p.result.Reclaimed = time.Since(start)
	// What was not evicted has to stay.
	return p.settled("after reclaim", func(i int) bool { return p.isLate(i) || p.observer.evictions().Pods[i] == 0 })
}

// back ends what came late, and waits until all that was evicted has a place again.
func (p *placing) back() error {
	p.say("what came late ends, and what was evicted comes back")
	if err := p.endLate(); err != nil {
		return err
	}
	wanted := p.observer.want(p.isEarly)
	if !p.follow(p.ctx, len(p.workload.Order)+len(p.workload.Late), nil, p.observer, wanted) {
		return context.Cause(p.ctx)
	}
	return p.settled("at the end", always)
}

func (p *placing) isLate(submission int) bool { return p.workload.Submissions[submission].Late }

func (p *placing) isEarly(submission int) bool { return !p.isLate(submission) }

func always(int) bool { return true }

func (p *placing) lateGangs() int {
	return p.workload.count(func(s Submission) bool { return s.Late })
}

// endLate has the pods that came late succeed, as a job does that has done its work.
func (p *placing) endLate() error {
	pods := p.cluster.Client().CoreV1().Pods(namespace)
	patch := []byte(fmt.Sprintf(`{"metadata":{"annotations":{%q:"0s"}}}`, localcluster.RunForAnnotation))
	errs := make([]error, len(p.workload.Late))
	workqueue.ParallelizeUntil(p.ctx, writers, len(errs), func(i int) {
		ref := p.workload.Late[i]
		_, errs[i] = pods.Patch(p.ctx, p.workload.Submissions[ref.Submission].PodName(ref.Index), types.MergePatchType, patch, metav1.PatchOptions{})
	})
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("ending what came late: %w", err)
	}
	err := wait.PollUntilContextCancel(p.ctx, 100*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		ended, err := pods.List(ctx, metav1.ListOptions{FieldSelector: fields.OneTermEqualSelector("status.phase", string(v1.PodSucceeded)).String()})
		return err == nil && len(ended.Items) == len(errs), err
	})
	if err != nil {
		return fmt.Errorf("waiting until what came late has ended: %w", err)
	}
	return nil
}

// settled verifies the outcome of a stage once nothing happens any more. due says which
// submissions should be bound.
func (p *placing) settled(when string, due func(submission int) bool) error {
	err := wait.PollUntilContextTimeout(p.ctx, quiet/10, patience, true, func(context.Context) (bool, error) {
		return p.observer.quietFor(time.Now()) > quiet, nil
	})
	if err != nil && p.ctx.Err() != nil {
		return context.Cause(p.ctx)
	}
	return p.verify(p.ctx, when, due)
}

// verify asks the API for the outcome so far.
func (p *placing) verify(ctx context.Context, when string, due func(submission int) bool) error {
	p.say("verifying against the API %s", when)
	core := p.cluster.Client().CoreV1()
	pods, err := core.Pods(metav1.NamespaceAll).List(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("verifying the outcome: %w", err)
	}
	nodes, err := core.Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("verifying the outcome: %w", err)
	}
	m := Moment{Due: make([]bool, len(p.workload.Submissions)), Evicted: p.observer.evictions()}
	for i := range m.Due {
		m.Due[i] = due(i)
	}
	verdict := Verify(p.workload, m, pods.Items, nodes.Items)
	for _, name := range p.observer.vanished() {
		verdict.Problems = append(verdict.Problems, fmt.Sprintf("pod %s went, and was not evicted", name))
	}
	for _, name := range verdict.PartialGangs {
		p.say("gang %s is bound by half", name)
	}
	for _, why := range slices.Concat(verdict.QueueViolations, verdict.Problems) {
		p.say("%s", why)
	}
	p.result.Stages = append(p.result.Stages, Stage{When: when, Used: verdict.Used})
	verdict.merge(p.result.Verdict)
	p.result.Verdict, p.result.Evicted = verdict, m.Evicted
	p.result.Map = mapOf(p.workload, pods.Items, nodes.Items)
	p.result.Waiting = reasons(pods.Items)
	return nil
}

// countReclaims counts those for whom others were evicted, by the events that say so.
func (p *placing) countReclaims(ctx context.Context) error {
	events, err := p.cluster.Client().CoreV1().Events(namespace).List(ctx, metav1.ListOptions{
		FieldSelector: fields.OneTermEqualSelector("reason", "Reclaimed").String(),
	})
	if err != nil {
		return fmt.Errorf("listing the events of evictions: %w", err)
	}
	of := map[string]string{}
	for _, s := range p.workload.Submissions {
		for j := range s.Size {
			of[s.PodName(j)] = s.Name
		}
	}
	for _, e := range events.Items {
		if e.Related != nil && of[e.Related.Name] != "" {
			p.result.Claimants = append(p.result.Claimants, of[e.Related.Name])
		}
	}
	slices.Sort(p.result.Claimants)
	p.result.Claimants = slices.Compact(p.result.Claimants)
	return nil
}

// time notes how fast the early part was placed.
func (r *Result) time(start time.Time, created, bound []time.Time, last time.Time, cpu time.Duration) {
	if !last.IsZero() {
		r.Elapsed = last.Sub(start)
	}
	seen := 0
	for _, at := range bound {
		if !at.IsZero() {
			seen++
		}
	}
	delays := latencies(r.Workload, created, bound)
	r.Figures.PodsPerSecond = rate(seen, r.Elapsed)
	r.Figures.P50 = percentile(delays, 50).Milliseconds()
	r.Figures.P99 = percentile(delays, 99).Milliseconds()
	r.Figures.SchedulerCPUSeconds = float64(cpu.Milliseconds()) / 1000
}

// fill fills in the figures that were not timed.
func (r *Result) fill() {
	f, v, w := &r.Figures, r.Verdict, r.Workload
	f.Nodes, f.Gangs, f.Pods = w.Nodes, w.Gangs(), len(w.Order)+len(w.Late)
	f.Bound, f.Failed = v.Bound, len(v.Unbound)
	f.PartialGangs = len(v.PartialGangs)
	f.DoubleBookedGPUs, f.OversubscribedNodes = v.DoubleBookedGPUs, len(v.OversubscribedNodes)
	f.APIWritesByScheduler = 0
	for _, n := range r.Writes {
		f.APIWritesByScheduler += n
	}
	f.GangsInOneRack, f.TopologyViolations = len(v.OneRack), len(v.OutOfDomain)
	f.QueueViolations, f.Reclaims = len(v.QueueViolations), len(r.Claimants)
	f.EvictedGangs, f.PartialEvictions = r.Evicted.Gangs(), len(r.Evicted.Partial(w))
}
