package measure

import (
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/component-base/metrics"

	"github.com/berth-dev/berth/pkg/core/pack"
	"github.com/berth-dev/berth/pkg/core/quota"
	"github.com/berth-dev/berth/pkg/core/repair"
	"github.com/berth-dev/berth/pkg/engine/catalog"
	"github.com/berth-dev/berth/pkg/engine/fastpath"
	"github.com/berth-dev/berth/pkg/engine/waitreason"
	"github.com/berth-dev/berth/pkg/state/gangtable"
	"github.com/berth-dev/berth/pkg/state/queueing"
)

// The definitions of metrics that are read when they are asked for: from queues, at a cost
// that follows their number, and from what the census found last.
var (
	heldGangsMetric = catalog.Metric{
		Name: "berth_held_gangs", Kind: catalog.Gauge,
		Help:   "Gangs that have members without a place, by the reason that they were told last, or for which they wait if they were told none yet. Reasons for which none waits are left out.",
		Labels: []catalog.Label{{Name: "reason", Values: waitreason.All()}},
	}
	pendingGPUsMetric = catalog.Metric{
		Name: "berth_pending_gpus", Kind: catalog.Gauge,
		Help:   "Devices that waiting pods ask for, by the reason that their gang was told last. Only those that are Unschedulable would be helped by more nodes. Other reasons for which none waits are left out.",
		Labels: []catalog.Label{catalog.DeviceLabel, {Name: "reason", Values: waitreason.All()}},
	}
	shortGangsMetric = catalog.Metric{
		Name: "berth_gangs_short", Kind: catalog.Gauge,
		Help:   "Gangs that were placed and lack members, by why they do.",
		Labels: []catalog.Label{{Name: "why", Values: causeNames()}},
	}
	queueAmountMetric = catalog.Metric{
		Name: "berth_queue_amount", Kind: catalog.Gauge,
		Help:   "What each queue has of a resource, with all queues within it, in whole units, thousandths of a core of CPU, or bytes: used, guaranteed, its fair share, and what those that wait ask for (pending).",
		Labels: []catalog.Label{catalog.QueueLabel, catalog.ResourceLabel, {Name: "amount", Values: []string{"used", "guaranteed", "share", "pending"}}},
	}
	queueGangsMetric = catalog.Metric{
		Name: "berth_queue_gangs", Kind: catalog.Gauge,
		Help:   "Gangs and plain pods of each queue, by whether they have a place (running), wait (pending), or may not use it (refused).",
		Labels: []catalog.Label{catalog.QueueLabel, {Name: "state", Values: []string{"running", "pending", "refused"}}},
	}
	queueHeadWaitMetric = catalog.Metric{
		Name: "berth_queue_head_wait_seconds", Kind: catalog.Gauge,
		Help:   "How long ago the next gang or pod of each queue was made; 0 if none waits.",
		Labels: []catalog.Label{catalog.QueueLabel},
	}
	queueAdmittedMetric = catalog.Metric{
		Name: "berth_queue_admitted_total", Kind: catalog.Counter,
		Help:   "Gangs and plain pods of each queue that got a place.",
		Labels: []catalog.Label{catalog.QueueLabel},
	}
	queueReclaimsMetric = catalog.Metric{
		Name: "berth_queue_reclaims_total", Kind: catalog.Counter,
		Help:   "Gangs and plain pods of which pods were evicted for those of the queue (taken), and those of the queue that were evicted for others (given).",
		Labels: []catalog.Label{catalog.QueueLabel, {Name: "side", Values: []string{"taken", "given"}}},
	}
	gpusMetric = catalog.Metric{
		Name: "berth_gpus", Kind: catalog.Gauge,
		Help: "Devices by what is done with them. Allocated, reserved (kept for gangs that wait for others to leave or lack members, or of spares), idle and unavailable (unhealthy, not offered by their node, or on a node that is cordoned, not ready or not reached) are all that there are. " +
			"Stranded is a part of idle: of no use to the usual pod of any size that is asked for. Asked is what waiting pods ask for.",
		Labels: []catalog.Label{catalog.DeviceLabel, {Name: "state", Values: []string{"asked", "allocated", "reserved", "idle", "stranded", "unavailable"}}},
	}
	largestGangMetric = catalog.Metric{
		Name: "berth_largest_gang_pods", Kind: catalog.Gauge,
		Help: "Pods of the largest gang for which there is room now in one domain of a level of the network, or in the whole cluster, by the devices of each pod, rounded up to a power of two. " +
			"Each pod asks for what is usual at its size. It is a bound from above; for pods of whole nodes it is exact. Levels that no node has are left out.",
		Labels: []catalog.Label{catalog.DeviceLabel, {Name: "level", Values: fastpath.Levels()}, {Name: "gpus", Values: sizeNames()}},
	}
	censusDurationMetric = catalog.Metric{
		Name: "berth_census_duration_seconds", Kind: catalog.Gauge,
		Help: "How long it took last to count held gangs, devices and the largest gangs. It is done beside scheduling, every 10 seconds or 300 times as long as it takes, whichever is longer.",
	}
	censusTimeMetric = catalog.Metric{
		Name: "berth_census_timestamp_seconds", Kind: catalog.Gauge,
		Help: "When held gangs, devices and the largest gangs were counted last, in Unix time; 0 if this replica does not lead.",
	}
)

var (
	shortGangs     = shortGangsMetric.NewDesc()
	heldGangs      = heldGangsMetric.NewDesc()
	pendingGPUs    = pendingGPUsMetric.NewDesc()
	queueAmount    = queueAmountMetric.NewDesc()
	queueGangs     = queueGangsMetric.NewDesc()
	queueHeadWait  = queueHeadWaitMetric.NewDesc()
	queueAdmitted  = queueAdmittedMetric.NewDesc()
	queueReclaims  = queueReclaimsMetric.NewDesc()
	gpus           = gpusMetric.NewDesc()
	largestGang    = largestGangMetric.NewDesc()
	censusDuration = censusDurationMetric.NewDesc()
	censusTime     = censusTimeMetric.NewDesc()
)

func collectedMetrics() []catalog.Metric {
	return []catalog.Metric{
		heldGangsMetric, shortGangsMetric, pendingGPUsMetric, queueAmountMetric, queueGangsMetric, queueHeadWaitMetric, queueAdmittedMetric, queueReclaimsMetric,
		gpusMetric, largestGangMetric, censusDurationMetric, censusTimeMetric,
	}
}

func causeNames() []string {
	var out []string
	for _, c := range repair.Causes() {
		out = append(out, string(c))
	}
	return out
}

func sizeNames() []string {
	var out []string
	for _, size := range pack.Sizes() {
		out = append(out, sizeName(size))
	}
	return out
}

// collectPeriod is how old what is served may be that costs a look at all queues.
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

// ShortCollector counts the gangs that lack members when it is asked: of several replicas, the
// leader's.
type ShortCollector struct {
	metrics.BaseStableCollector
	Gangs   *gangtable.Table
	Leading func() bool
}

func (c *ShortCollector) DescribeWithStability(ch chan<- *metrics.Desc) { ch <- shortGangs }

func (c *ShortCollector) CollectWithStability(ch chan<- metrics.Metric) {
	if !c.Leading() {
		return
	}
	for cause, n := range c.Gangs.ShortBy() {
		ch <- metrics.NewLazyConstMetric(shortGangs, metrics.GaugeValue, float64(n), string(cause))
	}
}

// QueueCollector says what queues have when it is asked.
type QueueCollector struct {
	metrics.BaseStableCollector
	Queues *queueing.Queues
	last   lately[[]queueing.QueueReport]
}

func (c *QueueCollector) DescribeWithStability(ch chan<- *metrics.Desc) {
	for _, desc := range []*metrics.Desc{queueAmount, queueGangs, queueHeadWait, queueAdmitted, queueReclaims} {
		ch <- desc
	}
}

func (c *QueueCollector) CollectWithStability(ch chan<- metrics.Metric) {
	now := time.Now()
	gauge := func(desc *metrics.Desc, value float64, labels ...string) {
		ch <- metrics.NewLazyConstMetric(desc, metrics.GaugeValue, value, labels...)
	}
	count := func(desc *metrics.Desc, value uint64, labels ...string) {
		ch <- metrics.NewLazyConstMetric(desc, metrics.CounterValue, float64(value), labels...)
	}
	for _, r := range c.last.get(c.Queues.Report) {
		for _, a := range r.Resources {
			for name, amount := range map[string]quota.Amount{"used": a.Used, "guaranteed": a.Guaranteed, "share": a.Share, "pending": a.Asked} {
				gauge(queueAmount, float64(amount), r.Name, a.Resource, name)
			}
		}
		gauge(queueGangs, float64(r.Running), r.Name, "running")
		gauge(queueGangs, float64(r.Pending), r.Name, "pending")
		gauge(queueGangs, float64(r.Refused), r.Name, "refused")
		count(queueAdmitted, r.Admitted, r.Name)
		count(queueReclaims, r.Taken, r.Name, "taken")
		count(queueReclaims, r.Given, r.Name, "given")
		wait := 0.0
		if r.Head != nil {
			wait = max(0, now.Sub(r.Head.Arrived).Seconds())
		}
		gauge(queueHeadWait, wait, r.Name)
	}
}

// CensusCollector says what a census found.
type CensusCollector struct {
	metrics.BaseStableCollector
	Census *Census
}

func (c *CensusCollector) DescribeWithStability(ch chan<- *metrics.Desc) {
	for _, desc := range []*metrics.Desc{heldGangs, pendingGPUs, gpus, largestGang, censusDuration, censusTime} {
		ch <- desc
	}
}

func (c *CensusCollector) CollectWithStability(ch chan<- metrics.Metric) {
	gauge := func(desc *metrics.Desc, value float64, labels ...string) {
		ch <- metrics.NewLazyConstMetric(desc, metrics.GaugeValue, value, labels...)
	}
	found := c.Census.found.Load()
	if found == nil {
		gauge(censusTime, 0)
		return
	}
	gauge(censusTime, float64(found.at.UnixMilli())/1000)
	gauge(censusDuration, found.took.Seconds())
	for reason, n := range found.held {
		gauge(heldGangs, float64(n), reason)
	}
	for key, n := range found.pending {
		gauge(pendingGPUs, float64(n), string(key.resource), key.reason)
	}
	for _, d := range found.devices.Devices {
		name := string(d.Resource)
		gauge(gpus, float64(found.asked[d.Resource]), name, "asked")
		gauge(gpus, float64(d.Allocated), name, "allocated")
		gauge(gpus, float64(d.Reserved), name, "reserved")
		gauge(gpus, float64(d.Idle), name, "idle")
		gauge(gpus, float64(d.Stranded), name, "stranded")
		gauge(gpus, float64(d.Unavailable), name, "unavailable")
	}
	for _, l := range found.devices.Largest {
		gauge(largestGang, float64(l.Pods), string(l.Resource), l.Level, sizeName(l.Size))
	}
}

// reasonKey is a label of pendingGPUs.
type reasonKey struct {
	resource corev1.ResourceName
	reason   string
}
