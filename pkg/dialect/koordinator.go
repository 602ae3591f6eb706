package dialect

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/berth-dev/berth/pkg/core/gang"
)

// Labels and annotations of Koordinator.
const (
	koordinatorGangName   = "gang.scheduling.koordinator.sh/name"
	koordinatorGangSize   = "gang.scheduling.koordinator.sh/min-available"
	koordinatorIndex      = "gang.scheduling.koordinator.sh/network-topology-index"
	koordinatorQueueLabel = "quota.scheduling.koordinator.sh/name"
)

func koordinatorGang(pod *corev1.Pod) statement {
	return named(pod.Annotations[koordinatorGangName], "annotation "+koordinatorGangName)
}

func koordinatorSize(pod *corev1.Pod) (*int64, *gang.Fault) {
	return wholeNumber(pod.Annotations, koordinatorGangSize, annotation)
}

func koordinatorKind() Kind {
	return Kind{
		Resource: schema.GroupVersionResource{Group: "scheduling.sigs.k8s.io", Version: "v1alpha1", Resource: "podgroups"},
		Kind:     "PodGroup",
		Dialect:  Koordinator,
		Declare: func(obj *unstructured.Unstructured) []Declared {
			return declareCoscheduling(obj, Koordinator, "PodGroup.scheduling.sigs.k8s.io")
		},
		Status: koordinatorStatus,
	}
}

// koordinatorStatus writes phase, scheduled and running. The kind has no place for
// a reason.
func koordinatorStatus(obj *unstructured.Unstructured, o Outcome, _ time.Time) []byte {
	return coschedulingStatus(obj, o, coschedulingScheduled, true)
}
