// Package agent reports the devices of one node as a NodeTopology: how they are
// linked, what is wrong with them, and which container holds them.
//
//	hardware ─ read every minute, faults as they come ─┐
//	kubelet ── asked every few seconds ────────────────┴► report.Next ─► publisher
//
// The loop in agent.go owns all state. What is to be reported is decided by package
// report, from values alone. The hardware is asked by a goroutine of its own, so that
// a driver that hangs holds up nothing else.
//
// What the API server is asked for:
//
//   - at the start, the object and the Node, once each;
//   - a write of the spec or of the status when what it would say has changed, by
//     server-side apply as FieldManager;
//   - now and then, the object, which is written only if it differs.
//
// A request that fails is made again after a while that grows. If the object is
// deleted, it is made anew from what is there then: that is how to make the agent
// forget a device that was taken out, or an error of one that was repaired.
//
// Where the facts come from is behind two interfaces: Hardware (package nvml, or
// Package board for a matrix in a file) and Kubelet (package podresources).
//
// Files: sources.go (the interfaces), agent.go (the loop), watch.go (the hardware's
// goroutine), publisher.go, document.go (what is applied), troubles.go (what is
// logged), metrics.go and serve.go (metrics and health).
package agent
