// Package departures knows what an eviction would do to each gang, so that preemption can choose
// victims by it. It warns the owner of a gang that would not survive.
//
//	Set(pod), Gone(pod), from informers -> which pods each gang has
//	Of(gang)   -> its Fate, from memory: a scheduling cycle sends no request
//	Read(gang) -> its Fate, from its owners as they are now: for gangs that were chosen as victims
//	Sequence(gang) -> how its owners make its pods, from memory: why some pods are missing
//	Run(ctx)   -> reads owners, a few a second, and warns those whose gangs would not survive
//
// Owners are read by name. They are not listed or watched, so Berth needs only the right to get
// them, and keeps no copy of every Job. If the queue of a gang may have to give places back, the gang
// is read a few seconds after its first pod is known. Any other gang or plain pod is read when its
// Fate is asked for and the last answer is older than a minute; until then its Fate is unknown. The
// [queueing.Fate] and [dialect.Sequence] of a gang are kept as long as it has pods. If the pods of a
// gang have several controllers, the first one by name stands for all: they are Jobs of one JobSet.
//
// Only an owner's own fields count. A pod without a controller, with a controller of an unknown kind
// or with one that Berth may not read has no Fate: it is evicted. So nobody gains a better place in
// the choice of victims by making pods by hand.
//
// Files: departures.go (what is known), read.go (how it comes to be known), tell.go (events).
package departures
