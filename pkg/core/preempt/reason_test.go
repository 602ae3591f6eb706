package preempt

import (
	"testing"

	"github.com/berth-dev/berth/pkg/core/fabric"
	"github.com/berth-dev/berth/pkg/core/plan"
)

func TestReason(t *testing.T) {
	tests := []struct {
		name   string
		world  func() (*world, plan.Request)
		permit Permit
		want   Code
		text   string
	}{
		{
			name: "too small",
			world: func() (*world, plan.Request) {
				w := newWorld()
				w.run("low", 0, 8, 1, w.rack("b", "r1", 2)...)
				w.run("other", 0, 8, 1, w.rack("b", "r2", 3)...)
				return w, asks(6, 8, block, rack)
			},
			want: NotEnough,
			text: `if all that may be evicted went, no domain of rack would hold 6 pods: "b/r2" comes closest, with 3; ` +
				`if all that may be evicted went, no domain of block would hold 6 pods: "b" comes closest, with 5`,
		},
		{
			name: "protected in part",
			world: func() (*world, plan.Request) {
				w := newWorld()
				nodes := w.rack("b", "r1", 3)
				w.run("low", 0, 8, 1, nodes[:2]...)
				w.run("high", 0, 8, 1, nodes[2])
				return w, asks(3, 8, fabric.NoLevel, fabric.NoLevel)
			},
			permit: &rules{protected: map[string]bool{"high": true}},
			want:   NotEnough,
			text:   "if all that may be evicted went, the cluster would hold 2 of 3 pods",
		},
		{
			name: "protected",
			world: func() (*world, plan.Request) {
				w := newWorld()
				w.run("high", 0, 8, 1, w.rack("b", "r1", 1)...)
				return w, asks(1, 8, fabric.NoLevel, fabric.NoLevel)
			},
			permit: &rules{protected: map[string]bool{"high": true}},
			want:   Protected,
			text:   "no gang that runs may be evicted for it",
		},
		{
			name: "above a limit",
			world: func() (*world, plan.Request) {
				w := newWorld()
				w.run("own", 0, 8, 1, w.rack("b", "r1", 1)...)
				return w, asks(1, 8, fabric.NoLevel, fabric.NoLevel)
			},
			permit: &rules{above: 2},
			want:   AboveLimit,
			text:   "if all that may be evicted went, it would still be above a limit of its queue",
		},
		{
			name: "no such level",
			world: func() (*world, plan.Request) {
				w := newWorld()
				w.run("low", 0, 8, 1, w.rack("b", "r1", 1)...)
				return w, asks(1, 8, link, fabric.NoLevel)
			},
			want: NoDomain,
			text: "no node has the label link",
		},
		{
			name: "members run in two racks",
			world: func() (*world, plan.Request) {
				w := newWorld()
				a, b := w.rack("b", "r1", 1), w.rack("b", "r2", 1)
				w.run("low", 0, 8, 1, a[0], b[0])
				r := asks(1, 8, rack, fabric.NoLevel)
				r.Running = []plan.Running{{Rank: 1, Node: a[0]}, {Rank: 2, Node: b[0]}}
				return w, r
			},
			want: Scattered,
			text: "pods of the gang run in no domain of rack, or in several",
		},
		{
			name: "no nodes",
			world: func() (*world, plan.Request) {
				return newWorld(), asks(1, 8, fabric.NoLevel, fabric.NoLevel)
			},
			want: NoDomain,
			text: "the cluster has no nodes",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w, r := test.world()
			if test.permit == nil {
				test.permit = anyone{}
			}
			got, why := Victims(w.Planner, r, w.running, test.permit, Bounds{})
			if why == nil {
				t.Fatalf("victims are %q, want none", who(got))
			}
			if why.Code != test.want {
				t.Errorf("the code is %s, want %s", why.Code, test.want)
			}
			if text := why.Sentence(w.Fabric); text != test.text {
				t.Errorf("the text is\n%s\nwant\n%s", text, test.text)
			}
		})
	}
}
