package engine

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins/names"

	"github.com/berth-dev/berth/pkg/core/admission"
	"github.com/berth-dev/berth/pkg/core/gang"
	"github.com/berth-dev/berth/pkg/plugins/ganggate"
	"github.com/berth-dev/berth/pkg/plugins/queueadmission"
)

// The reasons for which a pod waits that no verdict, queue or refusal gives. None of them
// is "Unschedulable": nodes would not help.
const (
	// reasonGangEntering: the gang was admitted, and the scheduling queue is taking it in.
	reasonGangEntering = "GangEntering"
	// reasonNotTried: the scheduling queue has the pod, and its turn has not come.
	reasonNotTried = "NotTriedYet"
	// reasonBackoff: the pod was tried, and is tried again after a while.
	reasonBackoff = "RetriedSoon"
	// reasonHeldByPlugin: a plugin of the scheduler does not let the pod be tried.
	reasonHeldByPlugin = "HeldByPlugin"
)

// explanation is why a pod waits. The zero value is silence: somebody else says it.
type explanation struct {
	code, text string
}

// said reports whether a pod has a condition that says why it waits.
func said(pod *corev1.Pod) bool {
	c := scheduledCondition(pod)
	return c != nil && c.Status == corev1.ConditionFalse && c.Reason != "" && c.Message != ""
}

// inLine are the reasons of those that others of their queues come before.
var inLine = []string{string(admission.Turn), string(admission.Behind), string(admission.Held)}

// isInLine reports whether others of the queue come first.
func (why explanation) isInLine() bool { return slices.Contains(inLine, why.code) }

// isNews reports whether there is something to say, and a pod does not say it.
func (why explanation) isNews(pod *corev1.Pod) bool {
	return why.code != "" && (!said(pod) || contradicts(scheduledCondition(pod).Reason, reasonOf(why.code)))
}

// contradicts reports whether what was said is not what is the case. A refusal by the
// scheduler is still worth knowing while the pod waits for the next try, also if others of its
// queue come first by then: autoscalers go by it. How far a gang has come in its queue is not
// news.
func contradicts(said, is string) bool {
	refused := []string{corev1.PodReasonUnschedulable, corev1.PodReasonSchedulerError}
	waits := []string{reasonNotTried, reasonBackoff, reasonNamespaceWindow}
	switch {
	case said == is:
		return false
	case slices.Contains(waits, is):
		return !slices.Contains(refused, said) && !slices.Contains(waits, said)
	}
	return !slices.Contains(inLine, is) || !slices.Contains(inLine, said) && !slices.Contains(refused, said)
}

// heldFor returns the reason for which a gang waits that was told none yet.
func (e *explainer) heldFor(who waits) string {
	if pod := e.any(who); pod != nil {
		return cmp.Or(e.why(pod).code, reasonNotTried) // it is being tried
	}
	return reasonNotTried
}

// neverFit returns the gangs that the cluster could not hold at all.
func (e *explainer) neverFit() sets.Set[waits] {
	keys := e.queues.NeverFit()
	if e.windows != nil {
		keys = append(keys, e.windows.NeverFit()...)
	}
	out := sets.New[waits]()
	for _, key := range keys {
		out.Insert(waits{namespace: key.Namespace, group: key.GroupName()})
	}
	return out
}

// why says why a pod waits: what holds it, or the zero value if the API server says so
// itself, as of scheduling gates.
func (e *explainer) why(pod *corev1.Pod) explanation {
	for _, ask := range [...]func(*corev1.Pod) (explanation, bool){e.gated, e.verdict, e.refusedBefore(e.queue), e.refusedBefore(e.window), e.entering, e.entitled, e.scheduling} {
		if why, holds := ask(pod); holds {
			return why
		}
	}
	return explanation{}
}

// gated: the pod has a scheduling gate. The API server says so when the pod is made.
func (e *explainer) gated(pod *corev1.Pod) (explanation, bool) {
	return explanation{}, len(pod.Spec.SchedulingGates) > 0
}

// verdict: the pod's gang is held.
func (e *explainer) verdict(pod *corev1.Pod) (explanation, bool) {
	group := groupOf(pod)
	if group == "" {
		return explanation{}, false
	}
	verdict := e.gangs.Verdict(gang.KeyOf(pod.Namespace, group))
	if verdict.Action == gang.Admit {
		return explanation{}, false
	}
	if verdict.Action != gang.Hold {
		return explanation{reasonGangEntering, "the pod is new to its gang, which is looked at anew"}, true
	}
	return explanation{string(verdict.Code), verdict.Text}, true
}

// queue: the pod's queue does not let it be tried.
func (e *explainer) queue(pod *corev1.Pod) (explanation, bool) {
	code, text, holds := e.queues.Why(pod)
	if code == string(admission.NoRoom) || code == string(admission.Claims) {
		if why, more := e.entitled(pod); more {
			return why, holds
		}
	}
	if code == string(admission.NoRoom) {
		code = reasonBackoff
	}
	return explanation{code, text}, holds
}

// refusedBefore: the pod is not let in, as ask says, because it was never asked for: another
// plugin holds it, as DynamicResources does a pod whose ResourceClaim is not there.
func (e *explainer) refusedBefore(ask func(*corev1.Pod) (explanation, bool)) func(*corev1.Pod) (explanation, bool) {
	return func(pod *corev1.Pod) (explanation, bool) {
		why, holds := ask(pod)
		if !holds || e.sched == nil {
			return why, holds
		}
		info, found := e.sched.SchedulingQueue.GetPod(pod.Name, pod.Namespace, pod.Spec.SchedulingGroup)
		if !found || info.Pod.UID != pod.UID || info.GatingPlugin == "" || preEnqueueTexts[info.GatingPlugin] != "" {
			return why, holds
		}
		return explanation{reasonHeldByPlugin, e.saysPlugin(pod, info.GatingPlugin)}, true
	}
}

// entitled: the pod was tried, and does not get what its queue is entitled to.
func (e *explainer) entitled(pod *corev1.Pod) (explanation, bool) {
	if e.entitlement == nil {
		return explanation{}, false
	}
	return e.entitlement(pod)
}

// entering: the scheduling queue has not taken in the gang as it is.
func (e *explainer) entering(pod *corev1.Pod) (explanation, bool) {
	group := groupOf(pod)
	if group == "" || e.gate.Open(pod, group) {
		return explanation{}, false
	}
	return explanation{reasonGangEntering, fmt.Sprintf("gang %s is complete, and is being taken into the scheduling queue", gang.KeyOf(pod.Namespace, group))}, true
}

// scheduling: the scheduling queue has it. What plugins say is asked of them.
func (e *explainer) scheduling(pod *corev1.Pod) (explanation, bool) {
	info, found := e.sched.SchedulingQueue.GetPod(pod.Name, pod.Namespace, pod.Spec.SchedulingGroup)
	if !found || info.Pod.UID != pod.UID {
		// It is being tried.
		return explanation{}, true
	}
	gating, refusing := info.GatingPlugin, info.UnschedulablePlugins.Union(info.PendingPlugins)
	if group := groupOf(pod); group != "" {
		entity, found := e.sched.SchedulingQueue.GetPodGroup(group, pod.Namespace, fwk.PodGroupKeyType)
		if !found {
			return explanation{reasonGangEntering, "the scheduling queue is taking in the pod's gang"}, true
		}
		if gating == "" && entity.Gated() {
			other := gatedMember(entity)
			if other == nil {
				return explanation{}, true
			}
			return explanation{reasonHeldByPlugin, fmt.Sprintf("pod %q of the gang is held: %s", other.Name, e.saysPlugin(other, entity.GatingPlugin))}, true
		}
	}
	switch {
	case gating != "":
		return explanation{reasonHeldByPlugin, e.saysPlugin(pod, gating)}, true
	case info.Attempts == 0:
		return explanation{reasonNotTried, "the pod is in the scheduling queue, and is tried when its turn comes"}, true
	case refusing.Len() > 0:
		return explanation{reasonBackoff, "no node was found by " + strings.Join(slices.Sorted(maps.Keys(refusing)), ", ") + "; the pod is tried again when that may have changed"}, true
	}
	return explanation{reasonBackoff, "the last try failed; the pod is tried again soon"}, true
}

// gatedMember returns the first member by name that a plugin holds.
func gatedMember(entity *framework.QueuedPodGroupInfo) *corev1.Pod {
	var first *corev1.Pod
	entity.ForEachPodInfo(func(info *framework.QueuedPodInfo) bool {
		if info.Gated() && (first == nil || info.Pod.Name < first.Name) {
			first = info.Pod
		}
		return true
	})
	return first
}

// preEnqueueTexts say what a plugin holds a pod for, where the plugin itself may not be
// asked or says too little. Every PreEnqueue plugin of the built-in profile is here.
var preEnqueueTexts = map[string]string{
	ganggate.Name:         "its gang is being taken into the scheduling queue",
	queueadmission.Name:   "its queue has not let it in yet",
	names.SchedulingGates: "it has a scheduling gate",
	names.GangScheduling:  "the scheduling queue does not have all pods of its gang yet",
	// The others answer for themselves.
	names.DynamicResources:  "",
	names.DefaultPreemption: "",
}

// saysPlugin says why a plugin holds a pod.
func (e *explainer) saysPlugin(pod *corev1.Pod, plugin string) string {
	text := preEnqueueTexts[plugin]
	if text == "" {
		if f := e.sched.Profiles[pod.Spec.SchedulerName]; f != nil {
			for _, p := range f.PreEnqueuePlugins() {
				if p.Name() == plugin {
					text = p.PreEnqueue(context.Background(), pod).Message()
				}
			}
		}
	}
	if text == "" {
		return fmt.Sprintf("plugin %s lets it be tried later", plugin)
	}
	return fmt.Sprintf("plugin %s: %s", plugin, text)
}
