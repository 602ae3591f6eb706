// Package monitoring tests what manifests/monitoring has: that the queries of dashboards and
// alerts ask for metrics that the scheduler serves, with labels and values that those have;
// that promtool finds no fault in the rules; and that each alert fires when it should, and not
// else (testdata/alerts.yaml).
//
// It is a module of its own, with Prometheus in it, so that nothing of that is in the build of
// the scheduler. testdata/served.json is what the scheduler serves: make generate writes it.
// testdata/upstream.json is what else dashboards use, of Kubernetes' components and of Prometheus.
package monitoring
