package record

import (
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/berth-dev/berth/pkg/core/gang"
	"github.com/berth-dev/berth/pkg/insight"
	"github.com/berth-dev/berth/pkg/state/workload"
)

// Decision is one on a gang, for the journal.
func Decision(at time.Time, action string, key gang.Key, pods int, reason, text string) insight.Event {
	return insight.Event{Time: at, Action: action, Namespace: key.Namespace, Gang: key.Name, Pods: pods, Reason: reason, Sentence: text}
}

// DecisionOn is one on the gang of a pod, or a plain pod.
func DecisionOn(at time.Time, action string, pod *corev1.Pod, pods int, reason, text string) insight.Event {
	return Decision(at, action, gang.Key{Namespace: pod.Namespace, Name: SubjectOf(pod)}, pods, reason, text)
}

// SubjectOf is the name of the gang of a pod, or of a plain pod.
func SubjectOf(pod *corev1.Pod) string {
	if group := workload.PodGroup(pod); group != "" {
		return gang.KeyOf(pod.Namespace, group).Name
	}
	return pod.Name
}
