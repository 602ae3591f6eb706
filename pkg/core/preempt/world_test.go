package preempt

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/berth-dev/berth/pkg/core/fabric"
	"github.com/berth-dev/berth/pkg/core/pack"
	"github.com/berth-dev/berth/pkg/core/plan"
	"github.com/berth-dev/berth/pkg/core/topology"
)

const (
	block = fabric.Level(0)
	rack  = fabric.Level(1)
	link  = fabric.Level(2)
)

// world is a small cluster with gangs that run: blocks of racks of nodes, and NVLink domains
// beside them.
type world struct {
	plan.Planner
	free    []pack.Amounts
	labels  []map[string]string
	running []Gang
}

// The classes of machines: four devices that are linked in pairs, and who picks them.
var (
	pairs   = topology.NewClass(paired(), topology.Scheduler, topology.DefaultSizes())
	stocked = topology.NewClass(paired(), topology.DevicePlugin, topology.DefaultSizes())
)

func paired() topology.Matrix {
	m := topology.Matrix{Devices: 4}
	for a := range 4 {
		for b := range a {
			m.Join(a, b, topology.Link{Path: topology.Node, NVLinks: uint8((a/2 ^ b/2 ^ 1) & 1)})
		}
	}
	return m
}

func newWorld() *world {
	w := &world{}
	w.Planner = w.empty()
	return w
}

// empty is a planner without nodes.
func (w *world) empty() plan.Planner {
	p := plan.Planner{Index: pack.NewIndex(), Fabric: fabric.New([]string{"block", "rack"}, []string{"link"})}
	p.Index.AddClass(pairs)
	p.Index.AddClass(stocked)
	p.Ranking = p.Index.NewRanking(pack.Policy{CPU: 1, Memory: 1})
	return p
}

// add adds a node with what is free.
func (w *world) add(free pack.Amounts, labels map[string]string) pack.NodeID {
	id := pack.NodeID(len(w.free))
	w.free, w.labels = append(w.free, free), append(w.labels, labels)
	w.place(w.Planner, id, free)
	return id
}

func (w *world) place(p plan.Planner, id pack.NodeID, free pack.Amounts) {
	p.Index.Set(id, pack.Node{Free: free, Domains: p.Fabric.Set(id, fmt.Sprintf("n%02d", id), w.labels[id])})
}

// rack adds nodes of 8 devices to a rack.
func (w *world) rack(block, rack string, nodes int) (ids []pack.NodeID) {
	for range nodes {
		ids = append(ids, w.add(pack.Amounts{Kind: 1, Devices: 8, CPU: 80, Memory: 80, Pods: 20}, map[string]string{"block": block, "rack": rack}))
	}
	return ids
}

// gpus asks for devices.
func gpus(n int32) pack.Amounts { return pack.Amounts{Kind: 1, Devices: n, CPU: int64(n), Pods: 1} }

// run adds a gang with a member of so many devices on each of some nodes.
func (w *world) run(name string, priority int32, devices int32, lost int64, nodes ...pack.NodeID) *Gang {
	g := Gang{Name: name, Priority: priority, Least: len(nodes)}
	for rank, node := range nodes {
		w.member(&g, rank, node, gpus(devices), lost)
	}
	w.running = append(w.running, g)
	return &w.running[len(w.running)-1]
}

// member adds a member to a gang, on a node that may have room for it or not.
func (w *world) member(g *Gang, rank int, node pack.NodeID, request pack.Amounts, lost int64) {
	held := w.Index.Take(node, request).Devices
	w.free[node], _ = w.Index.Free(node)
	g.Members = append(g.Members, Member{Name: fmt.Sprintf("%s-%d", g.Name, rank), Rank: rank, Node: node, Request: request, Held: held, Lost: lost})
}

// asks is a request for pods that ask for so many devices each.
func asks(pods int, devices int32, required, preferred fabric.Level) plan.Request {
	r := plan.Request{Required: required, Preferred: preferred, SegmentLevel: fabric.NoLevel, Least: pods}
	for rank := range pods {
		r.Pods = append(r.Pods, plan.Pod{Rank: rank, Request: gpus(devices)})
	}
	return r
}

// gone is a planner of its own, on which some members have gone; of nodes, it has only those
// of a domain, if there is one.
func (w *world) gone(evict []Eviction, domain *fabric.Domain) plan.Planner {
	p := w.empty()
	for id, free := range w.free {
		for _, e := range evict {
			for _, m := range e.Members {
				if int(m.Node) != id {
					continue
				}
				if m.Request.Kind == free.Kind {
					free.Devices += m.Request.Devices
					free.Mask |= m.Held
				}
				free.CPU, free.Memory = free.CPU+m.Request.CPU, free.Memory+m.Request.Memory
				free.Pods, free.Held = free.Pods+m.Request.Pods, free.Held-m.Request.Pods
			}
		}
		if domain == nil || domain.Nodes.Has(pack.NodeID(id)) {
			w.place(p, pack.NodeID(id), free)
		}
	}
	return p
}

// anyone permits everything.
type anyone struct{}

func (anyone) Evict(*Gang, []Member) (func(), bool) { return func() {}, true }

func (anyone) Enough() bool { return true }

// rules are a permit: some gangs are protected, and of some queues only so many pods may go.
type rules struct {
	protected map[string]bool
	// most are the pods that may go, by queue; before says that it is enough if fewer have
	// gone before.
	most   map[QueueID]int
	before bool
	// over are the pods of queue 0 that must have gone before any of other queues may, above
	// those that must have gone before the gang may come.
	over, above int
	gone        map[QueueID]int
	// out are the gangs that have gone.
	out map[string]bool
	// open are the answers that were not undone, in their order.
	open []int
	last int
	// wrong is what was wrong with how it was asked.
	wrong string
}

func (r *rules) Evict(g *Gang, members []Member) (func(), bool) {
	if len(members) == 0 || r.out[g.Name] {
		r.wrong = fmt.Sprintf("it was asked for %d members of %s, of which some have gone: %v", len(members), g.Name, r.out[g.Name])
	}
	if most, limited := r.most[g.Queue]; r.protected[g.Name] || g.Queue != 0 && r.gone[0] < r.over ||
		limited && (!r.before && r.gone[g.Queue]+len(members) > most || r.before && r.gone[g.Queue] >= most) {
		return nil, false
	}
	if r.gone == nil {
		r.gone, r.out = map[QueueID]int{}, map[string]bool{}
	}
	r.gone[g.Queue] += len(members)
	r.out[g.Name] = true
	r.last++
	number := r.last
	r.open = append(r.open, number)
	return func() {
		if n := len(r.open); n == 0 || r.open[n-1] != number {
			r.wrong = "an answer was not undone last first"
			return
		}
		r.open = r.open[:len(r.open)-1]
		r.gone[g.Queue] -= len(members)
		r.out[g.Name] = false
	}, true
}

func (r *rules) Enough() bool { return r.gone[0] >= r.above }

// permits reports whether evictions are permitted in their order, and the gang after them.
func (r *rules) permits(evict []Eviction) bool { return len(r.refuses(evict, 1)) == 0 }

// permitsSomehow reports the same of evictions of which those that are refused are tried
// again after the others.
func (r *rules) permitsSomehow(evict []Eviction) bool {
	return len(r.refuses(evict, len(evict)+1)) == 0
}

// refuses returns what is refused in so many rounds, and nothing to evict if that is the gang.
func (r *rules) refuses(evict []Eviction, rounds int) []Eviction {
	var undo []func()
	rest := evict
	for range rounds {
		var again []Eviction
		for _, e := range rest {
			if back, may := r.Evict(e.Gang, e.Members); may {
				undo = append(undo, back)
			} else {
				again = append(again, e)
			}
		}
		rest = again
	}
	if len(rest) == 0 && !r.Enough() {
		rest = []Eviction{{}}
	}
	for _, back := range slices.Backward(undo) {
		back()
	}
	return rest
}

func randomWorld(random *rand.Rand) *world {
	w := newWorld()
	class := pack.ClassID(max(0, random.IntN(5)-2))
	for i := range 1 + random.IntN(8) {
		free := pack.Amounts{CPU: int64(2 + random.IntN(7)), Memory: 8, Pods: int32(2 + random.IntN(6))}
		if random.IntN(6) > 0 {
			free.Kind, free.Devices = 1, 4
			if free.Class = class; class != pack.NoClass {
				free.Mask = topology.All(4)
			}
		}
		labels := map[string]string{"block": fmt.Sprint("b", i/4), "rack": fmt.Sprint("r", i/2%2), "link": fmt.Sprint("l", i/3)}
		for _, key := range []string{"block", "rack", "link"} {
			if random.IntN(12) == 0 {
				delete(labels, key)
			}
		}
		w.add(free, labels)
	}
	most := 1 + random.IntN(8)
	if random.IntN(10) == 0 {
		most = 10
	}
	for i := range most {
		g := Gang{Name: fmt.Sprint("g", i), Priority: int32(random.IntN(3)), Queue: QueueID(random.IntN(3))}
		request := pack.Amounts{Kind: 1, Devices: int32(1 + random.IntN(3)), CPU: int64(random.IntN(3)), Pods: 1}
		if random.IntN(6) == 0 {
			request.Kind, request.Devices = pack.NoDevice, 0
		}
		size := 1 + random.IntN(4)
		for rank := range 3 * size {
			node := pack.NodeID(random.IntN(len(w.free)))
			if len(g.Members) < size && w.free[node].Fits(request) && w.free[node].Devices >= request.Devices {
				w.member(&g, rank, node, request, int64(random.IntN(30)))
			}
		}
		if g.Least = len(g.Members); random.IntN(4) == 0 {
			g.Least = random.IntN(g.Least + 1)
		}
		if random.IntN(4) == 0 {
			g.Ended = int64(1 + random.IntN(100))
		}
		if len(g.Members) > 0 {
			w.running = append(w.running, g)
		}
	}
	return w
}

func randomRequest(random *rand.Rand, w *world) plan.Request {
	r := plan.Request{Required: fabric.NoLevel, Preferred: fabric.NoLevel, SegmentLevel: fabric.NoLevel}
	shapes := []pack.Amounts{{Kind: 1, Devices: int32(1 + random.IntN(4)), CPU: int64(random.IntN(3)), Pods: 1}}
	if random.IntN(5) == 0 {
		shapes[0].Link = topology.NVLink
	}
	if random.IntN(4) == 0 {
		shapes = append(shapes, pack.Amounts{Kind: 1, Devices: int32(random.IntN(3)), CPU: int64(1 + random.IntN(3)), Pods: 1})
		if shapes[1].Devices == 0 {
			shapes[1].Kind = pack.NoDevice
		}
	}
	var open *pack.Set
	if random.IntN(5) == 0 {
		open = &pack.Set{}
		for id := range w.free {
			if random.IntN(4) > 0 {
				open.Add(pack.NodeID(id))
			}
		}
	}
	for i := range 1 + random.IntN(5) {
		r.Pods = append(r.Pods, plan.Pod{Rank: i, Request: shapes[random.IntN(len(shapes))], Open: open})
	}
	r.Least = len(r.Pods)
	if random.IntN(5) == 0 {
		r.Least = 1 + random.IntN(len(r.Pods))
	}
	levels := []fabric.Level{fabric.NoLevel, block, rack}
	r.Required, r.Preferred = levels[random.IntN(3)], levels[random.IntN(3)]
	switch {
	case random.IntN(8) == 0:
		r.Required, r.Preferred = link, fabric.NoLevel
	case r.Required == rack && r.Preferred == block:
		r.Preferred = fabric.NoLevel
	}
	if random.IntN(5) == 0 {
		r.SegmentSize, r.SegmentLevel = 1+random.IntN(3), rack
	}
	if random.IntN(8) == 0 {
		r.Running = []plan.Running{{Rank: len(r.Pods), Node: pack.NodeID(random.IntN(len(w.free)))}}
	}
	return r
}

func randomRules(random *rand.Rand, w *world) *rules {
	r := &rules{protected: map[string]bool{}, most: map[QueueID]int{}}
	if random.IntN(2) == 0 {
		for _, g := range w.running {
			r.protected[g.Name] = random.IntN(4) == 0
		}
	}
	if random.IntN(2) == 0 {
		r.before = random.IntN(4) == 0
		for queue := range QueueID(2) {
			r.most[queue] = random.IntN(5)
		}
	}
	if !r.before && random.IntN(4) == 0 {
		r.over, r.above = random.IntN(4), random.IntN(4)
	}
	return r
}
