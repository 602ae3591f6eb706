package reporting

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler"
	"k8s.io/kubernetes/pkg/scheduler/framework"

	"github.com/berth-dev/berth/pkg/core/gang"
	"github.com/berth-dev/berth/pkg/dialect"
	"github.com/berth-dev/berth/pkg/engine/waitreason"
	"github.com/berth-dev/berth/pkg/state/gangtable"
	"github.com/berth-dev/berth/pkg/state/workload"
)

// ObserveRefusals lets the reporter know why a member of a gang fits nowhere. The
// decision on the gang itself says only that too few members fit.
func (r *Reporter) ObserveRefusals(next scheduler.FailureHandlerFn) scheduler.FailureHandlerFn {
	return func(ctx context.Context, f framework.Framework, pod *framework.QueuedPodInfo, status *fwk.Status, nominating *fwk.NominatingInfo, start time.Time) {
		var fit *framework.FitError
		if group := workload.PodGroup(pod.Pod); group != "" && errors.As(status.AsError(), &fit) {
			why := fit.Error()
			r.did(gang.KeyOf(pod.Pod.Namespace, group), func(d *deeds) { d.refusal = why })
		}
		next(ctx, f, pod, status, nominating, start)
	}
}

// reportRefused tells why the scheduler found no place for the whole gang: one event,
// and the same sentence in the condition of every pod that waits.
func (r *Reporter) reportRefused(g gangtable.Gang, t *told, d deeds) {
	code, text := d.decided.Reason, refusalText(g, d)
	r.observeRefused(t, code)
	if why, more := r.entitled(g); more {
		code, text = waitreason.InCondition(why.Code), why.Text
	}
	r.tellWaiting(g, code, text)
	r.trouble(g, t, eventFailedScheduling, "Scheduling", text)
	if !g.Placed {
		t.outcome = &dialect.Outcome{Code: gang.Code(code), Text: text, Bound: g.Bound}
	}
}

// entitled says why a gang that was refused does not get what its queue is entitled to.
func (r *Reporter) entitled(g gangtable.Gang) (waitreason.Explanation, bool) {
	for _, p := range g.Pods {
		if p.Ours && p.State == gang.Waiting {
			pod := r.Conditions.Waiting(types.NamespacedName{Namespace: g.Key.Namespace, Name: p.Name})
			if pod != nil && r.Entitlement != nil {
				return r.Entitlement(pod)
			}
		}
	}
	return waitreason.Explanation{}, false
}

// reportLeftOut tells the members that found no place beside a gang that has its
// size, as they may: no event, for the gang is well.
func (r *Reporter) reportLeftOut(g gangtable.Gang, d deeds) {
	if d.refusal != "" {
		r.tellWaiting(g, corev1.PodReasonUnschedulable,
			fmt.Sprintf("Gang %s has its place: %d pods are bound, and it needs %d. There is none for this one: %s", g.Key, g.Bound, g.Verdict.Group.Need, d.refusal))
	}
}

// Refused returns why a gang was refused its place when it was tried last, as its pods are told
// unless its queue has more to say; false if it was not.
func (r *Reporter) Refused(key gang.Key) (text string, refused bool) {
	g, known := r.Gangs.Get(key)
	r.mu.Lock()
	d := r.deedsOf(key, g.Life)
	r.mu.Unlock()
	if !known || !isRefusal(d.decided) {
		return "", false
	}
	return refusalText(g, d), true
}

// refusalText is a sentence that a user can act on, as far as the scheduler knows.
func refusalText(g gangtable.Gang, d deeds) string {
	if d.refusal == "" || d.decided.Reason != corev1.PodReasonUnschedulable {
		return d.decided.Message
	}
	if g.Bound+g.Done > 0 {
		return fmt.Sprintf("Gang %s needs %d pods, of which %d have a place, and there is none for all of the others: %s",
			g.Key, g.Verdict.Group.Need, g.Bound, d.refusal)
	}
	return fmt.Sprintf("Gang %s needs %d pods at once, and there is no place for all of them: %s", g.Key, g.Verdict.Group.Need, d.refusal)
}

// tellWaiting asks for a condition of each pod of ours that waits. It reports
// whether that is news to any.
func (r *Reporter) tellWaiting(g gangtable.Gang, reason, text string) bool {
	condition := waitreason.Condition(reason, text)
	news := false
	for _, p := range g.Pods {
		if p.Ours && p.State == gang.Waiting {
			news = r.Conditions.Set(types.NamespacedName{Namespace: g.Key.Namespace, Name: p.Name}, condition) || news
		}
	}
	return news
}

// isRefusal reports whether a decision is to refuse.
func isRefusal(decided *metav1.Condition) bool {
	return decided != nil && decided.Status != metav1.ConditionTrue
}
