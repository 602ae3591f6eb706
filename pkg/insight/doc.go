// Package insight is what a running scheduler says of itself to whoever may ask: why a gang
// waits, which gangs and queues there are, what was decided last, how full the racks are.
//
//	GET /berth/v1/why?namespace=N&name=NAME         why a gang or pod waits, and what would change that
//	GET /berth/v1/gangs?namespace=N&queue=Q&state=S gangs and plain pods, those that wait first
//	GET /berth/v1/queues                            the tree of queues
//	GET /berth/v1/events?after=SEQ                  the last decisions, oldest first
//	GET /berth/v1/top?level=KEY&nodes=true          domains of a level and what they have free
//
// An answer is one JSON object, whose first field is the version of this API. A field may be
// added to a version; one that is removed, or changes what it means, makes another version,
// under another path. Times are RFC 3339 in UTC. Amounts are whole numbers: CPU in
// thousandths of a core, memory in bytes, all other resources in counts.
//
// Only the replica that leads answers, for only it decides: the others answer 503. A name
// that nobody has is 404, a query that makes no sense 400; both have a Failure as their body.
//
// Nothing here is worked out in a scheduling cycle. A [Source] works it out when it is asked,
// and a [Journal] is told of each decision when it has been taken, at the cost of one append.
//
// Files: types.go (what is said), why.go (of a gang that waits), journal.go (the last
// decisions), handler.go (over HTTP).
package insight
