package engine

import (
	"fmt"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/events"
	"k8s.io/klog/v2"

	"github.com/berth-dev/berth/pkg/core/gang"
)

// The scheduler's own reasons of events about pods.
const (
	eventScheduled        = "Scheduled"
	eventFailedScheduling = "FailedScheduling"
)

// budgetRecorder is the event recorder that the scheduler gets. Plain pods keep
// their events, but for refusals that say again what the last one said. The pods
// of a gang have none: the reporter writes one for the gang.
type budgetRecorder struct {
	events.EventRecorderLogger
	budget *eventBudget
}

// eventBudget is what the recorders of all profiles share.
type eventBudget struct {
	reporter *reporter
	pods     corelisters.PodLister

	mu sync.Mutex
	// refused is the gist of the last refusals of each plain pod that waits.
	refused map[types.UID]*recent
}

func newEventBudget(r *reporter, pods corelisters.PodLister) *eventBudget {
	return &eventBudget{reporter: r, pods: pods, refused: map[types.UID]*recent{}}
}

// WithLogger returns the recorder with another logger and the same budget.
func (r budgetRecorder) WithLogger(logger klog.Logger) events.EventRecorderLogger {
	return budgetRecorder{r.EventRecorderLogger.WithLogger(logger), r.budget}
}

// Eventf records an event unless the budget says no.
func (r budgetRecorder) Eventf(regarding, related runtime.Object, kind, reason, action, note string, args ...any) {
	if pod, ok := regarding.(*corev1.Pod); ok && !r.budget.allows(pod, reason, note, args) {
		eventsSaved.Inc()
		return
	}
	apiWrites.WithLabelValues("event").Inc()
	r.EventRecorderLogger.Eventf(regarding, related, kind, reason, action, note, args...)
}

func (b *eventBudget) allows(pod *corev1.Pod, reason, note string, args []any) bool {
	if reason != eventScheduled && reason != eventFailedScheduling {
		return true
	}
	if group := groupOf(pod); group != "" {
		if reason == eventScheduled {
			b.reporter.Bound(gang.KeyOf(pod.Namespace, group))
		}
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if reason == eventScheduled {
		delete(b.refused, pod.UID)
		return true
	}
	said := b.refused[pod.UID]
	if said == nil {
		// A pod that is gone would never be forgotten. Of one that the lister has,
		// forget will be called later: it waits for the lock.
		if p, err := b.pods.Pods(pod.Namespace).Get(pod.Name); err != nil || p.UID != pod.UID {
			return true
		}
		said = &recent{}
		b.refused[pod.UID] = said
	}
	return said.news(gist(fmt.Sprintf(note, args...)))
}

// forget drops what is known of a pod that is gone.
func (b *eventBudget) forget(uid types.UID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.refused, uid)
}
