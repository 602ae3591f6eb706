package gang

// Code is a typed reason. It is the reason of a pod's condition and of an event,
// and a metric label, so the set is closed and never holds a name.
type Code string

// The reasons for which a gang is held. None of them but Unschedulable itself is
// "Unschedulable": for the others more nodes would not help, and an autoscaler must
// not buy any.
const (
	// NotDeclared: pods name a gang, and neither an object nor a pod says its size.
	NotDeclared Code = "GangNotDeclared"
	// Incomplete: fewer members exist than the gang must have.
	Incomplete Code = "GangIncomplete"
	// GatedMember: enough members exist, but scheduling gates keep some of those that are
	// needed from being placed.
	GatedMember Code = "GangGated"
	// SizeInvalid: the size is zero, negative or beyond 32 bits.
	SizeInvalid Code = "GangSizeInvalid"
	// Malformed: a label or annotation cannot be read.
	Malformed Code = "GangMalformed"
	// Ambiguous: one pod names gangs in more than one dialect.
	Ambiguous Code = "GangAmbiguous"
	// SizesDisagree: two pods state two sizes, and no object decides.
	SizesDisagree Code = "GangSizesDisagree"
	// SchedulersDisagree: two pods name two schedulers.
	SchedulersDisagree Code = "GangSchedulersDisagree"
	// PrioritiesDisagree: two pods have two priorities.
	PrioritiesDisagree Code = "GangPrioritiesDisagree"
	// PreemptionDisagrees: two pods have two preemption policies.
	PreemptionDisagrees Code = "GangPreemptionDisagrees"
	// TopologiesDisagree: two pods ask for two topologies, and no object decides.
	TopologiesDisagree Code = "GangTopologiesDisagree"
	// Releasing: the gang gives its places back: it was bound by half, or is evicted for another.
	Releasing Code = "GangReleasing"
	// Unschedulable: no node has the topology level that the gang requires. This is
	// the one reason that more nodes can cure, so it is called what autoscalers look
	// for.
	Unschedulable Code = "Unschedulable"
	// QueuesDisagree: two pods name two queues, and no object decides.
	QueuesDisagree Code = "GangQueuesDisagree"
)

// Codes are all of them.
func Codes() []Code {
	return []Code{
		NotDeclared, Incomplete, GatedMember, SizeInvalid, Malformed, Ambiguous, SizesDisagree, SchedulersDisagree, PrioritiesDisagree,
		PreemptionDisagrees, TopologiesDisagree, Releasing, Unschedulable, QueuesDisagree,
	}
}
