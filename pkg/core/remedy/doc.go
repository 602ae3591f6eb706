// Package remedy finds the changes that would give a waiting gang its place.
//
//	Find(cluster, request)    -> Answer: which constraint decides, what came closest, what would help
//	Quota(books, queue, asks) -> the limits in the way, and whose end lifts them
//
// # What decides
//
// A constraint decides if the gang would have a place without it, all else as it is. Constraints are
// left out one at a time, in this order: room that is reserved for others, taints and cordons,
// selectors, links between devices, CPU, memory, the levels of the fabric. If no single constraint
// decides, the answer names what the closest domain is short of.
//
// # What helps
//
// A remedy is a change that was tried: the planner finds a place for the gang on the index as it would
// be after the change. So a remedy that is carried out, and nothing else, gets the gang its place. The
// kinds:
//
//   - [GangsEnd]: running gangs end. They are chosen like victims (package preempt), where the loss is
//     the work that a gang would still do. So those that end soonest come first, and those whose end
//     is unknown last.
//   - [NodesFree]: a number of nodes of one domain become free, the fewest that suffice.
//   - [NodesAdded]: a number of nodes like those of the domain are added to it.
//   - [NodesOpen]: nodes lose the taint or cordon that keeps the pods away.
//   - [AskLess]: the pods request less CPU or memory beside their devices.
//   - [FewerPods]: the gang needs fewer pods.
//
// If neither the end of gangs nor free nodes help, the answer is hopeless: the cluster could not hold
// the gang even if nothing else ran.
//
// # Cost
//
// A plan costs what package plan says. Each kind takes about log2(pods) plans, and the kinds about
// nodes take that in at most [Bounds].Domains domains. The search for gangs has its own bound of
// steps. Find changes the index and restores it before it returns, so the index must be the caller's
// own.
//
// Files: remedy.go (entry point, answers), decide.go (which constraint), closest.go (what came
// closest), ends.go (gangs), nodes.go (nodes), less.go (a gang that asks for less), quota.go
// (limits).
package remedy
