package fastpath

import (
	"sync"

	"k8s.io/component-base/metrics/legacyregistry"

	"github.com/berth-dev/berth/pkg/engine/catalog"
	"github.com/berth-dev/berth/pkg/engine/podshape"
)

// Outcomes of the fast path.
const (
	outcomePlaced  = "placed"
	outcomeRefused = "refused"
)

var (
	fastWayMetric = catalog.Metric{
		Name: "berth_fast_path_total", Kind: catalog.Counter,
		Help:   "Pods that were decided by the packing index, by outcome: placed, or refused because no node takes them. Each try counts.",
		Labels: []catalog.Label{{Name: "outcome", Values: []string{outcomePlaced, outcomeRefused}}},
	}
	fullWayMetric = catalog.Metric{
		Name: "berth_full_path_total", Kind: catalog.Counter,
		Help:   "Pods that took the framework's own way over all nodes, by what the packing index cannot judge. Each try counts.",
		Labels: []catalog.Label{{Name: "reason", Values: reasonNames()}},
	}
	indexMissesMetric = catalog.Metric{
		Name: "berth_packing_index_misses_total", Kind: catalog.Counter,
		Help: "Pods that went to a node that had no room as far as the packing index knew. Each is a fault of the index.",
	}

	fastWay     = fastWayMetric.NewCounterVec()
	fullWay     = fullWayMetric.NewCounterVec()
	indexMisses = indexMissesMetric.NewCounter()

	registerOnce sync.Once
)

// Metrics are the definitions of all metrics of the fast path.
func Metrics() []catalog.Metric {
	return []catalog.Metric{fastWayMetric, fullWayMetric, indexMissesMetric}
}

func reasonNames() []string {
	var out []string
	for _, reason := range podshape.Reasons() {
		out = append(out, string(reason))
	}
	return out
}

// registerMetrics makes the metrics part of /metrics, every value from the start.
func registerMetrics() {
	registerOnce.Do(func() {
		legacyregistry.MustRegister(fastWay, fullWay, indexMisses)
		fastWayMetric.Each(func(values ...string) { fastWay.WithLabelValues(values...) })
		fullWayMetric.Each(func(values ...string) { fullWay.WithLabelValues(values...) })
	})
}
