// Package repair decides what to do for a gang that lost members: how many it lacks, and whether they
// are replaced or the gang is restarted.
//
//	Missing(Count) -> how many members the gang lacks
//	Decide(Situation) -> Decision{Action, Code, Text, After}
//
// A gang that was placed is short while fewer of its members stand than it needs:
//
//	had     = the most of size that were done or standing at once, since it was whole
//	missing = had - done - (standing - on lost nodes), if somebody of it stands at all
//
// So a gang that its owner makes larger while it runs is not short.
//
// A member on a lost node (see the table) counts as missing, though its object exists and it may still
// run. It keeps its devices: no other pod gets them before it is gone.
//
// # Nodes
//
// What a state of a node means for the pods on it, and for those that would come:
//
//	state                        new pods  its pods hold devices   its members are lost
//	ready                        yes       until they are gone     no
//	cordoned                     no        until they are gone     no
//	not ready                    no        until they are gone     yes
//	unreachable                  no        until they are gone     yes
//	out of service               no        until they are gone     yes
//	deleted                      no        until they are gone     yes
//	made again, the same name    yes       until they are gone     no
//	relabelled                   by label  until they are gone     no
//	allocatable below used       no (*)    until they are gone     no
//
// (*) of what is short; see [Overdrawn]. Out of service is the taint
// node.kubernetes.io/out-of-service: its pods are deleted by force, and are gone. A pod on a
// node that is not there any more is gone once the garbage collector has taken it.
//
// # Policies
//
// Replace reserves room for the missing members, for a window of time after the last loss: in the
// gang's domain, if it requires one, and for all of them or for none. If the domain has no room, the
// gang waits, or is restarted in another domain, whichever costs less. The cost of a restart is known:
// the work of the remaining members since their last checkpoint, in device-seconds. The length of a
// wait is unknown. So the gang waits until its idle devices have cost as much as a restart would, and
// is restarted then. That costs at most twice what the better choice would have cost.
//
// Restart evicts the rest of the gang, so that all of it starts together again. Ignore does nothing.
//
// # Refusals
//
// A node whose kubelet refused a pod of a gang is avoided for that gang, for a time that doubles with
// each refusal. For a while after that, it is tried after all other nodes: see [Refusals].
//
// By default, and for want of room, a gang is restarted only if the owner of its pods makes them again.
// All functions are pure.
//
// # Spares
//
// Which nodes are kept for replacements of a queue's gangs follows from which are free: see
// [Keeper].
//
// Files: cause.go (why a member is lost), policy.go (what a user asks for), short.go (what is
// short), decide.go (what is done), refusals.go (which nodes are avoided), keeper.go (which are
// kept).
package repair
