package dialect

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// nativeGang reads spec.schedulingGroup. The PodGroups of scheduling.k8s.io are
// read by the scheduler itself, so there is no [Kind] for them. A name with a colon
// is none that an object has: it was put there for a gang of another dialect, which
// is then read again from where it stands. So was what follows a "!": see alone.
func nativeGang(pod *corev1.Pod) statement {
	group := pod.Spec.SchedulingGroup
	if group == nil || group.PodGroupName == nil || strings.Contains(*group.PodGroupName, ":") {
		return statement{}
	}
	name, _, _ := strings.Cut(*group.PodGroupName, "!")
	return named(name, "spec.schedulingGroup.podGroupName")
}
