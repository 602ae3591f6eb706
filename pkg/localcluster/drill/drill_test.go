package drill

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"

	"github.com/berth-dev/berth/pkg/localcluster"
)

const (
	patience = 90 * time.Second
	// heartbeat is short, so that nodes are not ready after five seconds.
	heartbeat = time.Second
)

// ground is a cluster of 16 nodes of 8 GPUs in racks of 4, with real controllers.
type ground struct {
	t       *testing.T
	cluster *localcluster.Running
	client  kubernetes.Interface
}

// TestDrills runs every drill on one cluster, found as another program finds it.
func TestDrills(t *testing.T) {
	ctx := t.Context()
	c, err := localcluster.Start(ctx, localcluster.Options{
		Controllers: localcluster.Controllers(), Heartbeat: heartbeat, Progress: func(line string) { t.Log(line) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Stop)
	if err := c.StartKubelets(ctx); err != nil {
		t.Fatal(err)
	}
	if err := c.AddNodes(ctx, localcluster.Nodes{Count: 16, RackSize: 4}); err != nil {
		t.Fatal(err)
	}
	running, err := localcluster.FindRunning(c.Dir())
	if err != nil {
		t.Fatal(err)
	}
	client, err := running.Client()
	if err != nil {
		t.Fatal(err)
	}
	for _, drill := range []struct {
		name string
		run  func(*ground)
	}{
		{"kill-node", (*ground).kill}, {"darken", (*ground).darken}, {"cordon", (*ground).cordon}, {"drain", (*ground).drain},
		{"flap", (*ground).flap}, {"ill-gpu", (*ground).illGPU}, {"refuse-pod", (*ground).refuse},
		{"stop-etcd", (*ground).stopEtcd}, {"slow-api", (*ground).slowAPI},
	} {
		t.Run(drill.name, func(t *testing.T) { drill.run(&ground{t, running, client}) })
	}
}

// kill: nobody speaks for the node, and its pods are evicted but do not go. Once it boots,
// they go; what was not evicted has died, and is restarted or has failed.
func (g *ground) kill() {
	node := []string{"node-00001"}
	g.pod("killed-evicted", node[0], tolerates(1))
	g.pod("killed-fails", node[0], tolerates(600))
	g.pod("killed-restarts", node[0], tolerates(600), func(pod *v1.Pod) { pod.Spec.RestartPolicy = v1.RestartPolicyAlways })
	g.running("killed-evicted", "killed-fails", "killed-restarts")
	fault := Kill(g.client, node)
	g.do(fault.Apply)
	g.ready(node, false)
	g.pods("it is evicted, and does not go", "killed-evicted", func(pod *v1.Pod) bool {
		return pod.DeletionTimestamp != nil && pod.Status.Phase == v1.PodRunning
	})
	g.do(fault.Undo)
	g.ready(node, true)
	g.gone("killed-evicted")
	g.pods("it has failed", "killed-fails", func(pod *v1.Pod) bool { return pod.Status.Phase == v1.PodFailed })
	g.pods("it was restarted once", "killed-restarts", func(pod *v1.Pod) bool {
		return pod.Status.Phase == v1.PodRunning && pod.Status.ContainerStatuses[0].RestartCount == 1
	})
}

// darken: what runs in the rack runs on, and a short darkness harms nothing.
func (g *ground) darken() {
	nodes, err := NodesIn(g.t.Context(), g.client, "rack", "rack-0001")
	if err != nil || len(nodes) != 4 {
		g.t.Fatalf("the rack has %v, %v", nodes, err)
	}
	g.pod("darkened", nodes[0], tolerates(600))
	g.running("darkened")
	fault := Darken(g.client, nodes)
	g.do(fault.Apply)
	g.ready(nodes, false)
	line, err := Watch(g.client, nodes)(g.t.Context())
	if err != nil || !strings.HasPrefix(line, "of 4 nodes 0 are ready; pods on them: ") {
		g.t.Errorf("one who watches sees %q, %v", line, err)
	}
	g.do(fault.Undo)
	g.ready(nodes, true)
	g.pods("it ran on", "darkened", func(pod *v1.Pod) bool {
		return pod.Status.Phase == v1.PodRunning && pod.DeletionTimestamp == nil && pod.Status.ContainerStatuses[0].RestartCount == 0
	})
}

// cordon: the node controller taints the node.
func (g *ground) cordon() {
	fault := Cordon(g.client, []string{"node-00005"})
	g.do(fault.Apply)
	g.node("it is tainted", "node-00005", func(node *v1.Node) bool { return node.Spec.Unschedulable && len(node.Spec.Taints) == 1 })
	g.do(fault.Undo)
	g.node("it is not", "node-00005", func(node *v1.Node) bool { return !node.Spec.Unschedulable && len(node.Spec.Taints) == 0 })
}

// drain: all pods go but the one that a budget keeps, until that is gone.
func (g *ground) drain() {
	node := []string{"node-00006"}
	kept := func(pod *v1.Pod) { pod.Labels = map[string]string{"keep": "me"} }
	g.pod("drained", node[0])
	g.pod("kept", node[0], kept)
	g.running("drained", "kept")
	one := intstr.FromInt32(1)
	budget := &policyv1.PodDisruptionBudget{ObjectMeta: metav1.ObjectMeta{Name: "keep"}, Spec: policyv1.PodDisruptionBudgetSpec{
		MinAvailable: &one, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"keep": "me"}}}}
	budgets := g.client.PolicyV1().PodDisruptionBudgets("default")
	if _, err := budgets.Create(g.t.Context(), budget, metav1.CreateOptions{}); err != nil {
		g.t.Fatal(err)
	}
	g.await("the budget is known", func(ctx context.Context) error {
		b, err := budgets.Get(ctx, "keep", metav1.GetOptions{})
		if err == nil && b.Status.ExpectedPods != 1 {
			err = fmt.Errorf("its status is %+v", b.Status)
		}
		return err
	})
	var said []string
	fault := Drain(g.client, node, func(line string) { said = append(said, line) })
	short, cancel := context.WithTimeout(g.t.Context(), 4*time.Second)
	defer cancel()
	if err := fault.Apply(short); err == nil || !strings.Contains(err.Error(), "1 pods are left; pod default/kept is kept by a disruption budget") {
		g.t.Errorf("draining what a budget keeps: %v; it said %q", err, said)
	}
	g.gone("drained")
	g.running("kept")
	if err := budgets.Delete(g.t.Context(), "keep", metav1.DeleteOptions{}); err != nil {
		g.t.Fatal(err)
	}
	g.do(fault.Apply)
	g.gone("kept")
	g.do(fault.Undo)
	g.node("it is schedulable", node[0], func(node *v1.Node) bool { return !node.Spec.Unschedulable })
}

func (g *ground) flap() {
	var said []string
	err := Flap(g.t.Context(), g.client, []string{"node-00007"}, Flaps{Times: 2, Patience: patience}, func(line string) { said = append(said, line) })
	want := "1 of 2: dark, 1 of 2: not ready; back in 0s, 1 of 2: ready, 2 of 2: dark, 2 of 2: not ready; back in 0s, 2 of 2: ready"
	if got := strings.Join(said, ", "); err != nil || got != want {
		g.t.Errorf("it said %q, want %q; %v", got, want, err)
	}
	g.ready([]string{"node-00007"}, true)
}

// illGPU: the kubelet reports fewer GPUs, and refuses what has no room.
func (g *ground) illGPU() {
	const node = "node-00008"
	fault := IllGPUs(g.client, []string{node}, 2)
	g.do(fault.Apply)
	gpus := func(want int64) func(*v1.Node) bool {
		return func(node *v1.Node) bool {
			has := node.Status.Allocatable[localcluster.GPUResource]
			capacity := node.Status.Capacity[localcluster.GPUResource]
			return has.Value() == want && capacity.Value() == 8
		}
	}
	g.node("six are allocatable", node, gpus(6))
	g.pod("too-many", node, asksFor(7))
	g.failed("too-many", "OutOfnvidia.com/gpu")
	g.do(fault.Undo)
	g.node("eight are", node, gpus(8))
	g.pod("all", node, asksFor(8))
	g.running("all")
}

func (g *ground) refuse() {
	const node = "node-00009"
	fault := Refuse(g.client, []string{node}, localcluster.ReasonUnexpectedAdmission)
	g.do(fault.Apply)
	g.node("its kubelet is told", node, func(node *v1.Node) bool { return node.Annotations[localcluster.RefuseAnnotation] != "" })
	// The kubelets' watch may lag behind ours.
	g.await("a pod is refused", func(ctx context.Context) error {
		name := g.pod("refused-"+fmt.Sprint(time.Now().UnixNano()), node)
		return wait.PollUntilContextTimeout(ctx, 50*time.Millisecond, 10*time.Second, true, func(ctx context.Context) (bool, error) {
			pod, err := g.client.CoreV1().Pods("default").Get(ctx, name, metav1.GetOptions{})
			if err != nil || pod.Status.Phase == v1.PodPending {
				return false, err
			}
			if pod.Status.Reason != localcluster.ReasonUnexpectedAdmission {
				return false, fmt.Errorf("it is %s, %q", pod.Status.Phase, pod.Status.Reason)
			}
			return true, nil
		})
	})
	g.do(fault.Undo)
	g.await("a pod is taken", func(ctx context.Context) error {
		name := g.pod("taken-"+fmt.Sprint(time.Now().UnixNano()), node)
		return wait.PollUntilContextTimeout(ctx, 50*time.Millisecond, 10*time.Second, true, func(ctx context.Context) (bool, error) {
			pod, err := g.client.CoreV1().Pods("default").Get(ctx, name, metav1.GetOptions{})
			if err == nil && pod.Status.Phase == v1.PodFailed {
				err = errors.New("it was refused")
			}
			return err == nil && pod.Status.Phase == v1.PodRunning, err
		})
	})
}

// stopEtcd: nothing is written while it is stopped, and all is well once it goes on.
func (g *ground) stopEtcd() {
	fault := StopEtcd(g.cluster)
	g.do(fault.Apply)
	defer func() { g.do(fault.Undo) }()
	short, cancel := context.WithTimeout(g.t.Context(), 2*time.Second)
	defer cancel()
	if _, err := g.client.CoreV1().Pods("default").Create(short, podOn("while-stopped", "node-00010"), metav1.CreateOptions{}); err == nil {
		g.t.Error("a pod was created while etcd was stopped")
	}
	g.do(fault.Undo)
	g.await("a pod is created", func(ctx context.Context) error {
		_, err := g.client.CoreV1().Pods("default").Create(ctx, podOn("after", "node-00010"), metav1.CreateOptions{})
		return err
	})
	g.running("after")
}

// slowAPI: some answers come late, and none once it is undone.
func (g *ground) slowAPI() {
	const stop = 400 * time.Millisecond
	fault := SlowAPI(g.cluster, stop, 2*stop)
	slowest := func() time.Duration {
		most := time.Duration(0)
		for begin := time.Now(); time.Since(begin) < 8*stop; {
			start := time.Now()
			if _, err := g.client.CoreV1().Nodes().Get(g.t.Context(), "node-00001", metav1.GetOptions{}); err != nil {
				g.t.Fatal(err)
			}
			most = max(most, time.Since(start))
		}
		return most
	}
	g.do(fault.Apply)
	if err := fault.Apply(g.t.Context()); err == nil {
		g.t.Error("it can be slow twice")
	}
	if got := slowest(); got < stop/2 {
		g.t.Errorf("the slowest answer took %s", got)
	}
	g.do(fault.Undo)
	g.await("no answer is late", func(context.Context) error {
		if got := slowest(); got > stop/2 {
			return fmt.Errorf("the slowest answer took %s", got)
		}
		return nil
	})
}

func (g *ground) do(f func(context.Context) error) {
	g.t.Helper()
	if err := f(context.WithoutCancel(g.t.Context())); err != nil {
		g.t.Fatal(err)
	}
}

// await waits until check returns nil.
func (g *ground) await(what string, check func(context.Context) error) {
	g.t.Helper()
	ctx, cancel := context.WithTimeout(g.t.Context(), patience)
	defer cancel()
	last := errors.New("never asked")
	err := wait.PollUntilContextCancel(ctx, 100*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		err := check(ctx)
		if err != nil && ctx.Err() == nil {
			last = err
		}
		return err == nil, nil
	})
	if err != nil {
		g.t.Fatalf("waiting until %s: %v after %s", what, last, patience)
	}
}

func (g *ground) ready(nodes []string, want bool) {
	g.t.Helper()
	if err := awaitReady(g.t.Context(), g.client, nodes, want, patience); err != nil {
		g.t.Fatal(err)
	}
}

func (g *ground) node(what, name string, holds func(*v1.Node) bool) {
	g.t.Helper()
	g.await(name+": "+what, func(ctx context.Context) error {
		node, err := g.client.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
		if err == nil && !holds(node) {
			err = fmt.Errorf("it is %+v, with %v", node.Spec, node.Status.Allocatable)
		}
		return err
	})
}

func (g *ground) pods(what, name string, holds func(*v1.Pod) bool) {
	g.t.Helper()
	g.await(name+": "+what, func(ctx context.Context) error {
		pod, err := g.client.CoreV1().Pods("default").Get(ctx, name, metav1.GetOptions{})
		if err == nil && !holds(pod) {
			err = fmt.Errorf("its status is %+v", pod.Status)
		}
		return err
	})
}

func (g *ground) running(names ...string) {
	g.t.Helper()
	for _, name := range names {
		g.pods("it runs", name, func(pod *v1.Pod) bool { return pod.Status.Phase == v1.PodRunning })
	}
}

func (g *ground) failed(name, reason string) {
	g.t.Helper()
	g.pods("it has failed: "+reason, name, func(pod *v1.Pod) bool {
		return pod.Status.Phase == v1.PodFailed && pod.Status.Reason == reason
	})
}

func (g *ground) gone(name string) {
	g.t.Helper()
	g.await(name+" is gone", func(ctx context.Context) error {
		left, err := g.client.CoreV1().Pods("default").List(ctx, metav1.ListOptions{FieldSelector: "metadata.name=" + name})
		if err == nil && len(left.Items) > 0 {
			err = fmt.Errorf("its status is %+v", left.Items[0].Status)
		}
		return err
	})
}

// pod creates a pod that is bound to a node, and returns its name.
func (g *ground) pod(name, node string, edits ...func(*v1.Pod)) string {
	g.t.Helper()
	if _, err := g.client.CoreV1().Pods("default").Create(g.t.Context(), podOn(name, node, edits...), metav1.CreateOptions{}); err != nil {
		g.t.Fatal(err)
	}
	return name
}

func podOn(name, node string, edits ...func(*v1.Pod)) *v1.Pod {
	grace := int64(1)
	pod := &v1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: v1.PodSpec{
			NodeName: node, RestartPolicy: v1.RestartPolicyNever, TerminationGracePeriodSeconds: &grace,
			Containers: []v1.Container{{Name: "main", Image: "example/train"}},
		},
	}
	for _, edit := range edits {
		edit(pod)
	}
	return pod
}

// tolerates is for how many seconds a pod tolerates that its node is not ready.
func tolerates(seconds int64) func(*v1.Pod) {
	return func(pod *v1.Pod) {
		for _, key := range []string{v1.TaintNodeUnreachable, v1.TaintNodeNotReady} {
			pod.Spec.Tolerations = append(pod.Spec.Tolerations, v1.Toleration{Key: key, Operator: v1.TolerationOpExists, Effect: v1.TaintEffectNoExecute, TolerationSeconds: &seconds})
		}
	}
}

func asksFor(gpus int64) func(*v1.Pod) {
	return func(pod *v1.Pod) {
		pod.Spec.Containers[0].Resources.Limits = v1.ResourceList{localcluster.GPUResource: *resource.NewQuantity(gpus, resource.DecimalSI)}
	}
}
