package plan

import (
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/berth-dev/berth/pkg/core/fabric"
	"github.com/berth-dev/berth/pkg/core/pack"
)

// TestTrialAgreesWithPlan asks for each domain for itself what Plan asks for all: the first
// level with a domain that fits is that of the plan, and the plan is the one in its domain.
func TestTrialAgreesWithPlan(t *testing.T) {
	const instances = 5000
	placed, segmented := 0, 0
	for seed := range uint64(instances) {
		random := rand.New(rand.NewPCG(seed, 22))
		w := randomWorld(random)
		r := randomRequest(random, w)
		r.Least = len(r.Pods)
		if random.IntN(6) == 0 {
			r.Running = append(r.Running, Running{Rank: len(r.Pods), Node: pack.NodeID(random.IntN(len(w.nodes)))})
		}
		got := w.Plan(r)
		trial := w.Trial(r)
		done := false
		for _, level := range trial.Levels() {
			domains, ok := trial.Domains(level)
			if !ok && level == r.Required && got.Reason.Code != Scattered {
				t.Fatalf("seed %d: no domain is right for the pods that run, and the reason is %+v", seed, got.Reason)
			}
			var fitting []pack.DomainID
			for _, d := range domains {
				fits, most := trial.Fits(d), trial.Most(d)
				if fits {
					fitting = append(fitting, d)
				}
				if _, ok := trial.In(level, d); ok != fits {
					t.Fatalf("seed %d: domain %d fits: %v, and has a candidate: %v", seed, d, fits, ok)
				}
				if fits && len(trial.Wanted()) == 1 && most != len(r.Pods) || !fits && most >= len(r.Pods) {
					t.Fatalf("seed %d: domain %d fits: %v, and holds %d of %d pods", seed, d, fits, most, len(r.Pods))
				}
			}
			if done = len(got.Candidates) > 0 && got.Candidates[0].Level == level; done {
				if c, _ := trial.In(level, got.Candidates[0].Domain); !reflect.DeepEqual(c, got.Candidates[0]) {
					t.Fatalf("seed %d: in its domain the plan is %+v, want %+v", seed, c, got.Candidates[0])
				}
				break
			}
			if len(fitting) > 0 {
				t.Fatalf("seed %d: domains %v of level %d fit, and the plan is %+v", seed, fitting, level, got)
			}
		}
		for id, free := range w.nodes {
			if now, _ := w.Index.Free(pack.NodeID(id)); now != free {
				t.Fatalf("seed %d: node %d had %+v and has %+v", seed, id, free, now)
			}
		}
		if done {
			placed++
		}
		if done && r.SegmentSize > 0 {
			segmented++
		}
	}
	if placed < instances/3 || segmented < instances/30 {
		t.Errorf("%d of %d were placed, %d of them in segments: the test is too easy", placed, instances, segmented)
	}
}

func TestTrial(t *testing.T) {
	gpus := func(n int32) pack.Amounts { return pack.Amounts{Kind: 1, Devices: n, CPU: 1, Pods: 1} }
	w := newWorld()
	for _, at := range []string{"r0", "r0", "r1"} {
		w.add(pack.Amounts{Kind: 1, Devices: 2, CPU: 8, Memory: 8, Pods: 8}, map[string]string{"block": "b0", "rack": at})
	}
	r := Request{Required: block, Preferred: rack, SegmentSize: 2, SegmentLevel: rack}
	for rank := range 5 {
		r.Pods = append(r.Pods, Pod{Rank: rank, Request: gpus(2)})
	}
	r.Least = 4
	trial := w.Trial(r)
	if got, want := trial.Levels(), []fabric.Level{rack, block}; !reflect.DeepEqual(got, want) {
		t.Errorf("levels are %v, want %v", got, want)
	}
	if got, want := trial.Wanted(), []Alike{{Request: gpus(2), Wanted: 4}}; !reflect.DeepEqual(got, want) {
		t.Errorf("wanted are %+v, want %+v", got, want)
	}
	if size, segments := trial.LargestSegment(); size != 2 || segments != 2 {
		t.Errorf("%d segments of %d pods, want 2 of 2", segments, size)
	}
	b0 := w.Fabric.Of(block)[0]
	if trial.Fits(b0) {
		t.Error("two segments fit, and only one rack has two nodes")
	}
	if got := trial.Most(b0); got != 2 {
		t.Errorf("%d pods find a place, want those of the one segment", got)
	}
	// The index changes: the second rack gets a second node.
	w.add(pack.Amounts{Kind: 1, Devices: 2, CPU: 8, Memory: 8, Pods: 8}, map[string]string{"block": "b0", "rack": "r1"})
	if !trial.Fits(b0) {
		t.Error("two segments do not fit into two racks of two nodes")
	}
}
