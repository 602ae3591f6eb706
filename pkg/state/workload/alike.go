package workload

import (
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/utils/ptr"
)

// RequestsAlike reports whether two versions of a pod ask for the same for certain: all that this
// follows from is the same in both. It is much cheaper than to work out what each asks for, and
// most that happens to a pod changes nothing of it.
func RequestsAlike(a, b *corev1.Pod) bool {
	if a == b {
		return true
	}
	return containersAlike(a.Spec.Containers, b.Spec.Containers) && containersAlike(a.Spec.InitContainers, b.Spec.InitContainers) &&
		SameAmounts(a.Spec.Overhead, b.Spec.Overhead) && requirementsAlike(a.Spec.Resources, b.Spec.Resources) &&
		statusesAlike(a.Status.ContainerStatuses, b.Status.ContainerStatuses) && statusesAlike(a.Status.InitContainerStatuses, b.Status.InitContainerStatuses) &&
		SameAmounts(a.Status.AllocatedResources, b.Status.AllocatedResources) && requirementsAlike(a.Status.Resources, b.Status.Resources) &&
		resizeInfeasible(a) == resizeInfeasible(b) && claimsAlike(&a.Status, &b.Status)
}

func containersAlike(a, b []corev1.Container) bool {
	return slices.EqualFunc(a, b, func(a, b corev1.Container) bool {
		return a.Name == b.Name && SameAmounts(a.Resources.Requests, b.Resources.Requests) && ptr.Equal(a.RestartPolicy, b.RestartPolicy)
	})
}

// statusesAlike compares what containers were given. One that was given nothing yet is as one
// of which nothing is said.
func statusesAlike(a, b []corev1.ContainerStatus) bool {
	given := func(all []corev1.ContainerStatus) bool {
		return slices.ContainsFunc(all, func(s corev1.ContainerStatus) bool { return s.AllocatedResources != nil || s.Resources != nil })
	}
	if !given(a) && !given(b) {
		return true
	}
	return slices.EqualFunc(a, b, func(a, b corev1.ContainerStatus) bool {
		return a.Name == b.Name && (a.AllocatedResources == nil) == (b.AllocatedResources == nil) &&
			SameAmounts(a.AllocatedResources, b.AllocatedResources) && requirementsAlike(a.Resources, b.Resources)
	})
}

func requirementsAlike(a, b *corev1.ResourceRequirements) bool {
	if a == nil || b == nil {
		return a == b
	}
	return (a.Requests == nil) == (b.Requests == nil) && SameAmounts(a.Requests, b.Requests)
}

func SameAmounts(a, b corev1.ResourceList) bool {
	return maps.EqualFunc(a, b, func(a, b resource.Quantity) bool { return a.Cmp(b) == 0 })
}

// resizeInfeasible reports whether a pod goes on with what it was given, whatever it says now.
func resizeInfeasible(p *corev1.Pod) bool {
	return slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodResizePending && c.Reason == corev1.PodReasonInfeasible
	})
}

func claimsAlike(a, b *corev1.PodStatus) bool {
	if len(a.NodeAllocatableResourceClaimStatuses) == 0 && len(b.NodeAllocatableResourceClaimStatuses) == 0 {
		return true
	}
	return equality.Semantic.DeepEqual(a.NodeAllocatableResourceClaimStatuses, b.NodeAllocatableResourceClaimStatuses)
}
