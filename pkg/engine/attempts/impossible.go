package attempts

import (
	"context"
	"time"

	schedulingv1beta1 "k8s.io/api/scheduling/v1beta1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler"
	"k8s.io/kubernetes/pkg/scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/metrics"

	"github.com/berth-dev/berth/pkg/core/gang"
)

// noNomination takes back the nomination of a pod.
var noNomination = &fwk.NominatingInfo{NominatingMode: fwk.ModeOverride}

// refuseAtOnce refuses the gang that is being tried without a search, if it asks for what the
// cluster could not hold even if nothing else ran, as was found out of another gang, and nodes
// have not changed since. It reports whether it did. A thousand gangs that no node can hold
// cost one search.
//
// The queue and whoever tells of refusals get what they get from upstream's cycle. A native
// group goes through that, for it is upstream that writes its status; and so does a gang of
// which pods run or leave.
func (t *Attempts) refuseAtOnce(ctx context.Context, logger klog.Logger, sched *scheduler.Scheduler) bool {
	group, isGroup := t.entity.(*framework.QueuedPodGroupInfo)
	if !isGroup || group.PodGroup == nil {
		return false
	}
	key := gang.KeyOf(group.Namespace, group.Name)
	profile := sched.Profiles[t.last.Spec.SchedulerName]
	if key.Dialect == gang.Native || profile == nil || t.judgedNodes != t.nodes.Load() {
		return false
	}
	why, status := t.Fast.KnownNever(group)
	if why == "" {
		return false
	}
	if g, known := t.Gangs.Get(key); !known || int(g.Waiting) != len(g.Pods) {
		return false
	}
	t.never = why
	began := time.Now()
	ctx = klog.NewContext(ctx, logger)
	group.ForEachPodInfo(func(info *framework.QueuedPodInfo) bool {
		sched.FailureHandler(ctx, profile, info, status, noNomination, began)
		return true
	})
	metrics.PodGroupUnschedulable(profile.ProfileName(), metrics.SinceInSeconds(began))
	if err := sched.SchedulingQueue.AddAttemptedPodGroupIfNeeded(logger, group, sched.SchedulingQueue.SchedulingCycle(), status); err != nil {
		logger.Error(err, "The scheduling queue did not take a gang back that was refused", "gang", key)
	}
	t.Reporter.Decided(key, metav1.Condition{
		Type: schedulingv1beta1.PodGroupInitiallyScheduled, Status: metav1.ConditionFalse,
		Reason: schedulingv1beta1.PodGroupReasonUnschedulable, Message: why,
	})
	return true
}
