package dialect

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ownerMember reads the gang of a pod that states a size and names no gang: all
// pods of its controller that state one. The key says kind, API group and name as
// kubectl prints them, so that two kinds of one name stay apart.
func ownerMember(pod *corev1.Pod) (Membership, bool) {
	if _, sized := pod.Annotations[berthGangSize]; !sized {
		return Membership{}, false
	}
	owner := metav1.GetControllerOfNoCopy(pod)
	if owner == nil {
		return alone(pod, Owner, "", malformed(
			"annotation %s states a gang size, but the pod names no gang and has no controller; set label %s",
			berthGangSize, berthGangLabel)), true
	}
	resource := strings.ToLower(owner.Kind)
	if group, _, ok := strings.Cut(owner.APIVersion, "/"); ok {
		resource += "." + group
	}
	return member(pod, Owner, resource+"/"+owner.Name, "its controller", nil), true
}
