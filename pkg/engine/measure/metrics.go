package measure

import (
	"slices"
	"sync"

	"k8s.io/component-base/metrics"
	"k8s.io/component-base/metrics/legacyregistry"

	"github.com/berth-dev/berth/pkg/engine/catalog"
	"github.com/berth-dev/berth/pkg/engine/fastpath"
	"github.com/berth-dev/berth/pkg/state/device"
)

//go:generate go run ../metricspage

// waitBuckets are those of how long something waited, where there are few histograms of it,
// and queueWaitBuckets those where each queue has one. The objectives of alerts are among both.
var (
	waitBuckets      = []float64{1, 2, 5, 10, 30, 60, 300, 900, 3600, 14400, 86400}
	queueWaitBuckets = []float64{5, 30, 60, 300, 900, 3600, 14400, 86400}
)

// The definitions of metrics that are counted as it happens.
var (
	apiWritesMetric = catalog.Metric{
		Name: "berth_api_writes_total", Kind: catalog.Counter,
		Help:   "Requests to the API server that write, by what they write. Binds are among them, lease renewals are not.",
		Labels: []catalog.Label{{Name: "kind", Values: []string{"bind", "condition", "event", "eviction", "group_status", "pod_status", "queue_status", "suspend"}}},
	}
	conditionsSavedMetric = catalog.Metric{
		Name: "berth_conditions_saved_total", Kind: catalog.Counter,
		Help: "Pod conditions that were not written because they said nothing new.",
	}
	eventsSavedMetric = catalog.Metric{
		Name: "berth_events_saved_total", Kind: catalog.Counter,
		Help: "Events that were not written: repeated refusals, one for each pod of a gang, and those of placed pods beyond --scheduled-events-per-second.",
	}
	gangsPlacedMetric = catalog.Metric{
		Name: "berth_gangs_placed_total", Kind: catalog.Counter,
		Help: "Gangs of which at least as many members were bound as the gang needs.",
	}
	gangsReleasedMetric = catalog.Metric{
		Name: "berth_interrupted_gangs_released_total", Kind: catalog.Counter,
		Help: "Gangs that were bound by half, could not be completed in time and whose bound pods were evicted.",
	}
	gangDecisionsMetric = catalog.Metric{
		Name: "berth_gang_decisions_total", Kind: catalog.Counter,
		Help:   "Decisions on whole gangs, by outcome: placed, refused because there is no place for all of it, or failed. Each try counts.",
		Labels: []catalog.Label{{Name: "outcome", Values: []string{"placed", "refused", "failed"}}},
	}
	bindingsInDoubtMetric = catalog.Metric{
		Name: "berth_bindings_in_doubt_total", Kind: catalog.Counter,
		Help:   "Bindings whose answer was lost or was a conflict, by what became of them: bound or not_bound.",
		Labels: []catalog.Label{{Name: "outcome", Values: []string{"bound", "not_bound"}}},
	}
	devicePredictionsMetric = catalog.Metric{
		Name: "berth_device_prediction_total", Kind: catalog.Counter,
		Help:   "Pods by how the devices that their node reports compare with those that were intended for them: exact, others that are as good (equal), worse or better.",
		Labels: []catalog.Label{{Name: "result", Values: predictionNames()}},
	}
	evictedGangsMetric = catalog.Metric{
		Name: "berth_evicted_gangs_total", Kind: catalog.Counter,
		Help:   "Gangs of which pods were evicted for another that is entitled to their place: one of their own queue (within_queue), or of another (reclaimed).",
		Labels: []catalog.Label{evictedFor},
	}
	evictedPodsMetric = catalog.Metric{
		Name: "berth_evicted_pods_total", Kind: catalog.Counter,
		Help:   "Pods of the gangs that berth_evicted_gangs_total counts.",
		Labels: []catalog.Label{evictedFor},
	}
	lostWorkMetric = catalog.Metric{
		Name: "berth_lost_gpu_seconds_total", Kind: catalog.Counter,
		Help:   "Work that went with the pods that berth_evicted_pods_total counts: the seconds since each began, or since its last checkpoint, times its devices.",
		Labels: []catalog.Label{evictedFor},
	}
	batchesMetric = catalog.Metric{
		Name: "berth_eviction_batches_total", Kind: catalog.Counter,
		Help:   "Times that gangs were to be evicted for another, by outcome: all were asked to go (done), none because budgets or the API server did not let them (not_begun), or only some (cut_short).",
		Labels: []catalog.Label{{Name: "outcome", Values: []string{BatchDone, BatchNotBegun, BatchCutShort}}},
	}
	repairsMetric = catalog.Metric{
		Name: "berth_repairs_total", Kind: catalog.Counter,
		Help:   "Gangs that lost some of their pods to evictions that were cut short, by outcome: made whole again (whole), ended meanwhile (gone), or not made whole in time (failed).",
		Labels: []catalog.Label{{Name: "outcome", Values: []string{RepairWhole, RepairGone, RepairFailed}}},
	}
	gangsRestartedMetric = catalog.Metric{
		Name: "berth_gangs_restarted_total", Kind: catalog.Counter,
		Help: "Gangs that lost members and of which the rest was evicted, or its owner suspended, so that they start again.",
	}
	foreignConflictsMetric = catalog.Metric{
		Name: "berth_foreign_conflicts_total", Kind: catalog.Counter,
		Help: "Times that a node had given out more of a resource than it has, with a pod of another scheduler among its pods.",
	}
	GangWaitMetric = catalog.Metric{
		Name: "berth_gang_bound_duration_seconds", Kind: catalog.Histogram, Buckets: waitBuckets,
		Help:   "Time from the creation of the first pod of a gang until as many members were bound as the gang needs, by what all of them ask for.",
		Labels: []catalog.Label{gangSize},
	}
	GangStartMetric = catalog.Metric{
		Name: "berth_gang_running_duration_seconds", Kind: catalog.Histogram, Buckets: waitBuckets,
		Help:   "Time from when a gang was bound until as many members ran as it needs. It is seen within about a second.",
		Labels: []catalog.Label{gangSize},
	}
	podWaitMetric = catalog.Metric{
		Name: "berth_pod_bound_duration_seconds", Kind: catalog.Histogram, Buckets: waitBuckets,
		Help:   "Time from the creation of a pod, of a gang or not, until it was bound.",
		Labels: []catalog.Label{podSize},
	}
	podStartMetric = catalog.Metric{
		Name: "berth_pod_running_duration_seconds", Kind: catalog.Histogram, Buckets: waitBuckets,
		Help:   "Time from when a pod was bound until it ran.",
		Labels: []catalog.Label{podSize},
	}
	queuePlacedMetric = catalog.Metric{
		Name: "berth_queue_wait_duration_seconds", Kind: catalog.Histogram, Buckets: queueWaitBuckets,
		Help:   "Time from the creation of the first pod of a gang, or of a plain pod, until it got a place, by the queue that pays.",
		Labels: []catalog.Label{catalog.QueueLabel},
	}
	ScaleUpMetric = catalog.Metric{
		Name: "berth_scale_up_duration_seconds", Kind: catalog.Histogram, Buckets: waitBuckets,
		Help: "Time from the first refusal of a gang for want of room until it was bound, of gangs for which nodes were added meanwhile.",
	}
)

// Labels of more than one metric.
var (
	evictedFor = catalog.Label{Name: "why", Values: []string{"within_queue", "reclaimed"}}
	gangSize   = catalog.Label{Name: "gpus", Values: GangSizes.names()}
	podSize    = catalog.Label{Name: "gpus", Values: podSizes.names()}
)

// The outcomes of batches and repairs.
const (
	BatchDone     = "done"
	BatchNotBegun = "not_begun"
	BatchCutShort = "cut_short"

	RepairWhole  = "whole"
	RepairGone   = "gone"
	RepairFailed = "failed"
)

var (
	APIWrites         = apiWritesMetric.NewCounterVec()
	ConditionsSaved   = conditionsSavedMetric.NewCounter()
	EventsSaved       = eventsSavedMetric.NewCounter()
	GangsPlaced       = gangsPlacedMetric.NewCounter()
	GangsReleased     = gangsReleasedMetric.NewCounter()
	GangDecisions     = gangDecisionsMetric.NewCounterVec()
	BindingsInDoubt   = bindingsInDoubtMetric.NewCounterVec()
	DevicePredictions = devicePredictionsMetric.NewCounterVec()
	EvictedGangs      = evictedGangsMetric.NewCounterVec()
	PodsEvicted       = evictedPodsMetric.NewCounterVec()
	LostWork          = lostWorkMetric.NewCounterVec()
	EvictionBatches   = batchesMetric.NewCounterVec()
	Repairs           = repairsMetric.NewCounterVec()
	GangsRestarted    = gangsRestartedMetric.NewCounter()
	ForeignConflicts  = foreignConflictsMetric.NewCounter()
	GangWait          = GangWaitMetric.NewHistogramVec()
	GangStart         = GangStartMetric.NewHistogramVec()
	podWait           = podWaitMetric.NewHistogramVec()
	podStart          = podStartMetric.NewHistogramVec()
	QueuePlaced       = queuePlacedMetric.NewHistogramVec()
	ScaleUp           = ScaleUpMetric.NewHistogram()

	registerOnce sync.Once
)

// Metrics are the definitions of all metrics that the scheduler serves of its own.
func Metrics() []catalog.Metric {
	counted := []catalog.Metric{
		apiWritesMetric, conditionsSavedMetric, eventsSavedMetric, gangsPlacedMetric, gangsReleasedMetric, gangDecisionsMetric,
		bindingsInDoubtMetric, devicePredictionsMetric, evictedGangsMetric, evictedPodsMetric, lostWorkMetric, batchesMetric, repairsMetric, gangsRestartedMetric, foreignConflictsMetric,
		GangWaitMetric, GangStartMetric, podWaitMetric, podStartMetric, queuePlacedMetric, ScaleUpMetric,
	}
	return slices.Concat(counted, collectedMetrics(), fastpath.Metrics())
}

// counted are the metrics that are counted as it happens.
func counted() []metrics.Registerable {
	return []metrics.Registerable{
		APIWrites, ConditionsSaved, EventsSaved, GangsPlaced, GangsReleased, GangDecisions, BindingsInDoubt, DevicePredictions,
		EvictedGangs, PodsEvicted, LostWork, EvictionBatches, Repairs, GangsRestarted, ForeignConflicts, GangWait, GangStart, podWait, podStart, QueuePlaced, ScaleUp,
	}
}

// Register makes the metrics part of /metrics, every value of closed sets from the
// start: a rate is known from the first event on.
func Register(collectors ...metrics.StableCollector) {
	registerOnce.Do(func() {
		legacyregistry.MustRegister(counted()...)
		legacyregistry.CustomMustRegister(collectors...)
		begin()
	})
}

// RegisterIn makes the metrics that are counted as it happens part of a registry: before they are
// in any, nothing is counted.
func RegisterIn(registry metrics.KubeRegistry) {
	registry.MustRegister(counted()...)
	begin()
}

// begin has every value of closed sets served from the start.
func begin() {
	for m, vec := range map[*catalog.Metric]*metrics.CounterVec{
		&apiWritesMetric: APIWrites, &gangDecisionsMetric: GangDecisions, &bindingsInDoubtMetric: BindingsInDoubt, &devicePredictionsMetric: DevicePredictions,
		&evictedGangsMetric: EvictedGangs, &evictedPodsMetric: PodsEvicted, &lostWorkMetric: LostWork, &batchesMetric: EvictionBatches, &repairsMetric: Repairs,
	} {
		m.Each(func(values ...string) { vec.WithLabelValues(values...) })
	}
	for m, vec := range map[*catalog.Metric]*metrics.HistogramVec{&GangWaitMetric: GangWait, &GangStartMetric: GangStart, &podWaitMetric: podWait, &podStartMetric: podStart} {
		m.Each(func(values ...string) { vec.WithLabelValues(values...) })
	}
}

func predictionNames() []string {
	var out []string
	for _, p := range device.Predictions() {
		out = append(out, string(p))
	}
	return out
}
