// Package preempt chooses the victims that make room for a waiting gang: the least damaging set
// of running gangs without which the planner finds a place for it, in one domain.
//
//	Victims(planner, request, running, permit) -> victims and the plan, or the reason why none
//
// # Victims
//
// A gang is evicted whole. An elastic gang may lose the members that it does not need: those whose
// eviction loses least first, then those of the last ranks and names.
//
// A [Permit] stands for quota, policy and protection. It is asked about each victim, given all
// victims before it, and whether the waiting gang may be placed then. A gang above a limit of its
// queue needs victims within that limit, wherever they run. Policy may require that its own queue
// gives first: so a victim that the permit refuses is asked about again after others.
//
// # Damage
//
// Sets of victims are compared by, in this order:
//
//  1. the highest priority of a victim, lowest first;
//  2. the device-seconds that end for good: all that gangs have done since their start which
//     nobody makes again once they have gone, whatever they saved of it, and 1 at least for
//     each of them. So among equals of priority they are the last resort;
//  3. the device-seconds of work that are lost, of members elsewhere as well;
//  4. how many gangs lose a pod;
//  5. how many pods go.
//
// Of equal sets the same one is taken always, whatever the order in which gangs are given.
// Of two gangs between which nothing else decides, the first by name goes.
//
// # Where
//
// The levels of a request are those that package plan tries. A preferred level costs those
// who run nothing: the gang goes to a domain of it if that does no more damage than one of
// a wider level. Of equal domains of a level, the one with the fewest devices left comes
// first, then the one that is first by path. Domains that are full are domains like others.
//
// Room outside of the domain does not help the gang. So each victim has a pod in the domain, except
// those that the permit demands. A set of victims is chosen only if the planner finds places for the
// gang on the index without them. Each victim is needed: without it, and with the others, the planner
// would find no place, or the permit would refuse the gang or another victim.
//
// # Search
//
// In each domain, a ledger counts how many pods of each shape fit on each node, and how
// many segments in each region, once some have gone. The more goes, the more fit. Counts are
// exact for pods of one shape without links; else they are a bound from above, and the planner
// has the last word.
//
//  1. A domain is left out if the counts do not hold the gang when all go that may; else the
//     lowest priority at which they do, and what that costs at least, say whether it
//     can be better than the best so far. The bound lets any fraction of a pod go; a gang with
//     pods on several nodes costs each of them its share; and each node pays for its own slots.
//  2. A first choice: on the node at which a slot costs least, what it takes goes, until the
//     counts hold the gang. Then victims are spared, the most damaging first, as long as
//     they do. If somebody was refused and there is no choice, it is tried once more so that
//     the fewest pods go.
//  3. For each victim in turn: if it stays, what else would have to go?
//  4. Branch and bound over all sets, the domains with the fewest gangs first.
//
// Half of the steps of [Bounds] are for 2 and 3, half for 4. Once they are spent, 2 is done only
// until there is a choice, and in domains that may do with victims of a lower priority.
// Choice.Exact says that 4 came to its end in each domain that may have done better.
//
// # Cost
//
// To see who is where takes time in proportion to the pods that run, once for each level; a
// choice takes the domains that the bounds leave, times the pods that run there. No step
// looks at the index, but for plans, of which most searches need a few.
//
// Files: victims.go (what is asked and answered), damage.go (what is least), candidates.go (who
// may go), permits.go (answers of the permit), domain.go and builder.go (who is where), measure.go
// (what a gang needs most), ledger.go (what fits), bound.go (what it costs at least), search.go
// (the search), draft.go (a set in the making), grow.go (who goes), prune.go (who is spared),
// exchange.go (who instead), exact.go (all sets), reason.go (why not).
package preempt
