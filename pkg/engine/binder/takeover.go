package binder

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/klog/v2"
)

// Takeover has a leader begin with all that those before it have bound. What the watch has
// told of them may be old: the last binds of a leader that died are stored after the list of
// its successor, or just before the successor leads.
type Takeover struct {
	client     kubernetes.Interface
	schedulers []string
	// Holder returns the node that the scheduler's cache has a pod on, "" for none.
	Holder func(pod *corev1.Pod) string
	period time.Duration
}

const (
	takeoverPeriod = 200 * time.Millisecond
	takeoverPage   = 1000
)

// NewTakeover returns the takeover of a leader whose profiles have these names.
func NewTakeover(client kubernetes.Interface, schedulers []string) *Takeover {
	return &Takeover{client: client, schedulers: schedulers, period: takeoverPeriod}
}

// Wait waits until the watch has told of every pod that the store has bound by one of our
// schedulers. The list is as new as the store at the time of the request; nothing is bound
// meanwhile but by others.
func (t *Takeover) Wait(ctx context.Context) {
	logger, begin, told := klog.FromContext(ctx), time.Now(), false
	for {
		missing, err := t.missing(ctx)
		if err == nil && missing == 0 {
			if told {
				logger.Info("All that earlier leaders have bound is known", "waited", time.Since(begin).Round(time.Millisecond))
			}
			return
		}
		if !told {
			told = true
			logger.Info("Waiting until all that earlier leaders have bound is known", "missing", missing, "err", err)
		}
		if !Pause(ctx, t.period) {
			return
		}
	}
}

// missing counts the pods that the store has on nodes, and the watch has not told of.
func (t *Takeover) missing(ctx context.Context) (int, error) {
	missing := 0
	for _, scheduler := range t.schedulers {
		selector := fmt.Sprintf("spec.schedulerName=%s,spec.nodeName!=,status.phase!=%s,status.phase!=%s", scheduler, corev1.PodSucceeded, corev1.PodFailed)
		for next := ""; ; {
			page, err := t.client.CoreV1().Pods(metav1.NamespaceAll).List(ctx, metav1.ListOptions{FieldSelector: selector, Limit: takeoverPage, Continue: next})
			if err != nil {
				return missing, fmt.Errorf("listing the pods that %q has bound: %w", scheduler, err)
			}
			for i := range page.Items {
				if pod := &page.Items[i]; t.Holder(pod) != pod.Spec.NodeName {
					missing++
				}
			}
			if next = page.Continue; next == "" {
				break
			}
		}
	}
	return missing, nil
}
