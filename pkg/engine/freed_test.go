package engine

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// Whoever had no room is tried again soon after some came free, whoever had it, and not only
// because a while has passed.
func TestRoomComesFree(t *testing.T) {
	const soon = 5 // seconds; see retryAnyway
	for _, c := range []struct {
		name string
		// fill takes the node, and returns what gives it back.
		fill func(h *testCluster, queue string) (free func())
	}{
		{"a pod of another scheduler goes", func(h *testCluster, _ string) func() {
			pod := (&testJob{name: "foreign", gpus: 8}).podOf(0)
			pod.Spec.SchedulerName, pod.Spec.NodeName = corev1.DefaultSchedulerName, h.nodes[0].Name
			h.create(pod)
			return func() { h.end(pod.UID) }
		}},
		{"a pod asks for less where it runs", func(h *testCluster, queue string) func() {
			one := h.submit(testJob{name: "large", queue: queue, gpus: 8})
			return func() {
				h.edit(one.uids[0], func(pod *corev1.Pod) {
					gpus := pod.Spec.Containers[0].Resources.Requests.DeepCopy()
					delete(gpus, gpuName)
					pod.Spec.Containers[0].Resources.Requests, pod.Spec.Containers[0].Resources.Limits = gpus, gpus
				})
			}
		}},
		{"a pod is not bound to the node that it was to get", func(h *testCluster, queue string) func() {
			h.fate = func(pod *corev1.Pod) fate {
				if workloadOf(pod) == "unlucky" {
					return refusedBind
				}
				return bound
			}
			h.holds = true
			one := h.submit(testJob{name: "unlucky", queue: queue, gpus: 1})
			return func() {
				h.holds = false
				h.releaseBindings()
				h.end(one.uids...) // before it is tried again
			}
		}},
	} {
		withAndWithoutQueues(t, c.name, func(t *testing.T, queue string, rules ...testQueue) {
			h := newTestCluster(t, rackNodes(1, 1), rules...)
			h.unchecked = true
			free := c.fill(h, queue)
			h.settle()
			one := h.submit(testJob{name: "waits", queue: queue, size: 1, gpus: 8})
			h.settle()
			h.pass(1, time.Second)
			if len(h.boundNodes(one)) > 0 {
				t.Fatal("it has room that another has: the test shows nothing")
			}
			free()
			h.pass(soon, time.Second)
			if len(h.boundNodes(one)) == 0 {
				t.Errorf("it waits %d s after room came free", soon)
			}
		})
	}
}
