package plan

import (
	"cmp"
	"slices"

	"github.com/berth-dev/berth/pkg/core/fabric"
	"github.com/berth-dev/berth/pkg/core/gang"
	"github.com/berth-dev/berth/pkg/core/pack"
	"github.com/berth-dev/berth/pkg/core/topology"
)

// Pod is a pod of a gang that waits.
type Pod struct {
	// Rank orders pods, and says which segment a pod is in.
	Rank int
	// Request is what it asks for.
	Request pack.Amounts
	// Open are the nodes that may take it; nil for all. Pods with the same set have the
	// same pointer.
	Open *pack.Set
}

// Running is a pod of the gang that has a node.
type Running struct {
	Rank int
	Node pack.NodeID
}

// Request is what a gang asks for.
type Request struct {
	// Pods are those that wait, and Least how many of them must be placed.
	Pods  []Pod
	Least int
	// Required and Preferred are levels, or fabric.NoLevel.
	Required, Preferred fabric.Level
	// SegmentSize consecutive ranks share a domain of SegmentLevel; 0 for none.
	SegmentSize  int
	SegmentLevel fabric.Level
	// Running are those that have a node.
	Running []Running
	// Candidates is how many are wanted at most; at least 1.
	Candidates int
}

// NewRequest returns a request without pods for what a gang asks of the fabric. level
// returns the level of a label key, false if it has none: then missing is that key.
func NewRequest(asked gang.Topology, level func(key string) (fabric.Level, bool)) (r Request, missing string) {
	r = Request{Required: fabric.NoLevel, Preferred: fabric.NoLevel, SegmentLevel: fabric.NoLevel, SegmentSize: int(asked.SegmentSize)}
	for _, one := range []struct {
		key   string
		level *fabric.Level
	}{{asked.Required, &r.Required}, {asked.Preferred, &r.Preferred}, {asked.SegmentLevel, &r.SegmentLevel}} {
		if one.key == "" {
			continue
		}
		var ok bool
		if *one.level, ok = level(one.key); !ok {
			return r, one.key
		}
	}
	return r, ""
}

// Need sets how many of the pods must be placed, of a gang that is complete with so many:
// those that run count.
func (r *Request) Need(size int) { r.Least = min(max(size-len(r.Running), 1), len(r.Pods)) }

// Assignment is the place of a pod.
type Assignment struct {
	// Node is where it goes; NoNode for one that is left out.
	Node pack.NodeID
	// Devices are those that it would get there; none if they are only counted.
	Devices topology.Mask
	// Segment is the domain that its segment is in; fabric.NoDomain without segments.
	Segment pack.DomainID
}

// NoNode is no node.
const NoNode pack.NodeID = -1

// Candidate is one way to place a gang.
type Candidate struct {
	// Domain is the domain of the level that was met; fabric.Root with fabric.NoLevel for
	// the whole cluster.
	Domain pack.DomainID
	Level  fabric.Level
	// Assignments are those of Request.Pods, in its order. Placed are how many have one.
	Assignments []Assignment
	Placed      int
	// Left are the devices that stay free in the domain, of the kind that the gang asks
	// for. Used is how many domains of each level the gang is in, pods that run included.
	Left int64
	Used []int
}

// Result is what Plan returns: candidates, best first, or a reason.
type Result struct {
	Candidates []Candidate
	Reason     *Reason
}

// Planner plans on one index and fabric, by one ranking of nodes.
type Planner struct {
	Index   *pack.Index
	Fabric  *fabric.Fabric
	Ranking *pack.Ranking
}

// Plan returns where a gang may go. The index is as it was when it returns.
func (p Planner) Plan(request Request) Result {
	request.Candidates = max(request.Candidates, 1)
	a := newAttempt(p, &request)
	all := a.wanted(len(request.Pods))
	found, reason := a.levels(all)
	if len(found) == 0 && request.Least < len(request.Pods) {
		if fewer, _ := a.levels(a.wanted(request.Least)); len(fewer) > 0 {
			found = fewer
		}
	}
	if len(found) == 0 {
		return Result{Reason: reason}
	}
	return Result{Candidates: found}
}

// class is pods of a gang that are alike.
type class struct {
	request pack.Amounts
	open    *pack.Set
	// pods are their places in Request.Pods, by rank.
	pods []int
}

// counts are numbers of pods by class.
type counts []int

func (c counts) total() (sum int) {
	for _, n := range c {
		sum += n
	}
	return sum
}

// attempt is one call of Plan.
type attempt struct {
	Planner
	request *Request
	// byRank are the places in Request.Pods in the order of ranks.
	byRank  []int
	classes []class
	// classOf is the class of each pod, order the classes from the largest to the smallest.
	classOf []int
	order   []int
	// kind is the kind of device that the gang asks most of.
	kind pack.DeviceKind

	// tree is a level of the tree by which the gang is laid out, or fabric.NoLevel.
	tree fabric.Level

	// slots are the places that are taken on the index, in the order of taking; ordered is
	// room to sort them in.
	slots, ordered []slot
}

// slot is a place for a pod of a class.
type slot struct {
	class int
	node  pack.NodeID
	undo  pack.Undo
}

func newAttempt(p Planner, request *Request) *attempt {
	n := len(request.Pods)
	a := &attempt{Planner: p, request: request, byRank: make([]int, n), classOf: make([]int, n), slots: make([]slot, 0, n)}
	for i := range a.byRank {
		a.byRank[i] = i
	}
	a.tree = request.Required
	if request.Preferred != fabric.NoLevel {
		a.tree = request.Preferred
	}
	if a.tree == fabric.NoLevel && request.SegmentSize > 0 {
		a.tree = request.SegmentLevel
	}
	slices.SortStableFunc(a.byRank, func(x, y int) int { return cmp.Compare(request.Pods[x].Rank, request.Pods[y].Rank) })
	type key struct {
		request pack.Amounts
		open    *pack.Set
	}
	numbers := map[key]int{}
	asked := map[pack.DeviceKind]int64{}
	for _, i := range a.byRank {
		pod := &request.Pods[i]
		k := key{pod.Request, pod.Open}
		n, known := numbers[k]
		if !known {
			n = len(a.classes)
			numbers[k] = n
			a.classes = append(a.classes, class{request: pod.Request, open: pod.Open})
			a.order = append(a.order, n)
		}
		a.classes[n].pods = append(a.classes[n].pods, i)
		a.classOf[i] = n
		asked[pod.Request.Kind] += int64(pod.Request.Devices)
	}
	slices.SortStableFunc(a.order, func(x, y int) int {
		r, s := &a.classes[x].request, &a.classes[y].request
		return cmp.Or(cmp.Compare(s.Devices, r.Devices), cmp.Compare(s.CPU, r.CPU), cmp.Compare(s.Memory, r.Memory))
	})
	for kind, n := range asked {
		if kind != pack.NoDevice && (a.kind == pack.NoDevice || n > asked[a.kind] || n == asked[a.kind] && kind < a.kind) {
			a.kind = kind
		}
	}
	return a
}

// wanted returns the first n pods by rank, by class.
func (a *attempt) wanted(n int) counts {
	want := make(counts, len(a.classes))
	for _, i := range a.byRank[:min(n, len(a.byRank))] {
		want[a.classOf[i]]++
	}
	return want
}

// take takes a place on the index.
func (a *attempt) take(c int, node pack.NodeID) {
	a.slots = append(a.slots, slot{class: c, node: node, undo: a.Index.Take(node, a.classes[c].request)})
}

// revert gives back all places but the first n.
func (a *attempt) revert(n int) {
	for len(a.slots) > n {
		last := len(a.slots) - 1
		a.Index.Revert(a.slots[last].undo)
		a.slots = a.slots[:last]
	}
}
