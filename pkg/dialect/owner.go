package dialect

import (
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ownerMember reads the gang of a pod that states a size and names no gang: all
// pods of its controller that state one, or of its Deployment. The key says kind, API
// group and name as kubectl prints them, so that two kinds of one name stay apart.
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
	kind, name := owner.Kind, owner.Name
	if deployment, is := deploymentOf(pod, owner); is {
		kind, name = "Deployment", deployment
	}
	resource := strings.ToLower(kind)
	if group, _, ok := strings.Cut(owner.APIVersion, "/"); ok {
		resource += "." + group
	}
	return member(pod, Owner, resource+"/"+name, "its controller", nil), true
}

// deploymentOf returns the Deployment that the controller of a pod is a version of. Its
// rollout makes the pods of a new version a few at a time, and waits for them before it takes
// pods of the old one away: a version by itself would never be complete.
//
// The ReplicaSet is named after its Deployment and the hash, which is a label of its pods too
// (Kubernetes 1.37: pkg/controller/deployment/sync.go, generateReplicaSetName).
func deploymentOf(pod *corev1.Pod, owner *metav1.OwnerReference) (string, bool) {
	hash := pod.Labels[appsv1.DefaultDeploymentUniqueLabelKey]
	if owner.Kind != "ReplicaSet" || hash == "" {
		return "", false
	}
	name, is := strings.CutSuffix(owner.Name, "-"+hash)
	return name, is && name != ""
}
