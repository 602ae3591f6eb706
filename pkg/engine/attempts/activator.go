package attempts

import (
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler"

	"github.com/berth-dev/berth/pkg/state/workload"
)

// SpareActivations has the plugins of a scheduler activate the pods of a gang once a
// scheduling cycle.
//
// When a gang of n pods is committed, GangScheduling activates all that are not yet
// assumed at the Permit of each: n x n / 2 activations, each of which leaves an event
// with a pod in flight. The first of them has done all that can be done: a pod that
// comes meanwhile enters the queue by itself.
func SpareActivations(sched *scheduler.Scheduler) {
	for _, profile := range sched.Profiles {
		profile.SetPodActivator(&sparingActivator{next: sched.SchedulingQueue, cycle: sched.SchedulingQueue.SchedulingCycle})
	}
}

// sparingActivator drops what it has done before in the same cycle.
type sparingActivator struct {
	next  fwk.PodActivator
	cycle func() int64

	mu sync.Mutex
	// last is what was activated last: pods of one gang, so many.
	last activation
	pods int
}

// activation names pods by their gang and the scheduling cycle.
type activation struct {
	cycle            int64
	namespace, group string
}

// Activate activates pods, unless they are those of a gang that was activated in this
// cycle, and no more than then.
func (a *sparingActivator) Activate(logger klog.Logger, pods map[string]*corev1.Pod) {
	if a.done(pods) {
		return
	}
	a.next.Activate(logger, pods)
}

func (a *sparingActivator) done(pods map[string]*corev1.Pod) bool {
	if len(pods) < 2 {
		return false
	}
	this := activation{cycle: a.cycle()}
	for _, pod := range pods {
		// A caller activates one pod or those of one gang: any tells which.
		if group := workload.PodGroup(pod); group != "" {
			this.namespace, this.group = pod.Namespace, group
		}
		break
	}
	if this.group == "" {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if this == a.last && len(pods) <= a.pods {
		return true
	}
	a.last, a.pods = this, len(pods)
	return false
}
