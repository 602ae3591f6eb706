package engine

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/component-base/metrics/testutil"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler"
	schedulerconfig "k8s.io/kubernetes/pkg/scheduler/apis/config"
	"k8s.io/kubernetes/pkg/scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/metrics"

	"github.com/berth-dev/berth/pkg/engine/preemption"
)

// observerPlugin is a plugin that sees who is reserved, compares the ledger each time, and holds all
// bindings until it is open.
type observerPlugin struct {
	cluster *testCluster
	// shutter is held while nothing may be bound. holds says that it stays so between
	// cycles.
	bindGate sync.Mutex
	isOpen   bool
	holds    bool

	mu sync.Mutex
	// reserved are pods that are reserved and that the scheduler was not told the node of;
	// flying are those of them that are being bound.
	reserved map[types.UID]*corev1.Pod
	// trial says that a gang is tried out without others.
	trial  bool
	flying map[types.UID]bool
	// refusals are why pods were refused last, by name.
	refusals map[string]string
}

const observerPluginName = "Observer"

var (
	_ fwk.ReservePlugin  = &observerPlugin{}
	_ fwk.PermitPlugin   = &observerPlugin{}
	_ fwk.PreBindPlugin  = &observerPlugin{}
	_ fwk.PostBindPlugin = &observerPlugin{}
)

func newObserverPlugin(h *testCluster) *observerPlugin {
	l := &observerPlugin{cluster: h, reserved: map[types.UID]*corev1.Pod{}, flying: map[types.UID]bool{}, refusals: map[string]string{}}
	l.bindGate.Lock()
	return l
}

// watch puts it into a profile, after all others.
func (l *observerPlugin) watch(profile *schedulerconfig.KubeSchedulerProfile) {
	plugins := profile.Plugins
	for _, set := range []*schedulerconfig.PluginSet{&plugins.Reserve, &plugins.Permit, &plugins.PreBind, &plugins.PostBind} {
		enable(set, observerPluginName)
	}
}

func (l *observerPlugin) plugin(context.Context, runtime.Object, fwk.Handle) (fwk.Plugin, error) {
	return l, nil
}

func (*observerPlugin) Name() string { return observerPluginName }

// Reserve comes after the queues have charged a pod, while its gang is tried and when it is
// committed.
func (l *observerPlugin) Reserve(_ context.Context, cycle fwk.CycleState, pod *corev1.Pod, _ string) *fwk.Status {
	if l.trial {
		if diff := l.cluster.ledgerDiff(); diff != "" {
			l.cluster.t.Errorf("what queues use when %q is tried out without others (-pods +queues):\n%s", pod.Name, diff)
		}
		return nil
	}
	l.mu.Lock()
	if l.reserved[pod.UID] != nil {
		l.cluster.t.Errorf("pod %q is reserved twice", pod.Name)
	}
	l.reserved[pod.UID] = pod
	l.mu.Unlock()
	l.cluster.counts["reservations"]++
	if diff := l.cluster.ledgerDiff(); diff != "" {
		l.cluster.t.Errorf("what queues use when %q is reserved (-pods +queues):\n%s", pod.Name, diff)
	}
	l.cluster.withinLimits(pod)
	return nil
}

// Unreserve comes before the queues take the charge back.
func (l *observerPlugin) Unreserve(_ context.Context, cycle fwk.CycleState, pod *corev1.Pod, _ string) {
	l.dropped(pod.UID)
}

func (l *observerPlugin) dropped(uid types.UID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.reserved, uid)
}

// Permit comes when the pods of a gang are committed.
func (l *observerPlugin) Permit(_ context.Context, _ fwk.CycleState, pod *corev1.Pod, _ string) (*fwk.Status, time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.flying[pod.UID] = true
	return nil, 0
}

func (l *observerPlugin) PreBindPreFlight(context.Context, fwk.CycleState, *corev1.Pod, string) (*fwk.PreBindPreFlightResult, *fwk.Status) {
	return nil, nil
}

func (l *observerPlugin) PreBind(context.Context, fwk.CycleState, *corev1.Pod, string) *fwk.Status {
	l.bindGate.Lock()
	defer l.bindGate.Unlock()
	return nil
}

func (l *observerPlugin) PostBind(_ context.Context, _ fwk.CycleState, pod *corev1.Pod, _ string) {
	l.ended(pod)
}

func (l *observerPlugin) ended(pod *corev1.Pod) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.flying, pod.UID)
}

// failing notes that the binding of a pod has failed.
func (l *observerPlugin) failing(next scheduler.FailureHandlerFn) scheduler.FailureHandlerFn {
	return func(ctx context.Context, f framework.Framework, info *framework.QueuedPodInfo, status *fwk.Status, nominating *fwk.NominatingInfo, start time.Time) {
		pod := info.Pod
		if err := status.AsError(); err != nil {
			l.mu.Lock()
			l.refusals[pod.Name] = err.Error()
			l.mu.Unlock()
		}
		next(ctx, f, info, status, nominating, start)
		l.ended(pod)
	}
}

func (l *observerPlugin) openGate() {
	if !l.isOpen {
		l.isOpen = true
		l.bindGate.Unlock()
	}
}

func (l *observerPlugin) closeGate() {
	if l.isOpen {
		l.bindGate.Lock()
		l.isOpen = false
	}
}

// whyNot returns why a pod was refused last.
func (l *observerPlugin) whyNot(name string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.refusals[name]
}

// landed reports whether nothing is being bound. Pods of a gang that wait for others of it at
// Permit do so for as long as it takes; those that were let go are on their way.
func (l *observerPlugin) bindingsDone() bool {
	waiting := 0
	l.mu.Lock()
	defer l.mu.Unlock()
	for uid := range l.flying {
		if w := l.cluster.sched.Profiles[SchedulerName].GetWaitingPod(uid); w == nil || len(w.GetPendingPlugins()) == 0 {
			return false
		}
		waiting++
	}
	running, err := testutil.GetGaugeMetricValue(metrics.Goroutines.WithLabelValues(metrics.Binding))
	return err == nil && int(running) == waiting
}

// giveUp has pods fail that wait at Permit.
func (l *observerPlugin) giveUp() {
	l.mu.Lock()
	uids := slices.Collect(maps.Keys(l.flying))
	l.mu.Unlock()
	for _, uid := range uids {
		l.cluster.sched.Profiles[SchedulerName].RejectWaitingPod(uid)
	}
}

// describe says what is being bound.
func (l *observerPlugin) describe() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := ""
	for uid := range l.flying {
		out += fmt.Sprintf("%s waits %t, ", uid, l.cluster.sched.Profiles[SchedulerName].GetWaitingPod(uid) != nil)
	}
	running, err := testutil.GetGaugeMetricValue(metrics.Goroutines.WithLabelValues(metrics.Binding))
	return fmt.Sprintf("%s%v are being bound %v", out, running, err)
}

// watchedReclaimer has an observer plugin know what is a trial.
type watchedReclaimer struct {
	*preemption.Reclaimer
	observer *observerPlugin
}

func (r watchedReclaimer) Reclaim(pods []*corev1.Pod, group fwk.PodGroupInfo, fits func(gone []*corev1.Pod) bool) string {
	return r.Reclaimer.Reclaim(pods, group, func(gone []*corev1.Pod) bool {
		r.observer.trial = true
		defer func() { r.observer.trial = false }()
		return fits(gone)
	})
}
