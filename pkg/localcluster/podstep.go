package localcluster

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	v1 "k8s.io/api/core/v1"
)

// Annotations that say what the containers of a simulated pod do.
const (
	// RunForAnnotation is how long they run before they exit by themselves, as a Go
	// duration: "90s". Without it they run until the pod is deleted.
	RunForAnnotation = "berth.dev/simulate-run-for"
	// ExitCodeAnnotation is the code with which they then exit; 0 if unsaid.
	ExitCodeAnnotation = "berth.dev/simulate-exit-code"
	// ReadyAfterAnnotation is how long after their start they become ready.
	ReadyAfterAnnotation = "berth.dev/simulate-ready-after"
	// ExitAfterAnnotation is how long they take to exit once they are told to, as a Go
	// duration. The grace period of the pod ends it. Without it they exit at once.
	ExitAfterAnnotation = "berth.dev/simulate-exit-after"
	// InitForAnnotation is how long each init container runs. Without it, it exits at once.
	InitForAnnotation = "berth.dev/simulate-init-for"
)

// A podStep is what a kubelet does next to a pod.
type podStep int

const (
	stepNone    podStep = iota // nothing, until the pod changes
	stepWait                   // look again after a while
	stepAdmit                  // take the pod or refuse it; then its first container starts
	stepInit                   // the running init container has exited: start what is next
	stepReady                  // its containers are ready
	stepRestart                // its containers have exited, and start again
	stepEnd                    // the pod gets a terminal phase
	stepRemove                 // confirm its deletion
)

// action is a step and what belongs to it.
type action struct {
	step podStep
	// after is how long a wait lasts.
	after time.Duration
	// phase, reason and message are those of a pod that ends, and code is the exit code of
	// its containers.
	phase           v1.PodPhase
	reason, message string
	code            int32
}

// killedCode is the exit code of a container that SIGTERM ends.
const killedCode = 128 + 15

// behavior is what the annotations of a pod say of its containers.
type behavior struct {
	runFor                         *time.Duration
	code                           int32
	readyAfter, exitAfter, initFor time.Duration
}

// step decides what comes next for a bound pod whose containers were started last at
// start, on a machine that was rebooted at a time; zero for never.
func step(pod *v1.Pod, start, rebooted, now time.Time) action {
	b, err := behaviorOf(pod)
	switch {
	case pod.DeletionTimestamp != nil:
		return leave(pod, b, now)
	case hasEnded(pod):
		return action{}
	case err != nil:
		return action{step: stepEnd, phase: v1.PodFailed, reason: "InvalidBehavior", message: err.Error(), code: 1}
	case pod.Status.Phase != v1.PodRunning && pod.Status.StartTime == nil:
		return action{step: stepAdmit}
	case start.Before(rebooted):
		return die(pod)
	}
	if limit := pod.Spec.ActiveDeadlineSeconds; limit != nil && pod.Status.StartTime != nil {
		left := pod.Status.StartTime.Add(time.Duration(*limit) * time.Second).Sub(now)
		if left <= 0 {
			return action{step: stepEnd, phase: v1.PodFailed, reason: "DeadlineExceeded", message: "Pod was active on the node longer than the specified deadline", code: killedCode}
		}
		return sooner(live(pod, b, start, now), left)
	}
	return live(pod, b, start, now)
}

// lostCode is the exit code of a container that a kubelet finds gone.
const lostCode = 128 + 9

// die decides what comes next for a pod whose containers have died with their machine, which
// is there again.
func die(pod *v1.Pod) action {
	if pod.Spec.RestartPolicy == v1.RestartPolicyNever {
		return action{step: stepEnd, phase: v1.PodFailed, code: lostCode}
	}
	return action{step: stepRestart, code: lostCode}
}

// leave decides what comes next for a pod that is being deleted: it gets its grace
// period, then a terminal phase, and then goes, unless a finalizer holds it.
func leave(pod *v1.Pod, b behavior, now time.Time) action {
	grace := time.Duration(0)
	if s := pod.DeletionGracePeriodSeconds; s != nil {
		grace = time.Duration(*s) * time.Second
	}
	if hasEnded(pod) {
		if grace == 0 {
			return action{} // confirmed; a finalizer holds it
		}
		return action{step: stepRemove}
	}
	if pod.Status.Phase == v1.PodRunning {
		told := pod.DeletionTimestamp.Add(-grace)
		if left := told.Add(min(b.exitAfter, grace)).Sub(now); left > 0 {
			return action{step: stepWait, after: left}
		}
	}
	return action{step: stepEnd, phase: v1.PodFailed, code: killedCode}
}

// live decides what comes next for a pod that was admitted.
func live(pod *v1.Pod, b behavior, start, now time.Time) action {
	since := now.Sub(start)
	if pod.Status.Phase != v1.PodRunning {
		if since < b.initFor {
			return action{step: stepWait, after: b.initFor - since}
		}
		return action{step: stepInit}
	}
	next := action{}
	if !isReady(pod) {
		if since >= b.readyAfter {
			return action{step: stepReady}
		}
		next = action{step: stepWait, after: b.readyAfter - since}
	}
	if b.runFor == nil {
		return next
	}
	if left := *b.runFor - since; left > 0 {
		return sooner(next, left)
	}
	restarts := pod.Spec.RestartPolicy == v1.RestartPolicyAlways || pod.Spec.RestartPolicy == v1.RestartPolicyOnFailure && b.code != 0
	switch {
	case restarts:
		if left := start.Add(*b.runFor + backOff(pod)).Sub(now); left > 0 {
			return action{step: stepWait, after: left}
		}
		return action{step: stepRestart, code: b.code}
	case b.code != 0:
		return action{step: stepEnd, phase: v1.PodFailed, code: b.code}
	}
	return action{step: stepEnd, phase: v1.PodSucceeded}
}

// sooner is an action, or a wait if that is over before.
func sooner(a action, wait time.Duration) action {
	if a.step == stepNone || a.step == stepWait && wait < a.after {
		return action{step: stepWait, after: wait}
	}
	return a
}

// backOff is how long a container that has exited waits before it starts again: none the
// first time, then 10 s, twice as long each time, five minutes at most.
func backOff(pod *v1.Pod) time.Duration {
	const first, most = 10 * time.Second, 5 * time.Minute
	var restarts int32
	for i := range pod.Status.ContainerStatuses {
		restarts = max(restarts, pod.Status.ContainerStatuses[i].RestartCount)
	}
	if restarts == 0 {
		return 0
	}
	return min(first<<min(restarts-1, 10), most)
}

// hasEnded reports whether a pod has a terminal phase.
func hasEnded(pod *v1.Pod) bool {
	return pod.Status.Phase == v1.PodSucceeded || pod.Status.Phase == v1.PodFailed
}

func isReady(pod *v1.Pod) bool {
	for _, c := range pod.Status.Conditions {
		if c.Type == v1.PodReady {
			return c.Status == v1.ConditionTrue
		}
	}
	return false
}

// behaviorOf reads what a pod's annotations say.
func behaviorOf(pod *v1.Pod) (behavior, error) {
	var b behavior
	if len(pod.Annotations) == 0 {
		return b, nil
	}
	limit, err := duration(pod, RunForAnnotation)
	b.runFor = limit
	for _, of := range []struct {
		key string
		to  *time.Duration
	}{{ReadyAfterAnnotation, &b.readyAfter}, {ExitAfterAnnotation, &b.exitAfter}, {InitForAnnotation, &b.initFor}} {
		d, bad := duration(pod, of.key)
		err = errors.Join(err, bad)
		if d != nil {
			*of.to = *d
		}
	}
	if text, said := pod.Annotations[ExitCodeAnnotation]; said {
		code, bad := strconv.ParseInt(text, 10, 32)
		if bad != nil || code < 0 || code > 255 {
			err = errors.Join(err, fmt.Errorf("annotation %s is %q and not a number from 0 to 255", ExitCodeAnnotation, text))
		}
		b.code = int32(code)
	}
	return b, err
}

// duration reads an annotation; nil if the pod does not have it.
func duration(pod *v1.Pod, key string) (*time.Duration, error) {
	text, ok := pod.Annotations[key]
	if !ok {
		return nil, nil
	}
	d, err := time.ParseDuration(text)
	if err == nil && d < 0 {
		err = errors.New("it is negative")
	}
	if err != nil {
		return nil, fmt.Errorf("annotation %s is %q and not a duration such as 90s: %w", key, text, err)
	}
	return &d, nil
}
