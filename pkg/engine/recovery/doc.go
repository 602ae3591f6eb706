// Package recovery sees to gangs that do not have all of their members.
//
//   - A gang that lost members after it was placed is short. gangtable.Table knows which members are
//     missing, and why; package repair decides what is done, and [Repairer] does it: it keeps room for
//     replacements, restarts the gang, or says that it is for the owner to act. Room for replacements is
//     reserved when a snapshot is taken, before anything else gets a place in it (package fastpath).
//   - A gang of which a leader bound some members before it died is finished by the next leader's first
//     cycles: bound members count, and keep the rest in their domain. If that does not succeed in time,
//     [HalfBound] evicts the bound members.
//   - Devices that fall ill under pods are told of, once for each gang.
//
// What it goes by follows from objects, so whoever leads next goes on with it.
//
// Files: short.go (gangs that lost members), shorttold.go (what is said of them), halfbound.go (gangs
// that are bound by half), illness.go (devices that fall ill under pods).
package recovery
