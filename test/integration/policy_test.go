package integration

import (
	"context"
	"fmt"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// The policies of the manifests keep users from forging what the scheduler writes, and from
// passing what they use to a queue that did not agree to it. A pod that waits may change
// its queue.
func TestPolicies(t *testing.T) {
	e := stock(t)
	e.scheduler(t)
	ns := e.namespace(t)
	e.create(t, ns, pod("runs", 1, labels("berth.dev/queue", "default", "app", "a")))
	e.create(t, ns, gangOf("waits", 1, 1, ours("waits", 2), labels("berth.dev/queue", "default"))...)
	e.expectBound(t, ns, 1)
	for _, c := range []struct {
		name, pod, patch string
		refused          string // "" if it is allowed
	}{
		{"devices of a pod that runs", "runs", `{"metadata":{"annotations":{"berth.dev/devices":"{\"main\":[\"GPU-1\"]}"}}}`, "berth.dev/devices"},
		{"its placement", "runs", `{"metadata":{"annotations":{"berth.dev/placement":"{\"rank\":7}"}}}`, "berth.dev/placement"},
		{"its queue", "runs", `{"metadata":{"labels":{"berth.dev/queue":"theirs"}}}`, "cannot be changed"},
		{"its queue, taken off", "runs", `{"metadata":{"labels":{"berth.dev/queue":null}}}`, "cannot be changed"},
		{"its queue in other words", "runs", `{"metadata":{"labels":{"kueue.x-k8s.io/queue-name":"theirs"}}}`, "cannot be changed"},
		{"its queue as Volcano says it", "runs", `{"metadata":{"annotations":{"scheduling.volcano.sh/queue-name":"theirs"}}}`, "cannot be changed"},
		{"another label of it", "runs", `{"metadata":{"labels":{"app":"b"}}}`, ""},
		{"the queue of a pod that waits", "waits-0", `{"metadata":{"labels":{"berth.dev/queue":"other"}}}`, ""},
		{"devices of a pod that waits", "waits-0", `{"metadata":{"annotations":{"berth.dev/devices":"{}"}}}`, "berth.dev/devices"},
	} {
		t.Run(c.name, func(t *testing.T) {
			// A policy is in force a moment after it was created.
			eventually(t, "the answer", func(ctx context.Context) error {
				_, err := e.client.CoreV1().Pods(ns).Patch(ctx, c.pod, types.MergePatchType, []byte(c.patch), metav1.PatchOptions{})
				if c.refused == "" && err != nil || c.refused != "" && (err == nil || !strings.Contains(err.Error(), c.refused)) {
					return fmt.Errorf("got %v, want %q", err, c.refused)
				}
				return nil
			})
		})
	}
	t.Run("devices of a pod that is made", func(t *testing.T) {
		for _, key := range []string{"berth.dev/devices", "berth.dev/placement"} {
			_, err := e.client.CoreV1().Pods(ns).Create(t.Context(), pod("forged", 1, annotations(key, `{"main":["GPU-1"]}`)), metav1.CreateOptions{})
			if err == nil || !strings.Contains(err.Error(), "nobody else sets or changes them") {
				t.Errorf("a pod is made with %s: %v", key, err)
			}
		}
	})
}
