package workload

import (
	"maps"
	"sync/atomic"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	resourcehelper "k8s.io/component-helpers/resource"
)

// Requests returns what a pod asks for, as the scheduler counts it. It is read only.
func Requests(pod *corev1.Pod) corev1.ResourceList {
	if requests, plain := PlainRequests(pod); plain {
		return requests
	}
	return resourcehelper.PodRequests(pod, resourcehelper.PodResourcesOptions{UseStatusResources: true})
}

// LastRequests is Requests that works the last answer out once: several parts of a scheduler hear
// of an event of a pod, and ask one after the other. Pods of informers do not change. It is safe
// for concurrent use.
type LastRequests struct {
	last atomic.Pointer[podRequests]
}

type podRequests struct {
	pod *corev1.Pod
	all corev1.ResourceList
}

// Of returns what a pod asks for. It is read only.
func (l *LastRequests) Of(pod *corev1.Pod) corev1.ResourceList {
	if last := l.last.Load(); last != nil && last.pod == pod {
		return last.all
	}
	all := Requests(pod)
	l.last.Store(&podRequests{pod, all})
	return all
}

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
