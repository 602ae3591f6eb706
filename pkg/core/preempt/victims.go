package preempt

import (
	"github.com/berth-dev/berth/pkg/core/pack"
	"github.com/berth-dev/berth/pkg/core/plan"
	"github.com/berth-dev/berth/pkg/core/topology"
)

// QueueID is the number of a queue. It is for the Permit; nothing is decided by it here.
type QueueID int32

// Member is a pod of a gang that runs.
type Member struct {
	Name string
	Rank int
	Node pack.NodeID
	// Request is what its node gets back when it goes, Held the devices that are free then:
	// not those that are ill.
	Request pack.Amounts
	Held    topology.Mask
	// Lost are the device-seconds of work that go with it: since its start, or since its
	// last checkpoint. Less than 0 counts as 0.
	Lost int64
}

// Gang is a gang that runs. A pod without a gang is one of one member.
type Gang struct {
	// Name tells it from all others.
	Name     string
	Queue    QueueID
	Priority int32
	Members  []Member
	// Least is how many members it needs to run. Those beyond may go alone; all go if fewer
	// than Least would be left.
	Least int
	// Ended are the device-seconds of all that it has done since its start, wherever it saved
	// them, if it ends for good when it goes whole, and 1 at least: so one that comes again
	// goes before it. It is 0 for one that comes again; less counts as 0.
	Ended int64
}

// Permit says which members may go, and whether the gang may come then: it stands for quota,
// policy and protection.
//
// The answers depend on what has gone, and on nothing else. A gang that may go at first may be
// refused after others, and is refused then after still more of them: its queue keeps what it
// is guaranteed. One that is refused at first may be permitted after others, where the gang
// that waits would have its own queue above what that is guaranteed. What is refused for some
// members is refused for more.
type Permit interface {
	// Evict reports whether members of a gang may go, after all that was permitted before
	// and not undone, and counts them as gone until undo is called. Undo is called for the
	// last first. Of one gang it is asked once at a time, for all members that would go.
	Evict(gang *Gang, members []Member) (undo func(), ok bool)
	// Enough reports whether the gang that waits is within its limits once all have gone that
	// were permitted and not undone. If it is, it is as well when more have gone.
	Enough() bool
}

// Bounds limit the search, where it is not done before.
type Bounds struct {
	// Steps is about how often it may look at a node, or ask the permit; 0 for DefaultSteps. A
	// first choice is made whatever it costs.
	Steps int
}

// Eviction are the members of a gang that go: all, or some that it can spare.
type Eviction struct {
	// Gang is the one of those that run.
	Gang *Gang
	// Members are in the order of their device-seconds, fewest first, then of their ranks and
	// names, last first.
	Members []Member
	Whole   bool
}

// Choice is which pods go, and where the gang goes then.
type Choice struct {
	// Evict are the victims, in an order in which the Permit permits them.
	Evict     []Eviction
	Candidate plan.Candidate
	Damage    Damage
	// Exact says that nothing which would do has less damage; else nothing is known that has.
	Exact bool
}

// Victims returns whose going makes room for a gang, or why nobody's would. The index, and
// what the permit counts, are as they were when it returns.
func Victims(p plan.Planner, request plan.Request, running []Gang, permit Permit, bounds Bounds) (Choice, *Reason) {
	if bounds.Steps <= 0 {
		bounds.Steps = DefaultSteps
	}
	s := newSearch(p, request, running, permit, bounds.Steps)
	s.first()
	s.better()
	if s.best == nil {
		return Choice{}, s.why()
	}
	return s.choice(), nil
}
