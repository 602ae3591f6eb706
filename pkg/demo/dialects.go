package demo

import (
	"fmt"
	"strconv"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// dialects say on a pod what gang it belongs to, and how many pods that takes.
var dialects = [...]struct {
	name string
	say  func(pod *v1.Pod, gang, size string)
}{
	{"berth", func(pod *v1.Pod, gang, size string) {
		pod.Labels["berth.dev/gang"] = gang
		pod.Annotations["berth.dev/gang-size"] = size
	}},
	{"scheduler-plugins", func(pod *v1.Pod, gang, size string) {
		pod.Labels["scheduling.x-k8s.io/pod-group"] = gang
		pod.Annotations["berth.dev/gang-size"] = size
	}},
	{"kueue", func(pod *v1.Pod, gang, size string) {
		pod.Labels["kueue.x-k8s.io/pod-group-name"] = gang
		pod.Annotations["kueue.x-k8s.io/pod-group-total-count"] = size
	}},
	{"kai", func(pod *v1.Pod, gang, size string) {
		pod.Annotations["pod-group-name"] = gang
		pod.Annotations["kai.scheduler/batch-min-member"] = size
	}},
	{"volcano", func(pod *v1.Pod, gang, size string) {
		pod.Annotations["scheduling.k8s.io/group-name"] = gang
		pod.Annotations["scheduling.volcano.sh/group-min-member"] = size
	}},
	{"yunikorn", func(pod *v1.Pod, gang, size string) {
		pod.Labels["applicationId"] = gang
		pod.Annotations["yunikorn.apache.org/task-group-name"] = "workers"
		pod.Annotations["yunikorn.apache.org/task-groups"] = fmt.Sprintf(`[{"name":"workers","minMember":%s}]`, size)
	}},
	{"koordinator", func(pod *v1.Pod, gang, size string) {
		pod.Annotations["gang.scheduling.koordinator.sh/name"] = gang
		pod.Annotations["gang.scheduling.koordinator.sh/min-available"] = size
	}},
	// A Job that has the size on its template. No controller runs here that
	// would make its pods, so they are made as it would make them.
	{"job", func(pod *v1.Pod, gang, size string) {
		controller := true
		pod.OwnerReferences = []metav1.OwnerReference{{
			APIVersion: "batch/v1", Kind: "Job", Name: gang, UID: types.UID("job-" + gang), Controller: &controller,
		}}
		pod.Labels["batch.kubernetes.io/job-name"] = gang
		pod.Annotations["berth.dev/gang-size"] = size
	}},
}

// declare says on a pod that it belongs to a gang.
func declare(pod *v1.Pod, s Submission) {
	for _, d := range dialects {
		if d.name == s.Dialect {
			d.say(pod, s.Name, strconv.Itoa(s.Size))
			return
		}
	}
	panic("no dialect " + s.Dialect)
}
