package requeue

import (
	"context"
	"sync"
	"sync/atomic"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
	internalqueue "k8s.io/kubernetes/pkg/scheduler/backend/queue"
	"k8s.io/kubernetes/pkg/scheduler/framework"

	"github.com/berth-dev/berth/pkg/core/pack"
	"github.com/berth-dev/berth/pkg/engine/podshape"
)

// Queue is the scheduling queue, without the look at every pending pod for
// events that can help none of them:
//
//   - A pod that was placed takes room and gives none, and a pod of which nothing
//     changed that matters, as when it starts to run, does neither. They help those
//     only that wait for other pods: by affinity, by spread, in a gang.
//   - A pod that is gone gives room on its node. If that is too little for a pod which
//     every node had refused for lack of room, it does not help that pod. Mostly it is
//     too little for all of them, and no pod is looked at.
//
// Upstream looks at all pending pods for the first, and tries all of them again for
// the second. Thousands that fit nowhere then stand in the way of those that do.
type Queue struct {
	internalqueue.SchedulingQueue
	Config
	// spreads is set once a pod without constraints was refused by topology spread:
	// there are constraints by default, and every pod may wait for others.
	spreads atomic.Bool

	mu sync.Mutex
	// waiting are the pods in the queue that may wait for more than room.
	waiting map[types.UID]bool
	// refused are pods that no node has room for, and nothing to preempt, with what
	// they ask for, as of their last try; requests counts them by that.
	refused  map[types.UID]pack.Amounts
	requests map[pack.Amounts]int
	// helped says whom events may help.
	requeue requeueIndex
	// missed are events since the last snapshot that help none of the pods that were
	// refused by then. They may help the one that is being tried.
	missed []missed
}

// Config is what a queue asks of what is around it.
type Config struct {
	// Activating calls activate, which activates pods; their gangs are in the cache meanwhile.
	Activating func(pods map[string]*corev1.Pod, activate func())
	// MostFree returns what a node has free at most; false if that is not known.
	MostFree func(node string) (pack.Amounts, bool)
	// OtherGates says that there are plugins that hold pods in a way that is not known here.
	OtherGates bool
}

// missed is a pod that was gone, and what its node has free at most.
type missed struct {
	gone *corev1.Pod
	free pack.Amounts
}

// keptMissed is how many events are kept. Beyond that all pending pods are looked at.
const keptMissed = 1024

func NewQueue(inner internalqueue.SchedulingQueue, a Config) *Queue {
	return &Queue{
		SchedulingQueue: inner, Config: a, waiting: map[types.UID]bool{}, refused: map[types.UID]pack.Amounts{}, requests: map[pack.Amounts]int{},
		requeue: newRequeueIndex(),
	}
}

// Add adds a pod to the queue.
func (q *Queue) Add(ctx context.Context, pod *corev1.Pod) {
	q.note(pod)
	q.SchedulingQueue.Add(ctx, pod)
}

// Update changes a pod in the queue. If that may help the pod, the queue has it tried
// again: until then it is as refused, and waits for as much, as before. Most updates
// are the scheduler's own word to the pod that it waits.
func (q *Queue) Update(ctx context.Context, oldPod, newPod *corev1.Pod) {
	q.note(newPod)
	q.SchedulingQueue.Update(ctx, oldPod, newPod)
}

// Delete takes a pod out of the queue: it is gone, or bound.
func (q *Queue) Delete(logger klog.Logger, pod *corev1.Pod) {
	q.mu.Lock()
	delete(q.waiting, pod.UID)
	q.forget(pod.UID)
	q.requeue.gone(pod)
	q.mu.Unlock()
	q.SchedulingQueue.Delete(logger, pod)
}

// AddUnschedulablePodIfNotPresent takes back a pod that was refused.
func (q *Queue) AddUnschedulablePodIfNotPresent(logger klog.Logger, info *framework.QueuedPodInfo, cycle int64) error {
	q.mu.Lock()
	q.requeue.refused(info.Pod)
	q.mu.Unlock()
	return q.SchedulingQueue.AddUnschedulablePodIfNotPresent(logger, info, cycle)
}

// Activate has pods tried that may be, whatever they wait for.
func (q *Queue) Activate(logger klog.Logger, pods map[string]*corev1.Pod) {
	q.Activating(pods, func() { q.SchedulingQueue.Activate(logger, pods) })
}

// holds reports whether its queue holds a gang.
func (q *Queue) holds(group types.NamespacedName) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.requeue.holds(group)
}

// turned returns the gangs that their queues hold now or no more, since it was asked last.
func (q *Queue) turned() map[types.NamespacedName]struct{} {
	q.mu.Lock()
	defer q.mu.Unlock()
	turned := q.requeue.turned
	if len(turned) == 0 {
		return nil
	}
	q.requeue.turned = map[types.NamespacedName]struct{}{}
	return turned
}

// note takes in what a pod says of itself.
func (q *Queue) note(pod *corev1.Pod) {
	if !inGang(pod) && podshape.ReasonOf(pod) == "" {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting[pod.UID] = true
	q.requeue.came(pod)
}

// forget forgets that a pod was refused.
func (q *Queue) forget(uid types.UID) {
	request, ok := q.refused[uid]
	if !ok {
		return
	}
	delete(q.refused, uid)
	if q.requests[request]--; q.requests[request] == 0 {
		delete(q.requests, request)
	}
}

// Placed takes in that a pod has a node.
func (q *Queue) Placed(pod *corev1.Pod) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.forget(pod.UID)
}

// NoRoom takes in that no node has room for a pod, and nothing is there to preempt.
func (q *Queue) NoRoom(pod *corev1.Pod, request pack.Amounts) {
	if inGang(pod) {
		return
	}
	q.mu.Lock()
	q.forget(pod.UID)
	q.refused[pod.UID] = request
	q.requests[request]++
	delete(q.waiting, pod.UID)
	events := q.missed
	q.mu.Unlock()
	q.replay(events, func(free pack.Amounts) bool { return free.Fits(request) })
}

// Judged takes in that the framework itself judges a pod, or preempts for it: what
// helps the pod is not known here.
func (q *Queue) Judged(pod *corev1.Pod) {
	q.mu.Lock()
	q.forget(pod.UID)
	q.waiting[pod.UID] = true
	events := q.missed
	q.mu.Unlock()
	q.replay(events, func(pack.Amounts) bool { return true })
}

// replay has the inner queue note missed events for the pod that is in flight, those
// that may help it. The events do not change meanwhile: only the scheduling loop, which
// is here, drops them.
func (q *Queue) replay(events []missed, mayHelp func(free pack.Amounts) bool) {
	for _, e := range events {
		if mayHelp(e.free) {
			q.SchedulingQueue.MoveAllToActiveOrBackoffQueue(klog.Background(), framework.EventAssignedPodDelete, e.gone, nil, nobody)
		}
	}
}

// nobody is a check that no pod passes.
func nobody(*corev1.Pod) bool { return false }

// SnapshotTaken takes in that the next try sees all that has happened.
func (q *Queue) SnapshotTaken() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.missed = q.missed[:0]
}

// Spreads takes in that a pod was refused by topology spread.
func (q *Queue) Spreads() { q.spreads.Store(true) }

// Remembered returns of how many pods it is known what they wait for.
func (q *Queue) Remembered() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.waiting) + len(q.refused)
}

func inGang(pod *corev1.Pod) bool { return pod.Spec.SchedulingGroup != nil }

// MoveAllToActiveOrBackoffQueue has the pods tried again that an event may help.
func (q *Queue) MoveAllToActiveOrBackoffQueue(logger klog.Logger, event fwk.ClusterEvent, oldObj, newObj any, preCheck internalqueue.PreEnqueueCheck) {
	switch event {
	case framework.EventAssignedPodAdd, framework.EventAssignedPodUpdate:
		// A change of labels or amounts is another event.
		if q.spreads.Load() {
			break
		}
		q.mu.Lock()
		none := len(q.waiting) == 0
		q.mu.Unlock()
		if none {
			return
		}
		preCheck = both(preCheck, q.mayWait)
	case framework.EventUnscheduledPodAdd:
		// Only the other pods of its gang wait for it.
		if pod, ok := newObj.(*corev1.Pod); ok && !inGang(pod) {
			return
		}
	case framework.EventAssignedPodDelete:
		if gone, ok := oldObj.(*corev1.Pod); ok {
			if free, known := q.MostFree(gone.Spec.NodeName); known {
				if q.miss(gone, free) {
					return
				}
				preCheck = both(preCheck, func(pod *corev1.Pod) bool { return q.mayFit(pod, free) })
			}
		}
	}
	q.SchedulingQueue.MoveAllToActiveOrBackoffQueue(logger, event, oldObj, newObj, preCheck)
}

// miss notes an event that helps none of the pending pods; false if it may.
func (q *Queue) miss(gone *corev1.Pod, free pack.Amounts) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) > 0 || len(q.missed) == keptMissed {
		return false
	}
	for request := range q.requests {
		if free.Fits(request) {
			return false
		}
	}
	q.missed = append(q.missed, missed{gone, free})
	return true
}

// both returns a check that is passed by who passes both; the first may be nil.
func both(first, second internalqueue.PreEnqueueCheck) internalqueue.PreEnqueueCheck {
	if first == nil {
		return second
	}
	return func(pod *corev1.Pod) bool { return second(pod) && first(pod) }
}

func (q *Queue) mayWait(pod *corev1.Pod) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.waiting[pod.UID]
}

// mayFit reports whether a pod may find room on a node that has at most this free.
func (q *Queue) mayFit(pod *corev1.Pod, free pack.Amounts) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	request, refused := q.refused[pod.UID]
	return !refused || free.Fits(request)
}
