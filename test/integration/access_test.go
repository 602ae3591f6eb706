package integration

import (
	"context"
	"fmt"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Nobody takes what a queue is guaranteed by a label on his pods. An administrator lets his
// namespace use it, and what waits goes on; who pays is written with the binding.
func TestQueueAccess(t *testing.T) {
	e := stock(t)
	ns, beside := e.namespace(t), e.namespace(t)
	e.queue(t, "owned", `{resources: [{name: nvidia.com/gpu, guaranteed: 16}]}`)
	e.queue(t, "named", `{namespaces: [`+beside+`], resources: [{name: nvidia.com/gpu, guaranteed: 16}]}`)
	e.scheduler(t)
	e.create(t, ns, gangOf("takes", 2, 1, inQueue("owned"), ours("takes", 2))...)
	e.create(t, ns, pod("named", 1, inQueue("named")))
	e.create(t, beside, pod("free", 1), pod("named", 1, inQueue("named")))
	e.expectBound(t, beside, 2)
	for _, name := range []string{"takes-0", "takes-1", "named"} {
		e.expectReason(t, ns, name, "QueueNotAllowed")
	}
	eventually(t, "the status counts the refused", func(ctx context.Context) error {
		u, err := e.dynamic.Resource(queues).Get(ctx, "owned", metav1.GetOptions{})
		if err != nil {
			return err
		}
		status, _ := u.Object["status"].(map[string]any)
		if got := status["refusedGangs"]; got != int64(1) {
			return fmt.Errorf("refusedGangs is %v, want 1", got)
		}
		return nil
	})
	label := func(value string) {
		t.Helper()
		patch := fmt.Sprintf(`{"metadata":{"labels":{"berth.dev/queue":%s}}}`, value)
		if _, err := e.client.CoreV1().Namespaces().Patch(t.Context(), ns, types.MergePatchType, []byte(patch), metav1.PatchOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	label(`"owned"`)
	e.expectBound(t, ns, 2)
	bound, err := e.client.CoreV1().Pods(ns).Get(t.Context(), "takes-0", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got := bound.Annotations["berth.dev/charged-queue"]; got != "owned" {
		t.Errorf("it is charged to %q", got)
	}
	// Without the label, what runs stays.
	label("null")
	e.create(t, ns, pod("later", 1, inQueue("owned")))
	e.expectReason(t, ns, "later", "QueueNotAllowed")
	e.expectBound(t, ns, 2)
}

// Where all trust each other, every namespace uses every queue.
func TestQueueAccessOpen(t *testing.T) {
	e := stock(t)
	ns := e.namespace(t)
	e.queue(t, "owned", `{namespaces: [another], resources: [{name: nvidia.com/gpu, guaranteed: 16}]}`)
	e.scheduler(t, "--queue-access=open")
	e.create(t, ns, pod("p", 1, inQueue("owned")))
	e.expectBound(t, ns, 1)
}
