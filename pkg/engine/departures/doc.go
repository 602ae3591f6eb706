// Package departures knows how each gang would leave if it had to, so that who goes is chosen
// by it, and tells the owner of a gang that would not survive it.
//
//	Set(pod), Gone(pod), from informers -> which pods each gang has
//	Of(gang)   -> its Fate, from memory: nothing is asked in a scheduling cycle
//	Read(gang) -> the same, of its owners as they are now: for those that were chosen
//	Sequence(gang) -> how its owners make its pods, from memory: why some do not come
//	Run(ctx)   -> reads owners, a few a second, and tells those that would not survive
//
// Owners are read by name, and not listed or watched: that takes the right to get them and no
// more, and no copy of every Job is kept. A gang is read a few seconds after its first pod is
// known, if its queue may have to give places back; any other gang, and any plain pod, once
// it is asked for and what is known of it is a minute old. Until then nothing is known of it.
// What is kept of it is its [queueing.Fate] and its [dialect.Sequence], as long as it has pods. Of a gang whose pods
// have several controllers, the first by name stands for all: they are Jobs of one JobSet.
//
// Known is only what an owner says. Pods without a controller, controllers of unknown kinds
// and those that Berth may not read have no fate: their pods are evicted, and nobody gains a
// better place in the choice by making pods by hand.
//
// Files: departures.go (what is known), read.go (how it comes to be known), tell.go (events).
package departures
