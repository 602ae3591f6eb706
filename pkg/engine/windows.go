package engine

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/klog/v2"
	"k8s.io/kubernetes/pkg/scheduler"

	"github.com/berth-dev/berth/pkg/engine/fastpath"
	"github.com/berth-dev/berth/pkg/engine/waitreason"
	"github.com/berth-dev/berth/pkg/state/queueing"
	"github.com/berth-dev/berth/pkg/state/unqueued"
)

// admissions say who may be tried: queues, and where there are none, the window of a
// namespace. The fast path hears who is held.
type admissions struct {
	*queueing.Queues
	windows *unqueued.Windows
	fast    *fastpath.Path
}

// Enter reports whether a pod may be tried now.
func (a admissions) Enter(pod *corev1.Pod) bool {
	passed := a.Queues.Enter(pod)
	if passed && !a.Queues.Some() {
		passed = a.windows.Enter(pod)
	}
	a.fast.Asked(pod, passed)
	return passed
}

// entitlement says why a pod, or its gang, that was refused a place does not get one, if there
// is more to be said than that there is no room now.
func (e *engine) entitlement(pod *corev1.Pod) (waitreason.Explanation, bool) {
	if _, never, _ := e.windows.Why(pod); never != "" {
		return waitreason.Because(string(queueing.NeverFits), never), true
	}
	return e.reclaimer.entitlement(pod)
}

// roundPeriod is how often it is looked whether another round of tries may begin.
const roundPeriod = 50 * time.Millisecond

// admitByWindow has the scheduling queue take those of a namespace that may be tried, where
// there are no queues, until the context is done.
func admitByWindow(ctx context.Context, tries *tries, sched *scheduler.Scheduler) {
	windows, queues := tries.windows, tries.queues
	logger := klog.FromContext(ctx)
	round := time.NewTicker(roundPeriod)
	defer round.Stop()
	look := time.NewTicker(retryPeriod)
	defer look.Stop()
	nodes := tries.nodesSeen()
	for {
		select {
		case <-ctx.Done():
			return
		case <-round.C:
			windows.Round()
		case <-look.C:
			if now := tries.nodesSeen(); now != nodes {
				nodes = now
				windows.MayFit()
			}
			giveBackLost(sched, windows)
			if queues.Some() {
				// They ask their queues now.
				for _, pod := range windows.Clear() {
					activate(logger, sched, pod)
				}
			}
		case <-windows.News():
			enter(logger, windows, sched)
		}
	}
}
