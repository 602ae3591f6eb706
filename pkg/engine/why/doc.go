// Package why works out what a scheduler says of itself when somebody asks: it is the
// [insight.Source] of the engine.
//
//	New(parts) -> Source: Why, Gangs, Queues, Events, Top
//
// # A gang that waits
//
// What holds it now is what the explainer of the engine says, and so does the condition of its
// pods. Beside that, everything that it has still to pass is worked out, whether it has come so
// far or not: the verdict on it, its queue, the limits of its queues, its turn, and its place in
// the cluster. Each of these that says no is a blocker, with the changes that end it: so a gang
// that a limit holds is told as well if there would be no room for it.
//
// Which changes make room is decided by package remedy, on a cluster of its own: what the
// informers have of nodes and pods, made into a snapshot as berthctl makes one. No lock of the
// scheduling cycle is held meanwhile. Such a cluster is made at most every [mostFresh], and takes
// at most one part in ten of the time; one question at a time is asked of it. What it does not
// know, of affinity between pods, volumes, ports and claims, is named in a remark.
//
// Files: source.go (parts, who is asked for), why.go (a gang that waits), blockers.go (what it
// has to pass), room.go (its place in the cluster), request.go (what it asks for), picture.go
// (what runs where), lists.go (gangs, queues, racks), words.go (sentences).
package why
