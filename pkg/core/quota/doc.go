// Package quota decides what queues may have of a cluster: limits, guarantees, fair shares,
// and who may take what back from whom.
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
// A queue with a [Fault], and every queue in it, admits nothing; all others go on. What it
// uses counts all the same, and amounts that make no sense are read as 0. Where children
// are guaranteed more than their parent, the fault is with the children, for the parent's
// would stop all of them; and with the later of them, so that a new queue takes nothing
// from an old one. They keep as much of what they are guaranteed as there is left, so that
// in sum siblings are never guaranteed more than their parent.
//
// # What counts
//
// Siblings are held to their guarantees and shares in the resources of which one of them
// is guaranteed something or has a weight ([Tree.Counted]). If those are GPUs, a gang
// borrows no CPU, however much it asks for. Limits are always held to.
//
// # Taking back
//
// A claim may evict gangs of other queues if every queue on its own side is within what it
// is entitled to, and every queue on the other side keeps what that is entitled to
// ([Simulation.Evict]). What an entitlement is, the [Mode] says: ByGuarantee, ByShare, and
// Straddling for gangs that are too large to be borrowed in part. Policies belong to the
// queue that claims, as in Kueue, and the least runtime to that of the victim, as in KAI.
//
// # Who is served first
//
// The [Ratio] of a queue is the most, over resources, of
//
//	usage / (capacity * weight / weights of its siblings)
//
// in 2^-32, where half of the next gang counts as used. With a half-life, usage is
// (A + usage) / 2, where A is the average of what the queue used, decayed ([Averages] has
// the equations): who had much gets less for a while, and the more recent it is, the less.
//
// # Who may use a queue
//
// Gangs name their queue themselves, so a guarantee is open only to namespaces that the
// queue, or one around it, names or selects; without a word, to those whose own queue it is
// ([Tree.MayUse]). What runs is charged whatever the rule says now.
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
