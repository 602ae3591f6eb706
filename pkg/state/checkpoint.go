package state

import (
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// Annotations of pods about their work. Instants are as in RFC 3339. All of them can make a
// gang go sooner, and none later but by the grace that an administrator gives its queue: an
// instant in the future, or before the pod began, is none.
const (
	// CheckpointedAt states when a pod last saved its work. What it did before is not lost if
	// it is evicted.
	CheckpointedAt = "berth.dev/checkpointed-at"
	// CheckpointSignal, "true", asks that the pod be told before its gang is evicted.
	CheckpointSignal = "berth.dev/checkpoint-signal"
	// CheckpointRequestedAt is when it was told. It has its queue's grace from then on; it may
	// leave by itself, or state in CheckpointedAt that it has saved its work.
	CheckpointRequestedAt = "berth.dev/checkpoint-requested-at"
)

// requestAge is how long after the end of a gang's grace a request is believed to be under way.
const requestAge = time.Minute

// instant returns the instant that a pod states; false if it states none after its start that
// has come.
func instant(pod *corev1.Pod, annotation string, now time.Time) (time.Time, bool) {
	text := pod.Annotations[annotation]
	if text == "" {
		return time.Time{}, false
	}
	at, err := time.Parse(time.RFC3339, text)
	return at, err == nil && at.After(startOf(pod)) && !at.After(now)
}

// Signals reports whether a pod is to be told before it is evicted.
func Signals(pod *corev1.Pod) bool { return pod.Annotations[CheckpointSignal] == "true" }

// Requested returns when a pod was told to save its work, for a gang that has so long to do
// so; false if it was not, or so long ago that it is to be told anew.
func Requested(pod *corev1.Pod, grace time.Duration, now time.Time) (time.Time, bool) {
	at, ok := instant(pod, CheckpointRequestedAt, now)
	return at, ok && now.Sub(at) < grace+requestAge
}

// Saved reports whether a pod has saved its work since it was told to.
func Saved(pod *corev1.Pod, requested, now time.Time) bool {
	at, ok := instant(pod, CheckpointedAt, now)
	return ok && !at.Before(requested.Truncate(time.Second))
}

// grant gives a tenant the grace of its queue, if any pod of it asks to be told.
func (t *Tenant) grant(grace time.Duration, now time.Time) {
	if grace <= 0 || !slices.ContainsFunc(t.Pods, Signals) {
		return
	}
	t.Grace = grace
	t.Told = slices.ContainsFunc(t.Pods, func(pod *corev1.Pod) bool {
		_, told := Requested(pod, grace, now)
		return told && Signals(pod)
	})
}

// Pod returns a pod with a place as it was last told; nil if it has none any more.
func (q *Queues) Pod(placed *corev1.Pod) *corev1.Pod {
	q.mu.Lock()
	defer q.mu.Unlock()
	if p := q.charged[placed.UID]; p != nil {
		return p.pod
	}
	return nil
}
