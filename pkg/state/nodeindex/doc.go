// Package nodeindex keeps the packing index of the nodes of the scheduler's snapshot: what each has
// free, in which domains of the fabric it is, and which nodes are kept as spares.
//
// An [Index] is no second cache: whoever feeds it says which nodes to read. [Emptied] is the nodes
// without pods, [Occupancy] says which nodes have given out more than they have, and [SnapshotOf]
// makes of objects the value that package plan of the core decides by.
//
// Files: index.go (reading nodes), changes.go (what changed since), levels.go (which label keys
// are levels), emptied.go, spares.go (nodes kept for queues and gangs), tally.go (how many devices
// there are and are taken), occupancy.go, snapshot.go.
package nodeindex
