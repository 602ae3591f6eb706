package engine

import (
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins/names"

	"github.com/berth-dev/berth/pkg/core/gang/gangtest"
	"github.com/berth-dev/berth/pkg/engine/measure"
	"github.com/berth-dev/berth/pkg/engine/waitreason"
	"github.com/berth-dev/berth/pkg/plugins/ganggate"
	"github.com/berth-dev/berth/pkg/plugins/queueadmission"
	"github.com/berth-dev/berth/pkg/state/workload"
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
			why := h.explainer.why(told)
			if why.Code != c.code || !strings.Contains(why.Text, c.text) {
				t.Errorf("said %+v, want %s: .. %s ..", why, c.code, c.text)
			}
		})
	}
	t.Run("no plugin is forgotten", func(t *testing.T) {
		h := newTestCluster(t, rackNodes(1, 1))
		for _, f := range h.sched.Profiles {
			for _, plugin := range f.PreEnqueuePlugins() {
				if _, known := preEnqueueTexts[plugin.Name()]; !known {
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

// What was said stays as long as it is true enough.
func TestContradicts(t *testing.T) {
	for _, c := range []struct {
		said, is string
		want     bool
	}{
		{"GangIncomplete", "GangIncomplete", false},
		{"GangIncomplete", "QueueAtLimit", true},
		{"Unschedulable", waitreason.Backoff, false},
		{"Unschedulable", "GangIncomplete", true},
		{"QueuedBehind", "QueueNotItsTurn", false},
		{"QueuedBehind", "QueueAtLimit", true},
		{"QueuedBehind", "Unschedulable", true},
		{"Unschedulable", "QueuedBehind", false},
		{"Unschedulable", "QueuedBehindHeld", false},
		{"Unschedulable", "QueueAtLimit", true},
		{"QueueAtLimit", waitreason.NotTried, true},
		{waitreason.NotTried, waitreason.Backoff, false},
		{waitreason.NamespaceWindow, waitreason.NotTried, false},
		{"Unschedulable", waitreason.NamespaceWindow, false},
	} {
		if got := waitreason.Contradicts(c.said, c.is); got != c.want {
			t.Errorf("%s was said and %s is: %v, want %v", c.said, c.is, got, c.want)
		}
	}
}

// A pod that nobody told why it waits is told, once.
func TestSilenceIsBroken(t *testing.T) {
	h := newTestCluster(t, rackNodes(4, 2))
	pod := h.create((&testJob{name: "g", size: 2}).podOf(0))
	h.settle()
	told := h.told[pod.UID]
	if waitreason.Said(told) {
		t.Fatalf("somebody said why already: %v", told.Status.Conditions)
	}
	name := types.NamespacedName{Namespace: told.Namespace, Name: told.Name}
	who := measure.Who{Namespace: told.Namespace, Group: workload.PodGroup(told)}
	again := func(list *[]dueLook) time.Duration {
		h.explainer.first, h.explainer.again = nil, nil
		h.explainer.look(who)
		if len(*list) != 1 || len(h.explainer.first)+len(h.explainer.again) != 1 {
			t.Fatalf("the pod is looked at again %d times before it is told, and %d times after that", len(h.explainer.first), len(h.explainer.again))
		}
		return (*list)[0].at.Sub(h.clock.Now())
	}
	if after := again(&h.explainer.first); after <= 0 || len(h.conditions.pending) > 0 {
		t.Fatalf("the others were given no time to be created: again after %s, asked for %v", after, h.conditions.pending)
	}
	h.clock.Step(incompleteDelay + unexplainedDelay)
	if after := again(&h.explainer.again); after != reexplainDelay {
		t.Fatalf("the pod is looked at again after %s", after)
	}
	asked, found := h.conditions.pending[name]
	if !found || asked.condition.Reason != "GangIncomplete" || asked.condition.Message == "" {
		t.Fatalf("the condition asked for is %+v", asked)
	}
	h.edit(pod.UID, func(p *corev1.Pod) {
		p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: "GangIncomplete", Message: "said", LastTransitionTime: metav1.Now()}}
	})
	h.settle()
	delete(h.conditions.pending, name)
	h.explainer.look(who)
	if len(h.conditions.pending) > 0 {
		t.Errorf("what was said is said again: %v", h.conditions.pending)
	}
}

// Those that others of their queues come before are told so a few at a time while pods are
// bound, and all at once when none is.
func TestThoseInLineAreTold(t *testing.T) {
	const pods = 100
	h := newTestCluster(t, rackNodes(4, 2), testQueue{name: "q"})
	h.explainer.leads = true
	for i := range pods {
		h.create((&testJob{name: fmt.Sprintf("p%02d", i), queue: "q"}).podOf(0))
	}
	h.tell()
	h.admit()
	look := func() {
		for {
			due := h.explainer.due()
			if len(due) == 0 {
				return
			}
			for _, who := range due {
				h.explainer.look(who)
			}
		}
	}
	h.clock.Step(unexplainedDelay)
	look()
	line, told := len(h.explainer.line), len(h.conditions.pending)
	if line <= 2*inLineWhileBusy || line+told != pods {
		t.Fatalf("%d are in line and %d were told, of %d", line, told, pods)
	}
	h.explainer.lastBind = h.clock.Now()
	h.explainer.tellInLine()
	if n := len(h.conditions.pending) - told; n != inLineWhileBusy {
		t.Errorf("while pods are bound, %d were told, want %d", n, inLineWhileBusy)
	}
	h.clock.Step(busyDelay)
	h.explainer.tellInLine()
	if n := len(h.conditions.pending) - told; n != min(line, inLineWhileBusy+inLineAtATime) {
		t.Errorf("%d of %d in line were told once no pod was bound", n, line)
	}
	for len(h.explainer.line) > 0 {
		h.explainer.tellInLine()
	}
	if len(h.explainer.again) != pods {
		t.Errorf("%d are looked at again, want %d", len(h.explainer.again), pods)
	}
}

// However many were told why they wait, it is looked at a few at a time whether that still holds,
// and one that was told nothing does not wait behind them.
func TestToldAreLookedAtSlowly(t *testing.T) {
	const gangs = 50
	h := newTestCluster(t, rackNodes(4, 2))
	h.explainer.leads = true
	for i := range gangs {
		h.create((&testJob{name: fmt.Sprintf("g%02d", i), size: 2}).podOf(0))
	}
	h.tell()
	look := func() (told, silent int) {
		for _, who := range h.explainer.due() {
			if strings.Contains(who.Group, "late") {
				silent++
			} else {
				told++
			}
			h.explainer.look(who)
		}
		return told, silent
	}
	h.clock.Step(incompleteDelay + unexplainedDelay)
	if n, _ := look(); n != gangs {
		t.Fatalf("%d of %d that were told nothing are looked at", n, gangs)
	}
	h.clock.Step(reexplainDelay)
	h.create((&testJob{name: "late", size: 2}).podOf(0))
	h.tell()
	h.clock.Step(incompleteDelay + unexplainedDelay)
	if told, silent := look(); told != againAtATime || silent != 1 {
		t.Errorf("%d that were told are looked at in one period, want %d; and %d of 1 that was not", told, againAtATime, silent)
	}
}

// A pod that comes late to a gang of which others were told is looked at as soon as any other.
func TestLatePodsAreLookedAt(t *testing.T) {
	h := newTestCluster(t, rackNodes(4, 2))
	h.explainer.leads = true
	look := func(after time.Duration) {
		for range int(after / time.Second) {
			h.clock.Step(time.Second)
			for _, who := range h.explainer.due() {
				h.explainer.look(who)
			}
		}
	}
	h.create((&testJob{name: "g", size: 3}).podOf(0))
	h.tell()
	look(incompleteDelay + unexplainedDelay + time.Second)
	for i := 1; i < 3; i++ {
		late := h.create((&testJob{name: "g", size: 3}).podOf(i))
		h.tell()
		look(unexplainedDelay + time.Second)
		if _, told := h.conditions.pending[types.NamespacedName{Namespace: "ns", Name: late.Name}]; !told {
			t.Errorf("pod %q is not told why it waits %s after it was made", late.Name, unexplainedDelay+time.Second)
		}
	}
}
