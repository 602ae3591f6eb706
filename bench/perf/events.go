package main

import (
	"sync"

	corev1 "k8s.io/api/core/v1"
	schedulingv1beta1 "k8s.io/api/scheduling/v1beta1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/events"
	"k8s.io/klog/v2"
	"k8s.io/kubernetes/pkg/scheduler"
	"k8s.io/kubernetes/pkg/scheduler/framework"

	"github.com/berth-dev/berth/bench/schedulers"
	"github.com/berth-dev/berth/pkg/core/gang"
	"github.com/berth-dev/berth/pkg/engine"
	"github.com/berth-dev/berth/pkg/engine/reporting"
)

// scheduledEvent is the reason of the event with which a binding ends.
const scheduledEvent = "Scheduled"

// record gives the profiles of a scheduler a recorder that tells the meter of each
// bind, and writes as the scheduler would: upstream everything, Berth what its budget
// lets pass, null nothing.
func record(sched *scheduler.Scheduler, who string, m *meter) {
	for name, profile := range sched.Profiles {
		to := profile.EventRecorder()
		switch who {
		case schedulers.Berth:
			gangs := &gangEvents{to: to, told: map[gang.Key]bool{}}
			pods := profile.SharedInformerFactory().Core().V1().Pods().Lister()
			to = reporting.NewEventBudget(gangs, pods, engine.DefaultScheduledEvents, nil, nil).Recorder(to)
		case schedulers.Null:
			to = silent{}
		}
		sched.Profiles[name] = recorded{profile, watchingRecorder{to, m}}
	}
}

// recorded is a framework with another recorder.
type recorded struct {
	framework.Framework
	recorder events.EventRecorderLogger
}

func (r recorded) EventRecorder() events.EventRecorderLogger { return r.recorder }

// watchingRecorder tells the meter of each measured pod that was bound.
type watchingRecorder struct {
	events.EventRecorderLogger
	meter *meter
}

func (r watchingRecorder) WithLogger(logger klog.Logger) events.EventRecorderLogger {
	return watchingRecorder{r.EventRecorderLogger.WithLogger(logger), r.meter}
}

func (r watchingRecorder) Eventf(regarding, related runtime.Object, kind, reason, action, note string, args ...any) {
	r.EventRecorderLogger.Eventf(regarding, related, kind, reason, action, note, args...)
	if pod, ok := regarding.(*corev1.Pod); ok && reason == scheduledEvent && pod.Namespace == measured {
		r.meter.podBound()
	}
}

// silent writes nothing.
type silent struct{}

func (s silent) WithLogger(klog.Logger) events.EventRecorderLogger { return s }

func (silent) Eventf(runtime.Object, runtime.Object, string, string, string, string, ...any) {}

// gangEvents writes one event for each gang that is bound, as Berth does.
type gangEvents struct {
	to events.EventRecorder

	mu   sync.Mutex
	told map[gang.Key]bool
}

// Bound takes in a bind of a pod of a gang.
func (g *gangEvents) Bound(key gang.Key) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.told[key] {
		return
	}
	g.told[key] = true
	group := &corev1.ObjectReference{
		APIVersion: schedulingv1beta1.SchemeGroupVersion.String(), Kind: "PodGroup", Namespace: key.Namespace, Name: key.Name,
	}
	g.to.Eventf(group, nil, corev1.EventTypeNormal, scheduledEvent, "Binding", "Placed gang %s", key)
}
