package workload

import (
	"maps"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// PlainRequests returns what a pod asks for if that is what its one container asks for, and
// nothing is said against it in the status: so it is of most pods, and needs no sums. It is
// read only, and equal to what the scheduler counts.
func PlainRequests(pod *corev1.Pod) (requests corev1.ResourceList, plain bool) {
	spec, status := &pod.Spec, &pod.Status
	switch {
	case len(spec.Containers) != 1, len(spec.InitContainers) > 0, spec.Overhead != nil, spec.Resources != nil,
		len(status.ContainerStatuses) > 1, status.Resources != nil, status.AllocatedResources != nil, len(status.NodeAllocatableResourceClaimStatuses) > 0:
		return nil, false
	}
	for i := range status.Conditions {
		if status.Conditions[i].Type == corev1.PodResizePending {
			return nil, false
		}
	}
	requests = spec.Containers[0].Resources.Requests
	if len(status.ContainerStatuses) == 0 {
		return requests, true
	}
	c := &status.ContainerStatuses[0]
	plain = (c.AllocatedResources == nil || maps.EqualFunc(requests, c.AllocatedResources, resource.Quantity.Equal)) &&
		(c.Resources == nil || c.Resources.Requests == nil || maps.EqualFunc(requests, c.Resources.Requests, resource.Quantity.Equal))
	return requests, plain
}
