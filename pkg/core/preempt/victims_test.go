package preempt

import (
	"fmt"
	"slices"
	"testing"

	"github.com/berth-dev/berth/pkg/core/fabric"
	"github.com/berth-dev/berth/pkg/core/pack"
	"github.com/berth-dev/berth/pkg/core/plan"
	"github.com/berth-dev/berth/pkg/core/topology"
)

// who are the victims: gangs that go whole by name, others with their members.
func who(c Choice) []string {
	out := []string{}
	for _, e := range c.Evict {
		name := e.Gang.Name
		if !e.Whole {
			for _, m := range e.Members {
				name += " " + m.Name
			}
		}
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

func TestVictims(t *testing.T) {
	tests := []struct {
		name   string
		world  func() (*world, plan.Request)
		permit *rules
		// want are the victims, and domain is where the gang goes then.
		want   []string
		domain string
	}{
		{
			name: "nobody goes where there is room",
			world: func() (*world, plan.Request) {
				w := newWorld()
				w.run("low", 0, 8, 1, w.rack("b", "r1", 1)...)
				w.rack("b", "r2", 1)
				return w, asks(1, 8, rack, fabric.NoLevel)
			},
			want: []string{}, domain: "b/r2",
		},
		{
			name: "a domain that is fully packed is one to look at",
			world: func() (*world, plan.Request) {
				w := newWorld()
				w.run("high", 5, 8, 1, w.rack("b", "r1", 1)...)
				w.run("low", 0, 8, 1, w.rack("b", "r2", 1)...)
				return w, asks(1, 8, rack, fabric.NoLevel)
			},
			want: []string{"low"}, domain: "b/r2",
		},
		{
			// The four cheapest are in four racks, and the topology would refuse what they leave.
			name: "victims are not scattered over racks that the topology refuses then",
			world: func() (*world, plan.Request) {
				w := newWorld()
				for r := range 4 {
					nodes := w.rack("b", fmt.Sprint("r", r), 2)
					w.run(fmt.Sprint("cheap", r), 0, 8, 1, nodes[0])
					w.run(fmt.Sprint("dear", r), 0, 8, int64(1000-r), nodes[1])
				}
				return w, asks(2, 8, rack, fabric.NoLevel)
			},
			want: []string{"cheap3", "dear3"}, domain: "b/r3",
		},
		{
			// Eight pods of one device hold two of each node: their going makes eight devices free,
			// and no node.
			name: "pods of one GPU on four nodes make no room for a pod of eight",
			world: func() (*world, plan.Request) {
				w := newWorld()
				for n, node := range w.rack("b", "r", 4) {
					w.run(fmt.Sprint("one", n), 0, 1, 1, node)
					w.run(fmt.Sprint("other", n), 0, 1, 1, node)
					w.run(fmt.Sprint("six", n), 0, 6, int64(500-n), node)
				}
				return w, asks(1, 8, fabric.NoLevel, fabric.NoLevel)
			},
			want: []string{"one3", "other3", "six3"}, domain: "",
		},
		{
			name: "gangs that are protected stay",
			world: func() (*world, plan.Request) {
				w := newWorld()
				w.run("protected", 0, 8, 1, w.rack("b", "r1", 1)...)
				w.run("other", 9, 8, 1_000_000, w.rack("b", "r2", 1)...)
				return w, asks(1, 8, rack, fabric.NoLevel)
			},
			permit: &rules{protected: map[string]bool{"protected": true}},
			want:   []string{"other"}, domain: "b/r2",
		},
		{
			// Of one queue four pods may go: a is cheapest, and then nothing of it is left.
			name: "quota is not spent on those who leave too little room",
			world: func() (*world, plan.Request) {
				w := newWorld()
				nodes := w.rack("b", "r", 3)
				a := w.run("a", 0, 1, 0, nodes[0], nodes[0], nodes[0], nodes[0])
				a.Queue = 1
				w.run("a rest", 5, 4, 0, nodes[0])
				w.run("b", 0, 8, 10, nodes[1]).Queue = 1
				w.run("c", 0, 8, 10, nodes[2]).Queue = 1
				return w, asks(4, 4, fabric.NoLevel, fabric.NoLevel)
			},
			permit: &rules{most: map[QueueID]int{1: 4}},
			want:   []string{"b", "c"}, domain: "",
		},
		{
			name: "who is above a limit needs victims of its queue, wherever they are",
			world: func() (*world, plan.Request) {
				w := newWorld()
				w.rack("b", "r1", 1)
				far := w.rack("b", "r2", 3)
				w.run("other", 0, 8, 1, far[0]).Queue = 1
				w.run("dear", 0, 8, 50, far[1])
				w.run("cheap", 0, 8, 40, far[2])
				return w, asks(1, 8, rack, fabric.NoLevel)
			},
			permit: &rules{above: 1},
			want:   []string{"cheap"}, domain: "b/r1",
		},
		{
			name: "others may go once its own queue is within what it is guaranteed",
			world: func() (*world, plan.Request) {
				w := newWorld()
				nodes := w.rack("b", "r1", 2)
				w.run("own", 0, 8, 50, w.rack("b", "r2", 1)...)
				w.run("a", 0, 8, 1, nodes[0]).Queue = 1
				w.run("b", 0, 8, 1, nodes[1]).Queue = 1
				return w, asks(2, 8, rack, fabric.NoLevel)
			},
			permit: &rules{over: 1},
			want:   []string{"a", "b", "own"}, domain: "b/r1",
		},
		{
			name: "priority comes before device-seconds",
			world: func() (*world, plan.Request) {
				w := newWorld()
				w.run("long", 1, 8, 1_000_000, w.rack("b", "r1", 1)...)
				w.run("fresh", 2, 8, 0, w.rack("b", "r2", 1)...)
				return w, asks(1, 8, rack, fabric.NoLevel)
			},
			want: []string{"long"}, domain: "b/r1",
		},
		{
			name: "device-seconds come before the number of gangs",
			world: func() (*world, plan.Request) {
				w := newWorld()
				w.run("one", 0, 8, 100, w.rack("b", "r1", 1)...)
				n := w.rack("b", "r2", 1)[0]
				w.run("half1", 0, 4, 49, n)
				w.run("half2", 0, 4, 50, n)
				return w, asks(1, 8, rack, fabric.NoLevel)
			},
			want: []string{"half1", "half2"}, domain: "b/r2",
		},
		{
			name: "then the fewest gangs",
			world: func() (*world, plan.Request) {
				w := newWorld()
				n := w.rack("b", "r1", 1)[0]
				w.run("half1", 0, 4, 50, n)
				w.run("half2", 0, 4, 50, n)
				w.run("one", 0, 8, 100, w.rack("b", "r2", 1)...)
				return w, asks(1, 8, rack, fabric.NoLevel)
			},
			want: []string{"one"}, domain: "b/r2",
		},
		{
			name: "a gang goes whole, and what is lost elsewhere counts",
			world: func() (*world, plan.Request) {
				w := newWorld()
				far := w.rack("b", "r0", 4)
				near := w.rack("b", "r1", 2)
				w.run("wide", 0, 8, 30, append(far, near[0])...)
				w.run("small", 0, 8, 100, near[1])
				return w, asks(1, 8, rack, fabric.NoLevel)
			},
			want: []string{"small"}, domain: "b/r1",
		},
		{
			name: "an elastic gang shrinks to what it needs",
			world: func() (*world, plan.Request) {
				w := newWorld()
				w.run("elastic", 0, 8, 10, w.rack("b", "r1", 4)...).Least = 2
				return w, asks(2, 8, rack, fabric.NoLevel)
			},
			// Of equal members, the last ranks go.
			want: []string{"elastic elastic-3 elastic-2"}, domain: "b/r1",
		},
		{
			name: "members that lost least go first",
			world: func() (*world, plan.Request) {
				w := newWorld()
				g := w.run("elastic", 0, 8, 10, w.rack("b", "r1", 4)...)
				g.Least, g.Members[1].Lost = 3, 5
				return w, asks(1, 8, rack, fabric.NoLevel)
			},
			want: []string{"elastic elastic-1"}, domain: "b/r1",
		},
		{
			name: "below what it needs an elastic gang goes whole",
			world: func() (*world, plan.Request) {
				w := newWorld()
				w.run("elastic", 0, 8, 10, w.rack("b", "r1", 4)...).Least = 3
				return w, asks(2, 8, rack, fabric.NoLevel)
			},
			want: []string{"elastic"}, domain: "b/r1",
		},
		{
			name: "the preferred level costs nobody more",
			world: func() (*world, plan.Request) {
				w := newWorld()
				a, b := w.rack("b", "r1", 2), w.rack("b", "r2", 2)
				w.run("cheap1", 0, 8, 1, a[0])
				w.run("dear1", 0, 8, 10, a[1])
				w.run("cheap2", 0, 8, 1, b[0])
				w.run("dear2", 0, 8, 10, b[1])
				return w, asks(2, 8, block, rack)
			},
			want: []string{"cheap1", "cheap2"}, domain: "b",
		},
		{
			name: "the preferred level is met if it costs no more",
			world: func() (*world, plan.Request) {
				w := newWorld()
				for r := range 3 {
					for n, node := range w.rack("b", fmt.Sprint("r", r), 2) {
						w.run(fmt.Sprintf("g%d%d", r, n), 0, 8, 10, node)
					}
				}
				return w, asks(2, 8, block, rack)
			},
			want: []string{"g00", "g01"}, domain: "b/r0",
		},
		{
			name: "members that run say in which rack",
			world: func() (*world, plan.Request) {
				w := newWorld()
				w.run("cheap", 0, 8, 1, w.rack("b", "r1", 1)...)
				pinned := w.rack("b", "r2", 2)
				w.run("dear", 3, 8, 100, pinned[0])
				w.member(&Gang{Name: "claimant"}, 0, pinned[1], gpus(8), 0)
				r := asks(1, 8, rack, fabric.NoLevel)
				r.Running = []plan.Running{{Rank: 1, Node: pinned[1]}}
				return w, r
			},
			want: []string{"dear"}, domain: "b/r2",
		},
		{
			name: "a segment needs its room in one rack",
			world: func() (*world, plan.Request) {
				w := newWorld()
				for r, lost := range []int64{1, 10, 100} {
					nodes := w.rack("b", fmt.Sprint("r", r), 3)
					w.run(fmt.Sprint("stays", r), 9, 8, 0, nodes[0])
					for n, node := range nodes[1:] {
						w.run(fmt.Sprintf("g%d%d", r, n), 0, 8, lost, node)
					}
					if r == 0 {
						w.running[len(w.running)-1].Priority = 9
					}
				}
				r := asks(2, 8, block, fabric.NoLevel)
				r.SegmentSize, r.SegmentLevel = 2, rack
				return w, r
			},
			want: []string{"g10", "g11"}, domain: "b",
		},
		{
			// Of two racks, a segment goes to the one with less left, and what the gang leaves in
			// one of them outside of the NVLink domain counts.
			name: "what goes outside of the domain is gone for the plan as well",
			world: func() (*world, plan.Request) {
				w := newWorld()
				var nodes []pack.NodeID
				for _, at := range [][2]string{{"r1", "l1"}, {"r1", "l1"}, {"r2", "l1"}, {"r2", "l1"}, {"r1", "l2"}} {
					nodes = append(nodes, w.add(pack.Amounts{Kind: 1, Devices: 8, CPU: 80, Pods: 20}, map[string]string{"block": "b", "rack": at[0], "link": at[1]}))
				}
				w.run("wide", 0, 8, 1, nodes...)
				r := asks(2, 8, link, fabric.NoLevel)
				r.SegmentSize, r.SegmentLevel = 2, rack
				return w, r
			},
			want: []string{"wide"}, domain: "l1",
		},
		{
			name: "two devices on two sides of a machine are not linked",
			world: func() (*world, plan.Request) {
				w := newWorld()
				n := w.add(pack.Amounts{Kind: 1, Devices: 4, CPU: 9, Pods: 9, Class: 1, Mask: topology.All(4)}, nil)
				for i, lost := range []int64{1, 50, 2, 40} {
					w.run(fmt.Sprint("g", i), 0, 1, lost, n)
				}
				r := asks(1, 2, fabric.NoLevel, fabric.NoLevel)
				r.Pods[0].Request.Link = topology.NVLink
				return w, r
			},
			// g0 and g2 cost less, and hold devices 0 and 2.
			want: []string{"g2", "g3"}, domain: "",
		},
		{
			name: "an elastic gang that waits takes room for what it needs",
			world: func() (*world, plan.Request) {
				w := newWorld()
				for n, node := range w.rack("b", "r1", 3) {
					w.run(fmt.Sprint("g", n), 0, 8, int64(n), node)
				}
				r := asks(3, 8, rack, fabric.NoLevel)
				r.Least = 2
				return w, r
			},
			want: []string{"g0", "g1"}, domain: "b/r1",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w, r := test.world()
			permit := test.permit
			if permit == nil {
				permit = &rules{}
			}
			got, why := Victims(w.Planner, r, w.running, permit, Bounds{})
			if why != nil {
				t.Fatal(why.Sentence(w.Fabric))
			}
			w.check(t, r, permit, got)
			if victims := who(got); !slices.Equal(victims, test.want) {
				t.Errorf("victims are %q, want %q", victims, test.want)
			}
			if domain := w.Fabric.Domain(got.Candidate.Domain).Name; domain != test.domain {
				t.Errorf("the domain is %q, want %q", domain, test.domain)
			}
			if !got.Exact {
				t.Error("nothing is known to be less")
			}
		})
	}
}
