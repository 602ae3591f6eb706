package localcluster

import (
	"errors"
	"fmt"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// RunForAnnotation says how long a pod runs before it has Succeeded, as a Go
// duration: "90s". A pod without it runs until it is deleted.
const RunForAnnotation = "berth.dev/run-for"

// A podStep is what a kubelet does next to a pod.
type podStep int

const (
	stepNone    podStep = iota // nothing, until the pod changes
	stepWait                   // look again after a while
	stepRun                    // start its containers
	stepSucceed                // its time is over
	stepFail                   // it cannot be run
	stepRemove                 // confirm its deletion
)

// step decides what comes next for a bound pod that was started at start, and
// for stepWait after how long.
func step(pod *v1.Pod, start, now time.Time) (podStep, time.Duration) {
	if pod.DeletionTimestamp != nil {
		if grace := pod.DeletionGracePeriodSeconds; grace != nil && *grace == 0 {
			return stepNone, 0 // confirmed; a finalizer holds it
		}
		return stepRemove, 0
	}
	limit, err := runFor(pod)
	switch pod.Status.Phase {
	case v1.PodPending:
		if err != nil {
			return stepFail, 0
		}
		return stepRun, 0
	case v1.PodRunning:
		if err != nil {
			return stepFail, 0
		}
		if limit == nil {
			return stepNone, 0
		}
		if left := start.Add(*limit).Sub(now); left > 0 {
			return stepWait, left
		}
		return stepSucceed, 0
	default:
		return stepNone, 0
	}
}

// runFor is how long the pod is to run; nil means for ever.
func runFor(pod *v1.Pod) (*time.Duration, error) {
	text, ok := pod.Annotations[RunForAnnotation]
	if !ok {
		return nil, nil
	}
	limit, err := time.ParseDuration(text)
	if err == nil && limit < 0 {
		err = errors.New("it is negative")
	}
	if err != nil {
		return nil, fmt.Errorf("annotation %s is %q and not a duration such as 90s: %w", RunForAnnotation, text, err)
	}
	return &limit, nil
}

// setRunning is what a kubelet reports of a pod whose containers all run.
func setRunning(pod *v1.Pod, now metav1.Time) {
	pod.Status.Phase = v1.PodRunning
	pod.Status.StartTime = &now
	setReady(pod, v1.ConditionTrue, "", now)
	pod.Status.ContainerStatuses = containerStatuses(pod, true, v1.ContainerState{
		Running: &v1.ContainerStateRunning{StartedAt: now},
	})
}

// setEnded is what a kubelet reports of a pod whose containers all ended.
func setEnded(pod *v1.Pod, phase v1.PodPhase, now metav1.Time) {
	end := &v1.ContainerStateTerminated{Reason: "Completed", StartedAt: now, FinishedAt: now}
	if pod.Status.StartTime != nil {
		end.StartedAt = *pod.Status.StartTime
	}
	if phase == v1.PodFailed {
		end.Reason, end.ExitCode = "Error", 1
	}
	pod.Status.Phase = phase
	setReady(pod, v1.ConditionFalse, "PodCompleted", now)
	pod.Status.ContainerStatuses = containerStatuses(pod, false, v1.ContainerState{Terminated: end})
}

// setReady sets the conditions that follow from the containers; those of
// others, such as PodScheduled, stay.
func setReady(pod *v1.Pod, ready v1.ConditionStatus, reason string, now metav1.Time) {
	set := func(kind v1.PodConditionType, status v1.ConditionStatus) {
		condition := v1.PodCondition{Type: kind, Status: status, Reason: reason, LastTransitionTime: now}
		for i := range pod.Status.Conditions {
			if pod.Status.Conditions[i].Type == kind {
				pod.Status.Conditions[i] = condition
				return
			}
		}
		pod.Status.Conditions = append(pod.Status.Conditions, condition)
	}
	set(v1.PodInitialized, v1.ConditionTrue)
	set(v1.ContainersReady, ready)
	set(v1.PodReady, ready)
}

func containerStatuses(pod *v1.Pod, ready bool, state v1.ContainerState) []v1.ContainerStatus {
	statuses := make([]v1.ContainerStatus, len(pod.Spec.Containers))
	for i, container := range pod.Spec.Containers {
		statuses[i] = v1.ContainerStatus{
			Name:    container.Name,
			Image:   container.Image,
			ImageID: container.Image,
			Ready:   ready,
			Started: &ready,
			State:   state,
		}
	}
	return statuses
}
