// Package podshape says which pods get the same answers from nodes, and remembers these.
//
// Pods of one [Shape] request the same, and may use the same nodes. If a node refused one of them, it
// is not asked again for that shape until the node changes, as long as the plugin that refused looks
// only at the node and the shape ([CacheabilityOf]). A pod with more to it than that has a [Reason] for
// which the packing index cannot judge it.
//
// Files: shape.go (which pods are alike), answers.go (what nodes said), reason.go (whom the index
// cannot judge).
package podshape
