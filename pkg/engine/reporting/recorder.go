package reporting

import (
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/util/flowcontrol"
	"k8s.io/klog/v2"

	"github.com/berth-dev/berth/pkg/core/gang"
	"github.com/berth-dev/berth/pkg/engine/measure"
	"github.com/berth-dev/berth/pkg/engine/record"
	"github.com/berth-dev/berth/pkg/insight"
	"github.com/berth-dev/berth/pkg/state/workload"
)

// The scheduler's own reasons of events about pods.
const (
	eventScheduled        = "Scheduled"
	eventFailedScheduling = "FailedScheduling"
)

// EventBudget decides which of the scheduler's events are written: an event costs the
// API server as much as a bind.
//
//   - The pods of a gang have none. Whoever is told of their binds writes one for the
//     gang.
//   - That a plain pod was placed is said as long as it does not come too often; the
//     pod itself says where it is.
//   - A refusal of a plain pod is not said twice in a row.
//   - Everything else is said.
type EventBudget struct {
	gangs     GangBinds
	pods      corelisters.PodLister
	scheduled flowcontrol.PassiveRateLimiter
	// bound is told of each pod that was bound; nil if nobody is.
	bound func(pod *corev1.Pod)
	// journal is told that plain pods were placed and refused; nil for none.
	journal *insight.Journal

	mu sync.Mutex
	// refused is the message key of the last refusals of each plain pod that waits.
	refused map[types.UID]*record.Recent
}

// GangBinds is told of each bind of a pod of a gang.
type GangBinds interface {
	Bound(key gang.Key)
}

// scheduledBurst is for how many seconds the events of placed pods may run ahead.
const scheduledBurst = 10

// NewEventBudget returns a budget that lets the events of so many placed plain pods a
// second through. Whoever bound, unless it is nil, is told of each pod that was bound, and the
// journal of plain pods that were placed and refused.
func NewEventBudget(gangs GangBinds, pods corelisters.PodLister, scheduledPerSecond int, bound func(pod *corev1.Pod), journal *insight.Journal) *EventBudget {
	b := &EventBudget{gangs: gangs, pods: pods, bound: bound, journal: journal, refused: map[types.UID]*record.Recent{}}
	if scheduledPerSecond > 0 {
		b.scheduled = flowcontrol.NewTokenBucketPassiveRateLimiter(float32(scheduledPerSecond), scheduledBurst*scheduledPerSecond)
	}
	return b
}

// Recorder returns a recorder that writes to another what the budget lets pass. The
// recorders of all profiles share one budget.
func (b *EventBudget) Recorder(to events.EventRecorderLogger) events.EventRecorderLogger {
	return budgetRecorder{to, b}
}

type budgetRecorder struct {
	events.EventRecorderLogger
	budget *EventBudget
}

// WithLogger returns the recorder with another logger and the same budget.
func (r budgetRecorder) WithLogger(logger klog.Logger) events.EventRecorderLogger {
	return budgetRecorder{r.EventRecorderLogger.WithLogger(logger), r.budget}
}

// Eventf records an event unless the budget says no.
func (r budgetRecorder) Eventf(regarding, related runtime.Object, kind, reason, action, note string, args ...any) {
	if pod, ok := regarding.(*corev1.Pod); ok && !r.budget.allows(pod, reason, note, args) {
		measure.EventsSaved.Inc()
		return
	}
	measure.APIWrites.WithLabelValues("event").Inc()
	r.EventRecorderLogger.Eventf(regarding, related, kind, reason, action, note, args...)
}

func (b *EventBudget) allows(pod *corev1.Pod, reason, note string, args []any) bool {
	if reason != eventScheduled && reason != eventFailedScheduling {
		return true
	}
	if reason == eventScheduled && b.bound != nil {
		b.bound(pod)
	}
	if group := workload.PodGroup(pod); group != "" {
		if reason == eventScheduled {
			b.gangs.Bound(gang.KeyOf(pod.Namespace, group))
		}
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if reason == eventScheduled {
		delete(b.refused, pod.UID)
		b.journal.Add(record.DecisionOn(time.Now(), insight.ActionPlaced, pod, 1, "", fmt.Sprintf(note, args...)))
		return b.scheduled != nil && b.scheduled.TryAccept()
	}
	said := b.refused[pod.UID]
	if said == nil {
		// A pod that is gone would never be forgotten. Of one that the lister has,
		// forget will be called later: it waits for the lock.
		if p, err := b.pods.Pods(pod.Namespace).Get(pod.Name); err != nil || p.UID != pod.UID {
			return true
		}
		said = &record.Recent{}
		b.refused[pod.UID] = said
	}
	text := fmt.Sprintf(note, args...)
	news := said.News(record.MessageKey(text))
	if news {
		b.journal.Add(record.DecisionOn(time.Now(), insight.ActionRefused, pod, 1, reason, text))
	}
	return news
}

// Forget drops what is known of a pod that is gone.
func (b *EventBudget) Forget(uid types.UID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.refused, uid)
}
