package integration

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"

	"github.com/berth-dev/berth/pkg/agent/board"
	"github.com/berth-dev/berth/pkg/api/v1alpha1"
)

const (
	agentNamespace = "berth-agent"
	agentUser      = "system:serviceaccount:berth-agent:berth-agent"
	agentNode      = "node-00001"
	otherNode      = "node-00002"
)

var nodeTopologies = v1alpha1.GroupVersion.WithResource("nodetopologies")

// TestAgent runs the agent with the rights of manifests/agent, and the token that its
// pod would have, on a machine that is played from a file.
func TestAgent(t *testing.T) {
	t.Parallel()
	e := agentEnvironment(t)
	a := newAgentRun(t, e)
	table := a.play(t, "dgx1-v100.txt")

	program := a.start()
	a.eventually(t, "the machine is reported", func(got *v1alpha1.NodeTopology) error {
		return ready(got, v1alpha1.ReasonReady)
	})
	first := a.get(t)
	checkMachine(t, first, table)
	node, err := e.client.CoreV1().Nodes().Get(t.Context(), agentNode, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	owners := []metav1.OwnerReference{{APIVersion: "v1", Kind: "Node", Name: agentNode, UID: node.UID}}
	if diff := cmp.Diff(owners, first.OwnerReferences); diff != "" {
		t.Errorf("owners (-want +got):\n%s", diff)
	}
	a.expectWrites(t, "the first report", map[string]int{"patch nodetopologies": 1, "patch nodetopologies/status": 1})

	uuid := func(number int) string { return board.UUID(agentNode, number) }
	a.kubelet.say("train-0", uuid(5), uuid(4))
	a.eventually(t, "the pod's devices are reported", func(got *v1alpha1.NodeTopology) error {
		want := []v1alpha1.Allocation{{Namespace: "team", Pod: "train-0", Container: "main", Devices: []string{uuid(4), uuid(5)}}}
		if diff := cmp.Diff(want, got.Status.Allocations); diff != "" {
			return fmt.Errorf("(-want +got):\n%s", diff)
		}
		return nil
	})
	a.expectWrites(t, "a pod came", map[string]int{"patch nodetopologies/status": 1})

	a.polls(t, 3)
	a.expectWrites(t, "nothing changed", map[string]int{})

	t.Run("a restart writes nothing", func(t *testing.T) {
		before := a.get(t)
		program.Kill()
		program = a.start()
		a.polls(t, 3)
		a.expectWrites(t, "nothing changed", map[string]int{})
		if after := a.get(t); after.ResourceVersion != before.ResourceVersion {
			t.Errorf("the object was %s, and is %s", before.ResourceVersion, after.ResourceVersion)
		}
	})
	t.Run("a device that went while no agent ran is lost", func(t *testing.T) {
		program.Kill()
		a.take(t, 3)
		program = a.start()
		a.eventually(t, "the device is lost", func(got *v1alpha1.NodeTopology) error {
			if n := len(got.Status.Unhealthy); n != 1 {
				return fmt.Errorf("%d devices are unhealthy", n)
			}
			return nil
		})
		got := a.get(t)
		if u := got.Status.Unhealthy[0]; u.UUID != uuid(3) || u.Reason != v1alpha1.ReasonLost {
			t.Errorf("got %+v, want device 3 lost", u)
		}
		if diff := cmp.Diff(first.Spec, got.Spec); diff != "" {
			t.Errorf("the hardware changed (-before +after):\n%s", diff)
		}
	})
	t.Run("the kubelet fails for long", func(t *testing.T) {
		a.kubelet.stop()
		a.eventually(t, "that is reported", func(got *v1alpha1.NodeTopology) error {
			return ready(got, v1alpha1.ReasonKubeletFailed)
		})
		if n := len(a.get(t).Status.Allocations); n != 1 {
			t.Errorf("%d allocations are left, want the one of before", n)
		}
		a.kubelet.start(t)
		a.eventually(t, "it is back", func(got *v1alpha1.NodeTopology) error {
			return ready(got, v1alpha1.ReasonReady)
		})
	})
}

// TestAgentRights lets whoever has an agent's token try what the agent does not.
func TestAgentRights(t *testing.T) {
	t.Parallel()
	e := agentEnvironment(t)
	unbound, err := e.client.CoreV1().ServiceAccounts(agentNamespace).CreateToken(t.Context(), "berth-agent", &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	agent := e.withToken(t, e.agentToken(t, agentNode))
	for _, test := range []struct {
		name   string
		client dynamic.Interface
		node   string
		spec   map[string]any
		want   string // in the error; "" for none
	}{
		{"its own node", agent, agentNode, specOf(2, 0, 1), ""},
		{"another node", agent, otherNode, specOf(2, 0, 1), "an agent on node " + agentNode + " may write the NodeTopology of that node only, not " + otherNode},
		{"a token of no pod", e.withToken(t, unbound.Status.Token), agentNode, specOf(2, 0, 1), "does not say on which node"},
		{"the administrator", e.dynamic, otherNode, specOf(2, 0, 1), ""},
		{"a link with itself", agent, agentNode, specOf(2, 1, 1), "links name two devices"},
		{"a link the wrong way", agent, agentNode, specOf(3, 2, 1), "links name two devices"},
		{"a link to no device", agent, agentNode, specOf(2, 0, 2), "links name two devices"},
	} {
		t.Run(test.name, func(t *testing.T) {
			object := &unstructured.Unstructured{Object: map[string]any{
				"apiVersion": v1alpha1.GroupVersion.String(), "kind": "NodeTopology",
				"metadata": map[string]any{"name": test.node}, "spec": test.spec,
			}}
			// A policy is in force a moment after it was created.
			eventually(t, "the answer", func(ctx context.Context) error {
				_, err := test.client.Resource(nodeTopologies).Apply(ctx, test.node, object, metav1.ApplyOptions{FieldManager: "test", Force: true})
				if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
					return fmt.Errorf("got %v, want %q", err, test.want)
				}
				return nil
			})
		})
	}
	t.Run("the status of another node", func(t *testing.T) {
		object := &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": v1alpha1.GroupVersion.String(), "kind": "NodeTopology",
			"metadata": map[string]any{"name": otherNode}, "status": map[string]any{"unhealthy": []any{}},
		}}
		_, err := agent.Resource(nodeTopologies).ApplyStatus(t.Context(), otherNode, object, metav1.ApplyOptions{FieldManager: "test", Force: true})
		if err == nil || !strings.Contains(err.Error(), "of that node only") {
			t.Errorf("got %v, want a refusal", err)
		}
	})
	t.Run("what no agent does", func(t *testing.T) {
		for what, err := range map[string]error{
			"delete": agent.Resource(nodeTopologies).Delete(t.Context(), agentNode, metav1.DeleteOptions{}),
			"list":   onlyError(agent.Resource(nodeTopologies).List(t.Context(), metav1.ListOptions{})),
			"pods":   onlyError(agent.Resource(corev1.SchemeGroupVersion.WithResource("pods")).List(t.Context(), metav1.ListOptions{})),
		} {
			if !apierrors.IsForbidden(err) {
				t.Errorf("%s: got %v, want that it is forbidden", what, err)
			}
		}
	})
}

func onlyError[T any](_ T, err error) error { return err }

// specOf is a machine with one link.
func specOf(devices, a, b int) map[string]any {
	var all []any
	for i := range devices {
		all = append(all, map[string]any{"uuid": fmt.Sprintf("GPU-%d", i)})
	}
	return map[string]any{"resource": "nvidia.com/gpu", "devices": all, "links": []any{map[string]any{"a": int64(a), "b": int64(b), "path": "PIX"}}}
}
