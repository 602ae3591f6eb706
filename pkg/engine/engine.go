package engine

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	restclient "k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/events"
	fwk "k8s.io/kube-scheduler/framework"
	schedulerserverconfig "k8s.io/kubernetes/cmd/kube-scheduler/app/config"
	schedulerconfig "k8s.io/kubernetes/pkg/scheduler/apis/config"
	frameworkruntime "k8s.io/kubernetes/pkg/scheduler/framework/runtime"
	"k8s.io/kubernetes/pkg/scheduler/profile"
	"k8s.io/utils/clock"

	"github.com/berth-dev/berth/pkg/core/gang"
	"github.com/berth-dev/berth/pkg/engine/attempts"
	"github.com/berth-dev/berth/pkg/engine/binder"
	"github.com/berth-dev/berth/pkg/engine/departures"
	"github.com/berth-dev/berth/pkg/engine/fastpath"
	"github.com/berth-dev/berth/pkg/engine/measure"
	"github.com/berth-dev/berth/pkg/engine/podgroups"
	"github.com/berth-dev/berth/pkg/engine/preemption"
	"github.com/berth-dev/berth/pkg/engine/recovery"
	"github.com/berth-dev/berth/pkg/engine/reporting"
	"github.com/berth-dev/berth/pkg/engine/suspension"
	"github.com/berth-dev/berth/pkg/insight"
	"github.com/berth-dev/berth/pkg/plugins/boundedbinder"
	"github.com/berth-dev/berth/pkg/plugins/ganggate"
	"github.com/berth-dev/berth/pkg/plugins/queueadmission"
	"github.com/berth-dev/berth/pkg/plugins/queueorder"
	"github.com/berth-dev/berth/pkg/plugins/queuereclaim"
	"github.com/berth-dev/berth/pkg/state/device"
	"github.com/berth-dev/berth/pkg/state/gangtable"
	"github.com/berth-dev/berth/pkg/state/nodeindex"
	"github.com/berth-dev/berth/pkg/state/queueing"
	"github.com/berth-dev/berth/pkg/state/unqueued"
	"github.com/berth-dev/berth/pkg/state/workload"
)

// syncPatience bounds how long the first scheduling cycle waits for the objects
// that declare gangs. A kind that cannot be listed must not stop everything else.
const syncPatience = 30 * time.Second

// engine is everything of Berth that runs around upstream's scheduler.
type engine struct {
	gangs      *gangtable.Table
	kinds      *podgroups.KindWatcher
	ended      *podgroups.EndedPods
	explainer  *reporting.Explainer
	reporter   *reporting.Reporter
	conditions *reporting.ConditionWriter
	recovery   *recovery.HalfBound
	informers  informers.SharedInformerFactory
	client     *reporting.Client
	budget     *reporting.EventBudget
	gate       *podgroups.Gate
	fast       *fastpath.Path
	requests   workload.LastRequests
	topologies *podgroups.TopologySource
	queues     *queueing.Queues
	windows    *unqueued.Windows
	attempts   *attempts.Attempts
	statuses   *reporting.QueueStatusWriter
	announced  *reporting.AnnouncedWriter
	reclaimer  *preemption.Reclaimer
	demand     *measure.Demand
	census     *measure.Census
	// nodesAdded counts nodes as they come.
	nodesAdded atomic.Int64
	suspender  *suspension.Suspender
	departures *departures.Departures
	repairer   *recovery.Repairer
	occupancy  *nodeindex.Occupancy
	unknown    *reporting.UnknownKeys
	bindings   int
	journal    *insight.Journal
	webPage    bool
	// namespacesKnown reports whether queues have heard of all namespaces that there were.
	namespacesKnown func() bool
	// takeover is nil in an embedded engine: there is no leader before it.
	takeover *binder.Takeover

	leadOnce sync.Once
	leading  atomic.Bool
}

// Clients are the ways to the API server.
type Clients struct {
	Kubernetes kubernetes.Interface
	// Dynamic reads the custom kinds, and Metadata says which there are.
	Dynamic  dynamic.Interface
	Metadata metadata.Interface
}

// install puts the engine into a scheduler's configuration: the informers, the
// client and the recorders that scheduler.New will be given come from it.
func install(cc *schedulerserverconfig.Config, informerName *cache.InformerName, options *Options) (*engine, profile.RecorderFactory, error) {
	config := restclient.AddUserAgent(cc.KubeConfig, "gangs")
	dynamicClient, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, nil, fmt.Errorf("making the client for gang kinds: %w", err)
	}
	metadataClient, err := metadata.NewForConfig(config)
	if err != nil {
		return nil, nil, fmt.Errorf("making the client for definitions: %w", err)
	}
	client := cc.Client
	if cc.LeaderElection != nil {
		// Upstream counts all that are built from it as kube-scheduler.
		cc.LeaderElection.Name = component
		if client, err = binder.NewFence(cc.LeaderElection).Client(cc.KubeConfig); err != nil {
			return nil, nil, err
		}
	}
	profiles := cc.ComponentConfig.Profiles
	recorder := cc.EventBroadcaster.NewRecorder(profiles[0].SchedulerName)
	e, err := build(Clients{client, dynamicClient, metadataClient}, profiles, recorder, informerName, options)
	if err != nil {
		return nil, nil, err
	}
	var schedulers []string
	for i := range profiles {
		schedulers = append(schedulers, profiles[i].SchedulerName)
	}
	e.takeover = binder.NewTakeover(client, schedulers)
	cc.Client = e.client
	cc.InformerFactory = e.informers
	recorders := func(name string) events.EventRecorderLogger {
		return e.budget.Recorder(cc.EventBroadcaster.NewRecorder(name))
	}
	return e, recorders, nil
}

// build makes the engine of a scheduler, and puts its plugins into the profiles. The events
// that are its own go to recorder.
func build(clients Clients, profiles []schedulerconfig.KubeSchedulerProfile, recorder events.EventRecorder, informerName *cache.InformerName, options *Options) (*engine, error) {
	names := map[string]bool{}
	for i := range profiles {
		names[profiles[i].SchedulerName] = true
	}
	ours := func(name string) bool { return names[name] }

	source := podgroups.NewSource()
	e := &engine{gate: podgroups.NewGate(), fast: fastpath.New(), bindings: options.Bindings, journal: &insight.Journal{}, webPage: options.WebPage}
	// The first gang is heard of once start runs.
	b := podgroups.NewBridge(source, e.gate, func(key gang.Key) { e.reporter.Changed(key) })
	e.gangs = gangtable.New(ours, b, clock.RealClock{})
	e.gate.Gangs = e.gangs
	e.fast.Avoid(e.gangs.Avoided)
	factory, err := podgroups.NewInformers(clients.Kubernetes, informerName, ours, e, source, e.gate)
	if err != nil {
		return nil, err
	}
	e.informers = factory
	if e.ended, err = podgroups.NewEndedPods(clients.Kubernetes, slices.Collect(maps.Keys(names)), e.gangs); err != nil {
		return nil, err
	}
	e.queues = queueing.New(e.gangs, e.requests.Of, podsOf(factory), options.admission(), clock.RealClock{})
	e.fast.Claims(e.queues.SpareClaims)
	if options.QueueAccess == QueuesOpen {
		e.queues.OpenToAll()
	}
	e.windows = unqueued.New(options.NamespaceWindow, e.queues.Reserved, clock.RealClock{})
	e.statuses = reporting.NewQueueStatusWriter(e.queues, clients.Dynamic)
	e.announced = reporting.NewAnnouncedWriter(e.gangs, e.queues, clients.Dynamic)
	b.Queues, b.Windows = e.queues, e.windows
	if _, err := factory.Core().V1().Nodes().Informer().AddEventHandler(e.nodeHandler()); err != nil {
		return nil, fmt.Errorf("watching nodes for topology levels, and what they have: %w", err)
	}
	if e.namespacesKnown, err = watchNamespaces(factory, e.queues); err != nil {
		return nil, err
	}
	e.kinds = podgroups.NewKindWatcher(clients.Kubernetes, clients.Dynamic, clients.Metadata, e.gangs, b)
	e.topologies = podgroups.NewTopologySource(clients.Dynamic, e.fast, factory.Core().V1().Nodes().Lister())
	e.kinds.Sources[podgroups.NodeTopologies] = e.topologies.Source()
	maps.Copy(e.kinds.Sources, queueSources(clients.Dynamic, e.queues))
	e.demand = measure.NewDemand(clock.RealClock{}, ours, e.devicesOf)
	e.suspender = suspension.New(clients.Dynamic, clients.Kubernetes, podsOf(factory), clock.RealClock{}, func() { measure.APIWrites.WithLabelValues("suspend").Inc() })
	e.departures = departures.New(e.suspender, e.queues, clients.Kubernetes, clock.RealClock{}, func() { measure.APIWrites.WithLabelValues("event").Inc() })
	e.conditions = reporting.NewConditionWriter(clients.Kubernetes, factory.Core().V1().Pods().Lister(), e.gangs, clock.RealClock{})
	e.reporter = reporting.NewReporter(reporting.ReporterParts{
		Clock: clock.RealClock{}, Dynamic: clients.Dynamic, Gangs: e.gangs, Conditions: e.conditions, Recorder: recorder, Journal: e.journal,
		Entitlement: e.entitlement, Sequence: e.departures.Sequence, Devices: e.devicesOf, NodesAdded: e.nodesAdded.Load,
	})
	e.explainer = reporting.NewExplainer(reporting.ExplainerParts{
		Clock: clock.RealClock{}, Ours: ours, Gangs: e.gangs, Queues: e.queues, Windows: e.windows, Gate: e.gate, Conditions: e.conditions, Entitlement: e.entitlement,
	})
	e.client = reporting.NewClient(clients.Kubernetes, e.conditions, e.reporter, factory.Scheduling().V1beta1().PodGroups().Lister())
	e.budget = reporting.NewEventBudget(e.reporter, factory.Core().V1().Pods().Lister(), options.ScheduledEventsPerSecond, e.demand.Bound, e.journal)
	e.reclaimer = preemption.New(preemption.Parts{
		Path: e.fast, Queues: e.queues, Gangs: e.gangs, Client: clients.Kubernetes, Pods: factory.Core().V1().Pods().Lister(), Recorder: recorder,
		Suspender: e.suspender, Departures: e.departures, Clock: clock.RealClock{}, Journal: e.journal,
	})
	if err := watchBudgets(factory, e.reclaimer); err != nil {
		return nil, err
	}
	e.repairer = recovery.NewRepairer(e.reclaimer, e.windows, options.RepairWindow, recovery.OwnersBy(e.suspender))
	e.recovery = &recovery.HalfBound{Client: clients.Kubernetes, Gangs: e.gangs, Recorder: recorder, Clock: clock.RealClock{}, Grace: options.GangGracePeriod, Journal: e.journal}
	e.attempts = attempts.New(attempts.Parts{
		Queues: e.queues, Windows: e.windows, Reclaimer: e.reclaimer, Fast: e.fast, Gangs: e.gangs, Reporter: e.reporter,
		Conditions: e.conditions, Clock: clock.RealClock{}, Journal: e.journal,
	})
	e.gate.Gone, e.gate.Renewed = e.client.ForgetNative, e.attempts.Renewed
	e.fast.Inventory().OnIllness(func(all []device.Illness) {
		if e.leading.Load() {
			e.repairer.FellIll(all)
		}
	})
	own, err := ownNodes(options.OwnNodes)
	if err != nil {
		return nil, err
	}
	if err := keepToOwn(profiles, own); err != nil {
		return nil, err
	}
	e.watchOthers(ours, own, recorder)
	e.unknown = reporting.NewUnknownKeys(ours, e.leading.Load, recorder)
	e.measure(clock.RealClock{})
	measure.Register(&measure.QueueCollector{Queues: e.queues}, &measure.ShortCollector{Gangs: e.gangs, Leading: e.leading.Load}, &measure.CensusCollector{Census: e.census})
	e.fast.Inventory().OnPrediction(func(p device.Prediction) { measure.DevicePredictions.WithLabelValues(string(p)).Inc() })

	for i := range profiles {
		enable(&profiles[i].Plugins.PreEnqueue, ganggate.Name)
		admitByQueue(&profiles[i])
	}
	return e, nil
}

// plugins are those of Berth. GangGate is in every profile, whatever a user's
// configuration says: without it the scheduler tries parts of gangs.
func (e *engine) plugins() frameworkruntime.Registry {
	registry := e.fast.Plugins()
	registry[ganggate.Name] = func(context.Context, runtime.Object, fwk.Handle) (fwk.Plugin, error) {
		return ganggate.New(e.gate), nil
	}
	registry[queueadmission.Name] = func(context.Context, runtime.Object, fwk.Handle) (fwk.Plugin, error) {
		return queueadmission.New(attempts.Admissions{Queues: e.queues, Windows: e.windows, Fast: e.fast}), nil
	}
	registry[queuereclaim.Name] = func(_ context.Context, _ runtime.Object, handle fwk.Handle) (fwk.Plugin, error) {
		return queuereclaim.New(e.reclaimer, handle), nil
	}
	registry[queueorder.Name] = func(context.Context, runtime.Object, fwk.Handle) (fwk.Plugin, error) {
		return queueorder.New(attempts.Numbers{Queues: e.queues}), nil
	}
	registry[boundedbinder.Name] = BindingPlugin(e.bindings, e.fast.Inventory(), e.queues)
	return registry
}

// start runs what every replica runs, leading or not.
func (e *engine) start(ctx context.Context) {
	go e.gangs.Run(ctx)
	go e.kinds.Run(ctx)
	e.ended.Run(ctx)
}

// SetPod takes in a pod that the scheduler has taken in.
func (e *engine) SetPod(pod *corev1.Pod) {
	e.gangs.SetPod(pod)
	// Before the queues, which know that a pod has a place until they hear of its node.
	e.windows.SetPod(pod)
	e.queues.SetPod(pod)
	e.explainer.SetPod(pod)
	e.departures.Set(pod)
	e.occupancy.SetPod(pod)
	e.demand.SetPod(pod)
	e.unknown.SetPod(pod)
}

// DeletePod forgets a pod that the scheduler has forgotten.
func (e *engine) DeletePod(pod *corev1.Pod) {
	e.gangs.DeletePod(pod)
	e.queues.DeletePod(pod)
	e.windows.DeletePod(pod)
	e.reclaimer.Gone(pod.UID)
	e.suspender.Gone(pod.UID)
	e.departures.Gone(pod.UID)
	e.budget.Forget(pod.UID)
	e.occupancy.DeletePod(pod.UID)
	e.demand.DeletePod(pod.UID)
}
