package reporting

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/util/flowcontrol"
	"k8s.io/klog/v2"

	"github.com/berth-dev/berth/pkg/api/v1alpha1"
	"github.com/berth-dev/berth/pkg/core/quota"
	"github.com/berth-dev/berth/pkg/engine/measure"
	"github.com/berth-dev/berth/pkg/state/queueing"
	"github.com/berth-dev/berth/pkg/state/workload"
)

const (
	// queueStatusPeriod is how often queues are looked at for a status that changed.
	queueStatusPeriod = 5 * time.Second
	// queueStatusWrites bounds how many are written a second, in all.
	queueStatusWrites = 10
)

// QueueStatusWriter writes the status of each queue when it changed.
type QueueStatusWriter struct {
	queues *queueing.Queues
	client dynamic.Interface
	period time.Duration
	limit  flowcontrol.RateLimiter
	// written are those that the server has, as far as this process wrote them.
	written map[string]v1alpha1.QueueStatus
}

func NewQueueStatusWriter(queues *queueing.Queues, client dynamic.Interface) *QueueStatusWriter {
	return &QueueStatusWriter{
		queues: queues, client: client, period: queueStatusPeriod,
		limit: flowcontrol.NewTokenBucketRateLimiter(queueStatusWrites, queueStatusWrites), written: map[string]v1alpha1.QueueStatus{},
	}
}

// Run writes until the context is done.
func (w *QueueStatusWriter) Run(ctx context.Context) {
	ticker := time.NewTicker(w.period)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			w.write(ctx)
		}
	}
}

// write writes each status that is not what was written last.
func (w *QueueStatusWriter) write(ctx context.Context) {
	reports := w.queues.Report()
	there := make(map[string]bool, len(reports))
	for i := range reports {
		r := &reports[i]
		if r.Generation == 0 {
			continue // the queue of a namespace has no object of ours
		}
		there[r.Name] = true
		last := w.written[r.Name]
		status := queueStatus(r, last.Conditions)
		if equality.Semantic.DeepEqual(status, last) {
			continue
		}
		if w.limit.Wait(ctx) != nil {
			return
		}
		if err := w.patch(ctx, r.Name, status); err != nil {
			if !apierrors.IsNotFound(err) && ctx.Err() == nil {
				klog.FromContext(ctx).Info("Writing the status of a queue failed; trying again", "queue", r.Name, "after", w.period, "err", err)
			}
			continue
		}
		w.written[r.Name] = status
	}
	for name := range w.written {
		if !there[name] {
			delete(w.written, name)
		}
	}
}

// patch replaces the status of a queue: what is null in a merge patch goes.
func (w *QueueStatusWriter) patch(ctx context.Context, name string, status v1alpha1.QueueStatus) error {
	fields := map[string]any{"resources": status.Resources, "observedGeneration": status.ObservedGeneration,
		"pendingGangs": status.PendingGangs, "runningGangs": status.RunningGangs,
		"refusedGangs": status.RefusedGangs, "head": status.Head, "conditions": status.Conditions}
	patch, err := json.Marshal(map[string]any{"status": fields})
	if err != nil {
		return fmt.Errorf("rendering the status of queue %q: %w", name, err)
	}
	measure.APIWrites.WithLabelValues("queue_status").Inc()
	_, err = w.client.Resource(v1alpha1.QueuesResource).Patch(ctx, name, types.MergePatchType, patch, metav1.PatchOptions{}, "status")
	return err
}

// queueStatus translates a report. Conditions are those of before, changed.
func queueStatus(r *queueing.QueueReport, conditions []metav1.Condition) v1alpha1.QueueStatus {
	status := v1alpha1.QueueStatus{
		ObservedGeneration: r.Generation, PendingGangs: int32(r.Pending), RunningGangs: int32(r.Running), RefusedGangs: int32(r.Refused),
		Conditions: append([]metav1.Condition(nil), conditions...),
	}
	for _, a := range r.Resources {
		if a.Used == 0 && a.Guaranteed == 0 && a.Asked == 0 {
			continue
		}
		name := corev1.ResourceName(a.Resource)
		share := queueing.QuantityOf(name, min(a.Share, quota.Most))
		status.Resources = append(status.Resources, v1alpha1.QueueUsage{Name: a.Resource, Used: queueing.QuantityOf(name, a.Used), Share: &share})
	}
	if h := r.Head; h != nil {
		status.Head = &v1alpha1.QueueHead{Gang: workload.Shown(h.Gang), Position: int32(h.Position), Reason: h.Code, Message: cut(h.Text)}
	}
	ready := metav1.Condition{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonAdmits,
		Message: "The queue admits gangs.", ObservedGeneration: r.Generation}
	if r.Fault != nil {
		ready.Status, ready.Reason, ready.Message = metav1.ConditionFalse, string(r.Fault.Code), r.Fault.Text
	}
	meta.SetStatusCondition(&status.Conditions, ready)
	return status
}

// mostMessage is how long a message may be, as the definition has it.
const mostMessage = 1024

func cut(text string) string {
	if len(text) > mostMessage {
		return text[:mostMessage-3] + "..."
	}
	return text
}
