package dialect

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// schedulerPluginsGroupLabel names the PodGroup of a pod.
const schedulerPluginsGroupLabel = "scheduling.x-k8s.io/pod-group"

func schedulerPluginsGang(pod *corev1.Pod) statement {
	return named(pod.Labels[schedulerPluginsGroupLabel], "label "+schedulerPluginsGroupLabel)
}

func schedulerPluginsKind() Kind {
	return Kind{
		Resource:    schema.GroupVersionResource{Group: "scheduling.x-k8s.io", Version: "v1alpha1", Resource: "podgroups"},
		Kind:        "PodGroup",
		Dialect:     SchedulerPlugins,
		Subresource: statusSubresource,
		Declare: func(obj *unstructured.Unstructured) []Declared {
			return declareCoscheduling(obj, SchedulerPlugins, "PodGroup.scheduling.x-k8s.io")
		},
		Status: schedulerPluginsStatus,
	}
}

// schedulerPluginsStatus writes phase and running. The kind has no place for a
// reason. The end of a group is its controller's to tell.
func schedulerPluginsStatus(obj *unstructured.Unstructured, o Outcome, _ time.Time) []byte {
	return coschedulingStatus(obj, o, coschedulingScheduling, false)
}
