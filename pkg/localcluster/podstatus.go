package localcluster

import (
	"net/netip"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// setRefused is what a kubelet reports of a pod that it does not take. The pod keeps its
// node.
func setRefused(pod *v1.Pod, why rejection) {
	pod.Status = v1.PodStatus{
		Phase: v1.PodFailed, Reason: why.reason, Message: "Pod was rejected: " + why.message,
		QOSClass: pod.Status.QOSClass, Conditions: pod.Status.Conditions,
	}
}

// setStarted is what a kubelet reports of a pod that it has taken and whose first
// container runs: the first init container that ends, if there is one, else all
// containers. Init containers that do not end, sidecars, run from their turn on.
func setStarted(pod *v1.Pod, now metav1.Time, ready bool) {
	pod.Status.StartTime = &now
	startNext(pod, now, ready)
}

// setAddress is what a kubelet reports once the network of a pod is there. Nothing answers at
// the address; but a pod without one is in no EndpointSlice.
func setAddress(pod *v1.Pod, address netip.Addr) {
	pod.Status.PodIP = address.String()
	pod.Status.PodIPs = []v1.PodIP{{IP: pod.Status.PodIP}}
}

// startNext starts the next init container of a pod, or its containers after the last.
func startNext(pod *v1.Pod, now metav1.Time, ready bool) {
	for i := range pod.Status.InitContainerStatuses {
		if s := &pod.Status.InitContainerStatuses[i]; s.State.Running != nil && !isSidecar(pod, s.Name) {
			s.State = v1.ContainerState{Terminated: &v1.ContainerStateTerminated{Reason: "Completed", StartedAt: s.State.Running.StartedAt, FinishedAt: now}}
			s.Ready = true
		}
	}
	for len(pod.Status.InitContainerStatuses) < len(pod.Spec.InitContainers) {
		c := &pod.Spec.InitContainers[len(pod.Status.InitContainerStatuses)]
		s := containerStatus(c, false, v1.ContainerState{Running: &v1.ContainerStateRunning{StartedAt: now}})
		s.Ready = isSidecar(pod, c.Name)
		pod.Status.InitContainerStatuses = append(pod.Status.InitContainerStatuses, s)
		if !s.Ready {
			pod.Status.Phase = v1.PodPending
			setConditions(pod, now, "ContainersNotInitialized", v1.ConditionFalse, v1.ConditionFalse)
			return
		}
	}
	pod.Status.Phase = v1.PodRunning
	pod.Status.ContainerStatuses = containerStatuses(pod, ready, v1.ContainerState{Running: &v1.ContainerStateRunning{StartedAt: now}})
	setReady(pod, ready, now)
}

func isSidecar(pod *v1.Pod, name string) bool {
	for i := range pod.Spec.InitContainers {
		if c := &pod.Spec.InitContainers[i]; c.Name == name {
			return c.RestartPolicy != nil && *c.RestartPolicy == v1.ContainerRestartPolicyAlways
		}
	}
	return false
}

// setReady says whether the containers of a pod that runs are ready.
func setReady(pod *v1.Pod, ready bool, now metav1.Time) {
	status, reason := v1.ConditionTrue, ""
	if !ready {
		status, reason = v1.ConditionFalse, "ContainersNotReady"
	}
	for i := range pod.Status.ContainerStatuses {
		pod.Status.ContainerStatuses[i].Ready = ready
	}
	setConditions(pod, now, reason, v1.ConditionTrue, status)
}

// setRestarted is what a kubelet reports of a pod whose containers have exited and run
// again.
func setRestarted(pod *v1.Pod, code int32, now metav1.Time, ready bool) {
	before := pod.Status.ContainerStatuses
	startNext(pod, now, ready)
	for i := range pod.Status.ContainerStatuses {
		s := &pod.Status.ContainerStatuses[i]
		s.RestartCount = 1
		if i < len(before) {
			s.RestartCount = before[i].RestartCount + 1
			s.LastTerminationState.Terminated = terminated(before[i].State, code, now)
		}
	}
}

// setEnded is what a kubelet reports of a pod whose containers all ended.
func setEnded(pod *v1.Pod, a action, now metav1.Time) {
	pod.Status.Phase, pod.Status.Reason, pod.Status.Message = a.phase, a.reason, a.message
	before := pod.Status.ContainerStatuses
	pod.Status.ContainerStatuses = containerStatuses(pod, false, v1.ContainerState{})
	for i := range pod.Status.ContainerStatuses {
		s := &pod.Status.ContainerStatuses[i]
		var was v1.ContainerState
		if i < len(before) {
			was, s.RestartCount, s.LastTerminationState = before[i].State, before[i].RestartCount, before[i].LastTerminationState
		}
		s.State.Terminated = terminated(was, a.code, now)
	}
	reason := "PodCompleted"
	if a.phase == v1.PodFailed {
		reason = "PodFailed"
	}
	setConditions(pod, now, reason, v1.ConditionTrue, v1.ConditionFalse)
}

// terminated is the state of a container that has exited with a code.
func terminated(was v1.ContainerState, code int32, now metav1.Time) *v1.ContainerStateTerminated {
	out := &v1.ContainerStateTerminated{Reason: "Completed", ExitCode: code, StartedAt: now, FinishedAt: now}
	if code != 0 {
		out.Reason = "Error"
	}
	if was.Running != nil {
		out.StartedAt = was.Running.StartedAt
	}
	return out
}

// setConditions sets the conditions that follow from the containers; those of others, such
// as PodScheduled, stay. A condition that stays as it is keeps its time.
func setConditions(pod *v1.Pod, now metav1.Time, reason string, initialized, ready v1.ConditionStatus) {
	set := func(kind v1.PodConditionType, status v1.ConditionStatus) {
		condition := v1.PodCondition{Type: kind, Status: status, LastTransitionTime: now}
		if status != v1.ConditionTrue {
			condition.Reason = reason
		}
		for i := range pod.Status.Conditions {
			if old := &pod.Status.Conditions[i]; old.Type == kind {
				if old.Status == status {
					condition.LastTransitionTime = old.LastTransitionTime
				}
				*old = condition
				return
			}
		}
		pod.Status.Conditions = append(pod.Status.Conditions, condition)
	}
	set(v1.PodInitialized, initialized)
	set(v1.ContainersReady, ready)
	set(v1.PodReady, ready)
}

func containerStatuses(pod *v1.Pod, ready bool, state v1.ContainerState) []v1.ContainerStatus {
	statuses := make([]v1.ContainerStatus, len(pod.Spec.Containers))
	for i := range pod.Spec.Containers {
		statuses[i] = containerStatus(&pod.Spec.Containers[i], ready, state)
	}
	return statuses
}

func containerStatus(container *v1.Container, ready bool, state v1.ContainerState) v1.ContainerStatus {
	started := state.Running != nil
	return v1.ContainerStatus{Name: container.Name, Image: container.Image, ImageID: container.Image, Ready: ready, Started: &started, State: state}
}
