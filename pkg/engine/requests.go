package engine

import (
	"sync/atomic"

	corev1 "k8s.io/api/core/v1"
	resourcehelper "k8s.io/component-helpers/resource"

	"github.com/berth-dev/berth/pkg/state/workload"
)

// requestsOf returns what a pod asks for, as the scheduler counts it. It is read only.
func requestsOf(pod *corev1.Pod) corev1.ResourceList {
	if requests, plain := workload.PlainRequests(pod); plain {
		return requests
	}
	return resourcehelper.PodRequests(pod, resourcehelper.PodResourcesOptions{UseStatusResources: true})
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
