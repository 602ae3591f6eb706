package reporting

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
	"github.com/berth-dev/berth/pkg/engine/measure"
	"github.com/berth-dev/berth/pkg/engine/waitreason"
	"github.com/berth-dev/berth/pkg/plugins/ganggate"
	"github.com/berth-dev/berth/pkg/plugins/queueadmission"
	"github.com/berth-dev/berth/pkg/state/queueing"
	"github.com/berth-dev/berth/pkg/state/workload"
)

// HeldFor returns the reason for which a gang waits that was told none yet.
func (e *Explainer) HeldFor(who measure.Who) string {
	if pod := e.any(who); pod != nil {
		return cmp.Or(e.Why(pod).Code, waitreason.NotTried) // it is being tried
	}
	return waitreason.NotTried
}

// NeverFit returns the gangs that the cluster could not hold at all.
func (e *Explainer) NeverFit() sets.Set[measure.Who] {
	keys := e.Queues.NeverFit()
	if e.Windows != nil {
		keys = append(keys, e.Windows.NeverFit()...)
	}
	out := sets.New[measure.Who]()
	for _, key := range keys {
		out.Insert(measure.Who{Namespace: key.Namespace, Group: key.GroupName()})
	}
	return out
}

// Why says why a pod waits: what holds it, or the zero value if the API server says so
// itself, as of scheduling gates.
func (e *Explainer) Why(pod *corev1.Pod) waitreason.Explanation {
	for _, ask := range [...]func(*corev1.Pod) (waitreason.Explanation, bool){e.gated, e.verdict, e.refusedBefore(e.queue), e.refusedBefore(e.window), e.entering, e.entitled, e.scheduling} {
		if why, holds := ask(pod); holds {
			return why
		}
	}
	return waitreason.Explanation{}
}

// gated: the pod has a scheduling gate. The API server says so when the pod is made.
func (e *Explainer) gated(pod *corev1.Pod) (waitreason.Explanation, bool) {
	return waitreason.Explanation{}, len(pod.Spec.SchedulingGates) > 0
}

// verdict: the pod's gang is held.
func (e *Explainer) verdict(pod *corev1.Pod) (waitreason.Explanation, bool) {
	group := workload.PodGroup(pod)
	if group == "" {
		return waitreason.Explanation{}, false
	}
	verdict := e.Gangs.Verdict(gang.KeyOf(pod.Namespace, group))
	if verdict.Action == gang.Admit {
		return waitreason.Explanation{}, false
	}
	if verdict.Action != gang.Hold {
		return waitreason.Because(waitreason.GangEntering, "the pod is new to its gang, which is looked at anew"), true
	}
	return waitreason.Because(string(verdict.Code), verdict.Text), true
}

// queue: the pod's queue does not let it be tried.
func (e *Explainer) queue(pod *corev1.Pod) (waitreason.Explanation, bool) {
	code, text, holds := e.Queues.Why(pod)
	if code == string(admission.NoRoom) || code == string(admission.Claims) {
		if why, more := e.entitled(pod); more {
			return why, holds
		}
	}
	if code == string(admission.NoRoom) {
		code = waitreason.Backoff
	}
	return waitreason.Because(code, text), holds
}

// refusedBefore: the pod is not admitted, as ask says, because it was never asked for: another
// plugin holds it, as DynamicResources does a pod whose ResourceClaim is not there.
func (e *Explainer) refusedBefore(ask func(*corev1.Pod) (waitreason.Explanation, bool)) func(*corev1.Pod) (waitreason.Explanation, bool) {
	return func(pod *corev1.Pod) (waitreason.Explanation, bool) {
		why, holds := ask(pod)
		if !holds || e.sched == nil {
			return why, holds
		}
		info, found := e.sched.SchedulingQueue.GetPod(pod.Name, pod.Namespace, pod.Spec.SchedulingGroup)
		if !found || info.Pod.UID != pod.UID || info.GatingPlugin == "" || preEnqueueTexts[info.GatingPlugin] != "" {
			return why, holds
		}
		return waitreason.Because(waitreason.HeldByPlugin, e.saysPlugin(pod, info.GatingPlugin)), true
	}
}

// entitled: the pod was tried, and does not get what its queue is entitled to.
func (e *Explainer) entitled(pod *corev1.Pod) (waitreason.Explanation, bool) {
	if e.Entitlement == nil {
		return waitreason.Explanation{}, false
	}
	return e.Entitlement(pod)
}

// entering: the scheduling queue has not taken in the gang as it is.
func (e *Explainer) entering(pod *corev1.Pod) (waitreason.Explanation, bool) {
	group := workload.PodGroup(pod)
	if group == "" || e.Gate.Open(pod, group) {
		return waitreason.Explanation{}, false
	}
	return waitreason.Because(waitreason.GangEntering, fmt.Sprintf("gang %s is complete, and is being taken into the scheduling queue", gang.KeyOf(pod.Namespace, group))), true
}

// scheduling: the scheduling queue has it. What plugins say is asked of them.
func (e *Explainer) scheduling(pod *corev1.Pod) (waitreason.Explanation, bool) {
	if e.sched == nil {
		return waitreason.Explanation{}, true
	}
	info, found := e.sched.SchedulingQueue.GetPod(pod.Name, pod.Namespace, pod.Spec.SchedulingGroup)
	if !found || info.Pod.UID != pod.UID {
		// It is being tried.
		return waitreason.Explanation{}, true
	}
	gating, refusing := info.GatingPlugin, info.UnschedulablePlugins.Union(info.PendingPlugins)
	if group := workload.PodGroup(pod); group != "" {
		entity, found := e.sched.SchedulingQueue.GetPodGroup(group, pod.Namespace, fwk.PodGroupKeyType)
		if !found {
			return waitreason.Because(waitreason.GangEntering, "the scheduling queue is taking in the pod's gang"), true
		}
		if gating == "" && entity.Gated() {
			other := gatedMember(entity)
			if other == nil {
				return waitreason.Explanation{}, true
			}
			return waitreason.Because(waitreason.HeldByPlugin, fmt.Sprintf("pod %q of the gang is held: %s", other.Name, e.saysPlugin(other, entity.GatingPlugin))), true
		}
	}
	switch {
	case gating != "":
		return waitreason.Because(waitreason.HeldByPlugin, e.saysPlugin(pod, gating)), true
	case info.Attempts == 0:
		return waitreason.Because(waitreason.NotTried, "the pod is in the scheduling queue, and is tried when its turn comes"), true
	case refusing.Len() > 0:
		return waitreason.Because(waitreason.Backoff, "no node was found by "+strings.Join(slices.Sorted(maps.Keys(refusing)), ", ")+"; the pod is tried again when that may have changed"), true
	}
	return waitreason.Because(waitreason.Backoff, "the last try failed; the pod is tried again soon"), true
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
	queueadmission.Name:   "its queue has not admitted it yet",
	names.SchedulingGates: "it has a scheduling gate",
	names.GangScheduling:  "the scheduling queue does not have all pods of its gang yet",
	// The others answer for themselves.
	names.DynamicResources:  "",
	names.DefaultPreemption: "",
}

// ExplainsPlugin reports whether it is known what a PreEnqueue plugin holds a pod for, or that the
// plugin says so itself.
func ExplainsPlugin(name string) bool {
	_, known := preEnqueueTexts[name]
	return known
}

// saysPlugin says why a plugin holds a pod.
func (e *Explainer) saysPlugin(pod *corev1.Pod, plugin string) string {
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

// window: the pod's namespace has enough others tried, or there was no place for the pod, and
// nothing has changed that.
func (e *Explainer) window(pod *corev1.Pod) (waitreason.Explanation, bool) {
	if e.Windows == nil {
		return waitreason.Explanation{}, false
	}
	tried, never, holds := e.Windows.Why(pod)
	switch {
	case !holds:
		return waitreason.Explanation{}, false
	case never != "":
		return waitreason.Because(string(queueing.NeverFits), never), true
	case tried:
		return waitreason.Because(waitreason.Backoff, "there was no place for it; it is tried again when room may have come free"), true
	}
	return waitreason.Because(waitreason.NamespaceWindow, fmt.Sprintf("others of namespace %s are tried before it; of one namespace, so many at a time as --namespace-window says", pod.Namespace)), true
}
