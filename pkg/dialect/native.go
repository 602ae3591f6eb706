package dialect

import (
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/berth-dev/berth/pkg/core/gang"
)

// nativeGang reads spec.schedulingGroup. The PodGroups of scheduling.k8s.io are
// read by the scheduler itself, so there is no [Kind] for them. A name with a colon
// is none that an object has: Berth put it there in memory, for a gang of another
// dialect, which is then read again from where it stands, or for a member of a native
// gang that does not count. So was what follows a "!": see alone.
func nativeGang(pod *corev1.Pod) statement {
	group := pod.Spec.SchedulingGroup
	if group == nil || group.PodGroupName == nil {
		return statement{}
	}
	key := gang.KeyOf(pod.Namespace, *group.PodGroupName)
	if key.Dialect != gang.Native {
		return statement{}
	}
	name, _, _ := strings.Cut(key.Name, "!")
	return named(name, "spec.schedulingGroup.podGroupName")
}
