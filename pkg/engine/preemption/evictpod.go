package preemption

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/berth-dev/berth/pkg/dialect"
	"github.com/berth-dev/berth/pkg/engine/binder"
	"github.com/berth-dev/berth/pkg/engine/measure"
	"github.com/berth-dev/berth/pkg/engine/record"
)

// EvictionRetry is how long a gang whose evictions were refused, as by a
// PodDisruptionBudget, is left alone before the next try.
const EvictionRetry = 5 * time.Second

// MarkEvicting writes the condition on a pod by which the eviction of its gang is found. A
// pod that is gone needs none.
func MarkEvicting(ctx context.Context, client kubernetes.Interface, name types.NamespacedName, uid types.UID, evicting bool, text string, now time.Time) error {
	status := corev1.ConditionFalse
	if evicting {
		status = corev1.ConditionTrue
	}
	err := record.PodConditions(ctx, client, name, map[string]any{"uid": uid}, corev1.PodCondition{
		Type: dialect.EvictingCondition, Status: status, Reason: "Reclaimed", Message: text, LastTransitionTime: metav1.NewTime(now),
	})
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
		return fmt.Errorf("writing on pod %s that its gang is evicted: %w", name, err)
	}
	return nil
}

// evictTries is how often an eviction is asked for whose answer is lost.
const evictTries = 3

// EvictPod asks for the eviction of a pod: of that UID and no other of its name, and of that
// version, which is read if it is not known. For the API server deletes a pod that has ended
// since, and with it what its gang and its owner go by: a replacement of another member would
// wait for that one for ever. A pod that has ended stays, as one that is gone.
//
// If the answer is lost, a read says whether the pod goes; if it does not, it is asked for again,
// which takes no more from its disruption budget than once if the first is granted after all.
func EvictPod(ctx context.Context, client kubernetes.Interface, name types.NamespacedName, uid types.UID, version string) error {
	for try := 1; ; try++ {
		if version != "" {
			measure.APIWrites.WithLabelValues("eviction").Inc()
			err := client.PolicyV1().Evictions(name.Namespace).Evict(ctx, &policyv1.Eviction{
				ObjectMeta:    metav1.ObjectMeta{Namespace: name.Namespace, Name: name.Name},
				DeleteOptions: &metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &uid, ResourceVersion: &version}},
			})
			changed := apierrors.IsConflict(err)
			if !changed && !binder.InDoubt(err) || try >= evictTries || !changed && !binder.Pause(ctx, binder.SettleRest(binder.SettleFirst, try)) {
				return err
			}
		}
		pod, err := client.CoreV1().Pods(name.Namespace).Get(ctx, name.Name, metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err), err == nil && (pod.UID != uid || pod.DeletionTimestamp != nil || measure.Over(pod)):
			return nil
		case err == nil:
			version = pod.ResourceVersion
		case version == "":
			return err
		}
	}
}
