package gang

// Claims is what one speaker, a pod or a group object, says about its gang.
// The zero value of a field means that the speaker is silent about it.
type Claims struct {
	// Size is the least number of members that must run together; nil if unsaid.
	// A said size may be zero or negative: Resolve refuses it by name.
	Size *int64
	// Topology is where the members may be.
	Topology Topology
	// Queue is the queue that pays for the gang.
	Queue string
	// OnLoss is what is to be done when members are lost, as it was written: what makes no
	// sense holds nobody.
	OnLoss string
}

// Topology is the fabric domain that a gang asks for. Levels are node label keys, or, as
// long as nodes were not looked at, words that stand for one. The zero value asks for
// nothing.
type Topology struct {
	// Required is the level at which all members must share one domain.
	Required string
	// Preferred is the level at which members should share one domain.
	Preferred string
	// SegmentSize consecutive ranks share one domain of SegmentLevel; 0 if unsaid.
	SegmentSize  int64
	SegmentLevel string
}

// Declaration is what the object that declares a gang says.
type Declaration struct {
	// Source names the object for a person: "PodGroup.scheduling.x-k8s.io".
	Source string
	Claims Claims
}

// Fault is a reason against one pod or object that it carries in itself.
type Fault struct {
	Code Code
	Text string
}

// Member is what the scheduler knows of one pod of a gang.
type Member struct {
	// Name is the pod's name, unique in the gang's namespace.
	Name string
	// Scheduler is the pod's spec.schedulerName.
	Scheduler string
	// Priority and Preemption are the pod's resolved priority and preemption policy.
	Priority   int32
	Preemption string
	// Claims is what the pod itself says.
	Claims Claims
	// Extra says that the size of the gang does not include the pod: it works for a gang that
	// is complete without it.
	Extra bool
	// Fault is set if the pod cannot be understood.
	Fault *Fault
	// Node is where the pod is bound; empty while it is pending.
	Node string
	// Created and Bound are seconds since the epoch; Bound is 0 while pending.
	Created int64
	Bound   int64
	// Gate is the first of the pod's scheduling gates; empty if it has none.
	Gate string
	// Running says that the pod's containers were started.
	Running bool
	// LeftOut says that the pod, which waits, was told that its gang has its place without
	// it. Whoever remembered that the gang was placed may be gone.
	LeftOut bool
	// Evicting says that whoever evicts the gang has written so on the pod, which goes last.
	Evicting bool
	// Leaving says that the pod is being deleted.
	Leaving bool
	// Succeeded says that the pod has done its work. A pod that failed is no member.
	Succeeded bool
	// Rank orders the members of one role; -1 if unsaid. Two pods of one role and rank
	// do the same work, one after the other.
	Rank int64
	Role string
	// Controller is the object that made the pod; the zero value if nobody did.
	Controller Controller
}

// Controller names the object that makes the pods of a gang.
type Controller struct {
	// Name is its kind and name, which stay the same when it is made again. UID does
	// not.
	Name, UID string
}

// Group is a gang that can be scheduled.
type Group struct {
	Key Key
	// Size is the least number of members that run together, at least 1, with those that the
	// declared size does not include.
	Size int32
	// Need is how many members must have a place, or find one in the same try: the
	// size less those that are done. Of a gang that was placed before and of which
	// members wait, it is no more than the members that have a place or can be given
	// one. At least 1.
	Need       int32
	Priority   int32
	Preemption string
	Topology   Topology
	Queue      string
	// OnLoss is what the object says is to be done when members are lost, or the first pod
	// by name that says so.
	OnLoss string
	// Source names the object that declared the gang; empty if its pods did.
	Source string
}
