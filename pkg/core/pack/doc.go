// Package pack decides which node a pod is offered first, at a cost that follows
// the number of distinct node shapes and not the number of nodes.
//
// # The index
//
// Nodes that are alike are one. The shape of a node is
//
//	(kind of device, devices free, class of machine and kind of free set,
//	 level of CPU free, level of memory free, pods held)
//
// where the level of an amount is the length of its binary form, so that a level
// spans a factor of two, and sets of free devices that are worth the same to every pod
// are of one kind (topology.Kind). [Index] keeps the nodes of each shape in one bucket,
// as a [Set] ordered by node number. A cluster of 25,000 nodes has a few dozen shapes in
// practice.
//
// [Ranking.Offer] yields the nodes of the shapes that can hold a request, in the order
// of a [Ranking]: nodes of a level above the request's hold it for certain, nodes of the
// same level are looked at one by one. So a yielded node always has the room that
// the index knows of; whether it is right in every other way is the caller's to
// find out.
//
// # The rank
//
// By a [Policy], the tightest node is offered first, which keeps the largest whole
// sets of devices free, or, with Spread, the emptiest. It compares, in this order:
//
//  1. devices where none are asked for: such nodes come last, with Spread as well;
//  2. the quality of the devices that the request would get, over the ideal of the
//     machine, highest first, with Spread as well;
//  3. devices free, fewest first;
//  4. what the choice costs, of what the free devices are worth to requests to come,
//     lowest first, with Spread as well;
//  5. weight of CPU x level of CPU free + weight of memory x level of memory free,
//     lowest first;
//  6. pods on the node, most first: of two nodes that are equally full, the one with
//     fewer pods is sooner wholly free, if it gets no further one;
//  7. level of CPU, of memory;
//  8. node number.
//
// Spread turns 3 and 5 to 7 round. The order is total: same state, same request, same
// answer. [Index.Rank] is the same order as a number, for whoever ranks nodes
// without the index. Qualities are compared in 255ths.
//
// The cost comes after the count: what the best set of each size is worth says nothing
// of how many such sets there are, and by the cost first, whole machines are broken for
// what partly used ones would hold.
//
// Where the class of a machine is not known, devices are only counted: their quality is
// taken for ideal, and their cost for nothing.
//
// # Refusals
//
// A node with room may be wrong in other ways, and a node without is asked only to
// say so. [Verdicts] keeps the answers for each shape of pods until a node changes.
//
// # Simulation
//
// [Index.Take] subtracts a request from a node, [Index.Give] adds that of a pod which would
// go, with the devices that it holds. Both return an [Undo]; [Index.Revert] takes it back.
// Reverting in the opposite order restores the state exactly.
//
// [Index.Slots] says how many copies of a request fit into a domain, from the
// counts of shapes that are kept for each domain; [Index.Copies] and [Index.Given] say what
// fits into free amounts and what Give makes of them, without a node.
//
// Files: amount.go (requests, free amounts), shape.go (what is alike), set.go (ordered
// sets of nodes), index.go (the buckets), policy.go (ranks), ranking.go (shapes by rank),
// offer.go (who is offered), domains.go (counts by domain), verdicts.go (who refused),
// idle.go (what is of no use), common.go (what most ask for).
package pack
