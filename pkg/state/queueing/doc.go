// Package queueing knows which queue each pod is charged to, which workloads may be tried, and which
// running workloads may be evicted for a waiting one. Packages quota and admission of the core decide;
// [Queues] translates objects for them.
//
// A workload waits until its queue admits it ([Queues.Admit]). Its pods are charged when they are
// reserved, before they are bound ([Queues.Reserve]). A workload that is entitled to what others use
// may have them evicted ([Queues.Reclaim]).
//
// These hold between calls, and tests assert them:
//
//   - a charged pod does not wait, except between its reservation and the end of its try;
//   - a workload that is admitted is in the line;
//   - what a queue is charged is the sum of what its charged pods request.
//
// Files: queues.go (which queues there are), access.go (from objects to queues, and who may use
// them), rebuild.go (from one set of queues to another), capacity.go (what all nodes have, and the
// spares that queues claim), charges.go (which queue is charged for which pod), pending.go (who
// waits), admit.go (who is admitted), announced.go (who is admitted before it has pods),
// impossible.go (who could never be placed, and what those who wait are told), claims.go (who is
// tried in spite of a limit), reclaim.go and permit.go (who may be evicted for whom), fate.go
// (what becomes of those who are evicted), report.go (what is said of queues).
package queueing
