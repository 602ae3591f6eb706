package reporting

import (
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/util/flowcontrol"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"

	"github.com/berth-dev/berth/pkg/core/gang"
	"github.com/berth-dev/berth/pkg/dialect"
	"github.com/berth-dev/berth/pkg/engine/measure"
	"github.com/berth-dev/berth/pkg/engine/record"
	"github.com/berth-dev/berth/pkg/engine/waitreason"
	"github.com/berth-dev/berth/pkg/state/gangtable"
	"github.com/berth-dev/berth/pkg/state/workload"
)

const (
	// conditionDelay is how long a pending pod's condition waits before it is
	// written: a pod that is placed within it costs no write but its bind.
	conditionDelay = time.Second
	// textDelay is how long a condition of which only the text changed waits, and a
	// group's status: a refusal may word its reason anew at each attempt.
	textDelay = 30 * time.Second
	// textRate and textBurst bound the writes a second of conditions of which only the text
	// changed: what comes and goes in a cluster words the reasons of ten thousand pods anew,
	// again and again, and whoever wants to know what is so now asks the scheduler.
	textRate  = 3
	textBurst = 100
	// conditionRate and conditionBurst bound the writes of conditions a second, so
	// that a thousand refused gangs do not stand in the way of one that is bound, and
	// their 3,000 pods are told all the same within 15 seconds.
	conditionRate  = 400
	conditionBurst = 400
	// conditionWriters write at the same time: enough for conditionRate on an API server
	// that takes 60 ms for a write.
	conditionWriters = 24
)

// ConditionWriter writes the PodScheduled condition of pods that wait: later,
// only the last of several, and only if it says something new. With the first of them
// that is written after the pod's gang was placed, it writes that the gang was.
type ConditionWriter struct {
	client  kubernetes.Interface
	pods    corelisters.PodLister
	gangs   *gangtable.Table
	clock   clock.PassiveClock
	limiter flowcontrol.RateLimiter
	// texts paces those of which only the text changed.
	texts *rate.Limiter
	queue workqueue.TypedRateLimitingInterface[types.NamespacedName]

	mu      sync.Mutex
	pending map[types.NamespacedName]askedCondition
}

// askedCondition is a condition that waits to be written, and whose it is: another
// pod may have the name by then.
type askedCondition struct {
	pod       types.UID
	condition corev1.PodCondition
	// paced is set once it waited for its turn among those of which only the text changed.
	paced bool
}

func NewConditionWriter(client kubernetes.Interface, pods corelisters.PodLister, gangs *gangtable.Table, c clock.WithTicker) *ConditionWriter {
	w := &ConditionWriter{
		client:  client,
		pods:    pods,
		gangs:   gangs,
		clock:   c,
		limiter: flowcontrol.NewTokenBucketRateLimiter(conditionRate, conditionBurst),
		texts:   rate.NewLimiter(textRate, textBurst),
		pending: map[types.NamespacedName]askedCondition{},
	}
	inner := workqueue.NewTypedWithConfig(workqueue.TypedQueueConfig[types.NamespacedName]{Clock: c, Queue: &conditionQueue{silent: w.silent}})
	w.queue = workqueue.NewTypedRateLimitingQueueWithConfig(
		workqueue.NewTypedItemExponentialFailureRateLimiter[types.NamespacedName](time.Second, time.Minute),
		workqueue.TypedRateLimitingQueueConfig[types.NamespacedName]{
			DelayingQueue: workqueue.NewTypedDelayingQueueWithConfig(workqueue.TypedDelayingQueueConfig[types.NamespacedName]{Clock: c, Queue: inner}),
		})
	return w
}

// silent reports whether a pod waits and does not say why.
func (w *ConditionWriter) silent(name types.NamespacedName) bool {
	pod := w.Waiting(name)
	return pod != nil && !waitreason.Said(pod)
}

// Set asks for a condition. It reports whether that is news to the pod.
func (w *ConditionWriter) Set(name types.NamespacedName, condition corev1.PodCondition) bool {
	pod := w.Waiting(name)
	leftOut := pod != nil && w.newlyLeftOut(pod)
	if pod == nil || !news(pod, condition) && !leftOut {
		w.forget(name)
		measure.ConditionsSaved.Inc()
		return false
	}
	w.mu.Lock()
	last, waiting := w.pending[name]
	w.pending[name] = askedCondition{pod.UID, condition, last.paced}
	w.mu.Unlock()
	if waiting {
		measure.ConditionsSaved.Inc()
	}
	delay := conditionDelay
	if onlyReworded(pod, condition) && !leftOut {
		delay = textDelay
	}
	w.queue.AddAfter(name, delay)
	return true
}

// onlyReworded reports whether a condition says in other words what the pod's says.
func onlyReworded(pod *corev1.Pod, condition corev1.PodCondition) bool {
	old := waitreason.ConditionOf(pod)
	return old != nil && old.Status == condition.Status && old.Reason == condition.Reason
}

// putOff puts a condition off of which only the text changed until its turn comes. It reports
// whether it did.
func (w *ConditionWriter) putOff(name types.NamespacedName, asked askedCondition) bool {
	now := w.clock.Now()
	delay := w.texts.ReserveN(now, 1).DelayFrom(now)
	if delay <= 0 {
		return false
	}
	asked.paced = true
	w.putBack(name, asked)
	w.queue.AddAfter(name, delay)
	return true
}

// putBack has a condition be written later, unless a newer one is.
func (w *ConditionWriter) putBack(name types.NamespacedName, asked askedCondition) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if newer, some := w.pending[name]; some {
		asked.condition, asked.pod = newer.condition, newer.pod
	}
	w.pending[name] = asked
}

// Pending returns the condition that waits to be written of a pod; false if none does.
func (w *ConditionWriter) Pending(name types.NamespacedName) (corev1.PodCondition, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	asked, some := w.pending[name]
	return asked.condition, some
}

// forget drops what was asked for and not yet written: it is outdated.
func (w *ConditionWriter) forget(name types.NamespacedName) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.pending, name)
}

// Run writes until the context is done.
func (w *ConditionWriter) Run(ctx context.Context) {
	stop := context.AfterFunc(ctx, w.ShutDown)
	defer stop()
	var writers sync.WaitGroup
	for range conditionWriters {
		writers.Go(func() {
			for {
				name, shutdown := w.queue.Get()
				if shutdown {
					return
				}
				w.flush(ctx, name)
				w.queue.Done(name)
			}
		})
	}
	writers.Wait()
}

// ShutDown has nothing more written.
func (w *ConditionWriter) ShutDown() { w.queue.ShutDown() }

// flush writes the last condition asked for, if it is still news.
func (w *ConditionWriter) flush(ctx context.Context, name types.NamespacedName) {
	w.mu.Lock()
	asked, found := w.pending[name]
	delete(w.pending, name)
	w.mu.Unlock()
	pod := w.Waiting(name)
	if !found || pod == nil || pod.UID != asked.pod || !news(pod, asked.condition) && !w.newlyLeftOut(pod) {
		w.queue.Forget(name)
		return
	}
	if !asked.paced && onlyReworded(pod, asked.condition) && !w.newlyLeftOut(pod) && w.putOff(name, asked) {
		return
	}
	if err := w.limiter.Wait(ctx); err != nil {
		return
	}
	err := w.patch(ctx, pod, asked.condition)
	switch {
	case err == nil, apierrors.IsNotFound(err), ctx.Err() != nil:
		w.queue.Forget(name)
	default:
		// With a conflict, the pod is another one by now, or has changed: it is looked at
		// anew once the watch has told of it.
		klog.FromContext(ctx).V(2).Info("Writing a pod's condition failed; trying again", "pod", name, "err", err)
		w.putBack(name, asked)
		w.queue.AddRateLimited(name)
	}
}

// patch writes a condition. The UID makes the API server refuse it, as a conflict, if
// the name is another pod's by now, and the version if the pod has changed: it may have
// been bound.
func (w *ConditionWriter) patch(ctx context.Context, pod *corev1.Pod, condition corev1.PodCondition) error {
	condition.LastTransitionTime = metav1.NewTime(w.clock.Now())
	if old := waitreason.ConditionOf(pod); old != nil && old.Status == condition.Status {
		condition.LastTransitionTime = old.LastTransitionTime
	}
	conditions := []corev1.PodCondition{condition}
	if w.newlyLeftOut(pod) {
		conditions = append(conditions, corev1.PodCondition{
			Type: dialect.GangPlacedCondition, Status: corev1.ConditionTrue, LastTransitionTime: metav1.NewTime(w.clock.Now()),
			Reason: "Placed", Message: "The gang of the pod has its place",
		})
	}
	return record.PodConditions(ctx, w.client, types.NamespacedName{Namespace: pod.Namespace, Name: pod.Name},
		map[string]any{"uid": pod.UID, "resourceVersion": pod.ResourceVersion}, conditions...)
}

// newlyLeftOut reports whether a pod's gang was placed without it, and the pod does not say
// so yet.
func (w *ConditionWriter) newlyLeftOut(pod *corev1.Pod) bool {
	group := workload.PodGroup(pod)
	return group != "" && !dialect.LeftOut(pod) && w.gangs.Placed(gang.KeyOf(pod.Namespace, group))
}

// Waiting returns a pod that is not bound and not being deleted; nil if there is none.
func (w *ConditionWriter) Waiting(name types.NamespacedName) *corev1.Pod {
	pod, err := w.pods.Pods(name.Namespace).Get(name.Name)
	if err != nil || pod.Spec.NodeName != "" || pod.DeletionTimestamp != nil {
		return nil
	}
	return pod
}

// news reports whether a pod's condition does not say so yet, nor something that is still worth
// knowing beside it: what was asked for a while ago is looked at anew when it is written.
func news(pod *corev1.Pod, condition corev1.PodCondition) bool {
	old := waitreason.ConditionOf(pod)
	switch {
	case old == nil || old.Status != condition.Status:
		return true
	case old.Reason != condition.Reason:
		return !waitreason.Said(pod) || waitreason.Contradicts(old.Reason, condition.Reason)
	}
	return old.Message != condition.Message && record.MessageKey(old.Message) != record.MessageKey(condition.Message)
}
