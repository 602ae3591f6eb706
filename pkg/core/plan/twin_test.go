package plan

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/berth-dev/berth/pkg/core/fabric"
	"github.com/berth-dev/berth/pkg/core/pack"
)

// world is a small cluster: blocks of racks of nodes, and NVLink domains beside them.
type world struct {
	Planner
	nodes []pack.Amounts
	names []string
}

const (
	block = fabric.Level(0)
	rack  = fabric.Level(1)
	link  = fabric.Level(2)
)

func newWorld() *world {
	w := &world{}
	w.Index = pack.NewIndex()
	w.Fabric = fabric.New([]string{"block", "rack"}, []string{"link"})
	w.Ranking = w.Index.NewRanking(pack.Policy{CPU: 1, Memory: 1})
	return w
}

func (w *world) add(free pack.Amounts, labels map[string]string) {
	id := pack.NodeID(len(w.nodes))
	name := fmt.Sprintf("n%02d", id)
	w.nodes, w.names = append(w.nodes, free), append(w.names, name)
	w.Index.Set(id, pack.Node{Free: free, Domains: w.Fabric.Set(id, name, labels)})
}

func randomWorld(random *rand.Rand) *world {
	w := newWorld()
	n := 1 + random.IntN(9)
	for i := range n {
		free := pack.Amounts{CPU: int64(1 + random.IntN(8)), Memory: 8, Pods: int32(1 + random.IntN(6))}
		if random.IntN(5) > 0 {
			free.Kind, free.Devices = 1, int32(random.IntN(5))
		}
		labels := map[string]string{"block": fmt.Sprint("b", i/4), "rack": fmt.Sprint("r", i/2%2), "link": fmt.Sprint("l", i/3)}
		for key := range labels {
			if random.IntN(12) == 0 {
				delete(labels, key)
			}
		}
		w.add(free, labels)
	}
	return w
}

func randomRequest(random *rand.Rand, w *world) Request {
	r := Request{Required: fabric.NoLevel, Preferred: fabric.NoLevel, SegmentLevel: fabric.NoLevel, Candidates: 1}
	shapes := []pack.Amounts{{Kind: 1, Devices: int32(1 + random.IntN(3)), CPU: int64(random.IntN(3)), Pods: 1}}
	if random.IntN(3) == 0 {
		shapes = append(shapes, pack.Amounts{Kind: 1, Devices: int32(random.IntN(3)), CPU: int64(1 + random.IntN(3)), Pods: 1})
		if shapes[1].Devices == 0 {
			shapes[1].Kind = pack.NoDevice
		}
	}
	open := []*pack.Set{nil, nil}
	for i := range open {
		if random.IntN(4) == 0 {
			open[i] = &pack.Set{}
			for id := range w.nodes {
				if random.IntN(4) > 0 {
					open[i].Add(pack.NodeID(id))
				}
			}
		}
	}
	for i := range 1 + random.IntN(5) {
		shape := random.IntN(len(shapes))
		r.Pods = append(r.Pods, Pod{Rank: i, Request: shapes[shape], Open: open[shape]})
	}
	r.Least = len(r.Pods)
	if random.IntN(4) == 0 {
		r.Least = 1 + random.IntN(len(r.Pods))
	}
	levels := []fabric.Level{fabric.NoLevel, block, rack, link}
	r.Required, r.Preferred = levels[random.IntN(4)], levels[random.IntN(4)]
	if r.Required == link || r.Preferred == link {
		// Beside the racks: it goes with nothing else.
		r.Required, r.Preferred = []fabric.Level{link, fabric.NoLevel}[random.IntN(2)], link
	}
	if r.Required == rack && r.Preferred == block {
		r.Preferred = fabric.NoLevel
	}
	if len(shapes) == 1 && random.IntN(3) == 0 {
		r.SegmentSize, r.SegmentLevel = 1+random.IntN(3), rack
	}
	return r
}

// naive says whether the first n pods fit into a domain, by trying everything.
func (w *world) naive(r *Request, d pack.DomainID, n int) bool {
	free := slices.Clone(w.nodes)
	segment := map[int]pack.DomainID{}
	for i := range r.Running {
		segment[r.Running[i].Rank/max(r.SegmentSize, 1)] = w.Fabric.At(r.Running[i].Node, max(r.SegmentLevel, 0))
	}
	var place func(i int) bool
	place = func(i int) bool {
		if i == n {
			return true
		}
		pod := &r.Pods[i]
		for id := range free {
			node := pack.NodeID(id)
			if !w.Fabric.Domain(d).Nodes.Has(node) || pod.Open != nil && !pod.Open.Has(node) || !free[id].Fits(pod.Request) {
				continue
			}
			number, first := -1, false
			if r.SegmentSize > 0 {
				number = pod.Rank / r.SegmentSize
				at := w.Fabric.At(node, r.SegmentLevel)
				before, known := segment[number]
				if at == fabric.NoDomain || known && before != at {
					continue
				}
				if first = !known; first {
					segment[number] = at
				}
			}
			before := free[id]
			free[id].Devices -= pod.Request.Devices
			free[id].CPU -= pod.Request.CPU
			free[id].Pods--
			if place(i + 1) {
				return true
			}
			free[id] = before
			if first {
				delete(segment, number)
			}
		}
		return false
	}
	return place(0)
}

func (w *world) devices(d pack.DomainID) (sum int64) {
	for id, free := range w.nodes {
		if free.Kind == 1 && w.Fabric.Domain(d).Nodes.Has(pack.NodeID(id)) {
			sum += int64(free.Devices)
		}
	}
	return sum
}

// best returns the first level at which the first n pods fit, as its place in the order
// of levels, and the fewest devices left there in a domain that holds them; -1 if they fit
// at none.
func (w *world) best(r *Request, n int) (at int, left int64) {
	levels := (&attempt{Planner: w.Planner, request: r}).tried()
	for i, level := range levels {
		left = -1
		domains := []pack.DomainID{fabric.Root}
		if level != fabric.NoLevel {
			domains = w.Fabric.Of(level)
		}
		var asked int64
		for j := range n {
			asked += int64(r.Pods[j].Request.Devices)
		}
		for _, d := range domains {
			in := func(run Running) bool { return !w.Fabric.Domain(d).Nodes.Has(run.Node) }
			if slices.ContainsFunc(r.Running, in) || !w.inRequired(r, d) || !w.naive(r, d, n) {
				continue
			}
			if rest := w.devices(d) - asked; left < 0 || rest < left {
				left = rest
			}
		}
		if left >= 0 {
			return i, left
		}
	}
	return -1, 0
}

// inRequired reports whether all nodes of a domain share one of the required level.
func (w *world) inRequired(r *Request, d pack.DomainID) bool {
	if r.Required == fabric.NoLevel {
		return true
	}
	of := map[pack.DomainID]bool{}
	for id := range w.nodes {
		if w.Fabric.Domain(d).Nodes.Has(pack.NodeID(id)) {
			of[w.Fabric.At(pack.NodeID(id), r.Required)] = true
		}
	}
	return len(of) == 1 && !of[fabric.NoDomain]
}

// check fails the test if a candidate breaks a promise.
func (w *world) check(t *testing.T, r *Request, c Candidate) {
	t.Helper()
	free := slices.Clone(w.nodes)
	segments := map[int]pack.DomainID{}
	for _, run := range r.Running {
		if r.SegmentSize > 0 {
			segments[run.Rank/r.SegmentSize] = w.Fabric.At(run.Node, r.SegmentLevel)
		}
	}
	placed := 0
	for i, a := range c.Assignments {
		if a.Node == NoNode {
			continue
		}
		placed++
		pod := &r.Pods[i]
		if !w.Fabric.Domain(c.Domain).Nodes.Has(a.Node) {
			t.Fatalf("pod %d is on node %d, outside of domain %q", i, a.Node, w.Fabric.Domain(c.Domain).Path)
		}
		if pod.Open != nil && !pod.Open.Has(a.Node) {
			t.Fatalf("pod %d is on node %d, which is closed to it", i, a.Node)
		}
		if !free[a.Node].Fits(pod.Request) {
			t.Fatalf("pod %d is on node %d, which has %+v left", i, a.Node, free[a.Node])
		}
		free[a.Node].Devices -= pod.Request.Devices
		free[a.Node].CPU -= pod.Request.CPU
		free[a.Node].Pods--
		if r.SegmentSize > 0 {
			d := w.Fabric.At(a.Node, r.SegmentLevel)
			if before, known := segments[pod.Rank/r.SegmentSize]; d == fabric.NoDomain || d != a.Segment || known && before != d {
				t.Fatalf("pod %d of segment %d is in domain %d, another in %d", i, pod.Rank/r.SegmentSize, d, before)
			}
			segments[pod.Rank/r.SegmentSize] = d
		}
	}
	if r.Required != fabric.NoLevel && c.Level != r.Required {
		for _, run := range r.Running {
			if w.Fabric.At(run.Node, r.Required) != w.Fabric.At(nodeOf(c), r.Required) {
				t.Fatalf("running pod %+v is outside of the required domain", run)
			}
		}
		if d := w.Fabric.At(nodeOf(c), r.Required); !w.Fabric.Within(c.Domain, d) {
			t.Fatalf("domain %q is not within the required one", w.Fabric.Domain(c.Domain).Path)
		}
	}
	if placed != c.Placed || placed < r.Least {
		t.Fatalf("%d pods are placed, %d said, at least %d wanted", placed, c.Placed, r.Least)
	}
}

func nodeOf(c Candidate) pack.NodeID {
	for _, a := range c.Assignments {
		if a.Node != NoNode {
			return a.Node
		}
	}
	return NoNode
}

// TestPlanAgainstNaive compares plans with what trying everything finds: whether there is
// one, at which level, and how much it leaves.
func TestPlanAgainstNaive(t *testing.T) {
	const instances = 10_000
	feasible, preferred, segmented, pinned := 0, 0, 0, 0
	for seed := range uint64(instances) {
		random := rand.New(rand.NewPCG(seed, 21))
		w := randomWorld(random)
		r := randomRequest(random, w)
		if random.IntN(6) == 0 {
			r.Running = append(r.Running, Running{Rank: len(r.Pods), Node: pack.NodeID(random.IntN(len(w.nodes)))})
			pinned++
		}
		got := w.Plan(r)
		at, left := w.best(&r, len(r.Pods))
		if at < 0 && r.Least < len(r.Pods) {
			at, left = w.best(&r, r.Least)
		}
		if (at < 0) != (len(got.Candidates) == 0) {
			t.Fatalf("seed %d: plan %+v, and by trying everything level %d\nnodes %+v\nrequest %+v", seed, got, at, w.nodes, r)
		}
		if again := w.Plan(r); !reflect.DeepEqual(again, got) {
			t.Fatalf("seed %d: a second plan is another: %+v, %+v", seed, got, again)
		}
		for id, free := range w.nodes {
			if now, _ := w.Index.Free(pack.NodeID(id)); now != free {
				t.Fatalf("seed %d: node %d had %+v and has %+v", seed, id, free, now)
			}
		}
		if at < 0 {
			if got.Reason == nil || len(got.Reason.Levels) == 0 {
				t.Fatalf("seed %d: no reason is given", seed)
			}
			continue
		}
		c := got.Candidates[0]
		w.check(t, &r, c)
		levels := (&attempt{Planner: w.Planner, request: &r}).tried()
		if c.Level != levels[at] {
			t.Fatalf("seed %d: level %d, and %d would do\nnodes %+v\nrequest %+v", seed, c.Level, levels[at], w.nodes, r)
		}
		if c.Placed == len(r.Pods) && c.Left*100 > left*102 {
			t.Fatalf("seed %d: %d devices are left, and %d would be\nnodes %+v\nrequest %+v", seed, c.Left, left, w.nodes, r)
		}
		feasible++
		if r.Preferred != fabric.NoLevel {
			preferred++
		}
		if r.SegmentSize > 0 {
			segmented++
		}
	}
	t.Logf("%d of %d can be placed; %d prefer a level, %d have segments, %d have a member that runs", feasible, instances, preferred, segmented, pinned)
	if feasible < instances/3 || preferred < instances/10 || segmented < instances/20 || pinned < instances/10 {
		t.Error("the test is too easy")
	}
}
