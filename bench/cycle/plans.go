package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"time"

	"github.com/berth-dev/berth/bench/report"
	"github.com/berth-dev/berth/pkg/core/cluster"
	"github.com/berth-dev/berth/pkg/core/fabric"
	"github.com/berth-dev/berth/pkg/core/pack"
	"github.com/berth-dev/berth/pkg/core/plan"
	"github.com/berth-dev/berth/pkg/dialect"
)

const (
	// planGang is how many pods the gangs have that are planned, of planDevices each: a
	// whole node.
	planGang    = 512
	planDevices = 8
	// planRack is how many nodes make a rack, planBlock how many racks make a block.
	planRack  = 32
	planBlock = 32
	// planCandidates is how many domains the scheduler asks for.
	planCandidates = 3
	// planChanges is how many pods come, and how many go, between two plans; planStrays are
	// there at a time.
	planChanges = 4
	planStrays  = 64
	// planWarmUp is how many plans are made before any is timed.
	planWarmUp = 20
)

// planFills are the parts of the devices that are taken, in percent.
var planFills = []cluster.Percent{0, 50, 90}

// plans measures what it costs to plan a gang on clusters of so many nodes.
func plans(nodes []int, runs int) ([]report.PlanRow, error) {
	var rows []report.PlanRow
	for _, n := range slices.Compact([]int{slices.Min(nodes), slices.Max(nodes)}) {
		for _, fill := range planFills {
			g, err := newPlanGround(n, fill)
			if err != nil {
				return nil, fmt.Errorf("making a cluster of %d nodes, %d %% full: %w", n, fill, err)
			}
			for _, required := range []string{"", cluster.BlockLevel} {
				// A gang that has no place is answered with a reason; then the largest is
				// measured that has one, too. One that has a place now and then is left out.
				first := min(planGang, n)
				for size := first; size >= 1; size /= 2 {
					row, places, err := g.measure(size, required, runs)
					if err != nil {
						return nil, fmt.Errorf("planning a gang of %d on %d nodes, %d %% full: %w", size, n, fill, err)
					}
					if row.Feasible = places == runs; row.Feasible || places == 0 && size == first {
						row.Nodes, row.Fill = n, int(fill)
						rows = append(rows, row)
						fmt.Fprintf(os.Stderr, "plans  %6d nodes  %2d %% full  gang of %3d  requires %-29q  place: %t  p50 %.2f ms, p99 %.2f ms, max %.2f ms\n",
							n, fill, size, required, row.Feasible, row.MsP50, row.MsP99, row.MsMax)
					}
					if row.Feasible {
						break
					}
				}
			}
		}
	}
	return rows, nil
}

// planGround is a cluster that changes a little between two plans.
type planGround struct {
	planner plan.Planner
	kind    pack.DeviceKind
	nodes   int
	random  *rand.Rand
	// open are the nodes that the pods of a gang may go to, which are all.
	open pack.Set
	// strays are pods that came and have not gone, the oldest first, each alone on its node.
	strays []pack.Undo
	on     map[pack.NodeID]bool
	where  []pack.NodeID
}

// newPlanGround makes a cluster of racks in blocks.
func newPlanGround(nodes int, fill cluster.Percent) (*planGround, error) {
	racks := (nodes + planRack - 1) / planRack
	s, err := cluster.Synthetic(nodes, cluster.Racks(racks), fill, 1)
	if err != nil {
		return nil, err
	}
	// As the scheduler has them: all levels that are known.
	s.Fabric = dialect.FabricTrees()
	for i := range s.Nodes {
		s.Nodes[i].Labels[cluster.BlockLevel] = fmt.Sprintf("block-%03d", i*racks/nodes/planBlock+1)
	}
	planner, err := s.Planner()
	if err != nil {
		return nil, err
	}
	g := &planGround{planner: planner, kind: s.KindOf(s.Nodes[0].Device), nodes: nodes, random: rand.New(rand.NewPCG(1, 2)), on: map[pack.NodeID]bool{}}
	for i := range nodes {
		g.open.Add(pack.NodeID(i))
	}
	return g, nil
}

// change lets pods of one device go and come elsewhere.
func (g *planGround) change() {
	for range planChanges {
		if len(g.strays) >= min(planStrays, g.nodes/4) {
			g.planner.Index.Revert(g.strays[0])
			delete(g.on, g.where[0])
			g.strays, g.where = g.strays[1:], g.where[1:]
		}
		node := pack.NodeID(g.random.IntN(g.nodes))
		if free, _ := g.planner.Index.Free(node); g.on[node] || free.Devices < 1 {
			continue
		}
		g.strays = append(g.strays, g.planner.Index.Take(node, g.request(1)))
		g.where, g.on[node] = append(g.where, node), true
	}
}

// request is what a pod of so many devices asks for.
func (g *planGround) request(devices int32) pack.Amounts {
	return pack.Amounts{Kind: g.kind, Devices: devices, CPU: int64(devices) * 8000, Memory: int64(devices) << 36, Pods: 1}
}

// gang is a gang that prefers a rack, and may require a level.
func (g *planGround) gang(size int, required string) plan.Request {
	r := plan.Request{
		Least: size, Required: fabric.NoLevel, Preferred: g.planner.Fabric.LevelOf(cluster.RackLevel), SegmentLevel: fabric.NoLevel, Candidates: planCandidates,
	}
	if required != "" {
		r.Required = g.planner.Fabric.LevelOf(required)
	}
	for rank := range size {
		r.Pods = append(r.Pods, plan.Pod{Rank: rank, Request: g.request(planDevices), Open: &g.open})
	}
	return r
}

// measure times plans of a gang, and nothing beside, and counts those that found a place.
func (g *planGround) measure(size int, required string, runs int) (row report.PlanRow, places int, err error) {
	row = report.PlanRow{Gang: size, Required: required, Plans: runs}
	r := g.gang(size, required)
	var took []float64
	for i := range planWarmUp + runs {
		g.change()
		start := time.Now()
		result := g.planner.Plan(r)
		spent := time.Since(start)
		if i < planWarmUp {
			continue
		}
		took = append(took, float64(spent)/float64(time.Millisecond))
		switch {
		case len(result.Candidates) > 0:
			places++
			if err := g.check(&result.Candidates[0], size, required); err != nil {
				return row, places, err
			}
		case result.Reason == nil:
			return row, places, errors.New("there is neither a plan nor a reason")
		}
	}
	slices.Sort(took)
	row.MsP50, row.MsP99, row.MsMax = quantile(took, 50), quantile(took, 99), took[len(took)-1]
	return row, places, nil
}

// check looks whether a plan gives each pod a node of its own with all of its devices, and
// all of them one domain of the required level.
func (g *planGround) check(c *plan.Candidate, size int, required string) error {
	used := map[pack.NodeID]bool{}
	in := map[pack.DomainID]bool{}
	for i, a := range c.Assignments {
		free, ok := g.planner.Index.Free(a.Node)
		if !ok || used[a.Node] || free.Devices != planDevices {
			return fmt.Errorf("pod %d is on node %d, which has %d devices free and may have another pod of the gang", i, a.Node, free.Devices)
		}
		used[a.Node] = true
		if required != "" {
			in[g.planner.Fabric.At(a.Node, g.planner.Fabric.LevelOf(required))] = true
		}
	}
	if len(used) != size || len(in) > 1 || in[fabric.NoDomain] {
		return fmt.Errorf("%d pods of %d have a node, in %d domains of %q", len(used), size, len(in), required)
	}
	return nil
}

// quantile returns the value that so many percent of sorted values do not exceed.
func quantile(sorted []float64, percent int) float64 {
	return sorted[max(0, (len(sorted)*percent+99)/100-1)]
}
