package fastpath

import (
	"sync"

	"k8s.io/component-base/metrics"
	"k8s.io/component-base/metrics/legacyregistry"
)

// Outcomes of the fast path.
const (
	outcomePlaced  = "placed"
	outcomeRefused = "refused"
)

var (
	fastWay = metrics.NewCounterVec(&metrics.CounterOpts{
		Namespace:      "berth",
		Name:           "fast_path_total",
		Help:           "Pods that were decided by the packing index, by outcome: placed, or refused because no node takes them. Each try counts.",
		StabilityLevel: metrics.ALPHA,
	}, []string{"outcome"})
	fullWay = metrics.NewCounterVec(&metrics.CounterOpts{
		Namespace:      "berth",
		Name:           "full_path_total",
		Help:           "Pods that took the framework's own way over all nodes, by what the packing index cannot judge. Each try counts.",
		StabilityLevel: metrics.ALPHA,
	}, []string{"reason"})
	indexMisses = metrics.NewCounter(&metrics.CounterOpts{
		Namespace:      "berth",
		Name:           "packing_index_misses_total",
		Help:           "Pods that went to a node that had no room as far as the packing index knew. Each is a fault of the index.",
		StabilityLevel: metrics.ALPHA,
	})

	registerOnce sync.Once
)

// registerMetrics makes the metrics part of /metrics, every reason from the start.
func registerMetrics() {
	registerOnce.Do(func() {
		legacyregistry.MustRegister(fastWay, fullWay, indexMisses)
		for _, reason := range Reasons() {
			fullWay.WithLabelValues(string(reason))
		}
		fastWay.WithLabelValues(outcomePlaced)
		fastWay.WithLabelValues(outcomeRefused)
	})
}
