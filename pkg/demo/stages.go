package demo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	batchv1 "k8s.io/api/batch/v1"
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
	// returnPatience is how long controllers may take to make again what was evicted, and the
	// scheduler to say why it waits. A Job's takes 10 s for a first eviction.
	returnPatience = 90 * time.Second
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
	pods := len(p.workload.Pods(p.workload.Order))
	submitter := submit(p.ctx, p.cluster.Client(), p.workload, p.workload.Order, p.cancel)
	placed := p.follow(p.ctx, submitter, pods, p.observer, wanted)
	cpu, cpuErr := p.scheduler.CPUTime() // before anything else takes time
	submitter.done.Wait()
	created, bound, last := p.observer.seen()
	p.result.time(start, created[:pods], bound[:pods], last, cpu)
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
	late := len(p.workload.Pods(p.workload.Late))
	p.say("queue %s comes late: %d gangs of %d pods, for which others have to go", productionQueue, p.lateGangs(), late)
	wanted := p.observer.want(p.isLate)
	submitter := submit(p.ctx, p.cluster.Client(), p.workload, p.workload.Late, p.cancel)
	start := time.Now()
	if !p.follow(p.ctx, submitter, len(p.workload.AllPods()), p.observer, wanted) {
		return context.Cause(p.ctx)
	}
	submitter.done.Wait()
	p.result.Reclaimed = time.Since(start)
	if err := p.awaitReturn(); err != nil {
		return err
	}
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
	if !p.follow(p.ctx, nil, len(p.workload.AllPods()), p.observer, wanted) {
		return context.Cause(p.ctx)
	}
	return p.settled("at the end", always)
}

// awaitReturn waits until controllers have made again what was evicted, and until it has
// nodes or is told why it waits. The check that follows says what has not come back by then.
func (p *placing) awaitReturn() error {
	p.say("waiting until the controllers have made again what was evicted")
	err := wait.PollUntilContextTimeout(p.ctx, time.Second, returnPatience, true, func(ctx context.Context) (bool, error) {
		m := Moment{Evicted: p.observer.evictions()}
		for i, times := range m.Evicted.Times {
			if m.Evicted.MadeAgain[i] < times {
				return false, nil
			}
		}
		pods, err := p.cluster.Client().CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			return false, fmt.Errorf("looking for what was evicted: %w", err)
		}
		var v Verdict
		v.judgeReturn(p.workload, m, pods.Items)
		return len(v.Lost) == 0, nil
	})
	if err != nil && (p.ctx.Err() != nil || !wait.Interrupted(err)) {
		return err
	}
	return nil
}

func (p *placing) isLate(submission int) bool { return p.workload.Submissions[submission].Late }

func (p *placing) isEarly(submission int) bool { return !p.isLate(submission) }

func always(int) bool { return true }

func (p *placing) lateGangs() int {
	return p.workload.count(func(s Submission) bool { return s.Late })
}

// endLate has the pods that came late exit, as those of a job do that has done its work, and
// waits until their Jobs are complete.
func (p *placing) endLate() error {
	core := p.cluster.Client().CoreV1().Pods(namespace)
	all, err := core.List(p.ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("ending what came late: %w", err)
	}
	roster := p.workload.roster()
	late := slices.DeleteFunc(all.Items, func(pod v1.Pod) bool {
		ref, ours := roster.ref(&pod)
		return !ours || !p.isLate(ref.Submission)
	})
	patch := []byte(fmt.Sprintf(`{"metadata":{"annotations":{%q:"0s"}}}`, localcluster.RunForAnnotation))
	errs := make([]error, len(late))
	workqueue.ParallelizeUntil(p.ctx, writers, len(late), func(i int) {
		_, errs[i] = core.Patch(p.ctx, late[i].Name, types.MergePatchType, patch, metav1.PatchOptions{})
	})
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("ending what came late: %w", err)
	}
	err = wait.PollUntilContextCancel(p.ctx, 200*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		jobs, err := p.cluster.Client().BatchV1().Jobs(namespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			return false, err
		}
		complete := 0
		for i := range jobs.Items {
			if failed := jobCondition(&jobs.Items[i], batchv1.JobFailed); failed != nil && p.isLate(roster.index[jobs.Items[i].Name]) {
				return false, fmt.Errorf("job %q failed: %s: %s", jobs.Items[i].Name, failed.Reason, failed.Message)
			}
			if jobCondition(&jobs.Items[i], batchv1.JobComplete) != nil {
				complete++
			}
		}
		return complete == len(p.workload.Late), nil
	})
	if err != nil {
		return fmt.Errorf("waiting until what came late is complete: %w", err)
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
	jobs, err := p.cluster.Client().BatchV1().Jobs(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("verifying the outcome: %w", err)
	}
	m := Moment{Due: make([]bool, len(p.workload.Submissions)), Evicted: p.observer.evictions()}
	for i := range m.Due {
		m.Due[i] = due(i)
	}
	verdict := Verify(p.workload, m, pods.Items, nodes.Items)
	verdict.FailedJobs = failedJobs(jobs.Items)
	for _, name := range p.observer.vanished() {
		verdict.Problems = append(verdict.Problems, fmt.Sprintf("pod %s failed or went, and was not evicted", name))
	}
	for _, name := range verdict.PartialGangs {
		p.say("gang %s is bound by half", name)
	}
	for _, why := range slices.Concat(verdict.QueueViolations, verdict.Lost, verdict.FailedJobs, verdict.Problems) {
		p.say("%s", why)
	}
	p.result.Stages = append(p.result.Stages, Stage{When: when, Used: verdict.Used})
	verdict.merge(p.result.Verdict)
	p.result.Verdict, p.result.Evicted = verdict, m.Evicted
	p.result.Nodes = seated(p.workload, pods.Items, nodes.Items)
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
	for _, e := range events.Items {
		if e.Related == nil {
			continue
		}
		if i, ours := p.observer.submissionOf(e.Related.Name); ours {
			p.result.Claimants = append(p.result.Claimants, p.workload.Submissions[i].Name)
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
	if made := slices.MaxFunc(created, time.Time.Compare); !made.IsZero() {
		r.Created = made.Sub(start)
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
	f.Nodes, f.Gangs, f.Pods = w.Nodes, w.Gangs(), len(w.AllPods())
	f.Deployments = w.count(Submission.RunsOn)
	f.Jobs = len(w.Submissions) - f.Deployments
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
	f.PodsCreatedSeconds = float64(r.Created.Milliseconds()) / 1000
	for _, n := range r.Evicted.MadeAgain {
		f.PodsMadeAgain += n
	}
	f.LostGangs, f.FailedJobs = len(v.Lost), len(v.FailedJobs)
}
