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
//  5. At least size members exist, or did when the gang was first admitted.
//
// [Interrupted] tells a gang whose binding was cut short from one that lost a
// member later. Both functions are pure: same input, same answer, and a text that
// names the same pods whatever the order in which they are given.
//
// Files: key.go (names), claims.go (what pods and objects say), resolve.go (the
// rules), interrupted.go (half-bound gangs), code.go (the typed reasons).
package gang
