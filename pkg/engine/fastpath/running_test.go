package fastpath

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/berth-dev/berth/pkg/state/queueing"
)

// runningPod is a member of a gang that runs on a node.
func runningPod(gang string, member int, node string, devices int64) *corev1.Pod {
	pod := testPod(fmt.Sprintf("%s-%d", gang, member), devices, 8, 64)
	pod.UID = types.UID(pod.Name)
	pod.Annotations = map[string]string{"berth.dev/gang": gang, "berth.dev/gang-size": "8"}
	pod.Spec.NodeName = node
	start := metav1.NewTime(time.Unix(1_700_000_000, 0))
	pod.Status.StartTime = &start
	return pod
}

// full is a cluster of nodes of 8 devices, and gangs of 8 pods of a device each on it.
func full(t testing.TB, nodes int) (*Path, []queueing.Candidate) {
	r := newRig(t, "")
	candidates := make([]queueing.Candidate, nodes)
	for i := range nodes {
		node := fmt.Sprintf("node-%05d", i)
		r.addNode(testNode(node, 8, 192, 2048))
		candidates[i] = queueing.Candidate{Name: fmt.Sprintf("g%05d", i), Least: 8}
		for j := range 8 {
			candidates[i].Pods = append(candidates[i].Pods, runningPod(candidates[i].Name, j, node, 1))
		}
	}
	r.begin()
	return r.path, candidates
}

// What is remembered of pods is what they say, whatever changes between two searches.
func TestRunningIsAsItIsNow(t *testing.T) {
	path, candidates := full(t, 6)
	random := rand.New(rand.NewPCG(7, 7))
	now := time.Unix(1_700_001_000, 0)
	remembered := 0
	for step := range 500 {
		candidate := &candidates[random.IntN(len(candidates))]
		pods := make([]*corev1.Pod, len(candidate.Pods))
		copy(pods, candidate.Pods)
		if len(pods) == 0 {
			for j := range 8 {
				pods = append(pods, runningPod(candidate.Name, j, "node-00000", 1))
			}
		}
		i := random.IntN(len(pods))
		switch changed := pods[i].DeepCopy(); random.IntN(5) {
		case 0: // it goes
			pods = append(pods[:i], pods[i+1:]...)
		case 1: // it moves, to a node that nobody knows at times
			changed.Spec.NodeName = fmt.Sprintf("node-%05d", random.IntN(8))
			pods[i] = changed
		case 2: // it asks for more
			pods[i] = runningPod(candidate.Name, i, changed.Spec.NodeName, int64(1+random.IntN(4)))
		case 3: // it says its rank
			changed.Annotations["berth.dev/rank"] = fmt.Sprint(random.IntN(8))
			pods[i] = changed
		}
		candidate.Pods = pods
		now = now.Add(time.Second)
		for _, of := range candidates {
			if known := path.facts[of.Name]; known != nil && len(of.Pods) > 0 && path.factsOf(of.Name, of.Pods) == known {
				remembered++
			}
		}
		got, gotNames := path.runningOf(candidates, now)
		kept := path.facts
		path.facts = nil
		want, wantNames := path.runningOf(candidates, now)
		path.facts = kept
		if diff := cmp.Diff(want, got); diff != "" || len(gotNames) != len(wantNames) {
			t.Fatalf("step %d (-without what is remembered, +with it):\n%s", step, diff)
		}
	}
	if remembered < 500 {
		t.Errorf("facts were remembered %d times in 500 steps", remembered)
	}
}

// What a search costs before it begins, where nothing has changed since the last one.
func BenchmarkRunning(b *testing.B) {
	path, candidates := full(b, 2500)
	now := time.Unix(1_700_001_000, 0)
	for _, c := range []struct {
		name   string
		forget bool
	}{{"first", true}, {"again", false}} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if c.forget {
					path.facts = nil
				}
				if gangs, _ := path.runningOf(candidates, now); len(gangs) != len(candidates) {
					b.Fatalf("%d gangs", len(gangs))
				}
			}
		})
	}
}

// A claim reads those that run once for all its searches, and anew if a node is gone meanwhile:
// its number may be another node's then.
func TestRunningIsReadOnceForAClaim(t *testing.T) {
	path, candidates := full(t, 3)
	running := NewRunning(candidates, time.Unix(1_700_001_000, 0))
	first, _ := running.on(path)
	again, _ := running.on(path)
	if len(first) != 3 || &first[0] != &again[0] {
		t.Fatalf("%d gangs run, and a second search reads them anew", len(first))
	}
	path.index.Remove("node-00001")
	left, byName := running.on(path)
	if len(left) != 2 || byName["g00001"] != nil {
		t.Errorf("a node is gone, and %d gangs can be asked to go, want 2", len(left))
	}
}
