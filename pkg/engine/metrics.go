package engine

import (
	"sync"
	"time"

	"k8s.io/component-base/metrics"
	"k8s.io/component-base/metrics/legacyregistry"

	"github.com/berth-dev/berth/pkg/core/quota"
	"github.com/berth-dev/berth/pkg/state"
)

// The labels of all metrics are from closed sets: kinds of writes and the typed
// reasons of package gang. None holds the name of a pod, node or gang. Metrics of queues
// have their names, and those of the resources that they have quotas of.
var (
	apiWrites = metrics.NewCounterVec(&metrics.CounterOpts{
		Namespace:      "berth",
		Name:           "api_writes_total",
		Help:           "Requests to the API server that write, by what they write. Binds are among them, lease renewals are not.",
		StabilityLevel: metrics.ALPHA,
	}, []string{"kind"})
	conditionsSaved = metrics.NewCounter(&metrics.CounterOpts{
		Namespace:      "berth",
		Name:           "conditions_saved_total",
		Help:           "Pod conditions that were not written because they said nothing new.",
		StabilityLevel: metrics.ALPHA,
	})
	eventsSaved = metrics.NewCounter(&metrics.CounterOpts{
		Namespace:      "berth",
		Name:           "events_saved_total",
		Help:           "Events that were not written: repeated refusals, one for each pod of a gang, and those of placed pods beyond --scheduled-events-per-second.",
		StabilityLevel: metrics.ALPHA,
	})
	gangsPlaced = metrics.NewCounter(&metrics.CounterOpts{
		Namespace:      "berth",
		Name:           "gangs_placed_total",
		Help:           "Gangs of which at least as many members were bound as the gang needs.",
		StabilityLevel: metrics.ALPHA,
	})
	gangsReleased = metrics.NewCounter(&metrics.CounterOpts{
		Namespace:      "berth",
		Name:           "interrupted_gangs_released_total",
		Help:           "Gangs that were bound by half, could not be completed in time and whose bound pods were evicted.",
		StabilityLevel: metrics.ALPHA,
	})
	bindingsInDoubt = metrics.NewCounterVec(&metrics.CounterOpts{
		Namespace:      "berth",
		Name:           "bindings_in_doubt_total",
		Help:           "Bindings whose answer was lost or was a conflict, by what became of them: bound or not_bound.",
		StabilityLevel: metrics.ALPHA,
	}, []string{"outcome"})
	devicePredictions = metrics.NewCounterVec(&metrics.CounterOpts{
		Namespace:      "berth",
		Name:           "device_prediction_total",
		Help:           "Pods by how the devices that their node reports compare with those that were intended for them: exact, others that are as good (equal), worse or better.",
		StabilityLevel: metrics.ALPHA,
	}, []string{"result"})
	heldGangs = metrics.NewDesc("berth_held_gangs",
		"Gangs that have members without a place, by the reason for which they wait.", []string{"reason"}, nil, metrics.ALPHA, "")

	shortGangs = metrics.NewDesc("berth_gangs_short",
		"Gangs that were placed and lack members, by why: refused, node_lost, failed, evicted or deleted.", []string{"why"}, nil, metrics.ALPHA, "")
	gangsRestarted = metrics.NewCounter(&metrics.CounterOpts{
		Namespace:      "berth",
		Name:           "gangs_restarted_total",
		Help:           "Gangs that lost members and of which the rest was evicted, or its owner suspended, so that they start again.",
		StabilityLevel: metrics.ALPHA,
	})
	foreignConflicts = metrics.NewCounter(&metrics.CounterOpts{
		Namespace:      "berth",
		Name:           "foreign_conflicts_total",
		Help:           "Times that a node had given out more of a resource than it has, with a pod of another scheduler among its pods.",
		StabilityLevel: metrics.ALPHA,
	})
	reclaims = metrics.NewCounterVec(&metrics.CounterOpts{
		Namespace:      "berth",
		Name:           "evicted_gangs_total",
		Help:           "Gangs of which pods were evicted for another that is entitled to their place: one of their own queue (within_queue), or of another (reclaimed).",
		StabilityLevel: metrics.ALPHA,
	}, []string{"why"})
	queueAmounts = metrics.NewDesc("berth_queue_amount",
		"What each queue has of a resource, with all queues within it, in whole units, thousandths of a core of CPU, or bytes: used, guaranteed, its fair share, and what those that wait ask for (pending).",
		[]string{"queue", "resource", "amount"}, nil, metrics.ALPHA, "")
	queueGangs = metrics.NewDesc("berth_queue_gangs",
		"Gangs and plain pods of each queue, by whether they have a place (running), wait (pending), or may not use it (refused).", []string{"queue", "state"}, nil, metrics.ALPHA, "")
	queueWait = metrics.NewDesc("berth_queue_head_wait_seconds",
		"How long ago the next gang or pod of each queue was made; 0 if none waits.", []string{"queue"}, nil, metrics.ALPHA, "")

	queueAdmitted = metrics.NewDesc("berth_queue_admitted_total",
		"Gangs and plain pods of each queue that got a place.", []string{"queue"}, nil, metrics.ALPHA, "")
	queueReclaims = metrics.NewDesc("berth_queue_reclaims_total",
		"Gangs and plain pods of which pods were evicted for those of the queue (taken), and those of the queue that were evicted for others (given).",
		[]string{"queue", "side"}, nil, metrics.ALPHA, "")

	registerOnce sync.Once
)

// registerMetrics makes the metrics part of /metrics.
func registerMetrics(waits *explainer, queues *state.Queues, gangs *state.Gangs, leading func() bool) {
	registerOnce.Do(func() {
		legacyregistry.MustRegister(apiWrites, conditionsSaved, eventsSaved, gangsPlaced, gangsReleased, bindingsInDoubt, devicePredictions, reclaims, gangsRestarted, foreignConflicts)
		for _, p := range state.Predictions() {
			devicePredictions.WithLabelValues(string(p))
		}
		legacyregistry.CustomMustRegister(&heldCollector{waits: waits}, &shortCollector{gangs: gangs, leading: leading}, &queueCollector{queues: queues})
	})
}

// collectPeriod is how old what is served may be that costs a look at all gangs, or all queues.
const collectPeriod = 5 * time.Second

// lately is a value that is made anew no more often than each collectPeriod, however many ask.
type lately[T any] struct {
	mu    sync.Mutex
	made  time.Time
	value T
}

func (l *lately[T]) get(make func() T) T {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.made.IsZero() || time.Since(l.made) >= collectPeriod {
		l.value, l.made = make(), time.Now()
	}
	return l.value
}

// heldCollector counts the held gangs when it is asked.
type heldCollector struct {
	metrics.BaseStableCollector
	waits *explainer
	last  lately[map[string]int]
}

func (c *heldCollector) DescribeWithStability(ch chan<- *metrics.Desc) { ch <- heldGangs }

func (c *heldCollector) CollectWithStability(ch chan<- metrics.Metric) {
	for code, n := range c.last.get(c.waits.held) {
		ch <- metrics.NewLazyConstMetric(heldGangs, metrics.GaugeValue, float64(n), code)
	}
}

// shortCollector counts the gangs that lack members when it is asked: of several replicas, the
// leader's.
type shortCollector struct {
	metrics.BaseStableCollector
	gangs   *state.Gangs
	leading func() bool
}

func (c *shortCollector) DescribeWithStability(ch chan<- *metrics.Desc) { ch <- shortGangs }

func (c *shortCollector) CollectWithStability(ch chan<- metrics.Metric) {
	if !c.leading() {
		return
	}
	for cause, n := range c.gangs.ShortBy() {
		ch <- metrics.NewLazyConstMetric(shortGangs, metrics.GaugeValue, float64(n), string(cause))
	}
}

// queueCollector says what queues have when it is asked.
type queueCollector struct {
	metrics.BaseStableCollector
	queues *state.Queues
	last   lately[[]state.QueueReport]
}

func (c *queueCollector) DescribeWithStability(ch chan<- *metrics.Desc) {
	ch <- queueAmounts
	ch <- queueGangs
	ch <- queueWait
	ch <- queueAdmitted
	ch <- queueReclaims
}

func (c *queueCollector) CollectWithStability(ch chan<- metrics.Metric) {
	now := time.Now()
	for _, r := range c.last.get(c.queues.Report) {
		for _, a := range r.Resources {
			for name, amount := range map[string]quota.Amount{"used": a.Used, "guaranteed": a.Guaranteed, "share": a.Share, "pending": a.Asked} {
				ch <- metrics.NewLazyConstMetric(queueAmounts, metrics.GaugeValue, float64(amount), r.Name, a.Resource, name)
			}
		}
		ch <- metrics.NewLazyConstMetric(queueGangs, metrics.GaugeValue, float64(r.Running), r.Name, "running")
		ch <- metrics.NewLazyConstMetric(queueGangs, metrics.GaugeValue, float64(r.Pending), r.Name, "pending")
		ch <- metrics.NewLazyConstMetric(queueGangs, metrics.GaugeValue, float64(r.Refused), r.Name, "refused")
		ch <- metrics.NewLazyConstMetric(queueAdmitted, metrics.CounterValue, float64(r.Admitted), r.Name)
		ch <- metrics.NewLazyConstMetric(queueReclaims, metrics.CounterValue, float64(r.Taken), r.Name, "taken")
		ch <- metrics.NewLazyConstMetric(queueReclaims, metrics.CounterValue, float64(r.Given), r.Name, "given")
		wait := 0.0
		if r.Head != nil {
			wait = max(0, now.Sub(r.Head.Arrived).Seconds())
		}
		ch <- metrics.NewLazyConstMetric(queueWait, metrics.GaugeValue, wait, r.Name)
	}
}
