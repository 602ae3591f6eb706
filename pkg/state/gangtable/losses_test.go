package gangtable

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/berth-dev/berth/pkg/core/gang"
	"github.com/berth-dev/berth/pkg/core/repair"
	"github.com/berth-dev/berth/pkg/dialect"
	"github.com/berth-dev/berth/pkg/state/statetest"
)

// cluster is a table of gangs with nodes n0 to n4 and a gang "g" of four, of which each member
// is on the node of its number.
func newCluster(t testing.TB) *gangsRig {
	g := newGangsRig(t)
	for i := range 5 {
		g.SetNode(healthy(i))
	}
	for i := range 4 {
		g.SetPod(memberPod(i))
	}
	g.settleAll()
	return g
}

func healthy(i int, change ...func(*corev1.Node)) *corev1.Node {
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprint("n", i), Labels: map[string]string{"rack": "r"}}}
	node.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
	for _, f := range change {
		f(node)
	}
	return node
}

func ready(status corev1.ConditionStatus) func(*corev1.Node) {
	return func(n *corev1.Node) { n.Status.Conditions[0].Status = status }
}

func memberPod(i int, change ...func(*corev1.Pod)) *corev1.Pod {
	change = append([]func(*corev1.Pod){statetest.InGang("g"), statetest.Sized(4), statetest.On(fmt.Sprint("n", i), time.Second), statetest.Created(0),
		func(p *corev1.Pod) {
			p.Annotations["berth.dev/rank"] = fmt.Sprint(i)
			p.Spec.Containers = []corev1.Container{{Name: "c"}}
			p.Status.Phase = corev1.PodRunning
		}}, change...)
	return statetest.Pod(fmt.Sprint("g-", i), change...)
}

func ends(phase corev1.PodPhase, reason string) func(*corev1.Pod) {
	return func(p *corev1.Pod) { p.Status.Phase, p.Status.Reason = phase, reason }
}

func disrupted(reason string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Status.Conditions = append(p.Status.Conditions, corev1.PodCondition{Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue, Reason: reason})
	}
}

// shortOf says of each gang that is short how much it lacks and whom.
func (g *gangsRig) shortOf() []string {
	g.settleAll()
	var out []string
	for _, s := range g.Short() {
		lost := make([]string, len(s.Lost))
		for i, l := range s.Lost {
			lost[i] = fmt.Sprintf("%s on %s %s", l.Name, l.Node, l.Cause)
		}
		out = append(out, fmt.Sprintf("%s lacks %d of %d: %s", s.Key.Name, s.Missing, s.Size, strings.Join(lost, ", ")))
	}
	return out
}

func (g *gangsRig) expectShort(t *testing.T, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, g.shortOf()); diff != "" {
		t.Errorf("short (-want +got):\n%s", diff)
	}
}

// What each way of losing a member is called, whichever of the two watches tells first.
func TestCausesOfLoss(t *testing.T) {
	for name, c := range map[string]struct {
		pod  *corev1.Pod
		want repair.Cause
	}{
		"out of GPUs":        {memberPod(2, ends(corev1.PodFailed, "OutOfnvidia.com/gpu")), repair.Refused},
		"admission":          {memberPod(2, ends(corev1.PodFailed, "UnexpectedAdmissionError")), repair.Refused},
		"affinity":           {memberPod(2, ends(corev1.PodFailed, "NodeAffinity")), repair.Refused},
		"failed":             {memberPod(2, ends(corev1.PodFailed, "")), repair.Failed},
		"evicted by kubelet": {memberPod(2, ends(corev1.PodFailed, "Evicted")), repair.Evicted},
		"collected":          {memberPod(2, ends(corev1.PodFailed, ""), disrupted("DeletionByPodGC")), repair.NodeLost},
		"shutdown":           {memberPod(2, ends(corev1.PodFailed, "Terminated")), repair.NodeLost},
	} {
		for order, tell := range map[string]func(g *gangsRig){
			"ended first": func(g *gangsRig) { g.SetEnded(c.pod); g.DeletePod(memberPod(2)) },
			"gone first":  func(g *gangsRig) { g.DeletePod(memberPod(2)); g.settleAll(); g.SetEnded(c.pod) },
		} {
			t.Run(name+"/"+order, func(t *testing.T) {
				g := newCluster(t)
				tell(g)
				g.expectShort(t, fmt.Sprintf("g lacks 1 of 4: g-2 on n2 %s", c.want))
				g.DeleteEnded(c.pod.UID)
				g.expectShort(t, fmt.Sprintf("g lacks 1 of 4: g-2 on n2 %s", c.want))
				g.SetPod(memberPod(2, statetest.Uid("again"), func(p *corev1.Pod) { p.Spec.NodeName = "n4" }))
				g.expectShort(t)
			})
		}
	}
	for name, c := range map[string]struct {
		pod  *corev1.Pod
		want repair.Cause
	}{
		"deleted":             {memberPod(1, statetest.Leaving), repair.Deleted},
		"evicted":             {memberPod(1, statetest.Leaving, disrupted("EvictionByEvictionAPI")), repair.Evicted},
		"preempted":           {memberPod(1, statetest.Leaving, disrupted("PreemptionByScheduler")), repair.Evicted},
		"taken off its node":  {memberPod(1, statetest.Leaving, disrupted("DeletionByTaintManager")), repair.NodeLost},
		"leaves, then vanish": {memberPod(1, statetest.Leaving), repair.Deleted},
	} {
		t.Run(name, func(t *testing.T) {
			g := newCluster(t)
			g.SetPod(c.pod)
			g.expectShort(t, fmt.Sprintf("g lacks 1 of 4: g-1 on n1 %s", c.want))
			g.DeletePod(c.pod)
			g.expectShort(t, fmt.Sprintf("g lacks 1 of 4: g-1 on n1 %s", c.want))
		})
	}
}

// The table of nodes of package repair.
func TestMembersOnNodes(t *testing.T) {
	lost := "g lacks 1 of 4: g-3 on n3 node_lost"
	for name, c := range map[string]struct {
		do   func(g *gangsRig)
		want []string
	}{
		"ready":       {func(g *gangsRig) { g.SetNode(healthy(3)) }, nil},
		"cordoned":    {func(g *gangsRig) { g.SetNode(healthy(3, func(n *corev1.Node) { n.Spec.Unschedulable = true })) }, nil},
		"not ready":   {func(g *gangsRig) { g.SetNode(healthy(3, ready(corev1.ConditionFalse))) }, []string{lost}},
		"unreachable": {func(g *gangsRig) { g.SetNode(healthy(3, ready(corev1.ConditionUnknown))) }, []string{lost}},
		"out of service": {func(g *gangsRig) {
			g.SetNode(healthy(3, func(n *corev1.Node) {
				n.Spec.Taints = []corev1.Taint{{Key: corev1.TaintNodeOutOfService, Effect: corev1.TaintEffectNoExecute}}
			}))
		}, []string{lost}},
		"deleted":    {func(g *gangsRig) { g.DeleteNode("n3") }, []string{lost}},
		"made again": {func(g *gangsRig) { g.DeleteNode("n3"); g.settleAll(); g.SetNode(healthy(3)) }, nil},
		"ready again": {func(g *gangsRig) {
			g.SetNode(healthy(3, ready(corev1.ConditionFalse)))
			g.settleAll()
			g.SetNode(healthy(3))
		}, nil},
		"relabelled":   {func(g *gangsRig) { g.SetNode(healthy(3, func(n *corev1.Node) { n.Labels["rack"] = "other" })) }, nil},
		"without pods": {func(g *gangsRig) { g.DeleteNode("n4") }, nil},
		"all of them": {func(g *gangsRig) {
			for i := range 4 {
				g.DeleteNode(fmt.Sprint("n", i))
			}
		}, []string{"g lacks 4 of 4: g-0 on n0 node_lost, g-1 on n1 node_lost, g-2 on n2 node_lost, g-3 on n3 node_lost"}},
		"pods gone too": {func(g *gangsRig) {
			g.DeleteNode("n3")
			g.settleAll()
			g.DeletePod(memberPod(3))
		}, []string{lost}},
	} {
		t.Run(name, func(t *testing.T) {
			g := newCluster(t)
			c.do(g)
			g.expectShort(t, c.want...)
			for _, s := range g.Short() {
				if len(s.Standing)+len(s.Stranded) > 4 || len(s.Standing) > 4-s.Missing {
					t.Errorf("standing %v, stranded %v", s.Standing, s.Stranded)
				}
			}
		})
	}
}

func TestWhoIsNotShort(t *testing.T) {
	t.Run("members are done", func(t *testing.T) {
		g := newCluster(t)
		done := memberPod(0, ends(corev1.PodSucceeded, ""))
		g.DeletePod(memberPod(0))
		g.SetEnded(done)
		g.expectShort(t)
	})
	t.Run("half bound", func(t *testing.T) {
		g := newGangsRig(t)
		g.SetNode(healthy(0))
		g.SetPod(memberPod(0))
		for i := 1; i < 4; i++ {
			g.SetPod(memberPod(i, func(p *corev1.Pod) { p.Spec.NodeName, p.Status.Conditions = "", nil }))
		}
		g.expectShort(t)
	})
	t.Run("gives its places back", func(t *testing.T) {
		g := newCluster(t)
		g.Release(gang.Key{Namespace: "ns", Dialect: dialect.Berth, Name: "g"})
		g.settleAll()
		g.SetPod(memberPod(0, statetest.Leaving))
		g.expectShort(t)
	})
	t.Run("all are gone", func(t *testing.T) {
		g := newCluster(t)
		for i := range 4 {
			g.SetPod(memberPod(i, statetest.Leaving))
		}
		g.expectShort(t)
	})
	t.Run("it grew", func(t *testing.T) {
		g := newCluster(t)
		for i := range 4 {
			g.SetPod(memberPod(i, statetest.Sized(6)))
		}
		g.expectShort(t)
		g.SetPod(memberPod(4, statetest.Sized(6), func(p *corev1.Pod) { p.Spec.NodeName, p.Status.Conditions = "", nil }))
		g.expectShort(t)
		g.DeletePod(memberPod(2))
		g.expectShort(t, "g lacks 1 of 4: g-2 on n2 deleted")
		g.SetPod(memberPod(2, statetest.Sized(6), statetest.Uid("again")))
		g.expectShort(t)
		g.SetPod(memberPod(4, statetest.Sized(6)))
		g.expectShort(t)
		g.DeletePod(memberPod(1))
		g.expectShort(t, "g lacks 1 of 5: g-1 on n1 deleted")
	})
	t.Run("it shrank and grew", func(t *testing.T) {
		g := newCluster(t)
		for _, size := range []int{2, 4} {
			for i := range 2 {
				g.SetPod(memberPod(i, statetest.Sized(size)))
			}
			if size == 2 {
				g.DeletePod(memberPod(2))
				g.DeletePod(memberPod(3))
			}
			g.expectShort(t)
		}
		g.DeletePod(memberPod(1))
		g.expectShort(t, "g lacks 1 of 2: g-1 on n1 deleted")
	})
	t.Run("beyond the size", func(t *testing.T) {
		g := newCluster(t)
		g.SetPod(memberPod(4))
		g.settleAll()
		g.DeletePod(memberPod(1))
		g.expectShort(t)
		g.DeletePod(memberPod(2))
		g.expectShort(t, "g lacks 1 of 4: g-2 on n2 deleted")
	})
}

// Who starts anew learns from what is left that the gang is short, and of pods that failed why.
func TestShortAfterARestart(t *testing.T) {
	for name, tell := range map[string]func(g *gangsRig, failed *corev1.Pod){
		"pods first":  func(g *gangsRig, failed *corev1.Pod) { tellThree(g); g.settleAll(); g.SetEnded(failed) },
		"ended first": func(g *gangsRig, failed *corev1.Pod) { g.SetEnded(failed); g.settleAll(); tellThree(g) },
	} {
		t.Run(name, func(t *testing.T) {
			g := newGangsRig(t)
			tell(g, memberPod(3, ends(corev1.PodFailed, "OutOfcpu")))
			for i := range 5 {
				g.SetNode(healthy(i))
			}
			g.expectShort(t, "g lacks 1 of 4: g-3 on n3 refused")
		})
	}
	g := newGangsRig(t)
	tellThree(g)
	g.expectShort(t, "g lacks 1 of 4: ")
}

func tellThree(g *gangsRig) {
	for i := range 3 {
		g.SetPod(memberPod(i))
	}
}

func TestPolicyOfAGang(t *testing.T) {
	g := newGangsRig(t)
	for i := range 4 {
		g.SetPod(memberPod(i, func(p *corev1.Pod) {
			if i == 2 {
				p.Annotations[dialect.OnLossAnnotation] = strings.Repeat("x", 1000)
			}
		}))
	}
	g.settleAll()
	g.DeletePod(memberPod(1))
	g.settleAll()
	short := g.Short()
	if len(short) != 1 || short[0].OnLoss == "" || len(short[0].OnLoss) > 100 {
		t.Errorf("%+v", short)
	}
	if by := g.ShortBy(); by[repair.Deleted] != 1 || len(by) != len(repair.Causes()) {
		t.Errorf("%v", by)
	}
}

// What is kept of pods and nodes is forgotten with them.
func TestLossesAreForgotten(t *testing.T) {
	g := newCluster(t)
	g.SetEnded(memberPod(0, ends(corev1.PodFailed, "OutOfcpu")))
	g.settleAll()
	for i := 1; i < 4; i++ {
		g.DeletePod(memberPod(i))
	}
	g.DeleteEnded("g-0")
	g.expectShort(t)
	for i := range 5 {
		g.DeleteNode(fmt.Sprint("n", i))
	}
	if n := len(g.failed) + len(g.failedOf) + len(g.onNode) + len(g.health) + len(g.short) + len(g.gangs); n != 0 {
		t.Errorf("%d things are left: %v %v %v %v %v %v", n, g.failed, g.failedOf, g.onNode, g.health, g.short, g.gangs)
	}
}

// Members that succeeded and were collected since are not missing.
func TestCollectedMembersAreNotMissing(t *testing.T) {
	g := newCluster(t)
	for i := range 2 {
		g.DeletePod(memberPod(i))
		g.SetEnded(memberPod(i, ends(corev1.PodSucceeded, "")))
	}
	g.expectShort(t)
	g.DeleteEnded("g-0")
	g.expectShort(t)
	g.DeleteEnded("g-1")
	g.expectShort(t)
	g.DeletePod(memberPod(2))
	g.expectShort(t, "g lacks 1 of 4: g-2 on n2 deleted")
}
