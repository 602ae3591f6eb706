package integration

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/berth-dev/berth/test/operators"
)

var withKarpenter = flag.Bool("karpenter", false, "TestAutoscaler runs Karpenter, which it builds if need be")

var nodeClaims = schema.GroupVersionResource{Group: "karpenter.sh", Version: "v1", Resource: "nodeclaims"}

// TestAutoscaler plays the scenarios of what an autoscaler buys nodes for. Two are in use, and
// both go by one condition of a pod that has no node: PodScheduled with the reason
// Unschedulable.
//
//   - Karpenter v1.14.0, pkg/utils/pod/scheduling.go: IsProvisionable and FailedToSchedule
//   - Cluster Autoscaler, cluster-autoscaler/utils/kubernetes/listers.go: isUnschedulable
//
// Whether nodes are bought for a pod is therefore what Berth says of it, at any time: an
// autoscaler that looks at a pod in the wrong moment buys a node. Karpenter itself is run with
// -karpenter.
//
//	wants N        wait until N pods have ever said Unschedulable, and check for 3 s that no
//	               others do
//	karpenter      the rest is for Karpenter alone
//	buys N         wait until it has bought N nodes, and check for 10 s that it buys no more
//	starts         the machines that were bought start
//
// The other commands are those of TestCases.
func TestAutoscaler(t *testing.T) {
	t.Parallel()
	scenarios, err := operators.Autoscaling()
	if err != nil {
		t.Fatal(err)
	}
	e, err := newLab()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Stop)
	var karpenter *operators.Running
	if *withKarpenter {
		karpenter, err = operators.Karpenter().Start(t.Context(), e.Cluster, func(line string) { fmt.Fprintln(os.Stderr, line) })
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if t.Failed() {
				t.Logf("the end of Karpenter's log:\n%s", karpenter.Log())
			}
			if err := karpenter.Exited(); err != nil {
				t.Error(err)
			}
		})
	}
	for _, name := range slices.Sorted(maps.Keys(scenarios)) {
		t.Run(name, func(t *testing.T) {
			c := &caseRun{environment: e, t: t, whole: t, namespace: e.namespace(t), operator: karpenter}
			t.Cleanup(c.tidy)
			a := &autoscaled{caseRun: c}
			a.watch()
			if karpenter != nil {
				c.apply("autoscaler/karpenter.yaml")
				t.Cleanup(a.giveBack)
			}
			c.program = e.scheduler(t)
			for _, line := range scenarios[name] {
				c.where = line.At + ": " + line.Text
				words := line.Words()
				if words[0] == "karpenter" && karpenter == nil {
					return
				}
				if !a.do(words[0], words[1:]) {
					c.do(words[0], words[1:])
				}
			}
		})
	}
}

// autoscaled is a scenario of an autoscaler that is being played.
type autoscaled struct {
	*caseRun
	mu sync.Mutex
	// wanting are the pods that an autoscaler would have bought nodes for, at any time.
	wanting map[string]bool
	// broken is why the watch ended.
	broken error
}

// do plays one command; false if it is none of these.
func (a *autoscaled) do(command string, args []string) bool {
	a.t.Helper()
	want := func() (n int) {
		a.t.Helper()
		if _, err := fmt.Sscan(args[0], &n); err != nil {
			a.t.Fatalf("%s: %v", a.where, err)
		}
		return n
	}
	switch command {
	case "wants":
		a.stays(want(), 3*time.Second, func(context.Context) ([]string, error) {
			a.mu.Lock()
			defer a.mu.Unlock()
			return slices.Sorted(maps.Keys(a.wanting)), a.broken
		})
	case "buys":
		a.stays(want(), 10*time.Second, a.bought)
	case "starts":
		nodes, err := a.client.CoreV1().Nodes().List(a.t.Context(), metav1.ListOptions{LabelSelector: "karpenter.sh/nodepool"})
		if err != nil {
			a.t.Fatalf("%s: %v", a.where, err)
		}
		for i := range nodes.Items {
			a.boot(nodes.Items[i].Name)
		}
	case "karpenter":
	default:
		return false
	}
	return true
}

// stays waits until there are n of something, and checks that it stays so for a while.
func (a *autoscaled) stays(n int, while time.Duration, list func(context.Context) ([]string, error)) {
	a.t.Helper()
	eventually(a.t, a.where, func(ctx context.Context) error {
		names, err := list(ctx)
		if err == nil && len(names) != n {
			err = fmt.Errorf("there are %d: %v", len(names), names)
		}
		return err
	})
	never(a.t, a.where+": it does not stay so", while, func(ctx context.Context) (bool, error) {
		names, err := list(ctx)
		return len(names) != n, err
	})
}

// watch notes the pods of the namespace that an autoscaler would buy nodes for.
func (a *autoscaled) watch() {
	a.t.Helper()
	a.wanting = map[string]bool{}
	pods, err := a.client.CoreV1().Pods(a.namespace).Watch(a.t.Context(), metav1.ListOptions{})
	if err != nil {
		a.t.Fatal(err)
	}
	done := make(chan struct{})
	a.t.Cleanup(func() {
		pods.Stop()
		<-done
	})
	go func() {
		defer close(done)
		for event := range pods.ResultChan() {
			a.mu.Lock()
			switch pod, isPod := event.Object.(*corev1.Pod); {
			case event.Type == watch.Error || !isPod:
				a.broken = fmt.Errorf("the watch says %v", event.Object)
			case provisionable(pod):
				a.wanting[pod.Name] = true
			}
			a.mu.Unlock()
		}
	}()
}

// provisionable is the rule by which autoscalers buy nodes: see TestAutoscaler.
func provisionable(pod *corev1.Pod) bool {
	return pod.Spec.NodeName == "" && pod.DeletionTimestamp == nil && slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse && c.Reason == corev1.PodReasonUnschedulable
	})
}

// bought returns the machines that Karpenter has bought.
func (a *autoscaled) bought(ctx context.Context) ([]string, error) {
	list, err := a.dynamic.Resource(nodeClaims).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	var names []string
	for i := range list.Items {
		names = append(names, list.Items[i].GetName())
	}
	return names, nil
}

// boot has the kubelet of a machine say that it is ready.
func (a *autoscaled) boot(name string) {
	a.t.Helper()
	now := metav1.Now().UTC().Format(time.RFC3339)
	patch := fmt.Sprintf(`{"status":{"conditions":[{"type":"Ready","status":"True","reason":"KubeletReady","lastHeartbeatTime":%q,"lastTransitionTime":%q}]}}`, now, now)
	if _, err := a.client.CoreV1().Nodes().Patch(a.t.Context(), name, types.StrategicMergePatchType, []byte(patch), metav1.PatchOptions{}, "status"); err != nil {
		a.t.Fatalf("%s: starting machine %q: %v", a.where, name, err)
	}
}

// giveBack has Karpenter give back what it bought, once no pods are left.
func (a *autoscaled) giveBack() {
	a.empty(a.t, a.namespace)
	if err := a.dynamic.Resource(nodeClaims).DeleteCollection(context.Background(), metav1.DeleteOptions{}, metav1.ListOptions{}); err != nil {
		a.t.Errorf("giving back nodes: %v", err)
	}
	eventually(a.t, "all nodes that were bought are gone", func(ctx context.Context) error {
		names, err := a.bought(ctx)
		if err == nil && len(names) > 0 {
			err = fmt.Errorf("%v are left", names)
		}
		return err
	})
}
