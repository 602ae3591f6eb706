package attempts

import (
	"context"
	"sync/atomic"

	corev1 "k8s.io/api/core/v1"
	schedulingv1beta1 "k8s.io/api/scheduling/v1beta1"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler"
	internalqueue "k8s.io/kubernetes/pkg/scheduler/backend/queue"
	"k8s.io/kubernetes/pkg/scheduler/framework"
	"k8s.io/utils/clock"

	"github.com/berth-dev/berth/pkg/core/gang"
	"github.com/berth-dev/berth/pkg/engine/fastpath"
	"github.com/berth-dev/berth/pkg/engine/preemption"
	"github.com/berth-dev/berth/pkg/engine/reporting"
	"github.com/berth-dev/berth/pkg/insight"
	"github.com/berth-dev/berth/pkg/state/gangtable"
	"github.com/berth-dev/berth/pkg/state/queueing"
	"github.com/berth-dev/berth/pkg/state/unqueued"
	"github.com/berth-dev/berth/pkg/state/workload"
)

// Attempts tells queues how the tries end of those that they admit.
type Attempts struct {
	Parts
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

// Parts are who hears of tries, and what is asked about them.
type Parts struct {
	Queues     *queueing.Queues
	Windows    *unqueued.Windows
	Reclaimer  *preemption.Reclaimer
	Fast       *fastpath.Path
	Gangs      *gangtable.Table
	Reporter   *reporting.Reporter
	Conditions *reporting.ConditionWriter
	Clock      clock.PassiveClock
	// Journal is told who is held by a queue; nil for none.
	Journal *insight.Journal
}

// New makes the attempts of one scheduler.
func New(parts Parts) *Attempts { return &Attempts{Parts: parts} }

// NodesState is a state of the nodes: as the index has read them, which it does when something
// is tried, and as the scheduler has heard of them, which may be nothing else's occasion.
type NodesState struct{ read, heard int64 }

// NodesSeen returns the present state of the nodes.
func (t *Attempts) NodesSeen() NodesState {
	return NodesState{t.Fast.NodesVersion(), t.nodes.Load()}
}

// Observe has queues hear of each try of a scheduler when it ends: before the scheduling queue
// takes a gang back, and of the others when the next one begins.
func (t *Attempts) Observe(ctx context.Context, sched *scheduler.Scheduler) {
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
func (t *Attempts) began() {
	t.lastNodes = t.nodes.Load()
	t.Windows.Began(t.last)
	t.Queues.Began(t.last)
	t.Reclaimer.Lend(workload.NameOf(t.last))
}

// Renewed takes in that the scheduler knows a gang otherwise than before.
func (t *Attempts) Renewed(key gang.Key) {
	t.Windows.RenewGang(key)
	t.Queues.RenewGang(key)
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
func (t *Attempts) end() {
	if t.last == nil {
		return
	}
	t.Reclaimer.Tried(t.last)
	t.Queues.Ended(t.last)
	version := t.Fast.NodesVersion()
	inWindow, inQueue := t.Windows.Ended(t.last, version), t.Queues.ToJudge(t.last, version)
	if inWindow || inQueue {
		j, judged := fastpath.Judgement{Never: t.never}, true
		if t.never == "" {
			j, judged = t.Fast.Judge(groupIn(t.entity))
			t.judgedNodes = t.lastNodes
		}
		switch {
		case j.Never != "":
			t.Queues.Impossible(t.last, j.Never)
			t.Windows.Judged(t.last, version, j.Never)
		case judged:
			t.Queues.Judged(t.last, version, j.Class)
			t.Windows.Judged(t.last, version, "")
		}
	}
	t.entity, t.last, t.never = nil, nil, ""
	t.Reclaimer.Lend("")
}

// triedQueue is the scheduling queue. It takes a gang back whatever came of the try, and
// would have one that was refused tried again at once if nothing else is to be done. Where
// there are queues, such a gang waits until something has happened that may give it room.
type triedQueue struct {
	internalqueue.SchedulingQueue
	tries *Attempts
}

// AddAttemptedPodGroupIfNeeded takes a gang back that was tried.
func (q triedQueue) AddAttemptedPodGroupIfNeeded(logger klog.Logger, group *framework.QueuedPodGroupInfo, cycle int64, status *fwk.Status) error {
	last := q.tries.last
	if last == nil {
		return q.SchedulingQueue.AddAttemptedPodGroupIfNeeded(logger, group, cycle, status)
	}
	q.tries.end()
	return q.tries.Queues.TakeBack(last, func() error {
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
		q.tries.Queues.Freed()
		q.tries.Windows.Freed()
	}
	q.SchedulingQueue.MoveAllToActiveOrBackoffQueue(logger, event, oldObj, newObj, preCheck)
}
