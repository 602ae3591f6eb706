package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/util/flowcontrol"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/klog/v2"
)

const (
	// conditionDelay is how long a pending pod's condition waits before it is
	// written: a pod that is placed within it costs no write but its bind.
	conditionDelay = time.Second
	// conditionRate and conditionBurst bound the writes of conditions a second, so
	// that a thousand refused gangs do not stand in the way of one that is bound.
	conditionRate  = 100
	conditionBurst = 200
	// conditionWriters write at the same time.
	conditionWriters = 4
)

// conditionWriter writes the PodScheduled condition of pods that wait: later,
// only the last of several, and only if it says something new.
type conditionWriter struct {
	client  kubernetes.Interface
	pods    corelisters.PodLister
	limiter flowcontrol.RateLimiter
	queue   workqueue.TypedRateLimitingInterface[types.NamespacedName]

	mu      sync.Mutex
	pending map[types.NamespacedName]corev1.PodCondition
}

func newConditionWriter(client kubernetes.Interface, pods corelisters.PodLister) *conditionWriter {
	return &conditionWriter{
		client:  client,
		pods:    pods,
		limiter: flowcontrol.NewTokenBucketRateLimiter(conditionRate, conditionBurst),
		queue: workqueue.NewTypedRateLimitingQueue(
			workqueue.NewTypedItemExponentialFailureRateLimiter[types.NamespacedName](time.Second, time.Minute)),
		pending: map[types.NamespacedName]corev1.PodCondition{},
	}
}

// Set asks for a condition. It reports whether that is news to the pod.
func (w *conditionWriter) Set(name types.NamespacedName, condition corev1.PodCondition) bool {
	if !w.news(name, condition) {
		conditionsSaved.Inc()
		return false
	}
	w.mu.Lock()
	_, waiting := w.pending[name]
	w.pending[name] = condition
	w.mu.Unlock()
	if waiting {
		conditionsSaved.Inc()
	}
	w.queue.AddAfter(name, conditionDelay)
	return true
}

// Run writes until the context is done.
func (w *conditionWriter) Run(ctx context.Context) {
	stop := context.AfterFunc(ctx, w.queue.ShutDown)
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

// flush writes the last condition asked for, if it is still news.
func (w *conditionWriter) flush(ctx context.Context, name types.NamespacedName) {
	w.mu.Lock()
	condition, asked := w.pending[name]
	delete(w.pending, name)
	w.mu.Unlock()
	if !asked || !w.news(name, condition) {
		w.queue.Forget(name)
		return
	}
	if err := w.limiter.Wait(ctx); err != nil {
		return
	}
	err := w.patch(ctx, name, condition)
	switch {
	case err == nil, apierrors.IsNotFound(err), ctx.Err() != nil:
		w.queue.Forget(name)
	default:
		klog.FromContext(ctx).V(2).Info("Writing a pod's condition failed; trying again", "pod", name, "err", err)
		w.mu.Lock()
		if _, newer := w.pending[name]; !newer {
			w.pending[name] = condition
		}
		w.mu.Unlock()
		w.queue.AddRateLimited(name)
	}
}

func (w *conditionWriter) patch(ctx context.Context, name types.NamespacedName, condition corev1.PodCondition) error {
	condition.LastTransitionTime = metav1.Now()
	if pod, err := w.pods.Pods(name.Namespace).Get(name.Name); err == nil {
		if old := scheduledCondition(pod); old != nil && old.Status == condition.Status {
			condition.LastTransitionTime = old.LastTransitionTime
		}
	}
	body, err := json.Marshal(map[string]any{"status": map[string]any{"conditions": []corev1.PodCondition{condition}}})
	if err != nil {
		return fmt.Errorf("encoding the condition of pod %q: %w", name, err)
	}
	apiWrites.WithLabelValues("condition").Inc()
	_, err = w.client.CoreV1().Pods(name.Namespace).Patch(ctx, name.Name, types.StrategicMergePatchType, body, metav1.PatchOptions{}, "status")
	return err
}

// news reports whether a pod still waits and its condition does not yet say so.
func (w *conditionWriter) news(name types.NamespacedName, condition corev1.PodCondition) bool {
	pod, err := w.pods.Pods(name.Namespace).Get(name.Name)
	if err != nil || pod.Spec.NodeName != "" || pod.DeletionTimestamp != nil {
		return false
	}
	old := scheduledCondition(pod)
	return old == nil || old.Status != condition.Status || old.Reason != condition.Reason ||
		gist(old.Message) != gist(condition.Message)
}

func scheduledCondition(pod *corev1.Pod) *corev1.PodCondition {
	for i := range pod.Status.Conditions {
		if pod.Status.Conditions[i].Type == corev1.PodScheduled {
			return &pod.Status.Conditions[i]
		}
	}
	return nil
}

// gist returns a message without its counts: "0/2500 nodes are available: 12
// Insufficient cpu" stays the same reason when 12 becomes 13. A number that
// belongs to a name, as in pod "worker-3", is kept.
func gist(message string) string {
	words := strings.Fields(message)
	for i, word := range words {
		if strings.Trim(word, "0123456789/.,;:()") == "" {
			words[i] = "#"
		}
	}
	return strings.Join(words, " ")
}
