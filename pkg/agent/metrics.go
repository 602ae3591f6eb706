package agent

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/berth-dev/berth/pkg/api/v1alpha1"
)

// metrics are the agent's own. Their labels are from closed sets; none holds the name
// of a device, pod or node.
type metrics struct {
	reads       *prometheus.CounterVec
	applies     *prometheus.CounterVec
	devices     prometheus.Gauge
	unhealthy   *prometheus.GaugeVec
	allocations prometheus.Gauge
	success     prometheus.Gauge
}

// The values of labels.
const (
	ofDriver  = "driver"
	ofKubelet = "kubelet"
	ofSpec    = "spec"
	ofStatus  = "status"
	succeeded = "ok"
	failed    = "failed"
)

func newMetrics(registerer prometheus.Registerer) *metrics {
	const namespace, subsystem = "berth", "agent"
	m := &metrics{
		reads: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Subsystem: subsystem, Name: "reads_total",
			Help: "Reads of the driver and of the kubelet, by result.",
		}, []string{"source", "result"}),
		applies: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Subsystem: subsystem, Name: "applies_total",
			Help: "Writes of the NodeTopology, by part and result.",
		}, []string{"part", "result"}),
		devices: prometheus.NewGauge(prometheus.GaugeOpts{
			Namespace: namespace, Subsystem: subsystem, Name: "devices",
			Help: "Devices that are reported, those that are lost among them.",
		}),
		unhealthy: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: namespace, Subsystem: subsystem, Name: "unhealthy_devices",
			Help: "Devices that must not be given out, by reason.",
		}, []string{"reason"}),
		allocations: prometheus.NewGauge(prometheus.GaugeOpts{
			Namespace: namespace, Subsystem: subsystem, Name: "allocations",
			Help: "Containers that hold devices.",
		}),
		success: prometheus.NewGauge(prometheus.GaugeOpts{
			Namespace: namespace, Subsystem: subsystem, Name: "last_success_timestamp_seconds",
			Help: "When what was found was last known to be what the API server has.",
		}),
	}
	registerer.MustRegister(m.reads, m.applies, m.devices, m.unhealthy, m.allocations, m.success)
	for _, result := range []string{succeeded, failed} {
		m.reads.WithLabelValues(ofDriver, result)
		m.reads.WithLabelValues(ofKubelet, result)
		m.applies.WithLabelValues(ofSpec, result)
		m.applies.WithLabelValues(ofStatus, result)
	}
	m.reported(nil)
	return m
}

func result(err error) string {
	if err != nil {
		return failed
	}
	return succeeded
}

// reported counts what is in a report.
func (m *metrics) reported(topology *v1alpha1.NodeTopology) {
	if topology == nil {
		topology = &v1alpha1.NodeTopology{}
	}
	m.devices.Set(float64(len(topology.Spec.Devices)))
	m.allocations.Set(float64(len(topology.Status.Allocations)))
	reasons := map[string]int{v1alpha1.ReasonXid: 0, v1alpha1.ReasonRemapPending: 0, v1alpha1.ReasonRemapFailed: 0, v1alpha1.ReasonLost: 0}
	for _, device := range topology.Status.Unhealthy {
		if _, known := reasons[device.Reason]; known {
			reasons[device.Reason]++
		}
	}
	for reason, n := range reasons {
		m.unhealthy.WithLabelValues(reason).Set(float64(n))
	}
}
