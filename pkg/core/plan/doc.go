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
// Of the domains of a level that can hold the gang, the one that would have the fewest devices left
// comes first, so that large holes stay free for large gangs. Then comes the one in which the gang
// uses the fewest narrower domains, widest level first; then the first by path. Within a domain, the
// narrower domains are filled greedily: the smallest one that holds the rest of the gang is taken, or
// else the one that holds the most, again and again. In a domain of the narrowest level, nodes come in
// the order of the packing index.
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
// [Planner.Trial] plans in one domain at a time, on an index that may change in between. With it,
// package preempt finds where the gang would go if others were evicted.
//
// # Cost
//
// A domain is judged by its counts of node shapes. The choice of a domain costs domains x shapes, and
// the layout costs the number of pods. The counts are upper bounds (for CPU, memory and links). So the
// layout is tried on the index, with undo; if it fails, the next domain is taken. Pods of one shape are
// laid out exactly. Pods of several shapes are laid out largest first, and if that fails, by a search
// with a bounded number of steps.
//
// Files: plan.go (request, candidates), levels.go (which level and domain), layout.go (which
// nodes), segments.go, ranks.go (who goes where), reason.go (why not), trial.go (one domain
// at a time).
package plan
