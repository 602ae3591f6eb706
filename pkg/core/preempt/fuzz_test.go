package preempt

import (
	"fmt"
	"math"
	"testing"

	"github.com/berth-dev/berth/pkg/core/fabric"
	"github.com/berth-dev/berth/pkg/core/pack"
	"github.com/berth-dev/berth/pkg/core/plan"
	"github.com/berth-dev/berth/pkg/core/topology"
)

// input reads a cluster from bytes; past the last, all are 0.
type input []byte

func (in *input) number(n int) int {
	if len(*in) == 0 {
		return 0
	}
	b := (*in)[0]
	*in = (*in)[1:]
	return int(b) % n
}

// amount is one that is usual, or at an end of what there is.
func (in *input) amount() int64 {
	return [...]int64{0, 1, 2, 3, 4, 6, 8, 80, -1, math.MaxInt64, math.MinInt64, math.MaxInt32}[in.number(12)]
}

func (in *input) count() int32 {
	return int32(min(max(in.amount(), math.MinInt32), math.MaxInt32))
}

func (in *input) amounts() pack.Amounts {
	a := pack.Amounts{Kind: pack.DeviceKind(in.number(3)), CPU: in.amount(), Memory: in.amount(), Pods: in.count()}
	if a.Kind != pack.NoDevice {
		a.Devices = in.count()
	}
	return a
}

func (in *input) world() *world {
	w := newWorld()
	for range 1 + in.number(8) {
		free := in.amounts()
		if free.Kind != pack.NoDevice {
			free.Class = pack.ClassID(in.number(3))
		}
		if free.Class != pack.NoClass {
			free.Mask = topology.Mask(in.number(16))
		}
		w.add(free, map[string]string{"block": fmt.Sprint("b", in.number(2)), "rack": fmt.Sprint("r", in.number(3))})
	}
	for i := range in.number(8) {
		g := Gang{
			Name: fmt.Sprint("g", i), Queue: QueueID(in.number(3)), Priority: in.count(), Least: int(in.amount()), Ended: in.amount(),
		}
		for rank := range in.number(5) {
			g.Members = append(g.Members, Member{
				Name: fmt.Sprint("m", rank), Rank: in.number(3), Node: pack.NodeID(in.number(len(w.free)+2) - 1),
				Request: in.amounts(), Held: topology.Mask(in.number(64)), Lost: in.amount(),
			})
		}
		w.running = append(w.running, g)
	}
	return w
}

func (in *input) request() plan.Request {
	levels := []fabric.Level{fabric.NoLevel, block, rack}
	r := plan.Request{Required: levels[in.number(3)], Preferred: levels[in.number(3)], SegmentLevel: fabric.NoLevel}
	if r.Required == rack {
		r.Preferred = fabric.NoLevel
	}
	if in.number(3) == 0 {
		r.SegmentSize, r.SegmentLevel = 1+in.number(3), rack
	}
	for rank := range 1 + in.number(5) {
		pod := plan.Pod{Rank: rank, Request: pack.Amounts{Pods: 1}}
		pod.Request.CPU, pod.Request.Memory = max(in.amount(), 0), max(in.amount(), 0)
		if kind := in.number(3); kind > 0 {
			pod.Request.Kind, pod.Request.Devices = pack.DeviceKind(kind), max(in.count(), 0)
			pod.Request.Link = topology.Level(in.number(4))
		}
		r.Pods = append(r.Pods, pod)
	}
	r.Least = 1 + in.number(len(r.Pods))
	return r
}

// FuzzVictims has clusters of which nothing needs to make sense: pods on nodes that do not
// exist, amounts at the ends of their types, devices that are held twice.
func FuzzVictims(f *testing.F) {
	f.Add([]byte{3, 1, 7, 7, 7, 6, 1, 15})
	f.Add([]byte("a cluster of some nodes, with gangs of some pods that hold what they can get of it; and one more that waits for them to go"))
	f.Fuzz(func(t *testing.T, data []byte) {
		in := input(data)
		steps := 1 + in.number(4)*in.number(200)
		w := in.world()
		r := in.request()
		permit := &rules{most: map[QueueID]int{QueueID(in.number(3)): in.number(8)}, over: in.number(3), above: in.number(3)}
		got, why := Victims(w.Planner, r, w.running, permit, Bounds{Steps: steps})
		if permit.wrong != "" || len(permit.open) > 0 {
			t.Fatalf("%s, %d answers were not undone", permit.wrong, len(permit.open))
		}
		for id, before := range w.free {
			if now, _ := w.Index.Free(pack.NodeID(id)); now != before {
				t.Fatalf("node %d had %+v and has %+v", id, before, now)
			}
		}
		if why != nil {
			if len(why.Levels) == 0 || why.Sentence(w.Fabric) == "" {
				t.Fatalf("the reason says nothing: %+v", why)
			}
			return
		}
		if !permit.permits(got.Evict) {
			t.Fatalf("the victims are not permitted: %+v", got.Evict)
		}
		for _, e := range got.Evict {
			if left := len(e.Gang.Members) - len(e.Members); len(e.Members) == 0 || left > 0 && left < e.Gang.Least {
				t.Fatalf("%s needs %d of %d, and %d go", e.Gang.Name, e.Gang.Least, len(e.Gang.Members), len(e.Members))
			}
		}
		if got.Candidate.Placed < r.Least || got.Damage.Lost < 0 || got.Damage.Ended < 0 || got.Damage.Gangs != len(got.Evict) {
			t.Fatalf("%d pods are placed of %d, damage %+v of %d gangs", got.Candidate.Placed, r.Least, got.Damage, len(got.Evict))
		}
	})
}
