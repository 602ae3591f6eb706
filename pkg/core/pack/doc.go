// Package pack decides which node a pod is offered first, at a cost that follows
// the number of distinct node shapes and not the number of nodes.
//
// # The index
//
// Nodes that are alike are one. The shape of a node is
//
//	(kind of device, devices free, level of CPU free, level of memory free)
//
// where the level of an amount is the length of its binary form, so that a level
// spans a factor of two. [Index] keeps the nodes of each shape in one bucket, as a
// [Set] ordered by node number. A cluster of 25,000 nodes has a few dozen shapes in
// practice, and at most
//
//	kinds x (devices + 1) x 64 x 64
//
// [Index.Offer] ranks the shapes that can hold a request and yields their nodes in
// that order: nodes of a level above the request's hold it for certain, nodes of the
// same level are looked at one by one. So a yielded node always has the room that
// the index knows of; whether it is right in every other way is the caller's to
// find out.
//
// # The rank
//
// [Pack] offers the tightest node first, which keeps the largest whole sets of
// devices free; [Spread] the emptiest. Both compare, in this order:
//
//  1. devices where none are asked for: such nodes come last;
//  2. devices left over, fewest first (Spread: most first);
//  3. level of CPU free, then of memory free, lowest first (Spread: highest first);
//  4. kind of device, then node number.
//
// The order is total: same state, same request, same answer.
//
// # Simulation
//
// [Index.Take] subtracts a request from a node and returns an [Undo];
// [Index.Revert] takes it back. Reverting in the opposite order of taking restores
// the state exactly.
//
// [Index.Slots] says how many copies of a request fit into a domain, from the
// counts of shapes that are kept for each domain.
//
// Files: amount.go (requests, free amounts, shapes), set.go (ordered sets of nodes),
// index.go (the buckets), offer.go (ranking), domains.go (counts by domain).
package pack
