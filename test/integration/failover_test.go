package integration

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/berth-dev/berth/pkg/localcluster"
)

var leaderKills = flag.Int("leader-kills", 8, "how often TestLeaderIsKilledWhileBinding kills the leader; with queues a third as often")

// The leading one of two replicas is killed while it binds a gang of 200, at a random moment,
// again and again. Each time the other one finishes the gang.
func TestLeaderIsKilledWhileBinding(t *testing.T) { bothWays(t, testLeaderIsKilledWhileBinding) }

func testLeaderIsKilledWhileBinding(t *testing.T, e *environment, queued bool) {
	const size = 200
	kills := *leaderKills
	if queued {
		kills = (kills + 2) / 3
	}
	replica := func() *localcluster.Program {
		return e.scheduler(t, "--leader-elect=true", "--leader-elect-lease-duration=3s",
			"--leader-elect-renew-deadline=2s", "--leader-elect-retry-period=500ms", "-v=1")
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	leader := replica()
	e.expectLeader(t, "")
	standby := replica()
	var failovers []time.Duration
	for kill := range kills {
		holder := e.holder(t)
		ns := e.namespace(t)
		watcher := e.watchGangs(t, ns)
		moment := 1 + random.IntN(size-1)
		e.createBehind(t, ns, gangOf("p", size, 1, ours("g", size))...)
		bound := 0
		for bound < moment {
			bound = watcher.next(t).held["g"]
		}
		leader.Kill()
		killed := time.Now()
		e.expectLeader(t, holder)
		for bound < size {
			bound = watcher.next(t).held["g"]
		}
		failovers = append(failovers, time.Since(killed))
		e.expectAll(t, ns, size)
		t.Logf("kill %2d after %3d binds: the gang was whole %s later", kill+1, moment, failovers[kill].Round(time.Millisecond))
		leader, standby = standby, replica()
		e.empty(t, ns)
	}
	slices.Sort(failovers)
	t.Logf("from the kill to the whole gang: median %s, longest %s", failovers[kills/2].Round(time.Millisecond), failovers[kills-1].Round(time.Millisecond))
	standby.Kill()
}

// expectAll checks that no pod of a namespace was lost and all are bound.
func (e *environment) expectAll(t *testing.T, namespace string, n int) {
	t.Helper()
	pods, err := e.client.CoreV1().Pods(namespace).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if len(pods.Items) != n {
		t.Fatalf("%d pods are left of %d", len(pods.Items), n)
	}
	for i := range pods.Items {
		if pods.Items[i].Spec.NodeName == "" {
			t.Fatalf("pod %q is not bound", pods.Items[i].Name)
		}
	}
}

func (e *environment) holder(t *testing.T) string {
	t.Helper()
	lease, err := e.client.CoordinationV1().Leases("kube-system").Get(t.Context(), "berth", metav1.GetOptions{})
	if err != nil || lease.Spec.HolderIdentity == nil {
		return ""
	}
	return *lease.Spec.HolderIdentity
}

// expectLeader waits until somebody else than before holds the lease.
func (e *environment) expectLeader(t *testing.T, before string) {
	t.Helper()
	eventually(t, "a leader other than "+before, func(ctx context.Context) error {
		if now := e.holder(t); now == "" || now == before {
			return fmt.Errorf("the lease is held by %q", now)
		}
		return nil
	})
}

// bindBy binds a pod as a scheduler does that then dies.
func (e *environment) bindBy(t *testing.T, namespace, name, node string) {
	t.Helper()
	err := e.client.CoreV1().Pods(namespace).Bind(t.Context(), &corev1.Binding{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Target:     corev1.ObjectReference{Kind: "Node", Name: node},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatalf("binding pod %q: %v", name, err)
	}
}

// What a dead leader left is finished in the domain where it began.
func TestHalfBoundGangIsFinishedInItsRack(t *testing.T) {
	bothWays(t, testHalfBoundGangIsFinishedInItsRack)
}

func testHalfBoundGangIsFinishedInItsRack(t *testing.T, e *environment, _ bool) {
	ns := e.namespace(t)
	inOneRack := annotations("berth.dev/required-topology", "rack")
	e.create(t, ns, gangOf("p", 6, nodeGPUs, ours("g", 6), inOneRack)...)
	begun, err := e.client.CoreV1().Nodes().Get(t.Context(), "node-00020", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	rack := begun.Labels[localcluster.RackLabel]
	e.bindBy(t, ns, "p-0", begun.Name)
	e.scheduler(t)
	e.expectBound(t, ns, 6)
	pods, err := e.client.CoreV1().Pods(ns).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range pods.Items {
		node, err := e.client.CoreV1().Nodes().Get(t.Context(), pods.Items[i].Spec.NodeName, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if got := node.Labels[localcluster.RackLabel]; got != rack {
			t.Errorf("pod %q is in rack %q; the gang was begun in %q", pods.Items[i].Name, got, rack)
		}
	}
}

// A gang that was bound by half and cannot be completed gives its places back when
// the grace period has passed, and not before a PodDisruptionBudget allows it.
func TestHalfBoundGangIsReleased(t *testing.T) { bothWays(t, testHalfBoundGangIsReleased) }

func testHalfBoundGangIsReleased(t *testing.T, e *environment, _ bool) {
	ns := e.namespace(t)
	nowhere := func(p *corev1.Pod) { p.Spec.NodeSelector = map[string]string{"no": "node"} }
	e.create(t, ns, append(gangOf("p", 2, 1, ours("g", 4)), gangOf("q", 2, 1, ours("g", 4), nowhere)...)...)
	e.create(t, ns, gangOf("whole", 2, 1, ours("h", 2))...)
	for _, name := range []string{"p-0", "p-1", "whole-0", "whole-1"} {
		e.bindBy(t, ns, name, "node-00003")
	}
	zero := intstr.FromInt32(0)
	budget := &policyv1.PodDisruptionBudget{
		ObjectMeta: metav1.ObjectMeta{Name: "b"},
		Spec:       policyv1.PodDisruptionBudgetSpec{MaxUnavailable: &zero, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"berth.dev/gang": "g"}}},
	}
	if _, err := e.client.PolicyV1().PodDisruptionBudgets(ns).Create(t.Context(), budget, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	e.scheduler(t, "--gang-grace-period=3s")
	e.expectHeld(t, ns, "q-0", "GangReleasing")
	never(t, "a pod was evicted against its budget", 2*time.Second, func(ctx context.Context) (bool, error) {
		n, err := e.bound(ctx, ns)
		return n < 4, err
	})
	if err := e.client.PolicyV1().PodDisruptionBudgets(ns).Delete(t.Context(), "b", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	e.expectBound(t, ns, 2)
	e.expectHeld(t, ns, "q-0", "GangIncomplete")
}

// A running gang that lost a member is not half bound: its members stay.
func TestRunningGangThatLostAMemberStays(t *testing.T) {
	bothWays(t, testRunningGangThatLostAMemberStays)
}

func testRunningGangThatLostAMemberStays(t *testing.T, e *environment, _ bool) {
	e.scheduler(t, "--gang-grace-period=1s")
	ns := e.namespace(t)
	e.create(t, ns, gangOf("p", 3, 1, ours("g", 3))...)
	e.expectBound(t, ns, 3)
	e.deletePod(t, ns, "p-2")
	e.create(t, ns, pod("p-3", 1, ours("g", 3), func(p *corev1.Pod) { p.Spec.NodeSelector = map[string]string{"no": "node"} }))
	e.expectHeld(t, ns, "p-3", corev1.PodReasonUnschedulable)
	never(t, "a member of a running gang was evicted", 3*time.Second, func(ctx context.Context) (bool, error) {
		n, err := e.bound(ctx, ns)
		return n < 2, err
	})
}
