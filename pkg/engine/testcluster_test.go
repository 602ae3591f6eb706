package engine

import (
	"context"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	schedulingv1beta1 "k8s.io/api/scheduling/v1beta1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/events"
	"k8s.io/component-base/featuregate"
	featuregatetesting "k8s.io/component-base/featuregate/testing"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler"
	"k8s.io/kubernetes/pkg/scheduler/framework"

	"github.com/berth-dev/berth/pkg/core/gang"
	"github.com/berth-dev/berth/pkg/core/repair"
	"github.com/berth-dev/berth/pkg/engine/attempts"
	"github.com/berth-dev/berth/pkg/engine/departures"
	"github.com/berth-dev/berth/pkg/engine/enginetest"
	"github.com/berth-dev/berth/pkg/engine/fastpath"
	"github.com/berth-dev/berth/pkg/engine/measure"
	"github.com/berth-dev/berth/pkg/engine/podgroups"
	"github.com/berth-dev/berth/pkg/engine/preemption"
	"github.com/berth-dev/berth/pkg/engine/recovery"
	"github.com/berth-dev/berth/pkg/engine/reporting"
	"github.com/berth-dev/berth/pkg/engine/suspension"
	"github.com/berth-dev/berth/pkg/plugins/queuereclaim"
	"github.com/berth-dev/berth/pkg/state/gangtable"
	"github.com/berth-dev/berth/pkg/state/queueing"
	"github.com/berth-dev/berth/pkg/state/unqueued"
	"github.com/berth-dev/berth/pkg/state/workload"
)

// testCluster is a fake API server with one scheduler that leads: upstream's own, with all of Berth around
// it, whose informers tell it what the test says, when the test says so. Its cycles run one
// by one, and nothing is under way when a method returns but what the observer plugin holds.
type testCluster struct {
	*fakeAPI
	*leader
	counts map[string]int
	// notes are the evictions that were announced and not read yet.
	announcedEvictions []recordedEviction
	// onEvictions is told of the evictions of each cycle, onCycle of its end, and controllers make pods anew that are
	// gone.
	onEvictions func([]recordedEviction)
	onCycle     func()
	controllers func()
	// declared tell the scheduler of objects that declare gangs.
	declared map[string]func()
	// ownersDo is what owners do with pods that are lost.
	ownersDo repair.Owner
	// unchecked says that the ledger is not compared: it takes long where there are many pods.
	unchecked bool
}

// leader is the scheduler.
type leader struct {
	*engine
	*observerPlugin
	sched  *scheduler.Scheduler
	rounds *recovery.Rounds
	ctx    context.Context
	cancel context.CancelFunc

	podFeed, nodeFeed, groupFeed *fakeInformer
	// told are the pods as the scheduler was told of them last.
	told map[types.UID]*corev1.Pod
	// sink hears of the marker, which comes after all that was to be judged before it.
	sink   markedBridge
	judged int64
	// groups are those of gangs, seen up to a version. groupsLate has the scheduler hear of
	// them later.
	groups     *podgroups.Source
	seen       int64
	groupsLate bool
	// Each cycle waits for its turn; idle says that the last has ended.
	turn, idle, stopped chan struct{}
}

func newTestCluster(t testing.TB, nodes []*corev1.Node, queues ...testQueue) *testCluster {
	t.Helper()
	overrides := featuregatetesting.FeatureOverrides{}
	for name, on := range podgroups.Gates() {
		overrides[featuregate.Feature(name)] = on
	}
	featuregatetesting.SetFeatureGatesDuringTest(t, utilfeature.DefaultFeatureGate, overrides)
	h := &testCluster{fakeAPI: newFakeAPI(t), counts: map[string]int{}, ownersDo: repair.Owner{Replaces: true}, declared: map[string]func(){}}
	h.nodes = nodes
	for _, q := range queues {
		h.fakeAPI.queues[q.name] = q.object(1)
	}
	h.lead()
	t.Cleanup(func() { h.depose() })
	return h
}

// lead starts a scheduler, which knows what the fake API server has and nothing else.
func (h *testCluster) lead() {
	h.t.Helper()
	ctx, cancel := context.WithCancel(klog.NewContext(context.Background(), klog.Logger{}))
	l := &leader{
		engine: &engine{gate: podgroups.NewGate(), fast: fastpath.New(), bindings: 1000}, observerPlugin: newObserverPlugin(h), ctx: ctx, cancel: cancel,
		podFeed: newFakeInformer(&corev1.Pod{}), nodeFeed: newFakeInformer(&corev1.Node{}), groupFeed: newFakeInformer(&schedulingv1beta1.PodGroup{}),
		told: map[types.UID]*corev1.Pod{}, groups: podgroups.NewSource(), turn: make(chan struct{}), idle: make(chan struct{}), stopped: make(chan struct{}),
	}
	h.leader = l
	client, recorder := h.client(), &evictionRecorder{FakeRecorder: &events.FakeRecorder{}, cluster: h}
	factory := h.build(client, recorder)
	profile, err := BuiltinProfile()
	if err != nil {
		h.t.Fatal(err)
	}
	enable(&profile.Plugins.PreEnqueue, "GangGate")
	admitByQueue(profile)
	l.watch(profile)
	registry := l.plugins()
	registry[observerPluginName] = l.plugin
	registry[queuereclaim.Name] = func(_ context.Context, _ runtime.Object, handle fwk.Handle) (fwk.Plugin, error) {
		return queuereclaim.New(watchedReclaimer{l.reclaimer, l.observerPlugin}, handle), nil
	}
	l.sched, err = scheduler.New(ctx, l.client, factory, nil,
		func(string) events.EventRecorderLogger { return l.budget.Recorder(&events.FakeRecorder{}) },
		scheduler.WithProfiles(*profile), scheduler.WithFrameworkOutOfTreeRegistry(registry),
		scheduler.WithClock(h.clock))
	if err != nil {
		h.t.Fatal(err)
	}
	if err := l.run(ctx); err != nil {
		h.t.Fatal(err)
	}
	l.recovery = &recovery.HalfBound{Client: client, Gangs: l.gangs, Recorder: recorder, Clock: h.clock, Grace: DefaultOptions().GangGracePeriod}
	l.rounds = l.recovery.Begin()
	for _, node := range h.nodes {
		l.nodeFeed.set(node)
	}
	for _, q := range h.fakeAPI.queues {
		l.engine.queues.SetQueue(q)
	}
	for _, declare := range h.declared {
		declare()
	}
	h.take()
	for _, pod := range h.byName() {
		h.tellOne(change{nil, pod})
	}
	h.judge()
	l.recovery.Resume(ctx)
	l.engine.queues.Open()
	h.settle()
}

// build makes what is around the scheduler.
func (h *testCluster) build(client kubernetes.Interface, recorder events.EventRecorder) informers.SharedInformerFactory {
	l, e := h.leader, h.leader.engine
	b := podgroups.NewBridge(l.groups, e.gate, func(key gang.Key) { e.reporter.Changed(key) })
	l.sink = markedBridge{Bridge: b, reached: make(chan struct{}, 1)}
	ours := func(name string) bool { return name == SchedulerName }
	e.gangs = gangtable.New(ours, l.sink, h.clock)
	e.gate.Gangs = e.gangs
	e.fast.Avoid(e.gangs.Avoided)
	factory := informers.NewSharedInformerFactory(client, 0)
	put := func(object runtime.Object, informer cache.SharedIndexInformer) {
		factory.InformerFor(object, func(kubernetes.Interface, time.Duration) cache.SharedIndexInformer { return informer })
	}
	put(&corev1.Pod{}, podgroups.Regrouped(l.podFeed, e))
	put(&corev1.Node{}, l.nodeFeed)
	put(&schedulingv1beta1.PodGroup{}, podgroups.Gated(l.groupFeed, e.gate))
	e.queues = queueing.New(e.gangs, e.requests.Of, podsOf(factory), DefaultOptions().admission(), h.clock)
	e.fast.Claims(e.queues.SpareClaims)
	b.Queues = e.queues
	_, _ = l.nodeFeed.AddEventHandler(e.nodeHandler())
	pods := factory.Core().V1().Pods().Lister()
	e.conditions = reporting.NewConditionWriter(client, pods, e.gangs, h.clock)
	e.windows = unqueued.New(DefaultNamespaceWindow, e.queues.Reserved, h.clock)
	b.Windows = e.windows
	e.demand = measure.NewDemand(h.clock, ours, e.devicesOf)
	e.reporter = reporting.NewReporter(reporting.ReporterParts{
		Clock: h.clock, Gangs: e.gangs, Conditions: e.conditions, Recorder: recorder, Entitlement: e.entitlement, Devices: e.devicesOf, NodesAdded: e.nodesAdded.Load,
	})
	e.explainer = reporting.NewExplainer(reporting.ExplainerParts{
		Clock: h.clock, Ours: ours, Gangs: e.gangs, Queues: e.queues, Windows: e.windows, Gate: e.gate, Conditions: e.conditions, Entitlement: e.entitlement,
	})
	e.client = reporting.NewClient(client, e.conditions, e.reporter, factory.Scheduling().V1beta1().PodGroups().Lister())
	// The watch tells nothing while bindings are under way.
	e.client.Binder.Hasten(time.Millisecond, 0)
	e.budget = reporting.NewEventBudget(e.reporter, pods, 0, e.demand.Bound, nil)
	e.reclaimer = preemption.New(preemption.Parts{Path: e.fast, Queues: e.queues, Gangs: e.gangs, Client: client, Pods: pods, Recorder: recorder, Clock: h.clock})
	e.suspender = suspension.New(nil, client, nil, h.clock, func() {})
	e.departures = departures.New(e.suspender, e.queues, client, h.clock, func() {})
	e.watchOthers(ours, nil, recorder)
	e.unknown = reporting.NewUnknownKeys(ours, e.leading.Load, recorder)
	e.repairer = recovery.NewRepairer(e.reclaimer, e.windows, DefaultRepairWindow, func(context.Context, []*corev1.Pod) repair.Owner { return h.ownersDo })
	e.attempts = attempts.New(attempts.Parts{
		Queues: e.queues, Windows: e.windows, Reclaimer: e.reclaimer, Fast: e.fast, Gangs: e.gangs, Reporter: e.reporter, Conditions: e.conditions, Clock: h.clock,
	})
	e.measure(h.clock)
	e.gate.Gone, e.gate.Renewed = e.client.ForgetNative, e.attempts.Renewed
	return factory
}

// run runs the loop of the scheduler, and the verdicts on gangs.
func (l *leader) run(ctx context.Context) error {
	next := l.sched.NextEntity
	l.sched.NextEntity = func(logger klog.Logger) (framework.QueuedEntityInfo, error) {
		select {
		case l.idle <- struct{}{}:
		case <-ctx.Done():
			return nil, nil
		}
		select {
		case <-l.turn:
		case <-ctx.Done():
			return nil, nil
		}
		return next(logger)
	}
	if err := l.hook(ctx, l.sched); err != nil {
		return err
	}
	l.sched.FailureHandler = l.failing(l.sched.FailureHandler)
	search := l.sched.SchedulePod
	l.sched.SchedulePod = func(ctx context.Context, profile framework.Framework, cycle fwk.CycleState, info *framework.QueuedPodInfo) (scheduler.ScheduleResult, error) {
		l.cluster.counts["searches"]++
		return search(ctx, profile, cycle, info)
	}
	go l.gangs.Run(ctx)
	go func() {
		defer close(l.stopped)
		for ctx.Err() == nil {
			l.sched.ScheduleOne(ctx)
		}
	}()
	<-l.idle
	return nil
}

// depose ends the scheduler, whatever it was about to do.
func (h *testCluster) depose() {
	l := h.leader
	l.cancel()
	<-l.stopped
	l.openGate()
	h.await("bindings end", func() bool {
		l.giveUp()
		return l.bindingsDone()
	})
	l.sched.SchedulingQueue.Close()
	l.reporter.ShutDown()
	l.conditions.ShutDown()
}

// await waits until something that goes on by itself has come about.
func (h *testCluster) await(what string, done func() bool) {
	h.t.Helper()
	for deadline := time.Now().Add(time.Minute); !done(); {
		if time.Now().After(deadline) {
			h.t.Fatalf("waiting until %s took too long: %s", what, h.observerPlugin.describe())
		}
		time.Sleep(20 * time.Microsecond)
	}
}

// tell tells the scheduler what has become of pods, and reports whether anything has.
func (h *testCluster) tell() bool {
	h.t.Helper()
	news := h.take()
	for _, c := range news {
		h.tellOne(c)
	}
	return len(news) > 0
}

func (h *testCluster) tellOne(c change) {
	h.t.Helper()
	transform := podgroups.Transform(func(name string) bool { return name == SchedulerName })
	forget := func(uid types.UID) {
		if told := h.leader.told[uid]; told != nil {
			h.podFeed.remove(told)
			delete(h.leader.told, uid)
			h.dropped(uid)
		}
	}
	switch {
	case c.pod == nil && hasEnded(c.old):
		h.gangs.DeleteEnded(c.old.UID)
	case c.pod == nil:
		forget(c.old.UID)
	case hasEnded(c.pod):
		// Another watch tells of those, and the scheduler's own that they are gone.
		h.gangs.SetEnded(c.pod)
		forget(c.pod.UID)
	default:
		obj, err := transform(c.pod.DeepCopy())
		if err != nil {
			h.t.Fatal(err)
		}
		pod := obj.(*corev1.Pod)
		h.leader.told[pod.UID] = pod
		h.podFeed.set(pod)
	}
	h.judge()
}

// hasEnded reports whether a pod has ended.
func hasEnded(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
}

// judge waits for the verdicts on gangs, and tells the scheduler of groups.
func (h *testCluster) judge() {
	h.t.Helper()
	l := h.leader
	l.judged++
	l.gangs.SetPod(enginetest.MarkerPod(l.judged))
	<-l.sink.reached
	if l.groupsLate {
		return
	}
	changes, _, ok := l.groups.After(l.seen)
	if !ok {
		h.t.Fatal("the history of groups is too short")
	}
	for _, c := range slices.Clone(changes) {
		l.seen++
		if c.Type == watch.Deleted {
			l.groupFeed.remove(c.Object)
		} else {
			l.groupFeed.set(c.Object.DeepCopyObject())
		}
	}
}

// admit admits those whose turn it is.
func (h *testCluster) admit() {
	select {
	case <-h.engine.queues.News():
		h.attempts.AdmitNext(klog.Background(), h.sched)
	default:
	}
	h.attempts.AdmitNextByWindow(klog.Background(), h.sched)
}

// active returns how many pods are to be tried.
func (h *testCluster) active() int {
	return len(h.sched.SchedulingQueue.PodsInActiveQ()) + len(h.sched.SchedulingQueue.PodsInBackoffQ())
}

// cycle runs one cycle, and waits for what follows of it, but for bindings that are held.
func (h *testCluster) cycle() {
	h.t.Helper()
	l := h.leader
	h.turn <- struct{}{}
	select {
	case <-l.idle:
	case <-time.After(time.Minute):
		h.t.Fatal("a cycle does not end")
	}
	h.counts["cycles"]++
	if !l.holds {
		h.releaseBindings()
	}
	h.await("evictions are asked for", h.evicting)
	if notes := h.announced(); len(notes) > 0 {
		h.counts["batches"]++
		h.counts["evicted gangs"] += len(notes)
		if h.onEvictions != nil {
			h.onEvictions(notes)
		}
	}
	if h.onCycle != nil {
		h.onCycle()
	}
}

// releaseBindings lets go what is held, and waits until it is bound or has failed.
func (h *testCluster) releaseBindings() {
	h.t.Helper()
	h.leader.openGate()
	h.await("pods are bound", h.bindingsDone)
	h.leader.closeGate()
}

// evicting reports whether all that were chosen have been asked to go, but for those whose
// eviction recovery ends.
func (h *testCluster) evicting() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	finishing := h.gangs.Finishing()
	for uid := range h.reclaimer.Leaving() {
		if pod := h.pods[uid]; pod != nil && pod.DeletionTimestamp == nil && !h.busy[pod.Name] && !finishing.Has(gang.KeyOf("ns", workload.PodGroup(h.told[uid]))) {
			return false
		}
	}
	return true
}

// settle has the scheduler do all that it can do now, and compares the ledger after each
// cycle.
func (h *testCluster) settle() {
	h.t.Helper()
	for i := 0; ; i++ {
		if i == 500+2*len(h.leader.told) {
			h.t.Fatalf("the scheduler does not come to rest: %d pods are to be tried", h.active())
		}
		h.tell()
		h.gangs.StopAwaiting()
		h.admit()
		h.judge()
		if diff := h.ledgerDiff(); diff != "" {
			h.t.Fatalf("what queues use (-pods +queues):\n%s", diff)
		}
		if h.t.Failed() {
			h.t.FailNow()
		}
		if h.active() > 0 {
			h.cycle()
			continue
		}
		h.mu.Lock()
		quiet := len(h.news)+len(h.early) == 0
		h.mu.Unlock()
		if quiet {
			return
		}
	}
}

// pass lets time pass, step by step.
func (h *testCluster) pass(steps int, step time.Duration) {
	h.t.Helper()
	for range steps {
		h.clock.Step(step)
		h.kubelets()
		if h.controllers != nil {
			h.controllers()
		}
		h.tell()
		h.reclaimer.Sweep(h.clock.Now())
		h.rounds.Look(h.ctx)
		h.repairer.Look(h.ctx, h.clock.Now())
		if h.clock.Now().Unix()%int64(attempts.RetryAnyway/time.Second) == 0 {
			h.engine.queues.Freed()
		}
		h.engine.queues.Retry()
		h.engine.queues.Claims()
		h.engine.windows.Round()
		h.settle()
	}
}
