// Package gang decides what a gang is: from what its pods and its group object
// say, one [Group] that can be scheduled whole, or the one reason why not.
//
// Pods reach Berth in many vocabularies. Package dialect turns each of them into
// the two values of this package: a [Member] for a pod and a [Declaration] for an
// object that declares a gang. [Resolve] is the only place where they meet:
//
//	Resolve(key, declaration, members, ours) -> Verdict{Admit, Group} | Verdict{Hold, Code, Text}
//
// The rules, in the order in which they are tried:
//
//  1. A member that is malformed in itself (two dialects at once, a size that is
//     no number) holds the whole gang.
//  2. All members name one scheduler, one priority and one preemption policy.
//  3. What the object says (size, topology, queue) wins over what pods say. Where
//     the object is silent, the pods that are not silent must agree.
//  4. The size is known and at least 1.
//  5. Enough members exist that have a place or may be given one.
//
// # Membership
//
// Pods come and go: they wait behind scheduling gates, take long to leave, succeed while others still
// run, and are made again. This table says what each state counts for. The verdict, the scheduler's pod
// groups, the planner, the queues and the ranks all follow it ([State.Effect]):
//
//	state      size  placed  place  domain  charge  rank
//	declared   -     -       -      -       -       -
//	gated      -     -       -      -       -       yes
//	waiting    yes   -       -      -       -       yes
//	assumed    yes   yes     yes    yes     yes     yes
//	bound      yes   yes     yes    yes     yes     yes
//	running    yes   yes     yes    yes     yes     yes
//	lost       yes   yes     -      -       yes     yes
//	leaving    -     -       yes    -       yes     -
//	succeeded  yes   yes     -      -       -       yes
//	failed     -     -       -      -       -       -
//	refused    -     -       -      -       -       -
//	replaced   -     -       -      -       -       -
//
// The columns: the member counts towards the size of its gang; it shows that the gang was placed; it
// holds a place on its node; it keeps the gang in its domain; its queue is charged for it; no other
// member gets its rank. A leaving member that never had a node holds nothing. How many members must
// have a place together follows from those that count:
//
//	done     = members that succeeded
//	standing = members that are assumed, bound, running or lost
//	need     = max(1, size - done)
//
// A member may be extra: the declared size does not include it, as KubeRay's does not include the
// pod that submits a job to a cluster that runs. Each extra member that counts makes the size one
// larger, so that it is placed, evicted and missed with the others; and it need not agree with them.
//
// A Job with more completions than parallelism replaces pods that succeeded. While another member has
// its place, such a pod joins it alone, because need is small then. If no member has a place, the pods
// that were made since the last one was bound are placed together:
//
//	need     = min(size, waiting)    if done >= size, standing = 0, and nobody is left over
//
// If they are fewer than size, they are placed once no other has come for [NextPatience] seconds: no
// field of a Job says how many its last pods are.
//
// A gang that was placed before has lost members, and takes their replacements, however few: while any
// wait, need is at most standing + waiting. The gang is admitted if it was placed before, or if
//
//	standing + waiting >= need
//
// A gang was placed before if the caller remembers it for this life of the gang, or if a member shows
// it, unless its binding was cut short. The life of a gang ends when no member is left, except leaving
// ones. What comes under the same name after that is another gang, and starts whole.
//
// [Interrupted] tells a gang whose binding was cut short from one that lost a
// member later. All functions are pure: same input, same answer, and a text that
// names the same pods whatever the order in which they are given.
//
// Files: key.go (names), claims.go (what pods and objects say), state.go (the table), resolve.go
// (the rules), next.go (after all have succeeded), interrupted.go (half-bound gangs), code.go (the
// typed reasons).
package gang
