package workload

import (
	"cmp"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/berth-dev/berth/pkg/core/gang"
)

// ID names a gang by its group, or a plain pod by its UID.
type ID struct {
	Namespace, Group string
	UID              types.UID
}

// IDOf returns the ID of the gang of a pod, also of a pod that is set aside, or of a plain pod.
func IDOf(pod *corev1.Pod) ID {
	if group, in := groupOf(pod); in {
		return ID{Namespace: pod.Namespace, Group: gang.InGroup(group)}
	}
	return ID{UID: pod.UID}
}

// IDOfGang returns the ID of a gang.
func IDOfGang(key gang.Key) ID {
	return ID{Namespace: key.Namespace, Group: key.GroupName()}
}

// Gang returns the key of the gang; that of a plain pod names none.
func (id ID) Gang() gang.Key { return gang.KeyOf(id.Namespace, id.Group) }

// GangGroup returns the name of the group of a pod's gang, whether the pod counts towards it or
// not; "" for a plain pod.
func GangGroup(pod *corev1.Pod) string {
	group, _ := groupOf(pod)
	return gang.InGroup(group)
}

// PodGroup returns the name of the pod group in which the scheduler sees a pod; "" for a plain pod.
// A member that does not count towards its gang is in a group of its own kind: GangGroup has the
// gang's.
func PodGroup(pod *corev1.Pod) string {
	name, _ := groupOf(pod)
	return name
}

// groupOf returns the name of a pod's group, if it is in one.
func groupOf(pod *corev1.Pod) (name string, in bool) {
	if group := pod.Spec.SchedulingGroup; group != nil && group.PodGroupName != nil {
		return *group.PodGroupName, true
	}
	return "", false
}

// SetAside reports whether a pod does not count towards its gang.
func SetAside(pod *corev1.Pod) bool {
	group, _ := groupOf(pod)
	return gang.Aside(group)
}

// ComparePods orders the pods of a namespace by name.
func ComparePods(a, b *corev1.Pod) int {
	return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.UID, b.UID))
}

// PriorityOf returns the priority of a pod; that of one without is 0, as for the scheduler.
func PriorityOf(pod *corev1.Pod) int32 {
	if pod.Spec.Priority != nil {
		return *pod.Spec.Priority
	}
	return 0
}
