// Package remedy says what would have to change for a gang that has no place to get one.
//
//	Find(cluster, request)    -> Answer: which constraint decides, what came closest, what would help
//	Quota(books, queue, asks) -> the limits in the way, and whose end lifts them
//
// # What decides
//
// The constraint that decides is the one without which the gang would have a place now, all
// else as it is. They are left off one at a time, in this order: room that is kept for others,
// taints and cordons, selectors, links between devices, CPU, memory, the levels of the fabric. If none of
// them alone is in the way, it is what the domain that comes closest is short of.
//
// # What helps
//
// A remedy is a change that was tried: the plan was made on the index as it would be then, and
// has a place for the gang. So whoever brings about what a remedy says, and nothing else, has
// the gang placed. The kinds:
//
//   - [GangsEnd]: gangs that run end. They are chosen as victims are (package preempt), for
//     whom the loss is the work that they would still do: those that end soonest anyway, and
//     those whose end is not known last.
//   - [NodesFree]: so many nodes of one domain come free, the fewest that do.
//   - [NodesAdded]: so many nodes like those that it has are added to one domain.
//   - [NodesOpen]: nodes lose the taint or cordon that keeps the pods away.
//   - [AskLess]: its pods ask for less CPU or memory beside their devices.
//   - [FewerPods]: it needs fewer pods.
//
// If neither the end of gangs nor free nodes help, the answer is hopeless: the cluster could
// not hold the gang if nothing else ran.
//
// # Cost
//
// A plan costs what package plan says. About log2(pods) plans are made for each of the kinds,
// and for nodes in at most [Bounds].Domains domains; the search for gangs has a bound of steps
// of its own. The index is changed meanwhile and is as it was when Find returns: it is to be
// the caller's own.
//
// Files: remedy.go (entry point, answers), decide.go (which constraint), closest.go (what came
// closest), ends.go (gangs), nodes.go (nodes), less.go (a gang that asks for less), quota.go
// (limits).
package remedy
