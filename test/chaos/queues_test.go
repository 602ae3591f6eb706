package chaos

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"

	"github.com/berth-dev/berth/pkg/api/v1alpha1"
)

// The queues of rounds that have any. The borrower may have most of the cluster, and the owner
// is guaranteed half of it: what the borrower has beyond its own is taken back.
const (
	borrower = "borrower"
	owner    = "owner"
)

// queueLimits are how many GPUs the queues have at most.
func queueLimits() map[string]int64 {
	return map[string]int64{borrower: int64(clusterGPUs() * 7 / 8), owner: int64(clusterGPUs() * 3 / 4)}
}

// queueGuarantees are how many GPUs the queues are guaranteed.
func queueGuarantees() map[string]int64 {
	return map[string]int64{borrower: int64(clusterGPUs() / 4), owner: int64(clusterGPUs() / 2)}
}

// hasQueues reports whether the round of a seed has queues: of two rounds that follow each other
// one has. There is an odd number of faults, so each comes in both kinds.
func hasQueues(seed uint64) bool { return seed%2 == 1 }

// setQueues makes the queues or deletes them, and waits until Berth goes by those that it made.
func (e *environment) setQueues(ctx context.Context, on bool) error {
	client, err := dynamic.NewForConfig(e.AdminConfig())
	if err != nil {
		return err
	}
	queues := client.Resource(v1alpha1.QueuesResource)
	for name, limit := range queueLimits() {
		object := &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": v1alpha1.GroupVersion.String(), "kind": "Queue", "metadata": map[string]any{"name": name},
			"spec": map[string]any{
				"namespaces": []any{namespace},
				"resources":  []any{map[string]any{"name": "nvidia.com/gpu", "guaranteed": queueGuarantees()[name], "limit": limit}},
			},
		}}
		if on {
			_, err = queues.Create(ctx, object, metav1.CreateOptions{})
		} else {
			err = queues.Delete(ctx, name, metav1.DeleteOptions{})
		}
		if err != nil && !apierrors.IsAlreadyExists(err) && !apierrors.IsNotFound(err) {
			return err
		}
	}
	e.until(ctx, time.Minute, func() bool {
		for name := range queueLimits() {
			var queue *unstructured.Unstructured
			if queue, err = queues.Get(ctx, name, metav1.GetOptions{}); on && err == nil {
				if conditions, _, _ := unstructured.NestedSlice(queue.Object, "status", "conditions"); len(conditions) == 0 {
					err = errors.New("queue " + name + " has no status")
				}
			} else if !on && apierrors.IsNotFound(err) {
				err = nil
			}
			if err != nil {
				return false
			}
		}
		return true
	})
	return err
}

// queuedWorkload makes the gangs of a round with queues: those of the borrower run long enough
// for some of them to be evicted when those of the owner come.
func queuedWorkload(prefix string, random *rand.Rand) (first, second []*corev1.Pod) {
	of := func(queue string, gpus int, least time.Duration) []*corev1.Pod {
		pods := gangs(prefix+queue[:1], gpus, least, 2*time.Second, random)
		for _, pod := range pods {
			pod.Labels["berth.dev/queue"] = queue
		}
		return pods
	}
	return of(borrower, clusterGPUs()*5/4, 5*time.Second), of(owner, clusterGPUs()*3/4, time.Second/2)
}

// remake makes pods again that were evicted, as their owner would, until the context ends.
func (e *environment) remake(ctx context.Context, prefix string, pods []*corev1.Pod) {
	byName := map[string]*corev1.Pod{}
	for _, pod := range pods {
		byName[pod.Name] = pod
	}
	for ctx.Err() == nil {
		var again []*corev1.Pod
		for name, r := range e.recorder.Latest(prefix) {
			if r.Gone && r.Phase != corev1.PodSucceeded {
				again = append(again, byName[name])
			}
		}
		_ = e.create(ctx, again) // fails only where the context ends
		e.rest(ctx, 200*time.Millisecond)
	}
}

// evictions counts the pods that were evicted.
func evictions(history []Record) int {
	n := 0
	for i := range history {
		if r := &history[i]; r.Gone && r.Evicted {
			n++
		}
	}
	return n
}
