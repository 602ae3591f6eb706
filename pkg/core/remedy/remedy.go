package remedy

import (
	"cmp"
	"slices"

	"github.com/berth-dev/berth/pkg/core/fabric"
	"github.com/berth-dev/berth/pkg/core/pack"
	"github.com/berth-dev/berth/pkg/core/plan"
	"github.com/berth-dev/berth/pkg/core/topology"
)

// Instant is a moment, in seconds; Unknown is one of which nothing is known.
type Instant int64

// Unknown is when a gang ends that does not say for how long it runs.
const Unknown Instant = 0

// Cluster is what runs where.
type Cluster struct {
	// Planner is on an index on which all that runs, and all that is kept, has its place.
	Planner plan.Planner
	// Whole is what each node has with nothing on it, and Labels what says where it is, by
	// number.
	Whole  []pack.Amounts
	Labels []map[string]string
	// Running are the gangs and plain pods that have places.
	Running []Gang
	// Now is the present.
	Now Instant
}

// Gang is a gang, or plain pod, that has places; or one for which they are kept.
type Gang struct {
	Name    string
	Members []Member
	// Ends is when it ends at the latest.
	Ends Instant
	// Kept says that it has no pods there yet: the room is kept for it.
	Kept bool
}

// Member is a place of a gang.
type Member struct {
	Node pack.NodeID
	// Request is what the node gets back, and Held the devices.
	Request pack.Amounts
	Held    topology.Mask
}

// Request is what a gang that waits asks for.
type Request struct {
	plan.Request
	// Opened are, by pod, the nodes that it might use if none had a taint or cordon; nil for
	// all.
	Opened []*pack.Set
}

// Bounds limit the search.
type Bounds struct {
	// Domains is in how many domains of a level nodes are looked for; 0 for DefaultDomains.
	Domains int
	// Steps is about how often the search for gangs looks at a node; 0 for that of package
	// preempt.
	Steps int
}

// DefaultDomains is in how many domains of a level nodes are looked for.
const DefaultDomains = 8

// Constraint is what keeps a gang from its place.
type Constraint string

// The constraints.
const (
	None    Constraint = ""
	Kept    Constraint = "kept"
	Nodes   Constraint = "nodes"
	Links   Constraint = "links"
	CPU     Constraint = "cpu"
	Memory  Constraint = "memory"
	Level   Constraint = "topology"
	Devices Constraint = "devices"
)

// Kind is a kind of remedy.
type Kind string

// The kinds of remedies.
const (
	GangsEnd   Kind = "GangsEnd"
	NodesFree  Kind = "NodesFree"
	NodesAdded Kind = "NodesAdded"
	NodesOpen  Kind = "NodesOpen"
	AskLess    Kind = "AskLess"
	FewerPods  Kind = "FewerPods"
)

// Remedy is a change with which the gang has a place.
type Remedy struct {
	Kind Kind
	// Level and Domain are where it gets it; fabric.NoLevel and fabric.Root for anywhere.
	Level  fabric.Level
	Domain pack.DomainID
	// Gangs are the places in Cluster.Running of those that end, by name, and Ends when the
	// last of them does; Unknown if one of them does not say so.
	Gangs []int
	Ends  Instant
	// Nodes are those that come free or are opened; NodesAdded has Count nodes like Like.
	Nodes []pack.NodeID
	Count int
	Like  pack.NodeID
	// Short is what AskLess is about, and Amount what a pod may ask for of it at most.
	// FewerPods has in Count how many pods fit.
	Short  Constraint
	Amount int64
}

// Closest is the domain of a level that came closest.
type Closest struct {
	plan.LevelReason
	// Needed is how many pods must have a place, and Fit for how many there is one.
	Needed, Fit int
	// Asked is how many devices those that are needed ask for, and Free how many are free in
	// the domain on nodes that they may use.
	Asked, Free int64
}

// Answer is why a gang has no place, and what would give it one.
type Answer struct {
	// Fits says that it has a place now; all else is empty then.
	Fits bool
	// Constraint is what decides.
	Constraint Constraint
	// Levels are those that were tried, in their order.
	Levels []Closest
	// Remedies are changes, each of which alone helps: those that need nobody to do anything
	// first.
	Remedies []Remedy
	// Hopeless says that no end of gangs, and no node that comes free, would help.
	Hopeless bool
}

// finder looks for remedies.
type finder struct {
	Cluster
	request Request
	bounds  Bounds
	trial   *plan.Trial
}

// Find says why a gang has no place, and what would give it one. The index is as it was when
// it returns.
func Find(cluster Cluster, request Request, bounds Bounds) Answer {
	if bounds.Domains <= 0 {
		bounds.Domains = DefaultDomains
	}
	request.Candidates = 1
	f := &finder{Cluster: cluster, request: request, bounds: bounds, trial: cluster.Planner.Trial(request.Request)}
	result := f.Planner.Plan(f.request.Request)
	if len(result.Candidates) > 0 {
		return Answer{Fits: true}
	}
	answer := Answer{}
	for _, l := range result.Reason.Levels {
		answer.Levels = append(answer.Levels, f.closest(l))
	}
	answer.Constraint = f.decides(answer.Levels)
	gangs, ends := f.ends()
	if ends {
		answer.Remedies = append(answer.Remedies, gangs)
	}
	free, comes := f.free()
	if comes {
		answer.Remedies = append(answer.Remedies, free)
	}
	answer.Hopeless = !ends && !comes
	for _, find := range [...]func() (Remedy, bool){f.opened, f.less, f.fewer, f.added} {
		if r, ok := find(); ok {
			answer.Remedies = append(answer.Remedies, r)
		}
	}
	return answer
}

// fits reports whether a request has a place on the index as it is.
func (f *finder) fits(request plan.Request) (plan.Candidate, bool) {
	if found := f.Planner.Plan(request).Candidates; len(found) > 0 {
		return found[0], true
	}
	return plan.Candidate{}, false
}

// changed returns the request with each pod changed.
func (f *finder) changed(change func(i int, pod *plan.Pod)) plan.Request {
	request := f.request.Request
	request.Pods = slices.Clone(request.Pods)
	for i := range request.Pods {
		change(i, &request.Pods[i])
	}
	return request
}

// give has the index be as without some gangs, until what it returns is called.
func (f *finder) give(gangs []int) (undo func()) {
	var given []pack.Undo
	for _, g := range gangs {
		for _, m := range f.Running[g].Members {
			given = append(given, f.Planner.Index.Give(m.Node, m.Request, m.Held))
		}
	}
	return func() {
		for _, one := range slices.Backward(given) {
			f.Planner.Index.Revert(one)
		}
	}
}

// byName orders places in Running by the names of the gangs.
func (f *finder) byName(a, b int) int { return cmp.Compare(f.Running[a].Name, f.Running[b].Name) }

// least returns the lowest n from 1 to most for which holds is true, taking for granted that
// it is true for all above; false if it is not even true for most.
func least(most int, holds func(n int) bool) (int, bool) {
	if most < 1 || !holds(most) {
		return 0, false
	}
	low, high := 1, most
	for low < high {
		if middle := low + (high-low)/2; holds(middle) {
			high = middle
		} else {
			low = middle + 1
		}
	}
	return high, true
}
