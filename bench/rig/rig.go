package main

import (
	"context"
	"fmt"
	"maps"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	schedulingv1beta1 "k8s.io/api/scheduling/v1beta1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
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

// rig is a scheduler that the benchmark drives: no informer runs, and what they
// would bring is put into the cache and the queue.
type rig struct {
	ctx      context.Context
	cancel   context.CancelFunc
	client   kubernetes.Interface
	sched    *scheduler.Scheduler
	snapshot *internalcache.Snapshot
	who      *schedulers.Scheduler
	counter  *counter
	nodes    int
	binder   *noBind
	// made is how many pods were added.
	made int
	// failed is the first refusal or error: there must be none. The scheduling loop
	// sets it, which is the caller.
	failed error
}

// newRig makes a cluster of nodes that is filled to a part, and a scheduler for it,
// whose profile may be changed.
func newRig(name string, nodes int, part float64, change ...func(*schedulerconfig.KubeSchedulerProfile)) (*rig, error) {
	counter := newCounter(nodes, part)
	who, err := schedulers.New(name, counter)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &rig{ctx: ctx, cancel: cancel, client: fake.NewClientset(), who: who, counter: counter, nodes: nodes, binder: newNoBind()}
	if err := r.build(change); err != nil {
		cancel()
		return nil, fmt.Errorf("making scheduler %q: %w", name, err)
	}
	if err := r.populate(part); err != nil {
		r.stop()
		return nil, fmt.Errorf("making the cluster of %q: %w", name, err)
	}
	return r, nil
}

func (r *rig) build(change []func(*schedulerconfig.KubeSchedulerProfile)) error {
	profile, err := r.who.Profile()
	if err != nil {
		return err
	}
	bindNothing(profile)
	for _, c := range change {
		c(profile)
	}
	registry := frameworkruntime.Registry{noBindName: func(context.Context, runtime.Object, fwk.Handle) (fwk.Plugin, error) { return r.binder, nil }}
	maps.Copy(registry, r.who.Plugins)
	r.sched, err = scheduler.New(r.ctx, r.client, informers.NewSharedInformerFactory(r.client, 0), nil,
		func(string) events.EventRecorderLogger { return &events.FakeRecorder{} },
		scheduler.WithProfiles(*profile), scheduler.WithFrameworkOutOfTreeRegistry(registry))
	if err != nil {
		return err
	}
	r.sched.FailureHandler = func(_ context.Context, _ framework.Framework, info *framework.QueuedPodInfo, status *fwk.Status, _ *fwk.NominatingInfo, _ time.Time) {
		if r.failed == nil {
			r.failed = fmt.Errorf("pod %q was not placed: %w", info.Pod.Name, status.AsError())
		}
	}
	snapshot, ok := r.sched.Profiles[corev1.DefaultSchedulerName].SnapshotSharedLister().(*internalcache.Snapshot)
	if !ok {
		return fmt.Errorf("the profile reads from no snapshot of the scheduler's")
	}
	r.snapshot = snapshot
	return r.who.Attach(r.sched)
}

// populate fills the cache.
func (r *rig) populate(part float64) error {
	for i := range r.nodes {
		r.sched.Cache.AddNode(klog.Background(), node(i))
	}
	var failed error
	prefill(r.nodes, part, func(p *corev1.Pod, node int) {
		p.Spec.NodeName = nodeName(node)
		if err := r.sched.Cache.AddPod(klog.Background(), p); err != nil && failed == nil {
			failed = err
		}
	})
	if failed != nil {
		return failed
	}
	return r.refresh()
}

// refresh brings the snapshot up to date with the cache. A cycle does so itself, for
// the pods placed since the last one; what the benchmark changes is not to be a part
// of that.
func (r *rig) refresh() error {
	return r.sched.Cache.UpdateSnapshot(klog.Background(), r.snapshot)
}

// queue puts n pods of one GPU into the scheduling queue.
func (r *rig) queue(n int) {
	for range n {
		r.made++
		r.sched.SchedulingQueue.Add(r.ctx, pod("pod-"+strconv.Itoa(r.made), 1))
	}
}

// queueGang puts a gang into the scheduling queue. The group comes last, and takes
// all its pods with it.
func (r *rig) queueGang(group *schedulingv1beta1.PodGroup, pods []*corev1.Pod) error {
	// The scheduler writes the group's condition at the end of its cycle.
	if _, err := r.client.SchedulingV1beta1().PodGroups(group.Namespace).Create(r.ctx, group, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("creating pod group %q: %w", group.Name, err)
	}
	for _, p := range pods {
		r.sched.Cache.AddPodGroupMember(p)
	}
	for _, p := range pods {
		r.sched.SchedulingQueue.Add(r.ctx, p)
	}
	r.sched.Cache.AddPodGroup(group)
	r.sched.SchedulingQueue.AddPodGroup(klog.Background(), group)
	return r.refresh()
}

// removeGang takes back queueGang, after the pods are gone.
func (r *rig) removeGang(group *schedulingv1beta1.PodGroup) {
	r.sched.SchedulingQueue.DeletePodGroup(klog.Background(), group)
	r.sched.Cache.RemovePodGroup(klog.Background(), group)
}

// remove takes pods away that NoBind got. Each must be assumed on the node that it
// was to be bound to.
func (r *rig) remove(bound []binding) error {
	for _, b := range bound {
		assumed, err := r.sched.Cache.IsAssumedPod(b.pod)
		if err != nil {
			return fmt.Errorf("looking for pod %q: %w", b.pod.Name, err)
		}
		if !assumed || b.node == "" || b.pod.Spec.NodeName != b.node {
			return fmt.Errorf("pod %q was bound to node %q, and is assumed: %t, on node %q", b.pod.Name, b.node, assumed, b.pod.Spec.NodeName)
		}
		if err := r.sched.Cache.RemoveAssumedPod(klog.Background(), b.pod); err != nil {
			return fmt.Errorf("removing pod %q: %w", b.pod.Name, err)
		}
	}
	r.counter.removed()
	return r.refresh()
}

// drain takes the pods that are left out of the queue.
func (r *rig) drain() {
	left, _ := r.sched.SchedulingQueue.PendingPods()
	for _, p := range left {
		r.sched.SchedulingQueue.Delete(klog.Background(), p)
	}
}

// stop ends the scheduler's goroutines.
func (r *rig) stop() {
	r.cancel()
	r.sched.SchedulingQueue.Close()
}
