package engine

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	schedulingv1beta1 "k8s.io/api/scheduling/v1beta1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler"
	schedulerconfig "k8s.io/kubernetes/pkg/scheduler/apis/config"
	internalqueue "k8s.io/kubernetes/pkg/scheduler/backend/queue"
	"k8s.io/kubernetes/pkg/scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins/names"

	"github.com/berth-dev/berth/pkg/api/v1alpha1"
	"github.com/berth-dev/berth/pkg/core/gang"
	"github.com/berth-dev/berth/pkg/dialect"
	"github.com/berth-dev/berth/pkg/engine/fastpath"
	"github.com/berth-dev/berth/pkg/engine/podgroups"
	"github.com/berth-dev/berth/pkg/engine/record"
	"github.com/berth-dev/berth/pkg/engine/waitreason"
	"github.com/berth-dev/berth/pkg/insight"
	"github.com/berth-dev/berth/pkg/plugins/queueadmission"
	"github.com/berth-dev/berth/pkg/plugins/queueorder"
	"github.com/berth-dev/berth/pkg/plugins/queuereclaim"
	"github.com/berth-dev/berth/pkg/state/gangtable"
	"github.com/berth-dev/berth/pkg/state/queueing"
	"github.com/berth-dev/berth/pkg/state/unqueued"
	"github.com/berth-dev/berth/pkg/state/workload"
)

// queueObjects is the resource of queues.
var queueObjects = v1alpha1.GroupVersion.WithResource("queues")

// podsOf lists the pods of an informer.
func podsOf(factory informers.SharedInformerFactory) func() []*corev1.Pod {
	pods := factory.Core().V1().Pods().Lister()
	return func() []*corev1.Pod {
		all, _ := pods.List(labels.Everything()) // a lister of an informer does not fail
		return all
	}
}

// queueSources take in the objects that say what queues there are.
func queueSources(client dynamic.Interface, queues *queueing.Queues) map[schema.GroupVersionResource]podgroups.KindSource {
	return map[schema.GroupVersionResource]podgroups.KindSource{
		queueObjects: {
			Informer: podgroups.InformerOf(client, queueObjects),
			Set: func(obj any) {
				u, ok := obj.(*unstructured.Unstructured)
				if !ok {
					return
				}
				queue := &v1alpha1.Queue{}
				if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, queue); err != nil {
					// The definition does not let this be.
					klog.Background().Error(err, "A Queue cannot be read; what was known of it stays", "queue", u.GetName())
					return
				}
				queues.SetQueue(queue)
			},
			Remove: func(name types.NamespacedName) { queues.DeleteQueue(name.Name) },
			Drop:   queues.DropQueues,
		},
		dialect.ElasticQuotas: {
			Informer: podgroups.InformerOf(client, dialect.ElasticQuotas),
			Set: func(obj any) {
				if u, ok := obj.(*unstructured.Unstructured); ok {
					queues.SetElasticQuota(u)
				}
			},
			Remove: queues.DeleteElasticQuota,
			Drop:   queues.DropElasticQuotas,
		},
	}
}

// watchNamespaces has queues hear of the labels of namespaces. It returns what says whether
// they have heard of all that there were.
func watchNamespaces(factory informers.SharedInformerFactory, queues *queueing.Queues) (known func() bool, err error) {
	handler, err := factory.Core().V1().Namespaces().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(obj any) { queues.SetNamespace(obj.(*corev1.Namespace)) },
		UpdateFunc: func(_, obj any) { queues.SetNamespace(obj.(*corev1.Namespace)) },
		DeleteFunc: func(obj any) {
			if name, err := cache.DeletionHandlingObjectToName(obj); err == nil {
				queues.DeleteNamespace(name.Name)
			}
		},
	})
	if err != nil {
		return nil, fmt.Errorf("watching namespaces for their queues: %w", err)
	}
	return handler.HasSynced, nil
}

// watchBudgets has a reclaimer hear of disruption budgets.
func watchBudgets(factory informers.SharedInformerFactory, reclaimer *reclaimer) error {
	_, err := factory.Policy().V1().PodDisruptionBudgets().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(obj any) { reclaimer.SetBudget(obj.(*policyv1.PodDisruptionBudget)) },
		UpdateFunc: func(_, obj any) { reclaimer.SetBudget(obj.(*policyv1.PodDisruptionBudget)) },
		DeleteFunc: func(obj any) {
			if name, err := cache.DeletionHandlingObjectToName(obj); err == nil {
				reclaimer.DeleteBudget(types.NamespacedName{Namespace: name.Namespace, Name: name.Name})
			}
		},
	})
	if err != nil {
		return fmt.Errorf("watching disruption budgets: %w", err)
	}
	return nil
}

// admitByQueue puts the plugins of queues into a profile, whatever a user's configuration
// says: without them, limits do not hold. QueueReclaim comes first, and so before
// other plugins that preempt. The order of the active queue is ours where it
// would be upstream's own.
func admitByQueue(profile *schedulerconfig.KubeSchedulerProfile) {
	plugins := profile.Plugins
	for _, set := range []*schedulerconfig.PluginSet{&plugins.PreEnqueue, &plugins.PreFilter, &plugins.Reserve} {
		enable(set, queueadmission.Name)
	}
	enableFirst(&plugins.MultiPoint, queuereclaim.Name)
	// Those that a profile names for a point come before all that are for every point.
	for _, set := range []*schedulerconfig.PluginSet{&plugins.PostFilter, &plugins.PodGroupPostFilter} {
		if len(set.Enabled) > 0 {
			enableFirst(set, queuereclaim.Name)
		}
	}
	sorts := func(p schedulerconfig.Plugin) bool { return p.Name != names.PrioritySort }
	if !slices.ContainsFunc(plugins.QueueSort.Enabled, sorts) {
		plugins.QueueSort = schedulerconfig.PluginSet{
			Enabled:  []schedulerconfig.Plugin{{Name: queueorder.Name}},
			Disabled: []schedulerconfig.Plugin{{Name: "*"}},
		}
	}
}

// enable puts a plugin into a set, once, and enableFirst before all others.
func enable(set *schedulerconfig.PluginSet, name string) {
	if !enabled(set, name) {
		set.Enabled = append(set.Enabled, schedulerconfig.Plugin{Name: name})
	}
}

func enableFirst(set *schedulerconfig.PluginSet, name string) {
	if !enabled(set, name) {
		set.Enabled = append([]schedulerconfig.Plugin{{Name: name}}, set.Enabled...)
	}
}

func enabled(set *schedulerconfig.PluginSet, name string) bool {
	return slices.ContainsFunc(set.Enabled, func(p schedulerconfig.Plugin) bool { return p.Name == name })
}

// numbers are the places of entities of the scheduling queue.
type numbers struct{ *queueing.Queues }

// Number returns the place of an entity.
func (n numbers) Number(entity fwk.QueuedEntityInfo) uint64 {
	switch e := entity.(type) {
	case *framework.QueuedPodInfo:
		return n.Queues.Number("", "", e.Pod.UID)
	case *framework.QueuedPodGroupInfo:
		return n.Queues.Number(e.GetNamespace(), e.GetName(), "")
	}
	return 0
}

// retryPeriod is how often it is looked whether nodes have changed, whether anybody may have
// others evicted, and why those wait that do.
const retryPeriod = time.Second

// retryAnyway is after how long they are tried again though nothing is known to have happened
// that gives them room, as when a taint is gone.
const retryAnyway = 30 * time.Second

// admit has the scheduling queue take those whose turn it is, and tells the others why they
// wait, until the context is done.
func admit(ctx context.Context, queues *queueing.Queues, tries *tries, sched *scheduler.Scheduler, conditions *conditionWriter, journal *insight.Journal) {
	logger := klog.FromContext(ctx)
	ticker := time.NewTicker(retryPeriod)
	defer ticker.Stop()
	round := time.NewTicker(roundPeriod)
	defer round.Stop()
	anyway := time.NewTicker(retryAnyway)
	defer anyway.Stop()
	nodes := tries.nodesSeen()
	for {
		select {
		case <-ctx.Done():
			return
		case <-anyway.C:
			queues.Freed()
		case <-round.C:
			queues.Retry()
		case <-ticker.C:
			giveBackLost(sched, queues)
			if now := tries.nodesSeen(); now != nodes {
				nodes = now
				queues.MayFit()
			}
			queues.Claims()
			tellWhy(queues.Explain(), conditions, journal)
		case <-queues.News():
			admitNext(logger, queues, sched, conditions, journal)
		}
	}
}

// overdue is after how long without a try it is looked where one is that was admitted.
const overdue = 10 * time.Second

// turns say who may be tried of those that they hold: queues, and where there are none, the
// windows of namespaces.
type admitter interface {
	Admit() []*corev1.Pod
	Held(pod *corev1.Pod)
	Overdue(after time.Duration) []*corev1.Pod
}

// giveBackLost has those give their places in the window back that were admitted and that the
// scheduling queue does not have in a place from which they would be tried. What waits for
// the loop there, however long, stays.
func giveBackLost(sched *scheduler.Scheduler, of admitter) {
	for _, pod := range of.Overdue(overdue) {
		if lost(sched, pod) {
			of.Held(pod)
		}
	}
}

// enter has the scheduling queue take those whose turn it is.
func enter(logger klog.Logger, of admitter, sched *scheduler.Scheduler) {
	for _, pod := range of.Admit() {
		activate(logger, sched, pod)
		if _, gated := inQueue(sched, pod); gated {
			of.Held(pod)
		}
	}
}

// lost reports whether a pod, or its gang, is neither in the active queue nor in the one of
// those that are tried after a while.
func lost(sched *scheduler.Scheduler, pod *corev1.Pod) bool {
	waits, gated := inQueue(sched, pod)
	return !waits || gated
}

// admitNext is admit after one piece of news.
func admitNext(logger klog.Logger, queues *queueing.Queues, sched *scheduler.Scheduler, conditions *conditionWriter, journal *insight.Journal) {
	enter(logger, queues, sched)
	tellWhy(queues.Stuck(), conditions, journal)
}

// activate has the scheduling queue try a pod, or its gang, now.
func activate(logger klog.Logger, sched *scheduler.Scheduler, pod *corev1.Pod) {
	sched.SchedulingQueue.Activate(logger, map[string]*corev1.Pod{"": pod})
}

// tellWhy tells pods why they wait.
func tellWhy(all []queueing.Stuck, conditions *conditionWriter, journal *insight.Journal) {
	for _, stuck := range all {
		if len(stuck.Pods) > 0 {
			journal.Add(record.DecisionOn(conditions.clock.Now(), insight.ActionHeld, stuck.Pods[0], 0, stuck.Code, stuck.Text))
		}
		condition := waitreason.Condition(stuck.Code, stuck.Text)
		for _, pod := range stuck.Pods {
			conditions.Set(types.NamespacedName{Namespace: pod.Namespace, Name: pod.Name}, condition)
		}
	}
}

// inQueue reports whether a pod, or its gang, waits in the scheduling queue, and whether it,
// or one of its gang, is held there by something else.
func inQueue(sched *scheduler.Scheduler, pod *corev1.Pod) (waits, gated bool) {
	if group := workload.PodGroup(pod); group != "" {
		info, ok := sched.SchedulingQueue.GetPodGroup(group, pod.Namespace, fwk.PodGroupKeyType)
		return ok, ok && info.Gated()
	}
	info, ok := sched.SchedulingQueue.GetPod(pod.Name, pod.Namespace, nil)
	return ok, ok && info.Pod.UID == pod.UID && info.Gated()
}

// tries tells queues how the tries end of those that they admit.
type tries struct {
	queues    *queueing.Queues
	windows   *unqueued.Windows
	reclaimer *reclaimer
	fast      *fastpath.Path
	gangs     *gangtable.Table
	reporter  *reporter
	// entity is being tried, and last is a pod of it; nil if there is none. never is why the
	// cluster could not hold it, if it was not tried for that.
	entity framework.QueuedEntityInfo
	last   *corev1.Pod
	never  string
	// nodes counts what has happened to nodes that may give room to somebody. lastNodes is the
	// count when the last try began, and judgedNodes that of the last try that was judged: the
	// index reads nodes when something is tried.
	nodes                  atomic.Int64
	lastNodes, judgedNodes int64
}

// nodesSeen is a state of the nodes: as the index has read them, which it does when something
// is tried, and as the scheduler has heard of them, which may be nothing else's occasion.
type nodesSeen struct{ read, heard int64 }

func (t *tries) nodesSeen() nodesSeen {
	return nodesSeen{t.fast.NodesVersion(), t.nodes.Load()}
}

// observe has queues hear of each try of a scheduler when it ends: before the scheduling queue
// takes a gang back, and of the others when the next one begins.
func (t *tries) observe(ctx context.Context, sched *scheduler.Scheduler) {
	next := sched.NextEntity
	sched.NextEntity = func(logger klog.Logger) (framework.QueuedEntityInfo, error) {
		for {
			t.end()
			entity, err := next(logger)
			if err != nil || entity == nil {
				return entity, err
			}
			entity.ForEachPodInfo(func(info *framework.QueuedPodInfo) bool {
				t.last = info.Pod
				return false
			})
			t.entity = entity
			if t.last == nil {
				return entity, nil
			}
			t.began()
			if !t.refuseAtOnce(ctx, logger, sched) {
				return entity, nil
			}
		}
	}
	sched.SchedulingQueue = triedQueue{sched.SchedulingQueue, t}
}

// began takes in that a try is under way.
func (t *tries) began() {
	t.lastNodes = t.nodes.Load()
	t.windows.Began(t.last)
	t.queues.Began(t.last)
	t.reclaimer.Lend(workload.NameOf(t.last))
}

// renewed takes in that the scheduler knows a gang otherwise than before.
func (t *tries) renewed(key gang.Key) {
	t.windows.RenewGang(key)
	t.queues.RenewGang(key)
}

// groupIn returns the group of an entity; a plain pod is a group of one.
func groupIn(entity framework.QueuedEntityInfo) fwk.PodGroupInfo {
	switch e := entity.(type) {
	case *framework.QueuedPodGroupInfo:
		return e.PodGroupInfo
	case *framework.QueuedPodInfo:
		return &framework.PodGroupInfo{Namespace: e.Pod.Namespace, UnscheduledPods: []*corev1.Pod{e.Pod}, PodGroup: &schedulingv1beta1.PodGroup{}}
	}
	return &framework.PodGroupInfo{}
}

// end takes in how the try ended that is under way.
func (t *tries) end() {
	if t.last == nil {
		return
	}
	t.reclaimer.tried(t.last)
	t.queues.Ended(t.last)
	version := t.fast.NodesVersion()
	inWindow, inQueue := t.windows.Ended(t.last, version), t.queues.ToJudge(t.last, version)
	if inWindow || inQueue {
		j, judged := fastpath.Judgement{Never: t.never}, true
		if t.never == "" {
			j, judged = t.fast.Judge(groupIn(t.entity))
			t.judgedNodes = t.lastNodes
		}
		switch {
		case j.Never != "":
			t.queues.Impossible(t.last, j.Never)
			t.windows.Judged(t.last, version, j.Never)
		case judged:
			t.queues.Judged(t.last, version, j.Class)
			t.windows.Judged(t.last, version, "")
		}
	}
	t.entity, t.last, t.never = nil, nil, ""
	t.reclaimer.Lend("")
}

// triedQueue is the scheduling queue. It takes a gang back whatever came of the try, and
// would have one that was refused tried again at once if nothing else is to be done. Where
// there are queues, such a gang waits until something has happened that may give it room.
type triedQueue struct {
	internalqueue.SchedulingQueue
	tries *tries
}

// AddAttemptedPodGroupIfNeeded takes a gang back that was tried.
func (q triedQueue) AddAttemptedPodGroupIfNeeded(logger klog.Logger, group *framework.QueuedPodGroupInfo, cycle int64, status *fwk.Status) error {
	last := q.tries.last
	if last == nil {
		return q.SchedulingQueue.AddAttemptedPodGroupIfNeeded(logger, group, cycle, status)
	}
	q.tries.end()
	return q.tries.queues.TakeBack(last, func() error {
		return q.SchedulingQueue.AddAttemptedPodGroupIfNeeded(logger, group, cycle, status)
	})
}

// givesRoom are the changes of a node that may give room to a gang that the cluster could not
// hold.
const givesRoom = fwk.Add | fwk.UpdateNodeAllocatable | fwk.UpdateNodeLabel | fwk.UpdateNodeTaint

// leavesRoom reports whether a change of a pod with a node, or that was to get one, leaves room.
// One that is nothing in particular, as of a status, comes as all kinds of updates at once.
func leavesRoom(event fwk.ClusterEvent) bool {
	return event.Resource == fwk.AssignedPod && (event.ActionType == fwk.Delete || event.ActionType == fwk.UpdatePodScaleDown)
}

// MoveAllToActiveOrBackoffQueue hears of what happens to nodes, and of room that comes free,
// once the cache has it: also of pods that are not bound after all, and of those that nobody
// is charged for.
func (q triedQueue) MoveAllToActiveOrBackoffQueue(logger klog.Logger, event fwk.ClusterEvent, oldObj, newObj any, preCheck internalqueue.PreEnqueueCheck) {
	if event.Resource == fwk.Node && event.ActionType&givesRoom != 0 {
		q.tries.nodes.Add(1)
	}
	if leavesRoom(event) {
		q.tries.queues.Freed()
		q.tries.windows.Freed()
	}
	q.SchedulingQueue.MoveAllToActiveOrBackoffQueue(logger, event, oldObj, newObj, preCheck)
}
