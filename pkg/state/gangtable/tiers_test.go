package gangtable

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/berth-dev/berth/pkg/core/gang"
	"github.com/berth-dev/berth/pkg/dialect"
	"github.com/berth-dev/berth/pkg/state/statetest"
)

// A gang that asks for a tier is told which labels there are as nodes come and go, and its
// tier is the level that these labels make it.
func TestTierOfAGang(t *testing.T) {
	const (
		rack, block = "topology.kubernetes.io/rack", "topology.kubernetes.io/block"
		leaf        = "network.topology.nvidia.com/leaf"
	)
	label := func(g *gangsRig, name string, keys ...string) {
		labels := map[string]string{}
		for _, key := range keys {
			labels[key] = "x"
		}
		g.SetNode(&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}})
	}
	setup := func(t *testing.T, mode, tier string) (g *gangsRig, check func(what string, want gang.Topology, held string)) {
		g = newGangsRig(t)
		pod := statetest.Pod("a")
		pod.Annotations = map[string]string{
			"scheduling.volcano.sh/group-name":         "g",
			"scheduling.volcano.sh/group-min-member":   "1",
			"volcano.sh/network-topology-mode":         mode,
			"volcano.sh/network-topology-highest-tier": tier,
		}
		g.SetPod(pod)
		return g, func(what string, want gang.Topology, held string) {
			t.Helper()
			g.settleAll()
			got, _ := g.Get(gang.Key{Namespace: "ns", Dialect: dialect.Volcano, Name: "g"})
			switch {
			case held != "":
				if got.Verdict.Code != gang.Unschedulable || !strings.Contains(got.Verdict.Text, held) {
					t.Errorf("%s: the verdict is %+v, want it held with %q", what, got.Verdict, held)
				}
			case got.Verdict.Action != gang.Admit:
				t.Errorf("%s: the verdict is %+v, want it admitted", what, got.Verdict)
			default:
				if diff := cmp.Diff(want, got.Verdict.Group.Topology); diff != "" {
					t.Errorf("%s: topology (-want +got):\n%s", what, diff)
				}
			}
		}
	}

	t.Run("hard", func(t *testing.T) {
		g, check := setup(t, "hard", "2")
		check("without nodes", gang.Topology{}, "requires networkTopology.highestTierAllowed=2, and nodes have labels of no tier")
		label(g, "m", "topology.kubernetes.io/zone")
		check("with a zone", gang.Topology{}, "no tier")
		label(g, "n", rack)
		check("with racks", gang.Topology{}, "1 tier only: "+rack)
		label(g, "n", rack, block)
		check("with racks and blocks", gang.Topology{Required: block}, "")
		label(g, "n", leaf)
		check("with leaves in their place", gang.Topology{}, "1 tier only: "+leaf)
		label(g, "n", leaf, rack, block)
		check("with both", gang.Topology{Required: block}, "")
		g.DeleteNode("n")
		check("when the node is gone", gang.Topology{}, "no tier")
	})
	t.Run("hard, past the last", func(t *testing.T) {
		g, check := setup(t, "hard", "3")
		label(g, "n", rack, block)
		check("with racks and blocks", gang.Topology{}, "2 tiers only: "+rack+", "+block)
	})
	t.Run("soft", func(t *testing.T) {
		g, check := setup(t, "soft", "1")
		check("without nodes", gang.Topology{}, "")
		label(g, "n", block)
		check("with blocks", gang.Topology{Preferred: block}, "")
		label(g, "n", rack, block)
		check("with racks", gang.Topology{Preferred: rack}, "")
		g.DeleteNode("n")
		check("when the node is gone", gang.Topology{}, "")
	})
}

// Members that run are not held back by labels that are gone.
func TestTierOfAGangThatRuns(t *testing.T) {
	asked := gang.Topology{Required: "networkTopology.highestTierAllowed=1", Preferred: "networkTopology.highestTierAllowed=1"}
	got, why := ResolveTiers(asked, func(string) bool { return false })
	if diff := cmp.Diff(gang.Topology{Required: asked.Required}, got); diff != "" || why == "" {
		t.Errorf("%q (-want +got):\n%s", why, diff)
	}
	g := newGangsRig(t)
	pod := statetest.Pod("a")
	pod.Spec.NodeName = "n"
	pod.Annotations = map[string]string{
		"scheduling.volcano.sh/group-name":         "g",
		"scheduling.volcano.sh/group-min-member":   "1",
		"volcano.sh/network-topology-highest-tier": "1",
	}
	g.SetPod(pod)
	g.settleAll()
	if got, _ := g.Get(gang.Key{Namespace: "ns", Dialect: dialect.Volcano, Name: "g"}); got.Verdict.Action != gang.Admit {
		t.Errorf("the verdict is %+v, want it admitted", got.Verdict)
	}
}

// A level whose label no node has, and whose name is itself a label of nodes, is that label;
// and a word that is no name is a label.
func TestLevelThatIsABareLabel(t *testing.T) {
	g := newGangsRig(t)
	for name, level := range map[string]string{"a": "rack", "b": "cage"} {
		pod := statetest.Pod(name)
		pod.Labels = map[string]string{"berth.dev/gang": name}
		pod.Annotations = map[string]string{"berth.dev/gang-size": "1", "berth.dev/required-topology": level}
		g.SetPod(pod)
	}
	node := func(labels map[string]string) {
		g.SetNode(&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n", Labels: labels}})
		g.settleAll()
	}
	check := func(gangName, want, held string) {
		t.Helper()
		got, _ := g.Get(gang.Key{Namespace: "ns", Dialect: dialect.Berth, Name: gangName})
		switch {
		case held != "" && (got.Verdict.Action != gang.Hold || !strings.Contains(got.Verdict.Text, held)):
			t.Errorf("gang %s: the verdict is %+v, want it held with %q", gangName, got.Verdict, held)
		case held == "" && (got.Verdict.Action != gang.Admit || got.Verdict.Group.Topology.Required != want):
			t.Errorf("gang %s: the verdict is %+v, want it admitted in one %s", gangName, got.Verdict, want)
		}
	}
	node(map[string]string{"zone": "z"})
	check("a", "", "topology.kubernetes.io/rack, and no node has that label")
	check("b", "", "cage, and no node has that label; levels that have a name are block")
	node(map[string]string{"rack": "r", "cage": "c"})
	check("a", "rack", "")
	check("b", "cage", "")
	node(map[string]string{"rack": "r", "topology.kubernetes.io/rack": "r"})
	check("a", "topology.kubernetes.io/rack", "")
}
