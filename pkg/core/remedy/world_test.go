package remedy

import (
	"fmt"
	"math/rand/v2"

	"github.com/berth-dev/berth/pkg/core/fabric"
	"github.com/berth-dev/berth/pkg/core/pack"
	"github.com/berth-dev/berth/pkg/core/plan"
	"github.com/berth-dev/berth/pkg/core/topology"
)

const (
	block = fabric.Level(0)
	rack  = fabric.Level(1)
)

// world describes a small cluster, from which a planner can be made anew at any time.
type world struct {
	nodes   []node
	running []Gang
	// asks is what waits, and tolerates whether its pods tolerate the taint.
	asks      plan.Request
	tolerates bool
}

type node struct {
	whole         pack.Amounts
	block, rack   string
	tainted       bool
	hasNeverRooms bool // a selector keeps the pods away
}

func (n node) labels() map[string]string { return map[string]string{"block": n.block, "rack": n.rack} }

// cluster makes the cluster as it is, without some gangs.
func (w *world) cluster(gone map[int]bool) Cluster {
	p := plan.Planner{Index: pack.NewIndex(), Fabric: fabric.New([]string{"block", "rack"})}
	p.Ranking = p.Index.NewRanking(pack.Policy{CPU: 1, Memory: 1})
	c := Cluster{Planner: p, Now: 1000}
	for i, n := range w.nodes {
		id := pack.NodeID(i)
		p.Index.Set(id, pack.Node{Free: n.whole, Domains: p.Fabric.Set(id, fmt.Sprintf("n%02d", i), n.labels())})
		c.Whole, c.Labels = append(c.Whole, n.whole), append(c.Labels, n.labels())
	}
	for i, g := range w.running {
		if gone[i] {
			continue
		}
		for _, m := range g.Members {
			p.Index.Take(m.Node, m.Request)
		}
		c.Running = append(c.Running, g)
	}
	return c
}

// request makes what waits, as it is.
func (w *world) request() Request {
	r := Request{Request: w.asks}
	r.Pods = nil
	open, opened := &pack.Set{}, &pack.Set{}
	for i, n := range w.nodes {
		if n.hasNeverRooms {
			continue
		}
		opened.Add(pack.NodeID(i))
		if !n.tainted || w.tolerates {
			open.Add(pack.NodeID(i))
		}
	}
	for _, pod := range w.asks.Pods {
		pod.Open = open
		r.Pods, r.Opened = append(r.Pods, pod), append(r.Opened, opened)
	}
	return r
}

func (w *world) placed(c Cluster, r Request) bool {
	return len(c.Planner.Plan(r.Request).Candidates) > 0
}

// randomWorld is one in which gangs run, of one or several nodes, and one waits.
func randomWorld(random *rand.Rand, blocks, racks, perRack, gangs int) *world {
	w := &world{}
	for i := range blocks * racks * perRack {
		n := node{
			whole: pack.Amounts{Kind: 1, Devices: 8, CPU: 96, Memory: 1024, Pods: 40},
			block: fmt.Sprint("b", i/(racks*perRack)), rack: fmt.Sprint("r", i/perRack%racks),
			tainted: random.IntN(12) == 0, hasNeverRooms: random.IntN(15) == 0,
		}
		if random.IntN(8) == 0 {
			n.whole = pack.Amounts{CPU: 192, Memory: 2048, Pods: 40}
		}
		w.nodes = append(w.nodes, n)
	}
	c := w.cluster(nil)
	sizes := []int32{1, 2, 4, 8}
	for g := range gangs {
		request := pack.Amounts{Kind: 1, Devices: sizes[random.IntN(4)], Pods: 1}
		request.CPU, request.Memory = int64(request.Devices)*int64(4+random.IntN(16)), int64(request.Devices)*int64(16+random.IntN(160))
		if random.IntN(6) == 0 {
			request = pack.Amounts{CPU: int64(16 + random.IntN(80)), Memory: int64(64 + random.IntN(900)), Pods: 1}
		}
		one := Gang{Name: fmt.Sprintf("g%02d", g)}
		if random.IntN(3) > 0 {
			one.Ends = Instant(1001 + random.IntN(5000))
		}
		for range 1 + random.IntN(6) {
			start := random.IntN(len(w.nodes))
			for i := range w.nodes {
				id := pack.NodeID((start + i) % len(w.nodes))
				if free, _ := c.Planner.Index.Free(id); free.Fits(request) {
					c.Planner.Index.Take(id, request)
					one.Members = append(one.Members, Member{Node: id, Request: request})
					break
				}
			}
		}
		w.running = append(w.running, one)
	}
	w.asks = plan.Request{Required: fabric.NoLevel, Preferred: fabric.NoLevel, SegmentLevel: fabric.NoLevel}
	switch random.IntN(5) {
	case 0:
		w.asks.Required = rack
	case 1:
		w.asks.Required = block
	case 2:
		w.asks.Required, w.asks.Preferred = block, rack
	case 3:
		w.asks.SegmentSize, w.asks.SegmentLevel = 2, rack
	}
	asked := pack.Amounts{Kind: 1, Devices: sizes[random.IntN(4)], Pods: 1, Link: topology.AnyLink}
	asked.CPU, asked.Memory = int64(asked.Devices)*int64(4+random.IntN(10)), int64(asked.Devices)*int64(16+random.IntN(120))
	switch random.IntN(8) {
	case 0:
		asked.CPU = int64(40 + random.IntN(70))
	case 1:
		asked.Memory = int64(500 + random.IntN(700))
	case 2:
		asked = pack.Amounts{CPU: int64(40 + random.IntN(160)), Memory: 100, Pods: 1}
	}
	pods := 1 + random.IntN(perRack*3)
	for rank := range pods {
		w.asks.Pods = append(w.asks.Pods, plan.Pod{Rank: rank, Request: asked})
	}
	w.asks.Least = max(1, pods-random.IntN(2))
	return w
}
