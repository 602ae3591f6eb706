package podgroups

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	coreinformers "k8s.io/client-go/informers/core/v1"
	"k8s.io/client-go/informers/internalinterfaces"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"

	"github.com/berth-dev/berth/pkg/dialect"
)

// endedFeed hears of pods that have ended, as long as they are objects.
type endedFeed interface {
	SetEnded(pod *corev1.Pod)
	DeleteEnded(uid types.UID)
}

// EndedPods watches the pods of Berth's schedulers that have succeeded or failed. The
// scheduler's own informer leaves them out, for they hold nothing; but a member that is
// done counts towards the size of its gang. Of each only what says so is kept.
type EndedPods struct {
	informers []cache.SharedIndexInformer
}

// NewEndedPods returns a watch on the ended pods of each of the schedulers.
func NewEndedPods(client kubernetes.Interface, schedulers []string, feed endedFeed) (*EndedPods, error) {
	e := &EndedPods{}
	for _, name := range slices.Sorted(slices.Values(schedulers)) {
		selector := endedSelector(name)
		informer := coreinformers.NewPodInformerWithOptions(client, corev1.NamespaceAll, internalinterfaces.InformerOptions{
			Indexers:         cache.Indexers{},
			TweakListOptions: func(options *metav1.ListOptions) { options.FieldSelector = selector },
		})
		if err := informer.SetTransform(keepMembership); err != nil {
			return nil, fmt.Errorf("setting up the informer of ended pods: %w", err)
		}
		if _, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
			AddFunc: func(obj any) { feed.SetEnded(obj.(*corev1.Pod)) },
			UpdateFunc: func(old, obj any) {
				// The watch may have missed a deletion, and the name be another pod's.
				if was, is := old.(*corev1.Pod), obj.(*corev1.Pod); was.UID != is.UID {
					feed.DeleteEnded(was.UID)
				}
				feed.SetEnded(obj.(*corev1.Pod))
			},
			DeleteFunc: func(obj any) {
				if pod, ok := lastState(obj).(*corev1.Pod); ok {
					feed.DeleteEnded(pod.UID)
				}
			},
		}); err != nil {
			return nil, fmt.Errorf("watching ended pods: %w", err)
		}
		e.informers = append(e.informers, informer)
	}
	return e, nil
}

// endedSelector selects the pods of a scheduler that have ended. A field selector has
// no "or", so the phases that are not meant are listed.
func endedSelector(scheduler string) string {
	terms := []string{"spec.schedulerName=" + scheduler}
	for _, phase := range []corev1.PodPhase{corev1.PodPending, corev1.PodRunning, corev1.PodUnknown} {
		terms = append(terms, "status.phase!="+string(phase))
	}
	return strings.Join(terms, ",")
}

// Run watches until the context is done.
func (e *EndedPods) Run(ctx context.Context) {
	for _, informer := range e.informers {
		go informer.RunWithContext(ctx)
	}
}

// Synced reports whether all ended pods that there were at the beginning are known.
func (e *EndedPods) Synced() bool {
	for _, informer := range e.informers {
		if !informer.HasSynced() {
			return false
		}
	}
	return true
}

// keepMembership is a transform that keeps of a pod what its membership rests on, and
// of a plain pod its name.
func keepMembership(obj any) (any, error) {
	pod, ok := obj.(*corev1.Pod)
	if !ok {
		return obj, nil
	}
	kept := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID, ResourceVersion: pod.ResourceVersion,
		CreationTimestamp: pod.CreationTimestamp, DeletionTimestamp: pod.DeletionTimestamp,
	}}
	kept.Spec.SchedulerName, kept.Status.Phase, kept.Status.Reason = pod.Spec.SchedulerName, pod.Status.Phase, pod.Status.Reason
	if _, member := dialect.Of(pod); !member {
		return kept, nil
	}
	kept.Labels, kept.Annotations, kept.OwnerReferences = pod.Labels, pod.Annotations, pod.OwnerReferences
	kept.Spec.NodeName, kept.Spec.SchedulingGroup = pod.Spec.NodeName, pod.Spec.SchedulingGroup
	kept.Spec.Priority, kept.Spec.PreemptionPolicy = pod.Spec.Priority, pod.Spec.PreemptionPolicy
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodScheduled || c.Type == corev1.DisruptionTarget {
			kept.Status.Conditions = append(kept.Status.Conditions, c)
		}
	}
	return kept, nil
}
