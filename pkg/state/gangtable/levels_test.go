package gangtable

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/berth-dev/berth/pkg/core/gang"
	"github.com/berth-dev/berth/pkg/dialect"
	"github.com/berth-dev/berth/pkg/state/statetest"
)

// A gang that requires a level waits for the first node that has it.
func TestRequiredLevel(t *testing.T) {
	const level = "example.com/pod"
	g := newGangsRig(t)
	node := func(labels map[string]string) *corev1.Node {
		return &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n", Labels: labels}}
	}
	pod := statetest.Pod("a")
	pod.Labels["berth.dev/gang"] = "g"
	pod.Annotations["berth.dev/gang-size"] = "1"
	pod.Annotations["berth.dev/required-topology"] = level
	key := gang.Key{Namespace: "ns", Dialect: dialect.Berth, Name: "g"}
	check := func(what string, want gang.Verdict) {
		t.Helper()
		g.settleAll()
		got, _ := g.Get(key)
		if got.Verdict.Action != want.Action || got.Verdict.Code != want.Code {
			t.Errorf("%s: the verdict is %+v, want %+v", what, got.Verdict, want)
		}
	}
	held := gang.Verdict{Action: gang.Hold, Code: gang.Unschedulable}
	g.SetPod(pod)
	check("without nodes", held)
	g.SetNode(node(map[string]string{"other": "x"}))
	check("with a node without the level", held)
	g.SetNode(node(map[string]string{"other": "x", level: "1"}))
	check("with a node that has it", gang.Verdict{Action: gang.Admit})
	g.DeleteNode("n")
	check("when that node is gone", held)
}

func TestLevelsAgreeWithACount(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	l := newLevels()
	nodes := map[string]map[string]string{}
	count := func() map[string]int {
		out := map[string]int{}
		for _, labels := range nodes {
			for key := range labels {
				out[key]++
			}
		}
		return out
	}
	names, keys := []string{"a", "b", "c"}, []string{"x", "y", "z"}
	for range 5000 {
		before := count()
		name := names[r.IntN(len(names))]
		var labels map[string]string
		if r.IntN(4) > 0 {
			labels = map[string]string{}
			for _, key := range keys {
				if r.IntN(2) == 0 {
					labels[key] = "v"
				}
			}
		}
		nodes[name] = labels
		changed := l.set(name, labels)
		after := count()
		var want []string
		for _, key := range keys {
			if (before[key] == 0) != (after[key] == 0) {
				want = append(want, key)
			}
		}
		slices.Sort(changed)
		if diff := cmp.Diff(want, changed); diff != "" {
			t.Fatalf("changed levels (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(after, l.nodes); diff != "" {
			t.Fatalf("nodes by level (-want +got):\n%s", diff)
		}
	}
}

// A gang whose segments need a level that no node has is told so, and waits for the first
// node of it.
func TestLevelOfSegments(t *testing.T) {
	g := newGangsRig(t)
	pod := statetest.Pod("a")
	pod.Labels["berth.dev/gang"] = "g"
	pod.Annotations["berth.dev/gang-size"] = "1"
	pod.Annotations["berth.dev/segment-size"] = "1"
	pod.Annotations["berth.dev/segment-topology"] = "example.com/pod"
	key := gang.Key{Namespace: "ns", Dialect: dialect.Berth, Name: "g"}
	g.SetPod(pod)
	g.settleAll()
	want := "gang ns/g requires one domain of topology level example.com/pod for each segment, and no node has that label"
	if got, _ := g.Get(key); got.Verdict.Code != gang.Unschedulable || got.Verdict.Text != want {
		t.Errorf("without nodes the verdict is %+v", got.Verdict)
	}
	g.SetNode(&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n", Labels: map[string]string{"example.com/pod": "1"}}})
	g.settleAll()
	if got, _ := g.Get(key); got.Verdict.Action != gang.Admit {
		t.Errorf("with a node of it the verdict is %+v", got.Verdict)
	}
}
