package attempts

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler"

	"github.com/berth-dev/berth/pkg/engine/record"
	"github.com/berth-dev/berth/pkg/engine/waitreason"
	"github.com/berth-dev/berth/pkg/insight"
	"github.com/berth-dev/berth/pkg/state/queueing"
	"github.com/berth-dev/berth/pkg/state/workload"
)

// retryPeriod is how often it is looked whether nodes have changed, whether anybody may have
// others evicted, and why those wait that do.
const retryPeriod = time.Second

// RetryAnyway is after how long they are tried again though nothing is known to have happened
// that gives them room, as when a taint is gone.
const RetryAnyway = 30 * time.Second

// AdmitByQueue has the scheduling queue take those whose turn it is, and tells the others why they
// wait, until the context is done.
func (t *Attempts) AdmitByQueue(ctx context.Context, sched *scheduler.Scheduler) {
	queues := t.Queues
	logger := klog.FromContext(ctx)
	ticker := time.NewTicker(retryPeriod)
	defer ticker.Stop()
	round := time.NewTicker(roundPeriod)
	defer round.Stop()
	anyway := time.NewTicker(RetryAnyway)
	defer anyway.Stop()
	nodes := t.NodesSeen()
	for {
		select {
		case <-ctx.Done():
			return
		case <-anyway.C:
			queues.Freed()
		case <-round.C:
			queues.Retry()
		case <-ticker.C:
			giveBackLost(sched, queues)
			if now := t.NodesSeen(); now != nodes {
				nodes = now
				queues.MayFit()
			}
			queues.Claims()
			t.tellWhy(queues.Explain())
		case <-queues.News():
			t.AdmitNext(logger, sched)
		}
	}
}

// overdue is after how long without a try it is looked where one is that was admitted.
const overdue = 10 * time.Second

// admitter says who may be tried of those that it holds: queues, and where there are none, the
// windows of namespaces.
type admitter interface {
	Admit() []*corev1.Pod
	Held(pod *corev1.Pod)
	Overdue(after time.Duration) []*corev1.Pod
}

// giveBackLost has those give their places in the window back that were admitted and that the
// scheduling queue does not have in a place from which they would be tried. What waits for
// the loop there, however long, stays.
func giveBackLost(sched *scheduler.Scheduler, of admitter) {
	for _, pod := range of.Overdue(overdue) {
		if lost(sched, pod) {
			of.Held(pod)
		}
	}
}

// enter has the scheduling queue take those whose turn it is.
func enter(logger klog.Logger, of admitter, sched *scheduler.Scheduler) {
	for _, pod := range of.Admit() {
		activate(logger, sched, pod)
		if _, gated := inQueue(sched, pod); gated {
			of.Held(pod)
		}
	}
}

// lost reports whether a pod, or its gang, is neither in the active queue nor in the one of
// those that are tried after a while.
func lost(sched *scheduler.Scheduler, pod *corev1.Pod) bool {
	waits, gated := inQueue(sched, pod)
	return !waits || gated
}

// AdmitNext is AdmitByQueue after one piece of news.
func (t *Attempts) AdmitNext(logger klog.Logger, sched *scheduler.Scheduler) {
	enter(logger, t.Queues, sched)
	t.tellWhy(t.Queues.Stuck())
}

// activate has the scheduling queue try a pod, or its gang, now.
func activate(logger klog.Logger, sched *scheduler.Scheduler, pod *corev1.Pod) {
	sched.SchedulingQueue.Activate(logger, map[string]*corev1.Pod{"": pod})
}

// tellWhy tells pods why they wait.
func (t *Attempts) tellWhy(all []queueing.Stuck) {
	for _, stuck := range all {
		if len(stuck.Pods) > 0 {
			t.Journal.Add(record.DecisionOn(t.Clock.Now(), insight.ActionHeld, stuck.Pods[0], 0, stuck.Code, stuck.Text))
		}
		condition := waitreason.Condition(stuck.Code, stuck.Text)
		for _, pod := range stuck.Pods {
			t.Conditions.Set(types.NamespacedName{Namespace: pod.Namespace, Name: pod.Name}, condition)
		}
	}
}

// inQueue reports whether a pod, or its gang, waits in the scheduling queue, and whether it,
// or one of its gang, is held there by something else.
func inQueue(sched *scheduler.Scheduler, pod *corev1.Pod) (waits, gated bool) {
	if group := workload.PodGroup(pod); group != "" {
		info, ok := sched.SchedulingQueue.GetPodGroup(group, pod.Namespace, fwk.PodGroupKeyType)
		return ok, ok && info.Gated()
	}
	info, ok := sched.SchedulingQueue.GetPod(pod.Name, pod.Namespace, nil)
	return ok, ok && info.Pod.UID == pod.UID && info.Gated()
}

// roundPeriod is how often it is looked whether another round of tries may begin.
const roundPeriod = 50 * time.Millisecond

// AdmitByWindow has the scheduling queue take those of a namespace that may be tried, where
// there are no queues, until the context is done.
func (t *Attempts) AdmitByWindow(ctx context.Context, sched *scheduler.Scheduler) {
	windows, queues := t.Windows, t.Queues
	logger := klog.FromContext(ctx)
	round := time.NewTicker(roundPeriod)
	defer round.Stop()
	look := time.NewTicker(retryPeriod)
	defer look.Stop()
	nodes := t.NodesSeen()
	for {
		select {
		case <-ctx.Done():
			return
		case <-round.C:
			windows.Round()
		case <-look.C:
			if now := t.NodesSeen(); now != nodes {
				nodes = now
				windows.MayFit()
			}
			giveBackLost(sched, windows)
			if queues.Some() {
				t.LeaveToQueues(logger, sched)
			}
		case <-windows.News():
			t.AdmitNextByWindow(logger, sched)
		}
	}
}

// LeaveToQueues has those ask their queues, now that there are some, that the windows held.
func (t *Attempts) LeaveToQueues(logger klog.Logger, sched *scheduler.Scheduler) {
	for _, pod := range t.Windows.Clear() {
		activate(logger, sched, pod)
	}
}

// AdmitNextByWindow is AdmitByWindow after one piece of news.
func (t *Attempts) AdmitNextByWindow(logger klog.Logger, sched *scheduler.Scheduler) {
	enter(logger, t.Windows, sched)
}
