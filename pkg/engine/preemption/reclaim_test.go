package preemption

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes/fake"
	corelisters "k8s.io/client-go/listers/core/v1"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/events"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/berth-dev/berth/pkg/api/v1alpha1"
	"github.com/berth-dev/berth/pkg/core/admission"
	"github.com/berth-dev/berth/pkg/core/pack"
	"github.com/berth-dev/berth/pkg/engine/fastpath"
	"github.com/berth-dev/berth/pkg/engine/waitreason"
	"github.com/berth-dev/berth/pkg/state/gangtable"
	"github.com/berth-dev/berth/pkg/state/queueing"
	"github.com/berth-dev/berth/pkg/state/workload"
)

// reclaimerRig is a reclaimer with a claim against two pods of one GPU each, of two candidates.
type reclaimerRig struct {
	*Reclaimer
	clock    *clocktesting.FakeClock
	claimant *corev1.Pod
	victims  []*corev1.Pod
	claim    *queueing.Reclaim
	choice   *fastpath.Choice
	recorder *events.FakeRecorder

	mu sync.Mutex
	// asked are the evictions, in order; protected is the pod that a budget protects, though
	// none is known.
	asked     []string
	protected string
}

func newReclaimerRig(t *testing.T) *reclaimerRig {
	t.Helper()
	c := &reclaimerRig{clock: clocktesting.NewFakeClock(time.Unix(1_000_000, 0)), recorder: events.NewFakeRecorder(10)}
	gangs := gangtable.New(func(string) bool { return true }, nil, c.clock)
	queues := queueing.New(gangs, workload.Requests, func() []*corev1.Pod { return nil }, admission.Config{Window: 4, Overtaking: 4, Backlog: 4}, c.clock)
	queues.Open()
	two := resource.MustParse("2")
	queues.SetQueue(&v1alpha1.Queue{ObjectMeta: metav1.ObjectMeta{Name: "owner", Generation: 1},
		Spec: v1alpha1.QueueSpec{Namespaces: []string{"ns"}, Resources: []v1alpha1.QueueResource{{Name: "nvidia.com/gpu", Guaranteed: &two}}}})
	queues.SetQueue(&v1alpha1.Queue{ObjectMeta: metav1.ObjectMeta{Name: "borrower", Generation: 1}})
	pod := func(name, queue, node string, gpus string) *corev1.Pod {
		p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: name, UID: types.UID(name), ResourceVersion: "1", Labels: map[string]string{"berth.dev/queue": queue}}}
		p.Spec.NodeName, p.Spec.SchedulerName = node, "berth"
		p.Spec.Containers = []corev1.Container{{Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{"nvidia.com/gpu": resource.MustParse(gpus)}}}}
		queues.SetPod(p)
		return p
	}
	c.victims = []*corev1.Pod{pod("v1", "borrower", "n", "1"), pod("v2", "borrower", "n", "1")}
	c.claimant = pod("claimant", "owner", "", "2")
	queues.Enter(c.claimant)
	if let := queues.Admit(); len(let) != 1 {
		t.Fatalf("%d are admitted, want the claimant", len(let))
	}
	client := fake.NewClientset()
	client.PrependReactor("create", "pods", func(action clienttesting.Action) (bool, runtime.Object, error) {
		e, ok := action.(clienttesting.CreateAction).GetObject().(*policyv1.Eviction)
		if !ok {
			return false, nil, nil
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.asked = append(c.asked, e.Name)
		if e.Name == c.protected {
			refused := apierrors.NewTooManyRequests("the budget", 0)
			refused.ErrStatus.Details.Causes = append(refused.ErrStatus.Details.Causes, metav1.StatusCause{Type: policyv1.DisruptionBudgetCause})
			return true, nil, refused
		}
		return true, nil, nil
	})
	c.Reclaimer = New(Parts{
		Path: fastpath.New(), Queues: queues, Gangs: gangs, Client: client,
		Pods: corelisters.NewPodLister(cache.NewIndexer(cache.MetaNamespaceKeyFunc, cache.Indexers{})), Recorder: c.recorder, Clock: c.clock,
	})
	if c.claim = queues.Reclaim([]*corev1.Pod{c.claimant}, queueing.Others{Budgets: c.budgets}); c.claim == nil {
		t.Fatal("the queue is not entitled to its guarantee")
	}
	c.choice = &fastpath.Choice{Room: fastpath.Reservation{"n": pack.Amounts{Kind: 1, Devices: 2}}}
	for i := range c.claim.Candidates {
		c.choice.Evicted = append(c.choice.Evicted, fastpath.Evicted{Candidate: &c.claim.Candidates[i], Pods: c.claim.Candidates[i].Pods, Whole: true})
	}
	return c
}

// expectAsked waits until these evictions were asked for, in any order.
func (c *reclaimerRig) expectAsked(t *testing.T, want ...string) {
	t.Helper()
	var got []string
	err := wait.PollUntilContextTimeout(t.Context(), time.Millisecond, time.Minute, true, func(context.Context) (bool, error) {
		c.mu.Lock()
		defer c.mu.Unlock()
		got = slices.Clone(c.asked)
		return len(got) >= len(want), nil
	})
	if err == nil {
		slices.Sort(got)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("evictions (-want +got):\n%s", diff)
	}
}

func TestBatch(t *testing.T) {
	c := newReclaimerRig(t)
	name := workload.NameOf(c.claimant)
	c.begin(c.claimant, c.claim, c.choice, c.clock.Now())
	c.expectAsked(t, "v1", "v2")
	if text := c.busy(name, c.clock.Now()); text != "it waits for 2 pods to leave" {
		t.Errorf("a second batch could begin: %q", text)
	}
	for _, v := range c.victims {
		c.Gone(v.UID)
	}
	c.Sweep(c.clock.Now().Add(placePatience / 2))
	if !c.HasBatch(name) {
		t.Error("the room is given up before it could be taken")
	}
	c.clock.Step(placePatience + time.Second)
	c.Sweep(c.clock.Now())
	if c.HasBatch(name) {
		t.Error("room is kept for ever that nobody takes")
	}
	if text := c.busy(name, c.clock.Now()); text == "" {
		t.Error("others are evicted at once for who did not take its room")
	}
}

// Whoever waits for others to leave is tried as soon as they have, and, as it may be too soon
// for the scheduler to know, again.
func TestRoomIsTakenAtOnce(t *testing.T) {
	c := newReclaimerRig(t)
	c.begin(c.claimant, c.claim, c.choice, c.clock.Now())
	c.Queues.Ended(c.claimant)
	expect := func(want int, when string) {
		t.Helper()
		if let := c.Queues.Admit(); len(let) != want {
			t.Errorf("%d are admitted %s, want %d", len(let), when, want)
		}
	}
	c.Gone(c.victims[0].UID)
	c.Sweep(c.clock.Now())
	expect(0, "while one has not left")
	c.Gone(c.victims[1].UID)
	expect(1, "when all have left")
	c.Queues.Ended(c.claimant)
	expect(0, "at once, for whom there was no room")
	c.Sweep(c.clock.Now())
	expect(1, "after a while")
}

// Whoever has its place needs no room kept.
func TestBatchEndsWithThePlace(t *testing.T) {
	c := newReclaimerRig(t)
	name := workload.NameOf(c.claimant)
	c.begin(c.claimant, c.claim, c.choice, c.clock.Now())
	c.Tried(c.claimant)
	if !c.HasBatch(name) {
		t.Error("it ended without a place")
	}
	if refusal, ok := c.Queues.Reserve(c.claimant); !ok {
		t.Fatal(refusal.Text)
	}
	c.Tried(c.claimant)
	if c.HasBatch(name) {
		t.Error("room is kept for who has its place")
	}
}

// A budget that protects one pod keeps all of them, and whoever waits is told of it.
func TestBudgetKeepsAll(t *testing.T) {
	c := newReclaimerRig(t)
	pdb := &policyv1.PodDisruptionBudget{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "keep", Generation: 1, ResourceVersion: "7"},
		Spec:   policyv1.PodDisruptionBudgetSpec{Selector: &metav1.LabelSelector{}},
		Status: policyv1.PodDisruptionBudgetStatus{ObservedGeneration: 1, DisruptionsAllowed: 1, ExpectedPods: 2, CurrentHealthy: 2, DesiredHealthy: 1}}
	if err := c.Client.(*fake.Clientset).Tracker().Add(pdb); err != nil {
		t.Fatal(err)
	}
	// What the informer knows is older: it would let both go.
	for _, v := range c.victims {
		v.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
	}
	old := pdb.DeepCopy()
	old.ResourceVersion, old.Status.DisruptionsAllowed = "6", 2
	c.SetBudget(old)
	if why := c.claim.Protected(c.victims); why != nil {
		t.Fatalf("the older budget protects them: %s", why.Sentence())
	}
	name := workload.NameOf(c.claimant)
	c.begin(c.claimant, c.claim, c.choice, c.clock.Now())
	c.awaitEnd(t, name)
	c.expectAsked(t)
	if why, more := c.Entitlement(c.claimant); !more || why.Code != waitreason.VictimsProtected || !strings.Contains(why.Text, `disruption budget "ns/keep" protects 2 pods that would have to go, and allows 1 disruption`) {
		t.Errorf("whoever waits is told %+v", why)
	}
	// A budget that allows more has it tried again at once.
	c.Sweep(c.clock.Now())
	if c.backoffs[name].woken {
		t.Error("it is tried again though nothing has changed")
	}
	more := pdb.DeepCopy()
	more.ResourceVersion, more.Status.DisruptionsAllowed = "8", 2
	c.SetBudget(more)
	c.Sweep(c.clock.Now())
	if !c.backoffs[name].woken {
		t.Error("it is not tried again though the budget has changed")
	}
}

func (c *reclaimerRig) awaitEnd(t *testing.T, name string) {
	t.Helper()
	err := wait.PollUntilContextTimeout(t.Context(), time.Millisecond, time.Minute, true, func(context.Context) (bool, error) { return !c.HasBatch(name), nil })
	if err != nil {
		t.Fatal("the batch goes on")
	}
}

// Who was not helped is tried again, later and later.
func TestRestsGrow(t *testing.T) {
	c := newReclaimerRig(t)
	name := workload.NameOf(c.claimant)
	for _, want := range []time.Duration{minBackoff, 2 * minBackoff, 4 * minBackoff} {
		c.backOff(name, waitreason.Explanation{})
		if got := c.backoffs[name].long; got != want {
			t.Errorf("its backoff is %s, want %s", got, want)
		}
		c.clock.Step(want)
	}
	for range 20 {
		c.backOff(name, waitreason.Explanation{})
	}
	if got := c.backoffs[name].long; got != maxBackoff {
		t.Errorf("its backoff is %s, want %s at most", got, maxBackoff)
	}
}
