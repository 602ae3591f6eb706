// Package catalog describes the metrics of Berth: each is defined once, with its help, the
// labels that it may have and the values that those may have. The metric itself, its
// documentation and the tests of dashboards and alerts are all made of that definition.
//
// The values of a label are from a closed set, listed in [Label], or the names of queues or of
// resources, of which there are as many as administrators made. No label has the name of a
// pod, gang, node or user: [Labels] is all that there are, and a test keeps it so.
//
// Files: catalog.go (definitions), labels.go (all labels), page.go (docs/metrics.md).
package catalog

import "k8s.io/component-base/metrics"

// Kind is the type of a metric.
type Kind string

// The kinds.
const (
	Counter   Kind = "counter"
	Gauge     Kind = "gauge"
	Histogram Kind = "histogram"
)

// Metric defines a metric.
type Metric struct {
	// Name is the whole name, and Help one or more sentences.
	Name, Help string
	Kind       Kind
	// Labels are in the order in which their values are given.
	Labels []Label
	// Buckets are the upper bounds of a histogram, in its unit.
	Buckets []float64
}

// Label is a label of a metric with its possible values.
type Label struct {
	Name string
	// Values are all that there are; nil if they are the names of objects.
	Values []string
	// Of says whose names they are, if Values is nil.
	Of string
}

// With returns the label with only some values.
func (l Label) With(values ...string) Label {
	l.Values, l.Of = values, ""
	return l
}

func (m Metric) labels() []string {
	var out []string
	for _, l := range m.Labels {
		out = append(out, l.Name)
	}
	return out
}

// NewCounter makes a counter without labels.
func (m Metric) NewCounter() *metrics.Counter {
	return metrics.NewCounter(&metrics.CounterOpts{Name: m.Name, Help: m.Help, StabilityLevel: metrics.ALPHA})
}

// NewCounterVec makes a counter with labels.
func (m Metric) NewCounterVec() *metrics.CounterVec {
	return metrics.NewCounterVec(&metrics.CounterOpts{Name: m.Name, Help: m.Help, StabilityLevel: metrics.ALPHA}, m.labels())
}

// NewHistogram makes a histogram without labels.
func (m Metric) NewHistogram() *metrics.Histogram {
	return metrics.NewHistogram(&metrics.HistogramOpts{Name: m.Name, Help: m.Help, Buckets: m.Buckets, StabilityLevel: metrics.ALPHA})
}

// NewHistogramVec makes a histogram with labels.
func (m Metric) NewHistogramVec() *metrics.HistogramVec {
	return metrics.NewHistogramVec(&metrics.HistogramOpts{Name: m.Name, Help: m.Help, Buckets: m.Buckets, StabilityLevel: metrics.ALPHA}, m.labels())
}

// NewDesc makes the description of a metric that is collected when it is asked for.
func (m Metric) NewDesc() *metrics.Desc {
	return metrics.NewDesc(m.Name, m.Help, m.labels(), nil, metrics.ALPHA, "")
}

// Each calls f with every combination of the values of the labels. All of them are closed.
func (m Metric) Each(f func(values ...string)) {
	var walk func(chosen []string)
	walk = func(chosen []string) {
		if len(chosen) == len(m.Labels) {
			f(chosen...)
			return
		}
		for _, v := range m.Labels[len(chosen)].Values {
			walk(append(chosen[:len(chosen):len(chosen)], v))
		}
	}
	walk(nil)
}

// Series returns how many series the metric has at most, with so many names for a label whose
// values are names.
func (m Metric) Series(names map[string]int) int {
	n := 1
	if m.Kind == Histogram {
		n = len(m.Buckets) + 3 // +Inf, _sum and _count
	}
	for _, l := range m.Labels {
		if l.Values != nil {
			n *= len(l.Values)
		} else {
			n *= names[l.Name]
		}
	}
	return n
}
