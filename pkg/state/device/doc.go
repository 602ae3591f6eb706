// Package device knows the accelerators of nodes: which resources are devices, how those of a node
// are linked, and which pod holds which.
//
// [Kinds] numbers the resources that are devices, and translates what nodes have and pods request
// to amounts of the core. [Machine] is a NodeTopology as it was read. [Inventory] knows the devices
// of every node and who holds them; package topology of the core decides which a pod gets.
//
// Files: kinds.go (amounts), containers.go (what each container requests), machine.go (a
// NodeTopology), inventory.go (who holds what), take.go (who gets what), fit.go (what fits
// where), illness.go (devices that fall ill under pods), prediction.go (what was intended, and
// what a node reports), annotation.go (what is written on a pod), dump.go (for who asks).
package device
