package engine

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/informers"
	"k8s.io/utils/clock"

	"github.com/berth-dev/berth/pkg/core/gang"
	"github.com/berth-dev/berth/pkg/engine/why"
	"github.com/berth-dev/berth/pkg/insight"
)

// source answers who asks what the scheduler sees and decides.
func (e *engine) source(c clock.PassiveClock, factory informers.SharedInformerFactory) *why.Source {
	return why.New(why.Parts{
		Clock: c, Gangs: e.gangs, Queues: e.queues, Fast: e.fast, Journal: e.journal,
		Pods: factory.Core().V1().Pods().Lister(), Nodes: factory.Core().V1().Nodes().Lister(),
		Topologies: e.topologies.list, Requests: requestsOf, Ours: e.explainer.ours, Holds: e.holding, Leads: e.leading.Load,
	})
}

// holding says why a pod that waits is held, and "" if what the last try said still holds.
func (e *engine) holding(pod *corev1.Pod) (code, text string) {
	is := e.explainer.why(pod)
	if c := scheduledCondition(pod); said(pod) && !contradicts(c.Reason, is.code) && !is.isInLine() {
		return "", ""
	}
	return is.code, is.text
}

// decision is one on a gang, for the journal.
func decision(at time.Time, action string, key gang.Key, pods int, reason, text string) insight.Event {
	return insight.Event{Time: at, Action: action, Namespace: key.Namespace, Gang: key.Name, Pods: pods, Reason: reason, Sentence: text}
}

// decisionOn is one on the gang of a pod, or a plain pod.
func decisionOn(at time.Time, action string, pod *corev1.Pod, pods int, reason, text string) insight.Event {
	return decision(at, action, gang.Key{Namespace: pod.Namespace, Name: subjectOf(pod)}, pods, reason, text)
}

// subjectOf is the name of the gang of a pod, or of a plain pod.
func subjectOf(pod *corev1.Pod) string {
	if group := groupOf(pod); group != "" {
		return gang.KeyOf(pod.Namespace, group).Name
	}
	return pod.Name
}
