package preempt

import (
	"math"
	"reflect"
	"testing"

	"github.com/berth-dev/berth/pkg/core/fabric"
	"github.com/berth-dev/berth/pkg/core/plan"
)

func TestDamageIsBounded(t *testing.T) {
	w := newWorld()
	w.run("old", math.MinInt32, 8, math.MaxInt64, w.rack("b", "r1", 2)...)
	w.run("wrong", math.MinInt32, 8, -5, w.rack("b", "r2", 1)...)
	w.running[1].Members[0].Lost = -5
	got, _ := Victims(w.Planner, asks(3, 8, block, fabric.NoLevel), w.running, anyone{}, Bounds{})
	if want := (Damage{Priority: math.MinInt32, Lost: math.MaxInt64, Gangs: 2, Pods: 3}); got.Damage != want {
		t.Errorf("the damage is %+v, want %+v", got.Damage, want)
	}
}

// TestMembersElsewhere has members on nodes that are not known, or no longer.
func TestMembersElsewhere(t *testing.T) {
	w := newWorld()
	nodes := w.rack("b", "r1", 2)
	g := w.run("gang", 0, 8, 1, nodes...)
	g.Members = append(g.Members, Member{Name: "far", Node: 1000, Request: gpus(8), Lost: 7}, Member{Name: "nowhere", Node: plan.NoNode, Request: gpus(8)})
	g.Least = len(g.Members)
	w.Index.Remove(nodes[1])
	got, why := Victims(w.Planner, asks(1, 8, rack, fabric.NoLevel), w.running, anyone{}, Bounds{})
	if why != nil {
		t.Fatal(why.Sentence(w.Fabric))
	}
	if want := (Damage{Lost: 9, Gangs: 1, Pods: 4}); got.Damage != want {
		t.Errorf("the damage is %+v, want %+v", got.Damage, want)
	}
	if got, want := len(got.Evict[0].Members), 4; got != want {
		t.Errorf("%d members go, want %d", got, want)
	}
}

// TestNothingIsKept asks twice: nothing of the first time is left anywhere.
func TestNothingIsKept(t *testing.T) {
	w := full(96)
	for _, claim := range claims {
		first, why := Victims(w.Planner, claim.request(), w.running, anyone{}, Bounds{})
		second, again := Victims(w.Planner, claim.request(), w.running, anyone{}, Bounds{})
		if !reflect.DeepEqual(first, second) || !reflect.DeepEqual(why, again) {
			t.Errorf("%s: the second answer is another", claim.name)
		}
	}
}
