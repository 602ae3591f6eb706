package integration

import (
	"context"
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"

	"github.com/berth-dev/berth/pkg/localcluster/drill"
)

// A node loses power under a gang whose pods tolerate that for as long as Kubernetes has it by
// default, five minutes. Somebody who knows that the machine is off taints it as out of service:
// the lost pod is collected at once, and another has its place on the spare node of the rack.
func TestOutOfService(t *testing.T) {
	t.Parallel()
	e := infirmary(t)
	e.scheduler(t)
	ns := e.namespace(t)
	e.gangJob(t, ns, "train", 3)
	on := e.whole(t, ns, "train", 3)
	rack := e.inOneRack(t, on)
	lost := ""
	for node := range on {
		lost = max(lost, node)
	}
	victim := on[lost]
	e.apply(t, drill.Kill(e.client, []string{lost}), false)
	e.said(t, ns, "GangShort", "lost with its node): on-loss replace")
	p, err := e.client.CoreV1().Pods(ns).Get(t.Context(), victim.Name, metav1.GetOptions{})
	if err != nil || p.DeletionTimestamp != nil {
		t.Fatalf("the lost pod is being deleted before anybody asked for it: %v", err)
	}

	e.outOfService(t, lost)
	eventuallyWithin(t, 2*patience, "the lost pod is gone", func(ctx context.Context) error {
		p, err := e.client.CoreV1().Pods(ns).Get(ctx, victim.Name, metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err):
			return nil
		case err == nil:
			return fmt.Errorf("it is %s, deleted at %v", p.Status.Phase, p.DeletionTimestamp)
		}
		return err
	})
	after := e.whole(t, ns, "train", 3)
	if got := e.inOneRack(t, after); got != rack || after[lost] != nil {
		t.Errorf("the gang is in rack %s, on node %s, which is out of service: %t; it was in rack %s", got, lost, after[lost] != nil, rack)
	}
	e.said(t, ns, "GangRepaired", "is whole again")
	// It stays so: nobody goes to the node, which has room now.
	e.gangJob(t, ns, "next", 4)
	if got := e.inOneRack(t, e.whole(t, ns, "next", 4)); got == rack {
		t.Errorf("a gang of four is in rack %s, of which node %s is out of service", got, lost)
	}
}

// outOfService taints a node as out of service.
func (e *environment) outOfService(t *testing.T, name string) {
	t.Helper()
	err := retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		node, err := e.client.CoreV1().Nodes().Get(t.Context(), name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		node.Spec.Taints = append(node.Spec.Taints, corev1.Taint{Key: corev1.TaintNodeOutOfService, Value: "nodeshutdown", Effect: corev1.TaintEffectNoExecute})
		_, err = e.client.CoreV1().Nodes().Update(t.Context(), node, metav1.UpdateOptions{})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
