package waitreason

import (
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/berth-dev/berth/pkg/core/admission"
	"github.com/berth-dev/berth/pkg/core/gang"
	"github.com/berth-dev/berth/pkg/state/queueing"
)

// Other stands for a reason that is none of ours: whoever may write the status of a pod
// may write any.
const Other = "Other"

// All are the reasons for which a gang or pod may wait, as labels.
func All() []string {
	out := []string{
		Other, GangEntering, NotTried, Backoff, HeldByPlugin, VictimsProtected, NamespaceWindow,
		corev1.PodReasonSchedulerError, corev1.PodReasonSchedulingGated,
	}
	for _, c := range gang.Codes() {
		out = append(out, string(c)) // Unschedulable is one of them
	}
	for _, c := range admission.Codes() {
		out = append(out, string(c))
	}
	for _, c := range queueing.QueueCodes() {
		out = append(out, string(c))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Label returns a reason as a label.
func Label(reason string) string {
	if slices.Contains(all, reason) {
		return reason
	}
	return Other
}

var all = All()
