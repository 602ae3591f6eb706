package engine

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/informers"
	"k8s.io/utils/clock"

	"github.com/berth-dev/berth/pkg/engine/measure"
	"github.com/berth-dev/berth/pkg/engine/waitreason"
	"github.com/berth-dev/berth/pkg/engine/why"
	"github.com/berth-dev/berth/pkg/state/queueing"
	"github.com/berth-dev/berth/pkg/state/workload"
)

// source answers who asks what the scheduler sees and decides.
func (e *engine) source(c clock.PassiveClock, factory informers.SharedInformerFactory) *why.Source {
	return why.New(why.Parts{
		Clock: c, Gangs: e.gangs, Queues: e.queues, Fast: e.fast, Journal: e.journal,
		Pods: factory.Core().V1().Pods().Lister(), Nodes: factory.Core().V1().Nodes().Lister(),
		Topologies: e.topologies.List, Requests: workload.Requests, Ours: e.explainer.Ours, Holds: e.holding, Leads: e.leading.Load,
	})
}

// holding says why a pod that waits is held, and "" if what the last try said still holds.
func (e *engine) holding(pod *corev1.Pod) (code, text string) {
	is := e.explainer.Why(pod)
	if c := waitreason.ConditionOf(pod); waitreason.Said(pod) && !waitreason.Contradicts(c.Reason, is.Code) && !is.IsInLine() {
		return "", ""
	}
	return is.Code, is.Text
}

// measure has what metrics are made of be counted, but for demand, which others tell of too.
func (e *engine) measure(c clock.WithTicker) {
	e.queues.OnAdmitted(func(queue string, waited time.Duration) {
		measure.QueuePlaced.WithLabelValues(queue).Observe(waited.Seconds())
	})
	e.census = measure.NewCensus(c, e.fast, e.demand, e.explainer, e.queues.Names)
}

// devicesOf returns which devices a pod asks for, and how many; 0 if it asks for none.
func (e *engine) devicesOf(pod *corev1.Pod) (corev1.ResourceName, int64) {
	return e.fast.DevicesIn(e.requests.Of(pod))
}

// entitlement says why a pod, or its gang, that was refused a place does not get one, if there
// is more to be said than that there is no room now.
func (e *engine) entitlement(pod *corev1.Pod) (waitreason.Explanation, bool) {
	if _, never, _ := e.windows.Why(pod); never != "" {
		return waitreason.Because(string(queueing.NeverFits), never), true
	}
	return e.reclaimer.Entitlement(pod)
}
