package engine

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins/names"

	"github.com/berth-dev/berth/pkg/core/gang/gangtest"
	"github.com/berth-dev/berth/pkg/engine/reporting"
	"github.com/berth-dev/berth/pkg/engine/waitreason"
	"github.com/berth-dev/berth/pkg/plugins/ganggate"
	"github.com/berth-dev/berth/pkg/plugins/queueadmission"
)

// TestEveryHolderHasAReason lists who can hold a pod: each PreEnqueue plugin of the
// profile, and whoever lets a pod wait that these have passed. It has each of them hold a
// pod in the whole scheduler, and fails if one of them is not tried, or has no reason.
func TestEveryHolderHasAReason(t *testing.T) {
	gate := func(pod *corev1.Pod) {
		pod.Spec.SchedulingGates = []corev1.PodSchedulingGate{{Name: "example.com/hold"}}
	}
	for _, c := range []struct {
		name string
		// holder is the PreEnqueue plugin that holds the pod, if it is one.
		holder string
		// hold makes the pods, of which the last is looked at.
		hold func(h *testCluster) *corev1.Pod
		// untried says that the scheduling loop does not get to it.
		untried bool
		// code is what is said; "" if the API server says it. text is in what is said.
		code, text string
	}{
		{
			name:    "nobody, but it was not tried yet",
			hold:    func(h *testCluster) *corev1.Pod { return h.create((&testJob{name: "p"}).podOf(0)) },
			untried: true,
			code:    waitreason.NotTried, text: "tried when its turn comes",
		},
		{
			name: "a scheduling gate", holder: names.SchedulingGates,
			hold: func(h *testCluster) *corev1.Pod {
				pod := (&testJob{name: "p"}).podOf(0)
				gate(pod)
				return h.create(pod)
			},
		},
		{
			name: "the verdict on its gang",
			hold: func(h *testCluster) *corev1.Pod { return h.create((&testJob{name: "g", size: 2}).podOf(0)) },
			code: "GangIncomplete", text: "has 1 of 2 pods",
		},
		{
			name: "the scheduling gate of another member",
			hold: func(h *testCluster) *corev1.Pod {
				gated := (&testJob{name: "g", size: 2}).podOf(1)
				gate(gated)
				h.create(gated)
				return h.create((&testJob{name: "g", size: 2}).podOf(0))
			},
			code: "GangGated", text: `pod "g-1" has scheduling gate "example.com/hold"`,
		},
		{
			name: "the limit of its queue", holder: queueadmission.Name,
			hold: func(h *testCluster) *corev1.Pod {
				h.create((&testJob{name: "first", queue: "q", gpus: 8}).podOf(0))
				h.settle()
				return h.create((&testJob{name: "p", queue: "q", gpus: 8}).podOf(0))
			},
			code: "QueueAtLimit", text: "limit of 8",
		},
		{
			name: "a queue that is not there", holder: queueadmission.Name,
			hold: func(h *testCluster) *corev1.Pod { return h.create((&testJob{name: "p", queue: "none"}).podOf(0)) },
			code: "QueueNotFound", text: `no queue "none"`,
		},
		{
			name: "a queue that is not open to it", holder: queueadmission.Name,
			hold: func(h *testCluster) *corev1.Pod { return h.create((&testJob{name: "p", queue: "theirs"}).podOf(0)) },
			code: "QueueNotAllowed", text: `may not use queue "theirs"`,
		},
		{
			name: "a queue, after it was refused for want of room",
			hold: func(h *testCluster) *corev1.Pod {
				h.submit(testJob{name: "full", queue: "wide", size: 4, gpus: 8})
				h.settle()
				return h.create((&testJob{name: "p", queue: "wide", gpus: 8}).podOf(0))
			},
			code: waitreason.Backoff, text: "there was no room",
		},
		{
			name: "the size of the cluster",
			hold: func(h *testCluster) *corev1.Pod {
				return h.create((&testJob{name: "p", queue: "wide", gpus: 9}).podOf(0))
			},
			code: "GangNeverFits", text: "even if nothing else ran",
		},
		{
			name: "the scheduling queue, which takes its gang in",
			hold: func(h *testCluster) *corev1.Pod {
				pod := h.create((&testJob{name: "g", size: 1}).podOf(0))
				h.groupFeed.deaf = true
				return pod
			},
			code: waitreason.GangEntering, text: "being taken into the scheduling queue",
		},
		{
			name: "the scheduling queue, which knows an earlier size of its gang", holder: ganggate.Name,
			hold: func(h *testCluster) *corev1.Pod {
				w := &walker{name: "g", model: gangtest.New(1)}
				w.declare(h)
				h.create(w.pod(gangtest.Pod{Name: "p0"}))
				h.settle()
				h.groupFeed.deaf = true
				w.model.Size = 3
				w.declare(h)
				h.create(w.pod(gangtest.Pod{Name: "p1", Rank: 1}))
				return h.create(w.pod(gangtest.Pod{Name: "p2", Rank: 2}))
			},
			code: waitreason.GangEntering, text: "being taken into the scheduling queue",
		},
		{
			name: "a resource claim that is not there", holder: names.DynamicResources,
			hold: func(h *testCluster) *corev1.Pod {
				pod := (&testJob{name: "p"}).podOf(0)
				claim := "gpus"
				pod.Spec.ResourceClaims = []corev1.PodResourceClaim{{Name: "gpus", ResourceClaimName: &claim}}
				return h.create(pod)
			},
			code: waitreason.HeldByPlugin, text: `could not find ResourceClaim "ns/gpus"`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newTestCluster(t, rackNodes(4, 2), testQueue{name: "q", limit: 8}, testQueue{name: "wide"}, testQueue{name: "theirs", others: true})
			pod := c.hold(h)
			if c.untried {
				h.tell()
				h.admit()
			} else {
				h.settle()
				h.pass(3, time.Second)
			}
			told := h.told[pod.UID]
			if told == nil || told.Spec.NodeName != "" {
				t.Fatalf("the pod does not wait: %v", told)
			}
			if info, found := h.sched.SchedulingQueue.GetPod(told.Name, told.Namespace, told.Spec.SchedulingGroup); c.holder != "" && (!found || info.GatingPlugin != c.holder) && len(told.Spec.SchedulingGates) == 0 {
				t.Errorf("plugin %q holds it (%v), want %q", info.GatingPlugin, found, c.holder)
			}
			why := h.explainer.Why(told)
			if why.Code != c.code || !strings.Contains(why.Text, c.text) {
				t.Errorf("said %+v, want %s: .. %s ..", why, c.code, c.text)
			}
		})
	}
	t.Run("no plugin is forgotten", func(t *testing.T) {
		h := newTestCluster(t, rackNodes(1, 1))
		for _, f := range h.sched.Profiles {
			for _, plugin := range f.PreEnqueuePlugins() {
				if !reporting.ExplainsPlugin(plugin.Name()) {
					t.Errorf("plugin %s may hold a pod, and there is no reason for it: add it to preEnqueueTexts, and a case above", plugin.Name())
				}
			}
			for _, p := range f.ListPlugins().Permit.Enabled {
				if p.Name != names.GangScheduling && p.Name != observerPluginName {
					t.Errorf("plugin %s may have a pod wait with a node: say why in the explainer", p.Name)
				}
			}
		}
	})
}
