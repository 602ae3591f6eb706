package repair

// Cause is why a member is lost. It is a metric label and part of a text, so the set is
// closed.
type Cause string

// The causes.
const (
	// Refused: the kubelet did not take the pod that was bound to its node.
	Refused Cause = "refused"
	// NodeLost: the node is not ready, unreachable, out of service or deleted, or the pod was
	// deleted because it was.
	NodeLost Cause = "node_lost"
	// Failed: a container of the pod failed for good.
	Failed Cause = "failed"
	// Evicted: the pod was evicted, preempted, or ended by its kubelet for want of room.
	Evicted Cause = "evicted"
	// Deleted: somebody deleted the pod.
	Deleted Cause = "deleted"
)

// Causes returns all causes, in the order of what says most: where a gang lost several
// members, the first of them names it.
func Causes() []Cause { return []Cause{Refused, NodeLost, Failed, Evicted, Deleted} }

// First returns the one of some causes that comes first; Deleted if there are none.
func First(of map[Cause]int) Cause {
	for _, c := range Causes() {
		if of[c] > 0 {
			return c
		}
	}
	return Deleted
}

// Sentence says of so many members that they were lost for the cause.
func (c Cause) Sentence() string {
	switch c {
	case Refused:
		return "refused by its kubelet"
	case NodeLost:
		return "lost with its node"
	case Failed:
		return "failed"
	case Evicted:
		return "evicted"
	}
	return "deleted"
}
