// Package report decides what the agent of a node reports. It is pure: what was
// found comes in as values, and a NodeTopology comes out.
//
//	report = Next(what was reported before, what was found)
//
// The entry point is Next. It holds to these rules:
//
//   - What was found before stays while a source fails: the devices while the driver
//     does, the allocations while the kubelet does. The condition Ready says so.
//   - A device that was there and is not found is Lost. It keeps its place, by its
//     PCI address, until another device has that address.
//   - An Xid error stays for as long as the machine has not booted anew, or until
//     the object is deleted: NVML does not tell whether a device was repaired.
//   - A node of which nothing was known, and on which there is no library and no
//     device, is not reported at all.
//   - The same findings give the same report, byte for byte.
//
// Files: machine.go (what sources find), next.go (the decision), devices.go (the
// hardware, with devices that are lost), health.go, allocations.go.
package report
