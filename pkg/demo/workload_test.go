package demo

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/berth-dev/berth/pkg/localcluster"
)

func mustGenerate(t *testing.T, nodes int, seed uint64) Workload {
	t.Helper()
	w, err := Generate(nodes, seed)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// everySize calls f with a workload for every small cluster and some large ones.
func everySize(t *testing.T, f func(t *testing.T, w Workload)) {
	for nodes := MinNodes; nodes <= 5000; nodes++ {
		if nodes > 400 && nodes%73 != 0 && nodes%1000 != 0 && nodes%2500 != 0 {
			continue
		}
		for seed := range uint64(3) {
			f(t, mustGenerate(t, nodes, seed))
			if t.Failed() {
				t.Fatalf("with %d nodes and seed %d", nodes, seed)
			}
		}
	}
}

func TestGenerateIsDeterministic(t *testing.T) {
	if diff := cmp.Diff(mustGenerate(t, 300, 1), mustGenerate(t, 300, 1)); diff != "" {
		t.Errorf("one seed gave two workloads:\n%s", diff)
	}
	if cmp.Equal(mustGenerate(t, 300, 1).Order, mustGenerate(t, 300, 2).Order) {
		t.Error("two seeds gave one order")
	}
}

func TestGenerateRefuses(t *testing.T) {
	if w, err := Generate(MinNodes-1, 1); err == nil {
		t.Errorf("got %d submissions for too few nodes", len(w.Submissions))
	}
}

func TestWorkloadSums(t *testing.T) {
	everySize(t, func(t *testing.T, w Workload) {
		pods, gpus := 0, 0
		names := map[string]bool{}
		for _, s := range w.Submissions {
			if !s.Late {
				pods += s.Size
				gpus += s.Size * s.GPUs
			}
			for i := range s.Size {
				if name := s.PodName(i); names[name] {
					t.Errorf("two pods are named %s", name)
				} else {
					names[name] = true
				}
			}
			switch {
			case s.Gang() && (s.Size < 2 || s.Size > 512 || s.Size > max(w.Nodes/4, 16)):
				t.Errorf("gang %s has %d pods", s.Name, s.Size)
			case !s.Gang() && s.Size != 1:
				t.Errorf("single pod %s has size %d", s.Name, s.Size)
			}
			if !slices.Contains([]int{1, 2, 4, 8}, s.GPUs) {
				t.Errorf("%s asks for %d GPUs a pod", s.Name, s.GPUs)
			}
		}
		if want := w.Nodes * nodeGPUs * 8 / 10; gpus != want {
			t.Errorf("the workload has %d GPUs, want %d", gpus, want)
		}
		if got := len(w.Pods(w.Order)); got != pods {
			t.Errorf("%d pods are in order, want %d", got, pods)
		}
		once := map[PodRef]bool{}
		for _, ref := range w.AllPods() {
			if once[ref] || ref.Index >= w.Submissions[ref.Submission].Size {
				t.Errorf("pod %v comes twice or is none", ref)
			}
			once[ref] = true
		}
	})
}

// All fits, by the margin and when the pods are placed one by one on the first
// node that has room and is in use, or else on an empty one.
func TestWorkloadFits(t *testing.T) {
	everySize(t, func(t *testing.T, w Workload) {
		if w.Margin() < 0 {
			t.Errorf("the margin is %d nodes", w.Margin())
		}
		var inUse []int // free GPUs
	pods:
		for _, ref := range w.Pods(w.Order) {
			gpus := w.Submissions[ref.Submission].GPUs
			for i, free := range inUse {
				if free >= gpus && gpus < nodeGPUs {
					inUse[i] -= gpus
					continue pods
				}
			}
			inUse = append(inUse, nodeGPUs-gpus)
		}
		if len(inUse) > w.Nodes {
			t.Errorf("first fit takes %d nodes of %d", len(inUse), w.Nodes)
		}
	})
	// Eight pods of one GPU each leave room for the rest of a node.
	machine := localcluster.Machines()[0]
	if nodeGPUs*cpusPerGPU > machine.CPUs || nodeGPUs*memoryPerGPU > machine.Memory<<30 || machine.GPUs != nodeGPUs || machine.Pods < nodeGPUs {
		t.Errorf("a node full of GPU pods is not a machine %v", machine)
	}
}

func TestWorkloadVariety(t *testing.T) {
	for _, test := range []struct{ nodes, gangs, dialects, largest int }{
		{8, 3, 3, 2},
		{64, 10, 8, 16},
		{300, 40, 8, 64},
		{1000, 150, 8, 192},
		{2500, 150, 8, 512},
		{5000, 150, 8, 512},
	} {
		for seed := range uint64(20) {
			w := mustGenerate(t, test.nodes, seed)
			spoken := map[string]bool{}
			gpus := map[int]int{}
			largest, small, single := 0, 0, 0
			for _, s := range w.Submissions {
				gpus[s.GPUs] += s.Size
				if !s.Gang() {
					single++
					continue
				}
				spoken[s.Dialect] = true
				if s.GPUs == nodeGPUs && !s.Late {
					largest = max(largest, s.Size)
				}
				if s.Size <= 8 {
					small++
				}
			}
			if w.Gangs() < test.gangs || len(spoken) < test.dialects || largest != test.largest || single == 0 {
				t.Errorf("%d nodes, seed %d: %d gangs in %d dialects, the largest of %d pods, %d single pods; want at least %d in %d, the largest of %d",
					test.nodes, seed, w.Gangs(), len(spoken), largest, single, test.gangs, test.dialects, test.largest)
			}
			if small*2 < w.Gangs() {
				t.Errorf("%d nodes, seed %d: only %d of %d gangs are small", test.nodes, seed, small, w.Gangs())
			}
			if test.nodes >= 64 && (gpus[1] == 0 || gpus[2] == 0 || gpus[4] == 0 || gpus[8] < gpus[4]+gpus[2]+gpus[1]) {
				t.Errorf("%d nodes, seed %d: pods by GPUs are %v; want all sizes, and most of 8", test.nodes, seed, gpus)
			}
		}
	}
}

func TestRung(t *testing.T) {
	for n, want := range map[int]int{2: 2, 3: 3, 5: 4, 47: 32, 48: 48, 511: 384, 512: 512, 9999: 512} {
		if got := rung(n); got != want {
			t.Errorf("rung(%d) = %d, want %d", n, got, want)
		}
	}
}
