// Package chaos plays faults of the API server, of the network and of processes while
// Berth places gangs, and judges what came of it.
//
//	pods ─► API server ◄── Proxy ◄── Berth
//	             │           faults: answers lost after they were stored, requests lost
//	             ▼           before, 429, 500, latency, cut connections, late watches
//	         Recorder ─► History ─► Check
//
// Whether a request is hit follows from the seed, its verb, its path and how often it was
// seen: the same seed hits the same requests, whatever the order in which they come.
//
// The Recorder has a watch of its own, beside the proxy. It keeps each state of each pod
// with its resourceVersion, so the history is that of the store, in its order: a node that
// is over its room for a moment is found, however short. Check knows nothing of Berth:
//
//   - no node has more pods than room, or a device twice;
//   - no pod is bound twice, and none that is bound says that it waits;
//   - no gang is bound by half for longer than a grace period, nor are its members evicted by half;
//   - no queue has more than its limit;
//   - no pod waits for long without a condition that says why;
//   - in the end every pod has run: one that was evicted, when it was made again.
//
// Rounds of odd seeds have two queues with guarantees and limits, and the second takes back what
// the first has borrowed while the fault lasts.
//
// A run prints its seed. To play one again, or for longer:
//
//	go test ./test/chaos -run TestChaos -v -chaos.seed=7
//	make chaos DURATION=1h NODES=256
//
// Files: proxy.go and late.go (the faults of requests), history.go (what happened), check.go (whether
// it may); environment_test.go (the control plane, Berth behind the proxy, pods),
// queues_test.go (queues, and owners that make evicted pods again), chaos_test.go (faults of requests), processes_test.go (of processes), check_test.go.
package chaos
