package main

import (
	"context"
	"fmt"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
	schedulerconfig "k8s.io/kubernetes/pkg/scheduler/apis/config"

	"github.com/berth-dev/berth/bench/rig"
	"github.com/berth-dev/berth/bench/schedulers"
	"github.com/berth-dev/berth/pkg/engine"
)

// loop is a scheduler on a cluster that is filled to a part, through which pods go.
type loop struct {
	*rig.Rig
	counter *counter
	nodes   int
	// made is how many pods were added.
	made int
	// failed is the first refusal or error: there must be none. The scheduling loop
	// sets it, which is the caller.
	failed error
	// engine is what is told of pods, and cancel ends it; nil for a scheduler without. Its
	// pods are of the queues of forest.
	engine *engine.Embedded
	cancel context.CancelFunc
	forest *forest
}

// setup says what a loop is made of.
type setup struct {
	scheduler string
	nodes     int
	// part is how much of the GPUs is taken.
	part float64
	// machine is the model of every node, of which a scheduler with topologies is told
	// how its devices are linked.
	machine *rig.Model
}

// newLoop makes a cluster and a scheduler for it, whose profile may be changed.
func newLoop(s setup, change ...func(*schedulerconfig.KubeSchedulerProfile)) (*loop, error) {
	counter := newCounter(s.nodes, s.part)
	who, err := schedulers.New(s.scheduler, counter)
	if err != nil {
		return nil, err
	}
	r, err := rig.New(who, change...)
	if err != nil {
		return nil, err
	}
	l := &loop{Rig: r, counter: counter, nodes: s.nodes}
	l.refuseNone()
	if err := l.populate(s); err != nil {
		l.Stop()
		return nil, fmt.Errorf("making the cluster of %q: %w", s.scheduler, err)
	}
	return l, nil
}

// refuseNone has a refusal be a failure.
func (l *loop) refuseNone() {
	l.OnFailure(func(pod *corev1.Pod, status *fwk.Status) {
		if l.failed == nil {
			l.failed = fmt.Errorf("pod %q was not placed: %w", pod.Name, status.AsError())
		}
	})
}

// Stop ends the scheduler, and the engine around it.
func (l *loop) Stop() {
	if l.cancel != nil {
		l.cancel()
	}
	l.Rig.Stop()
}

// populate fills the cache.
func (l *loop) populate(s setup) error {
	for i := range s.nodes {
		l.Sched.Cache.AddNode(klog.Background(), rig.Node(i))
		if s.scheduler == schedulers.BerthTopology {
			l.Who.Path().SetTopology(s.machine.Topology(rig.NodeName(i)), nil)
		}
	}
	var failed error
	prefill(s.nodes, s.part, func(p *corev1.Pod, node int) {
		p.Spec.NodeName = rig.NodeName(node)
		if err := l.Sched.Cache.AddPod(klog.Background(), p); err != nil && failed == nil {
			failed = err
		}
	})
	if failed != nil {
		return failed
	}
	return l.Refresh()
}

// queue puts n pods of one GPU into the scheduling queue.
func (l *loop) queue(n int) {
	for range n {
		l.made++
		p := rig.Pod("pod-"+strconv.Itoa(l.made), 1)
		if l.engine != nil {
			l.tell(p)
			continue
		}
		l.Sched.SchedulingQueue.Add(l.Ctx, p)
	}
}

// queueGang puts a gang into the scheduling queue.
func (l *loop) queueGang(g rig.Gang) error {
	// The scheduler writes the group's condition at the end of its cycle.
	if _, err := l.Client.SchedulingV1beta1().PodGroups(g.Group.Namespace).Create(l.Ctx, g.Group, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("creating pod group %q: %w", g.Group.Name, err)
	}
	l.QueueGang(g)
	return l.Refresh()
}

// removeGang takes back queueGang, after the pods are gone.
func (l *loop) removeGang(g rig.Gang) error {
	l.RemoveGroup(g)
	if err := l.Client.SchedulingV1beta1().PodGroups(g.Group.Namespace).Delete(l.Ctx, g.Group.Name, metav1.DeleteOptions{}); err != nil {
		return fmt.Errorf("removing pod group %q: %w", g.Group.Name, err)
	}
	return l.Refresh()
}

// takeAway removes pods that were bound.
func (l *loop) takeAway(bound []rig.Binding) error {
	for _, b := range bound {
		if err := l.Remove(b); err != nil {
			return err
		}
		if l.engine != nil {
			l.forget(b.Pod)
		}
	}
	l.counter.removed()
	return l.Refresh()
}

// drain takes the pods that are left out of the queue.
func (l *loop) drain() {
	left, _ := l.Sched.SchedulingQueue.PendingPods()
	for _, p := range left {
		l.Sched.SchedulingQueue.Delete(klog.Background(), p)
	}
}
