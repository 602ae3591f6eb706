package main

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/berth-dev/berth/bench/report"
)

// idleFor is how long an idle scheduler is watched.
const idleFor = 10 * time.Second

// events changes what decides nothing, and sees what the scheduler does about it: the
// status of bound pods, as a kubelet reports it, and the heartbeats of nodes.
func events(ctx context.Context, w *world, c contender) ([]report.Measure, error) {
	p, err := w.ready(ctx, c)
	if err != nil {
		return nil, err
	}
	defer p.end()
	if err := settled(ctx, p); err != nil {
		return nil, err
	}
	began, err := p.usage(ctx)
	if err != nil {
		return nil, err
	}
	if err := pause(ctx, idleFor); err != nil {
		return nil, err
	}
	ended, err := p.usage(ctx)
	if err != nil {
		return nil, err
	}
	idle := ended.since(began)
	out := []report.Measure{{Name: "idle CPU of a core %", Value: 100 * idle.cpu.Seconds() / idle.long.Seconds()}}
	for _, kind := range []struct {
		what   string
		change func(ctx context.Context, count int) (int, error)
	}{{"pod status", w.touchPods}, {"node heartbeat", w.touchNodes}} {
		more, err := w.changes(ctx, p, idle, kind.what, kind.change)
		if err != nil {
			return nil, err
		}
		out = append(out, more...)
	}
	return out, nil
}

// spent is what a process used over some time.
type spent struct {
	long, cpu      time.Duration
	bytes, objects float64
}

func (u usage) since(before usage) spent {
	return spent{u.at.Sub(before.at), u.cpu - before.cpu, u.bytes - before.bytes, u.objects - before.objects}
}

// changes makes changes and returns what each of them costs beyond being idle.
func (w *world) changes(ctx context.Context, p *process, idle spent, what string, change func(context.Context, int) (int, error)) ([]report.Measure, error) {
	before, err := p.usage(ctx)
	if err != nil {
		return nil, err
	}
	n, err := change(ctx, w.few(5000, 20))
	if err != nil {
		return nil, err
	}
	if err := settled(ctx, p); err != nil {
		return nil, err
	}
	after, err := p.usage(ctx)
	if err != nil {
		return nil, err
	}
	used := after.since(before)
	part := used.long.Seconds() / idle.long.Seconds()
	return []report.Measure{
		{Name: what + ": CPU µs", Value: max(0, 1e6*(used.cpu.Seconds()-part*idle.cpu.Seconds())/float64(n))},
		{Name: what + ": allocations", Value: max(0, (used.objects-part*idle.objects)/float64(n))},
		{Name: what + ": KiB allocated", Value: max(0, (used.bytes-part*idle.bytes)/float64(n)/1024)},
	}, nil
}

// touchPods changes the status of bound pods as a kubelet does, and returns of how many.
func (w *world) touchPods(ctx context.Context, most int) (int, error) {
	pods, err := w.client.CoreV1().Pods(filledNamespace).List(ctx, metav1.ListOptions{Limit: int64(most)})
	if err != nil {
		return 0, fmt.Errorf("listing pods: %w", err)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(writersAtATime)
	now := time.Now().UTC().Format(time.RFC3339)
	for i := range pods.Items {
		group.Go(func() error {
			patch := fmt.Sprintf(`{"status":{"phase":"Running","podIP":"10.%d.%d.%d","startTime":%q,"conditions":[`+
				`{"type":"Initialized","status":"True","lastTransitionTime":%[4]q},{"type":"Ready","status":"True","lastTransitionTime":%[4]q},`+
				`{"type":"ContainersReady","status":"True","lastTransitionTime":%[4]q}]}}`, i>>16&255, i>>8&255, i&255, now)
			_, err := w.client.CoreV1().Pods(filledNamespace).Patch(ctx, pods.Items[i].Name, types.StrategicMergePatchType, []byte(patch), metav1.PatchOptions{}, "status")
			if err != nil {
				return fmt.Errorf("changing the status of pod %q: %w", pods.Items[i].Name, err)
			}
			return nil
		})
	}
	return len(pods.Items), group.Wait()
}

// touchNodes sends heartbeats of nodes.
func (w *world) touchNodes(ctx context.Context, most int) (int, error) {
	nodes, err := w.client.CoreV1().Nodes().List(ctx, metav1.ListOptions{Limit: int64(most)})
	if err != nil {
		return 0, fmt.Errorf("listing the nodes: %w", err)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(writersAtATime)
	now := time.Now().UTC().Format(time.RFC3339)
	for i := range nodes.Items {
		group.Go(func() error {
			patch := fmt.Sprintf(`{"status":{"conditions":[{"type":"Ready","status":"True","reason":"KubeletReady","lastHeartbeatTime":%q}]}}`, now)
			_, err := w.client.CoreV1().Nodes().Patch(ctx, nodes.Items[i].Name, types.StrategicMergePatchType, []byte(patch), metav1.PatchOptions{}, "status")
			if err != nil {
				return fmt.Errorf("sending the heartbeat of node %q: %w", nodes.Items[i].Name, err)
			}
			return nil
		})
	}
	return len(nodes.Items), group.Wait()
}
