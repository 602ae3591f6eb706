// Package quota decides what each queue may use of a cluster: limits, guarantees and fair shares, and
// which queue may reclaim from which.
//
//	NewTree(specs)                -> Tree, faults: the queues, immutable
//	tree.With(spec)               -> the Tree in which one queue has another spec
//	NewUsage(tree)                -> Usage: Charge, Release, CanCharge
//	tree.Shares(capacity, demand) -> the fair share of each queue
//	usage.Reclaim(claim, mode)    -> Simulation: Evict, one victim at a time
//	NewScale(tree, capacity)      -> Scale: Ratio, by which queues are served
//
// # The tree
//
// Queues are numbered densely, and what they use lives apart from them: live state and
// simulations share one tree and one body of arithmetic. A spec that changes makes another
// tree: with the same numbers, if it changes amounts or rules alone ([Tree.With]); with others,
// onto which what each queue uses is charged again, if it changes the structure.
//
// A queue may have children, and gangs of its own beside them. Those count as a child
// without name ([Tree.Own]) that has no limit, is guaranteed what the children leave of
// what the queue is guaranteed, and weighs as much. The root is a queue as well: what is
// charged to it belongs to nobody, and gets what is left.
//
// Of each resource, a queue has three amounts ([Quota]). It never passes its limit, unless it is
// charged by force. What it is guaranteed it gets whenever it asks; what it uses beyond
// that is borrowed. Its weight is its part in what the others do not use.
//
// # Faults
//
// A queue with a [Fault], and every queue below it, admits nothing; all other queues go on. What it
// uses still counts, and an invalid amount is read as 0. If children are guaranteed more than their
// parent, the fault is with the children, because a fault of the parent would stop all of them. It is
// with the youngest of them, so that a new queue takes nothing from an older one. A child with such a
// fault keeps what is left of the parent's guarantee, so siblings together are never guaranteed more
// than their parent.
//
// # What counts
//
// Siblings are held to their guarantees and shares in the resources of which one of them
// is guaranteed something or has a weight ([Tree.Counted]). If those are GPUs, a gang
// borrows no CPU, however much it asks for. Limits are always held to.
//
// # Reclaim
//
// A preemptor and its victim are in two branches of the tree. The eviction is allowed if every queue
// of the preemptor's branch stays within its entitlement, and every queue of the victim's branch keeps
// its own ([Simulation.Evict]). The [Mode] defines the entitlement: ByGuarantee, ByShare, or
// Straddling for gangs that are too large to be borrowed in part. The policy is that of the preemptor's
// queue, as in Kueue. The least runtime is that of the victim's queue, as in KAI.
//
// # Who is served first
//
// The [Ratio] of a queue is the most, over resources, of
//
//	usage / (capacity * weight / weights of its siblings)
//
// in 2^-32, where half of the next gang counts as used. With a half-life, usage is (A + usage) / 2,
// where A is the decayed average of what the queue used ([Averages] has the equations): a queue that
// used much gets less for a while, and recent use counts more.
//
// # Who may use a queue
//
// Gangs name their queue themselves. So a queue with a guarantee is open only to the namespaces that it,
// or a queue above it, names or selects. If none of them says anything, it is open to the namespaces
// whose own queue it is ([Tree.MayUse]). A running pod stays charged whatever the rule says now.
//
// # Numbers
//
// All amounts are whole units and saturate ([Amount]); products are compared in 128 bits,
// averages have 64 digits behind the point. No float is used, so that every machine
// decides alike.
//
// Files: amount.go (amounts), spec.go (what is said of a queue), fault.go (what is wrong with
// it), link.go (specs to a tree), settle.go (what amounts are in effect), tree.go (the tree),
// change.go (a tree in which one queue has another spec), access.go (which namespaces may use
// them), usage.go (charges and limits), shares.go and fill.go (fair shares), reclaim.go (who may
// be evicted), average.go (decayed averages), ratio.go (who is served first).
package quota
