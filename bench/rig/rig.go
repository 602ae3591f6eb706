package rig

import (
	"context"
	"fmt"
	"maps"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/tools/events"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler"
	schedulerconfig "k8s.io/kubernetes/pkg/scheduler/apis/config"
	internalcache "k8s.io/kubernetes/pkg/scheduler/backend/cache"
	"k8s.io/kubernetes/pkg/scheduler/framework"
	frameworkruntime "k8s.io/kubernetes/pkg/scheduler/framework/runtime"

	"github.com/berth-dev/berth/bench/schedulers"
)

// Rig is a scheduler that a benchmark drives, on a cluster without nodes at first.
type Rig struct {
	Ctx    context.Context
	Client kubernetes.Interface
	Sched  *scheduler.Scheduler
	Who    *schedulers.Scheduler

	cancel   context.CancelFunc
	snapshot *internalcache.Snapshot
	binder   *noBind
}

// New makes a rig of a scheduler, whose profile may be changed.
func New(who *schedulers.Scheduler, change ...func(*schedulerconfig.KubeSchedulerProfile)) (*Rig, error) {
	ctx, cancel := context.WithCancel(context.Background())
	r := &Rig{Ctx: ctx, Client: fake.NewClientset(), Who: who, cancel: cancel, binder: newNoBind()}
	if err := r.build(change); err != nil {
		cancel()
		return nil, fmt.Errorf("making scheduler %q: %w", who.Name, err)
	}
	return r, nil
}

func (r *Rig) build(change []func(*schedulerconfig.KubeSchedulerProfile)) error {
	profile, err := r.Who.Profile()
	if err != nil {
		return err
	}
	bindNothing(profile)
	for _, c := range change {
		c(profile)
	}
	registry := frameworkruntime.Registry{noBindName: func(context.Context, runtime.Object, fwk.Handle) (fwk.Plugin, error) { return r.binder, nil }}
	maps.Copy(registry, r.Who.Plugins)
	r.Sched, err = scheduler.New(r.Ctx, r.Client, informers.NewSharedInformerFactory(r.Client, 0), nil,
		func(string) events.EventRecorderLogger { return &events.FakeRecorder{} },
		scheduler.WithProfiles(*profile), scheduler.WithFrameworkOutOfTreeRegistry(registry))
	if err != nil {
		return err
	}
	snapshot, ok := r.Sched.Profiles[corev1.DefaultSchedulerName].SnapshotSharedLister().(*internalcache.Snapshot)
	if !ok {
		return fmt.Errorf("the profile reads from no snapshot of the scheduler's")
	}
	r.snapshot = snapshot
	return r.Who.Attach(r.Sched)
}

// OnFailure sets who is told of each pod that is not placed. The pod is out of the queue
// then, and stays out.
func (r *Rig) OnFailure(f func(pod *corev1.Pod, status *fwk.Status)) {
	r.Sched.FailureHandler = func(_ context.Context, _ framework.Framework, info *framework.QueuedPodInfo, status *fwk.Status, _ *fwk.NominatingInfo, _ time.Time) {
		r.Sched.SchedulingQueue.Done(info.Pod.UID)
		f(info.Pod, status)
	}
}

// Refresh brings the snapshot up to date with the cache. A cycle does so itself, for
// the pods placed since the last one; what a benchmark changes is not to be a part of
// that.
func (r *Rig) Refresh() error {
	return r.Sched.Cache.UpdateSnapshot(klog.Background(), r.snapshot)
}

// Bound waits until n pods were bound since the last call, and returns them.
func (r *Rig) Bound(n int) []Binding { return r.binder.wait(n) }

// Remove takes a pod away that was bound. It must be assumed on the node that it was to
// be bound to.
func (r *Rig) Remove(b Binding) error {
	assumed, err := r.Sched.Cache.IsAssumedPod(b.Pod)
	if err != nil {
		return fmt.Errorf("looking for pod %q: %w", b.Pod.Name, err)
	}
	if !assumed || b.Node == "" || b.Pod.Spec.NodeName != b.Node {
		return fmt.Errorf("pod %q was bound to node %q, and is assumed: %t, on node %q", b.Pod.Name, b.Node, assumed, b.Pod.Spec.NodeName)
	}
	if err := r.Sched.Cache.RemoveAssumedPod(klog.Background(), b.Pod); err != nil {
		return fmt.Errorf("removing pod %q: %w", b.Pod.Name, err)
	}
	return nil
}

// Stop ends the scheduler's goroutines.
func (r *Rig) Stop() {
	r.cancel()
	r.Sched.SchedulingQueue.Close()
}
