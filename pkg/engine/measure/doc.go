// Package measure defines the metrics that the scheduler serves of its own, and counts what cannot
// be counted as it happens.
//
// Everybody who does something counts it in a variable of metrics.go. What waits, and since when,
// is kept by [Demand] as pods come and go. What costs a look at all nodes or gangs is counted by
// [Census] at a pace of its own, beside scheduling, so that a scrape costs the same whatever the
// cluster is. No label can carry the name of a pod, node or gang: see package catalog.
//
// Files: metrics.go (definitions, and what is counted as it happens), collectors.go (what is
// counted when somebody scrapes), demand.go (what waiting pods ask for), census.go (the cluster as
// a whole), sizes.go (size classes).
package measure
