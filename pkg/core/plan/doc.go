// Package plan decides where a gang goes, once for the whole gang: in which domain of the
// fabric, and on which node each pod, in the order of ranks.
//
//	Plan(request, index, fabric) -> candidates, best first, or the reason why there is none
//
// # Which level
//
// A gang may require a level: all its pods share one domain of it. It may prefer one: then
// that level is tried first, and after it each wider one, up to the required level or the
// whole cluster, until the gang fits. Members that run already pin the domain.
//
// # Which domain
//
// Of the domains of a level that hold the gang, the one with the fewest devices left comes
// first, so that large holes stay for large gangs; then the one of which fewest narrower
// domains are used, widest level first; then by path. Within it, the gang uses as few
// narrower domains as can be had by taking, again and again, the smallest that holds the
// rest, or else the one that holds most. Within a domain without narrower ones, nodes come
// in the order of the packing index.
//
// # Segments
//
// A gang may ask for segments: each so many consecutive ranks share one domain of a level,
// within the domain of the gang. Whole segments are then what is counted and placed.
//
// # Ranks
//
// The places of pods that are alike are ordered by domain and node, and given out by rank:
// neighbours in rank are neighbours in the fabric.
//
// # Elastic gangs
//
// A gang that is complete with fewer pods than there are is planned with all of them if
// they fit at some level, else with as many as it needs, and as many of the rest as fit
// beside those.
//
// # What if
//
// [Planner.Trial] plans in one domain at a time, on an index that may change in between: so
// Package preempt asks where the gang would go if others went.
//
// # Cost
//
// A domain is judged by the counts of node shapes in it: the cost of the choice is domains
// x shapes, and that of the layout is the pods. Counts are bounds from above (CPU, memory,
// links); so the layout is tried out on the index, with undo, and the next domain is taken
// if it fails. Pods of one shape are laid out exactly; of several, the largest first, and
// if that fails, by a search that is bounded by a number of steps.
//
// Files: plan.go (request, candidates), levels.go (which level and domain), layout.go (which
// nodes), segments.go, ranks.go (who goes where), reason.go (why not), trial.go (one domain
// at a time).
package plan
