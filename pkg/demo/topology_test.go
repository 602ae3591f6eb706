package demo

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/berth-dev/berth/pkg/localcluster"
)

// What a gang asks for, and that both kinds of asking are common.
func TestAsks(t *testing.T) {
	for _, nodes := range []int{64, 300, 1000, 2500, 5000} {
		for seed := range uint64(5) {
			w := mustGenerate(t, nodes, seed)
			asks := map[string]int{}
			fits := 0
			for _, s := range w.Submissions {
				asks[s.asks()]++
				n := (s.Size*s.GPUs + 7) / 8
				if s.Gang() && n <= 32 {
					fits++
				}
				switch {
				case !s.Gang() && s.asks() != "":
					t.Errorf("the single pod %s %s", s.Name, s.asks())
				case n > 32 && s.AsksForRack(), n > 256 && s.asks() != "":
					t.Errorf("gang %s of %d nodes %s", s.Name, n, s.asks())
				case s.Gang() && n <= 256 && s.asks() == "":
					t.Errorf("gang %s of %d nodes asks for nothing", s.Name, n)
				case s.Required != "" && s.Preferred != "" && (s.Dialect == "kueue" || s.Dialect == "volcano"):
					t.Errorf("gang %s %s, which %s has no words for", s.Name, s.asks(), s.Dialect)
				}
			}
			required, preferred := asks["requires a rack"], asks["prefers a rack"]+asks["requires a block, prefers a rack"]
			if required*5 < fits || preferred*5 < fits || asks["requires a block, prefers a rack"] == 0 {
				t.Errorf("%d nodes, seed %d: of %d gangs that fit into a rack, not enough require or prefer one: %v", nodes, seed, fits, asks)
			}
		}
	}
}

// A gang that requires a level has room in a domain of it even if all other pods were laid
// out to leave none: each on a node of the domain that has most nodes empty.
func TestRequiredDomainsAreCertain(t *testing.T) {
	checked := 0
	everySize(t, func(t *testing.T, w Workload) {
		racks := (w.Nodes + 31) / 32
		for _, s := range w.Submissions {
			if s.Required == "" || s.Late || w.Nodes > 400 && checked%17 != 0 {
				continue
			}
			checked++
			used, small := racks, 0
			for _, other := range w.Submissions {
				switch {
				case other.Name == s.Name, other.Late:
				case other.GPUs == 8:
					used += other.Size
				default:
					small += other.Size * other.GPUs
				}
			}
			used += small / 5
			size := 32
			if s.Required == blockLevel {
				size = 256
			}
			empty := make([]int, (w.Nodes+size-1)/size)
			for i := range empty {
				empty[i] = min(size, w.Nodes-i*size)
			}
			// Level by level from the top is what taking one at a time comes to.
			for level := size; used > 0 && level > 0; level-- {
				for i := range empty {
					if used > 0 && empty[i] == level {
						empty[i]--
						used--
					}
				}
			}
			if need := (s.Size*s.GPUs + 7) / 8; slices.Max(empty) < need {
				t.Errorf("gang %s takes %d nodes and %s: there may be none with more than %d", s.Name, need, s.asks(), slices.Max(empty))
			}
		}
	})
	if checked < 1000 {
		t.Errorf("only %d gangs require a level", checked)
	}
}

// rackOf is the rack of a node by its number.
func rackOf(node int) int { return node / localcluster.DefaultRackSize }

// All fits when gangs are placed as they are complete, by a scheduler that heeds what they
// require and is as clumsy as the package doc allows: it spreads everything over the racks,
// and looks no further than one rack for a node in use.
func TestWorkloadFitsWhereItIsRequired(t *testing.T) {
	everySize(t, func(t *testing.T, w Workload) {
		free := make([]int, w.Nodes)
		racks := rackOf(w.Nodes-1) + 1
		empty := make([]int, racks)
		for node := range free {
			free[node] = nodeGPUs
			empty[rackOf(node)]++
		}
		emptiest := func(first, last int) int { // of the racks from first to before last
			best := first
			for rack := first; rack < min(last, racks); rack++ {
				if empty[rack] > empty[best] {
					best = rack
				}
			}
			return best
		}
		place := func(rack, gpus int) bool {
			from, to := rack*localcluster.DefaultRackSize, min((rack+1)*localcluster.DefaultRackSize, w.Nodes)
			opened := -1
			for node := from; node < to; node++ {
				switch {
				case free[node] == nodeGPUs:
					opened = node
				case free[node] >= gpus && gpus < nodeGPUs:
					free[node] -= gpus
					return true
				}
			}
			if opened < 0 {
				return false
			}
			free[opened] -= gpus
			empty[rack]--
			return true
		}
		missing := make([]int, len(w.Submissions))
		for i, s := range w.Submissions {
			missing[i] = s.Size
		}
		for _, ref := range w.Pods(w.Order) {
			if missing[ref.Submission]--; missing[ref.Submission] > 0 {
				continue
			}
			s := w.Submissions[ref.Submission]
			first, last := 0, racks
			switch s.Required {
			case rackLevel:
				first = emptiest(0, racks)
				last = first + 1
			case blockLevel:
				most := -1
				for block := 0; block < racks; block += localcluster.DefaultBlockSize {
					sum := 0
					for _, n := range empty[block:min(block+localcluster.DefaultBlockSize, racks)] {
						sum += n
					}
					if sum > most {
						most, first, last = sum, block, block+localcluster.DefaultBlockSize
					}
				}
			}
			for range s.Size {
				if !place(emptiest(first, last), s.GPUs) {
					t.Errorf("gang %s of %d pods, which %s, does not fit", s.Name, s.Size, s.asks())
					return
				}
			}
		}
	})
}

// Each dialect asks in its own words, where it has some.
func TestWordsForLevels(t *testing.T) {
	ours := func(pairs ...string) map[string]string {
		out := map[string]string{}
		for i := 0; i < len(pairs); i += 2 {
			out[pairs[i]] = pairs[i+1]
		}
		return out
	}
	berth := [3]map[string]string{
		ours("berth.dev/required-topology", "rack"),
		ours("berth.dev/preferred-topology", "block"),
		ours("berth.dev/required-topology", "block", "berth.dev/preferred-topology", "rack"),
	}
	want := map[string][3]map[string]string{
		"berth": berth, "scheduler-plugins": berth, "yunikorn": berth, "koordinator": berth, "job": berth,
		"kueue": {
			ours("kueue.x-k8s.io/podset-required-topology", "topology.kubernetes.io/rack"),
			ours("kueue.x-k8s.io/podset-preferred-topology", "topology.kubernetes.io/block"),
			nil,
		},
		"kai": {
			ours("kai.scheduler/topology-required-placement", "topology.kubernetes.io/rack"),
			ours("kai.scheduler/topology-preferred-placement", "topology.kubernetes.io/block"),
			ours("kai.scheduler/topology-required-placement", "topology.kubernetes.io/block", "kai.scheduler/topology-preferred-placement", "topology.kubernetes.io/rack"),
		},
		"volcano": {
			ours("volcano.sh/network-topology-mode", "hard", "volcano.sh/network-topology-highest-tier", "1"),
			ours("volcano.sh/network-topology-mode", "soft", "volcano.sh/network-topology-highest-tier", "2"),
			nil,
		},
	}
	for _, d := range dialects {
		silent := Submission{Name: "g", Dialect: d.name, Size: 2, GPUs: 8}
		asking := []Submission{silent, silent, silent}
		asking[0].Required, asking[1].Preferred = rackLevel, blockLevel
		asking[2].Required, asking[2].Preferred = blockLevel, rackLevel
		before := silent.Template().Annotations
		for i, s := range asking {
			if i == 2 && !saysBoth(d.name) {
				continue
			}
			got := s.Template().Annotations
			for key, value := range before {
				if got[key] != value {
					t.Errorf("%s: annotation %s is %q once the gang %s, want %q", d.name, key, got[key], s.asks(), value)
				}
				delete(got, key)
			}
			if diff := cmp.Diff(want[d.name][i], got); diff != "" {
				t.Errorf("%s: annotations of a gang that %s (-want +got):\n%s", d.name, s.asks(), diff)
			}
		}
		if saysBoth(d.name) == (want[d.name][2] == nil) {
			t.Errorf("%s: the dialect can say both: %v", d.name, saysBoth(d.name))
		}
	}
}

func TestDomain(t *testing.T) {
	node := &v1.Node{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{localcluster.RackLabel: "r", localcluster.BlockLabel: "b"}}}
	for level, want := range map[Level]string{rackLevel: "b/r", blockLevel: "b"} {
		if got := level.domain(node); got != want {
			t.Errorf("the %s is %q, want %q", level, got, want)
		}
		if got := level.domain(&v1.Node{}); got != "" {
			t.Errorf("the %s of a node without labels is %q", level, got)
		}
	}
}
