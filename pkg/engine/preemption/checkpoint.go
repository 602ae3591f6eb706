package preemption

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/klog/v2"

	"github.com/berth-dev/berth/pkg/dialect"
	"github.com/berth-dev/berth/pkg/engine/fastpath"
	"github.com/berth-dev/berth/pkg/engine/measure"
	"github.com/berth-dev/berth/pkg/engine/waitreason"
	"github.com/berth-dev/berth/pkg/state/queueing"
)

// saveLook is how often it is looked whether pods have saved their work.
const saveLook = time.Second

// timeToSave returns the longest that a victim has to save its work.
func timeToSave(choice *fastpath.Choice) time.Duration {
	var longest time.Duration
	for _, victim := range choice.Evicted {
		longest = max(longest, victim.Candidate.Grace)
	}
	return longest
}

// letSave tells the pods of victims that ask for it that they are to go, in an annotation, and
// waits until each of them has left, has saved its work, or has had the time that its queue
// gives. It reports whether it waited, and why nobody is to go after all; nil if all are. Those
// of the victims that have left by themselves are taken out of the choice.
//
// The annotation is all that the next leader needs: a gang that was told goes before all
// others, so the same are chosen again, and have what is left of their time.
func (e *evictor) letSave() (waited bool, stopped *waitreason.Explanation) {
	e.told = map[types.UID]time.Time{}
	waiting := map[*corev1.Pod]time.Time{}
	for _, victim := range e.choice.Evicted {
		grace := victim.Candidate.Grace
		if grace <= 0 {
			continue
		}
		if victim.Whole {
			e.Queues.Leaves(victim.Pods[0])
		}
		for _, pod := range victim.Pods {
			if !queueing.Signals(pod) {
				continue
			}
			at, before := queueing.Requested(pod, grace, e.Clock.Now())
			if !before {
				at = e.Clock.Now().Truncate(time.Second)
				if err := annotate(e.ctx, e.Client, pod, dialect.CheckpointRequestedAt, at.Format(time.RFC3339)); err != nil {
					return true, &waitreason.Explanation{Text: fmt.Sprintf("telling pod %s to save its work: %v", klog.KObj(pod), err)}
				}
			}
			e.told[pod.UID], waiting[pod] = at, at.Add(grace)
		}
	}
	if len(waiting) == 0 {
		return false, nil
	}
	klog.FromContext(e.ctx).Info("Pods have time to save their work before they are evicted", "for", e.name, "pods", len(waiting), "at most", timeToSave(e.choice))
	for {
		for pod, until := range waiting {
			now, has := e.Clock.Now(), e.Queues.Pod(pod)
			if has == nil || has.DeletionTimestamp != nil || queueing.Saved(has, e.told[pod.UID], now) || !now.Before(until) {
				delete(waiting, pod)
			}
		}
		switch {
		case len(waiting) == 0:
			e.choice = e.still()
			return true, nil
		case e.ended(e.name, e.batch):
			return true, &waitreason.Explanation{Text: "it has its place, or waits no more"}
		}
		select {
		case <-e.ctx.Done():
			return true, nil
		case <-e.Clock.After(saveLook):
		}
	}
}

// still returns the choice without the pods that have left.
func (e *evictor) still() *fastpath.Choice {
	out := *e.choice
	out.Evicted = nil
	for _, victim := range e.choice.Evicted {
		victim.Pods = slices.DeleteFunc(slices.Clone(victim.Pods), func(pod *corev1.Pod) bool { return e.Queues.Pod(pod) == nil })
		if len(victim.Pods) > 0 {
			out.Evicted = append(out.Evicted, victim)
		}
	}
	return &out
}

// takeBack tells the pods of a gang that they do not go after all.
func (e *evictor) takeBack(victim fastpath.Evicted) {
	for _, pod := range victim.Pods {
		if _, told := e.told[pod.UID]; !told {
			continue
		}
		if err := annotate(e.ctx, e.Client, pod, dialect.CheckpointRequestedAt, nil); err != nil {
			klog.FromContext(e.ctx).Error(err, "A pod that is not evicted after all is still told to save its work", "pod", klog.KObj(pod))
		}
	}
}

// annotate sets an annotation of a pod, or takes it off if it is nil. A pod that is gone needs
// none. It is written with the status, which Berth may write anyway.
func annotate(ctx context.Context, client kubernetes.Interface, pod *corev1.Pod, key string, value any) error {
	body, err := json.Marshal(map[string]any{"metadata": map[string]any{"uid": pod.UID, "annotations": map[string]any{key: value}}})
	if err != nil {
		return fmt.Errorf("encoding annotation %s of pod %s: %w", key, klog.KObj(pod), err)
	}
	measure.APIWrites.WithLabelValues("checkpoint_request").Inc()
	_, err = client.CoreV1().Pods(pod.Namespace).Patch(ctx, pod.Name, types.MergePatchType, body, metav1.PatchOptions{}, "status")
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
		return fmt.Errorf("writing annotation %s of pod %s: %w", key, klog.KObj(pod), err)
	}
	return nil
}
