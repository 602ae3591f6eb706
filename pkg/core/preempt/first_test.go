package preempt

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/berth-dev/berth/pkg/core/fabric"
	"github.com/berth-dev/berth/pkg/core/plan"
)

// firstChoice is a choice before all sets of victims are searched.
func firstChoice(w *world, r plan.Request, permit Permit, steps int) (Choice, bool) {
	s := newSearch(w.Planner, r, w.running, permit, steps)
	if s.first(); s.best == nil {
		return Choice{}, false
	}
	return s.choice(), true
}

// TestFirstChoiceStands has no steps to look for a better choice: it is permitted, it works,
// and each victim is needed.
func TestFirstChoiceStands(t *testing.T) {
	w := full(96)
	for i := range w.running {
		w.running[i].Queue = QueueID(i % 2)
	}
	for _, claim := range claims {
		permit := &rules{most: map[QueueID]int{0: 100}}
		got, why := Victims(w.Planner, claim.request(), w.running, permit, Bounds{Steps: 1})
		if large := strings.Contains(claim.name, "512x8") || strings.Contains(claim.name, "33x8"); large != (why != nil) {
			t.Fatalf("%s: %+v", claim.name, why)
		}
		if why == nil {
			w.check(t, claim.request(), permit, got)
		}
	}
}

func TestFirstChoice(t *testing.T) {
	tests := []struct {
		name   string
		world  func() (*world, plan.Request)
		permit *rules
		steps  int
		want   []string
	}{
		{
			// Each node of two bears half of its gang, so both racks look better than they are.
			name: "the best of all domains is kept",
			world: func() (*world, plan.Request) {
				w := newWorld()
				w.run("ten", 0, 8, 5, w.rack("b", "r1", 2)...)
				w.run("twelve", 0, 8, 6, w.rack("b", "r2", 2)...)
				return w, asks(1, 8, rack, fabric.NoLevel)
			},
			want: []string{"ten"},
		},
		{
			name: "of an elastic gang only as many go as are permitted",
			world: func() (*world, plan.Request) {
				w := newWorld()
				nodes := w.rack("b", "r1", 4)
				w.run("elastic", 0, 8, 1, nodes[:3]...).Least = 0
				w.run("other", 1, 8, 100, nodes[3])
				w.running[1].Queue = 1
				return w, asks(3, 8, rack, fabric.NoLevel)
			},
			permit: &rules{most: map[QueueID]int{0: 2}},
			want:   []string{"elastic elastic-2 elastic-1", "other"},
		},
		{
			// Of queue 1 one may go, so the first rack needs the high one after all.
			name: "a lower priority is looked for without steps",
			world: func() (*world, plan.Request) {
				w := newWorld()
				nodes := w.rack("b", "r1", 3)
				w.run("low1", 0, 8, 1, nodes[0]).Queue = 1
				w.run("low2", 0, 8, 1, nodes[1]).Queue = 1
				w.run("high", 5, 8, 1, nodes[2])
				nodes = w.rack("b", "r2", 2)
				w.run("low3", 0, 8, 100, nodes[0])
				w.run("low4", 0, 8, 100, nodes[1])
				return w, asks(2, 8, rack, fabric.NoLevel)
			},
			permit: &rules{most: map[QueueID]int{1: 1}},
			steps:  1,
			want:   []string{"low3", "low4"},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w, r := test.world()
			if test.permit == nil {
				test.permit = &rules{}
			}
			got, ok := firstChoice(w, r, test.permit, cmp.Or(test.steps, DefaultSteps))
			if !ok {
				t.Fatal("there is no first choice")
			}
			w.check(t, r, test.permit, got)
			if victims := who(got); !slices.Equal(victims, test.want) {
				t.Errorf("victims are %q, want %q", victims, test.want)
			}
		})
	}
}

// TestFirstChoiceIsGood compares first choices with the best.
func TestFirstChoiceIsGood(t *testing.T) {
	const instances = 2000
	victims, none, worse := 0, 0, 0
	for seed := range uint64(instances) {
		random := rand.New(rand.NewPCG(seed, 7))
		w := randomWorld(random)
		r := randomRequest(random, w)
		permit := randomRules(random, w)
		best, why := Victims(w.Planner, r, w.running, permit, Bounds{})
		if why != nil || best.Damage.Gangs == 0 {
			continue
		}
		victims++
		got, ok := firstChoice(w, r, permit, DefaultSteps)
		if !ok {
			none++
			continue
		}
		if got.Damage.Priority > best.Damage.Priority || got.Damage.Lost*10 > best.Damage.Lost*11 {
			worse++
		}
		w.check(t, r, permit, got)
	}
	t.Logf("of %d choices, %d are not found, and %d are worse", victims, none, worse)
	if victims < instances/5 || none*100 > victims || worse*20 > victims {
		t.Errorf("of %d choices, %d are not found, and %d are worse", victims, none, worse)
	}
}
