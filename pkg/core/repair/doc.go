// Package repair decides what becomes of a gang that lost members: what is short, and what is
// to be done about it.
//
//	Missing(Count) -> how many members the gang lacks
//	Decide(Situation) -> Decision{Action, Code, Text, After}
//
// A gang that was placed is short while fewer of its members stand than it needs:
//
//	had     = the most of size that were done or standing at once, since it was whole
//	missing = had - done - (standing - on lost nodes), if somebody of it stands at all
//
// So a gang whose owner makes it larger while it runs lacks nobody.
//
// A member that stands on a node that is lost (see the table) is missing, though it is still
// an object, may still run, and keeps its devices: nobody else gets these before it is gone.
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
// Replace keeps room for as many members as are missing, in the domain that the gang is in if
// it requires one, for a window of time after the last loss. Room is kept for all of them or
// for none. If there is none in the domain, the gang waits or is restarted in another domain,
// whichever costs less. What a restart costs is known: the work since the last checkpoint of
// those that stand, in device-seconds. How long a wait is, nobody knows; so the gang waits
// until the devices that stand idle have cost as much as a restart would, and is restarted
// then. That costs at most twice what the better choice would have, whenever room comes.
//
// Restart has the rest of the gang leave, so that all of it starts together again. Ignore
// does nothing.
//
// # Refusals
//
// A node whose kubelet refused a pod of a gang is avoided for that gang, for a while that doubles
// with each refusal, and comes after all others for a while longer: see [Refusals].
//
// A gang is restarted by default or for want of room only if whoever made its pods makes them
// again. All functions are pure.
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
