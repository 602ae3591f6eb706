// Package nodeindex keeps the packing index of the nodes of the scheduler's snapshot: what each has
// free, in which domains of the fabric it is, and which nodes are kept as spares.
//
// An [Index] is no second cache: its caller says which nodes to read. [Emptied] holds the nodes
// without pods. [Occupancy] finds nodes whose pods request more than the node has. [SnapshotOf] turns
// API objects into the value by which package plan of the core decides.
//
// Files: index.go (reading nodes), changes.go (what changed since), levels.go (which label keys
// are levels), emptied.go, spares.go (nodes kept for queues and gangs), tally.go (how many devices
// there are and are taken), occupancy.go, snapshot.go.
package nodeindex
