package waitreason

import (
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/berth-dev/berth/pkg/core/admission"
	"github.com/berth-dev/berth/pkg/state/queueing"
)

// The reasons for which a pod waits that no verdict, queue or refusal gives. None of them
// is "Unschedulable": nodes would not help.
const (
	// GangEntering: the gang was admitted, and the scheduling queue is taking it in.
	GangEntering = "GangEntering"
	// NotTried: the scheduling queue has the pod, and its turn has not come.
	NotTried = "NotTriedYet"
	// Backoff: the pod was tried, and is tried again after a while.
	Backoff = "RetriedSoon"
	// HeldByPlugin: a plugin of the scheduler does not let the pod be tried.
	HeldByPlugin = "HeldByPlugin"
	// NamespaceWindow: others of the namespace are tried before it.
	NamespaceWindow = "NamespaceWindow"
	// VictimsProtected: disruption budgets protect those that would have to go for the
	// gang. More nodes would help it, but it is entitled to those that there are.
	VictimsProtected = "VictimsProtected"
)

// Explanation is why a pod waits. The zero value is silence: somebody else says it.
type Explanation struct {
	Code, Text string
}

// Because is the explanation that has a code and a text.
func Because(code, text string) Explanation { return Explanation{Code: code, Text: text} }

// Said reports whether a pod has a condition that says why it waits.
func Said(pod *corev1.Pod) bool {
	c := ConditionOf(pod)
	return c != nil && c.Status == corev1.ConditionFalse && c.Reason != "" && c.Message != ""
}

// inLine are the reasons of those that others of their queues come before.
var inLine = []string{string(admission.Turn), string(admission.Behind), string(admission.Held)}

// IsInLine reports whether others of the queue come first.
func (why Explanation) IsInLine() bool { return slices.Contains(inLine, why.Code) }

// IsNews reports whether there is something to say, and a pod does not say it.
func (why Explanation) IsNews(pod *corev1.Pod) bool {
	return why.Code != "" && (!Said(pod) || Contradicts(ConditionOf(pod).Reason, InCondition(why.Code)))
}

// Contradicts reports whether what was said is not what is the case. A refusal by the
// scheduler is still worth knowing while the pod waits for the next try, also if others of its
// queue come first by then: autoscalers go by it. How far a gang has come in its queue is not
// news.
func Contradicts(said, is string) bool {
	refused := []string{corev1.PodReasonUnschedulable, corev1.PodReasonSchedulerError}
	waits := []string{NotTried, Backoff, NamespaceWindow}
	switch {
	case said == is:
		return false
	case slices.Contains(waits, is):
		return !slices.Contains(refused, said) && !slices.Contains(waits, said)
	}
	return !slices.Contains(inLine, is) || !slices.Contains(inLine, said) && !slices.Contains(refused, said)
}

// Condition is the condition of a pod that waits for what has a code.
func Condition(code, text string) corev1.PodCondition {
	return corev1.PodCondition{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: InCondition(code), Message: text}
}

// InCondition is the reason that a condition gives. Autoscalers buy nodes for pods that are
// "Unschedulable" and for no others, so a gang that more nodes would help says that, even if
// those that there are never could hold it: a pool that is empty would not grow otherwise.
func InCondition(code string) string {
	if code == string(queueing.NeverFits) {
		return corev1.PodReasonUnschedulable
	}
	return code
}

// ConditionOf is the condition PodScheduled of a pod; nil if it has none.
func ConditionOf(pod *corev1.Pod) *corev1.PodCondition {
	for i := range pod.Status.Conditions {
		if pod.Status.Conditions[i].Type == corev1.PodScheduled {
			return &pod.Status.Conditions[i]
		}
	}
	return nil
}
