package main

import (
	"context"
	"fmt"
	"os"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/klog/v2"

	"github.com/berth-dev/berth/bench/report"
	"github.com/berth-dev/berth/bench/rig"
	"github.com/berth-dev/berth/bench/schedulers"
	"github.com/berth-dev/berth/pkg/api/v1alpha1"
)

// queueCosts measures what queues cost a pod: with them over without, on every cluster.
func (o *options) queueCosts() ([]report.QueuePairRow, error) {
	var rows []report.QueuePairRow
	for _, nodes := range o.nodes {
		for _, fill := range o.fills {
			start := time.Now()
			row, err := o.queueCost(nodes, fill)
			if err != nil {
				return nil, fmt.Errorf("pairs of %d queues and none on %d nodes, %s: %w", o.queues, nodes, fill, err)
			}
			rows = append(rows, row)
			fmt.Fprintf(os.Stderr, "%6d queues, %6d nodes, %-5s  %9.1f µs without, %9.1f with: %.3f (quartiles %.3f and %.3f; %s)\n", row.Queues, nodes, fill,
				row.NsWithout/1000, row.NsWith/1000, row.Ratio, row.Lower, row.Upper, time.Since(start).Round(time.Second))
		}
	}
	return rows, nil
}

func (o *options) queueCost(nodes int, fill string) (report.QueuePairRow, error) {
	forest := newForest(o.queues, nodes)
	p := &pair{}
	defer p.stop()
	for i, objects := range [][]*v1alpha1.Queue{nil, forest.objects} {
		l, err := newQueueLoop(nodes, fills[fill], forest, objects)
		if err != nil {
			return report.QueuePairRow{}, err
		}
		p.loops[i] = l
		if _, err := l.cycles(min(warmUp, l.batch()), 0); err != nil {
			return report.QueuePairRow{}, err
		}
	}
	found, err := p.measure(o.queuePairs, 0)
	return report.QueuePairRow{Queues: len(forest.objects), Nodes: nodes, Fill: fill, InTurn: found}, err
}

// newQueueLoop makes a cluster with all of Berth, whose informers do not run, and pods of all
// queues of a forest. The objects are the queues that there are.
func newQueueLoop(nodes int, part float64, forest *forest, objects []*v1alpha1.Queue) (*loop, error) {
	server, err := rig.NewServer(0, objects, func(*corev1.Pod) {})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	who, embedded, err := schedulers.NewEngine(ctx, server.Clients())
	if err != nil {
		cancel()
		return nil, err
	}
	r, err := rig.New(who)
	if err != nil {
		cancel()
		return nil, err
	}
	l := &loop{Rig: r, counter: newCounter(nodes, part), nodes: nodes, engine: embedded, forest: forest, cancel: cancel}
	l.refuseNone()
	if err := l.populate(setup{scheduler: who.Name, nodes: nodes, part: part}); err != nil {
		l.Stop()
		return nil, fmt.Errorf("making the cluster: %w", err)
	}
	for i := range nodes {
		embedded.Queues().SetNode(rig.Node(i))
	}
	return l, nil
}

// tell has the engine hear of a new pod of the next queue, as its informer does.
func (l *loop) tell(p *corev1.Pod) {
	p.Labels = map[string]string{queueLabel: l.forest.leaf(l.made)}
	l.Sched.SchedulingQueue.Add(l.Ctx, p)
	l.engine.SetPod(p)
}

// forget has it hear that a pod is gone.
func (l *loop) forget(p *corev1.Pod) {
	l.Sched.SchedulingQueue.Delete(klog.Background(), p)
	l.engine.DeletePod(p)
}
