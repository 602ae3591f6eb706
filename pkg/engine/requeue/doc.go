// Package requeue keeps what happens to pods and gangs from costing a look at all that wait.
//
// Thousands of gangs may wait: until their queue admits them, or until there is room. Upstream looks at
// each of them for every event, and for every snapshot. [Queue] wraps its scheduling queue: pods that
// come and go on other nodes neither cause another try of a pod that every node refused, nor a look at
// it, and an index says which pods an event may help. [GroupCache] wraps its cache: gangs that are held,
// and gangs that have their places, are left out of snapshots until something is done with them. So
// the cost of an event or a snapshot does not grow with the number of these gangs.
//
// Files: queue.go (who is tried again), index.go (whom an event may help), groupcache.go (gangs that are
// left out), placed.go and assumed.go (those of them that have their places).
package requeue
