package engine

import (
	"maps"
	"sync/atomic"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	resourcehelper "k8s.io/component-helpers/resource"
)

// requestsOf returns what a pod asks for, as the scheduler counts it. It is read only.
func requestsOf(pod *corev1.Pod) corev1.ResourceList {
	if isPlain(pod) {
		return pod.Spec.Containers[0].Resources.Requests
	}
	return resourcehelper.PodRequests(pod, resourcehelper.PodResourcesOptions{UseStatusResources: true})
}

// isPlain reports whether a pod asks for what its one container does, and nothing is said
// against it in the status: so it is of most pods, and needs no sums.
func isPlain(pod *corev1.Pod) bool {
	spec, status := &pod.Spec, &pod.Status
	if len(spec.Containers) != 1 || len(spec.InitContainers) > 0 || spec.Overhead != nil || spec.Resources != nil || len(status.ContainerStatuses) > 1 {
		return false
	}
	for i := range status.Conditions {
		if status.Conditions[i].Type == corev1.PodResizePending {
			return false
		}
	}
	if len(status.ContainerStatuses) == 0 {
		return true
	}
	asks, c := spec.Containers[0].Resources.Requests, &status.ContainerStatuses[0]
	return (c.AllocatedResources == nil || maps.EqualFunc(asks, c.AllocatedResources, resource.Quantity.Equal)) &&
		(c.Resources == nil || c.Resources.Requests == nil || maps.EqualFunc(asks, c.Resources.Requests, resource.Quantity.Equal))
}

// lastRequests is requestsOf that works the last answer out once: the parts of the engine that
// hear of an event of a pod ask one after the other. Pods of informers do not change. What it
// returns is read only. It is safe for concurrent use.
type lastRequests struct {
	last atomic.Pointer[podRequests]
}

type podRequests struct {
	pod *corev1.Pod
	all corev1.ResourceList
}

// of returns what a pod asks for.
func (l *lastRequests) of(pod *corev1.Pod) corev1.ResourceList {
	if last := l.last.Load(); last != nil && last.pod == pod {
		return last.all
	}
	all := requestsOf(pod)
	l.last.Store(&podRequests{pod, all})
	return all
}

// devicesOf returns which devices a pod asks for, and how many; 0 if it asks for none.
func (e *engine) devicesOf(pod *corev1.Pod) (corev1.ResourceName, int64) {
	return e.fast.DevicesIn(e.requests.of(pod))
}
