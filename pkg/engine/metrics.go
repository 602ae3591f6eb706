package engine

import (
	"sync"

	"k8s.io/component-base/metrics"
	"k8s.io/component-base/metrics/legacyregistry"

	"github.com/berth-dev/berth/pkg/state"
)

// The labels of all metrics are from closed sets: kinds of writes and the typed
// reasons of package gang. None holds the name of a pod, node or gang.
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
	devicePredictions = metrics.NewCounterVec(&metrics.CounterOpts{
		Namespace:      "berth",
		Name:           "device_prediction_total",
		Help:           "Pods by how the devices that their node reports compare with those that were intended for them: exact, others that are as good (equal), worse or better.",
		StabilityLevel: metrics.ALPHA,
	}, []string{"result"})
	heldGangs = metrics.NewDesc("berth_held_gangs",
		"Gangs that are held back from scheduling, by reason.", []string{"reason"}, nil, metrics.ALPHA, "")

	registerOnce sync.Once
)

// registerMetrics makes the metrics part of /metrics.
func registerMetrics(gangs *state.Gangs) {
	registerOnce.Do(func() {
		legacyregistry.MustRegister(apiWrites, conditionsSaved, eventsSaved, gangsPlaced, gangsReleased, devicePredictions)
		for _, p := range state.Predictions() {
			devicePredictions.WithLabelValues(string(p))
		}
		legacyregistry.CustomMustRegister(&heldCollector{gangs: gangs})
	})
}

// heldCollector counts the held gangs when it is asked.
type heldCollector struct {
	metrics.BaseStableCollector
	gangs *state.Gangs
}

func (c *heldCollector) DescribeWithStability(ch chan<- *metrics.Desc) { ch <- heldGangs }

func (c *heldCollector) CollectWithStability(ch chan<- metrics.Metric) {
	for code, n := range c.gangs.Held() {
		ch <- metrics.NewLazyConstMetric(heldGangs, metrics.GaugeValue, float64(n), string(code))
	}
}
