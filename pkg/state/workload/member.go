package workload

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/berth-dev/berth/pkg/core/gang"
	"github.com/berth-dev/berth/pkg/dialect"
)

// MemberOf translates a pod of a gang; false if it is in none.
func MemberOf(pod *corev1.Pod) (gang.Key, gang.Member, bool) {
	membership, ok := dialect.Of(pod)
	if !ok {
		return gang.Key{}, gang.Member{}, false
	}
	return membership.Key, Member(pod, membership), true
}

// Member translates a pod that belongs to a gang.
func Member(pod *corev1.Pod, membership dialect.Membership) gang.Member {
	m := gang.Member{
		Name:       pod.Name,
		Scheduler:  pod.Spec.SchedulerName,
		Preemption: string(corev1.PreemptLowerPriority),
		Claims:     membership.Claims,
		Extra:      membership.Extra,
		Fault:      membership.Fault,
		Node:       pod.Spec.NodeName,
		Created:    pod.CreationTimestamp.Unix(),
		Running:    pod.Status.Phase == corev1.PodRunning,
		Leaving:    pod.DeletionTimestamp != nil,
		Succeeded:  pod.Status.Phase == corev1.PodSucceeded,
		Rank:       membership.Rank,
		Role:       membership.Role,
	}
	if len(pod.Spec.SchedulingGates) > 0 {
		m.Gate = pod.Spec.SchedulingGates[0].Name
	}
	if owner := metav1.GetControllerOfNoCopy(pod); owner != nil {
		m.Controller = gang.Controller{Name: owner.Kind + "/" + owner.Name, UID: string(owner.UID)}
	}
	if pod.Spec.Priority != nil {
		m.Priority = *pod.Spec.Priority
	}
	if pod.Spec.PreemptionPolicy != nil {
		m.Preemption = string(*pod.Spec.PreemptionPolicy)
	}
	if m.Node != "" {
		m.Bound, m.Evicting = BoundAt(pod), dialect.Evicting(pod)
	} else {
		m.LeftOut = dialect.LeftOut(pod)
	}
	return m
}

// GroupName returns the name of the group that a pod is in inside the scheduler: that of
// its gang if it counts towards the gang's size, else the one that is set aside. The
// scheduler counts, places and pins by groups, so this is where its view of a gang and
// the verdict are made one.
func GroupName(pod *corev1.Pod, membership dialect.Membership) string {
	if m := Member(pod, membership); !m.State().Effect().Counts {
		return membership.Key.AsideName()
	}
	return membership.Key.GroupName()
}

// BoundAt returns when the pod was bound, in seconds since the epoch. The API
// server sets the condition with the bind; a pod that was created with a node
// name has none, and was bound when it was created.
func BoundAt(pod *corev1.Pod) int64 {
	for i := range pod.Status.Conditions {
		c := &pod.Status.Conditions[i]
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionTrue {
			return c.LastTransitionTime.Unix()
		}
	}
	return pod.CreationTimestamp.Unix()
}
