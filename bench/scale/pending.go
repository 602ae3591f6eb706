package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/berth-dev/berth/bench/report"
)

// pending places gangs, first alone and then behind pods that fit nowhere. No node of the
// filled cluster has room for a pod of 8 GPUs.
func pending(ctx context.Context, w *world, c contender) ([]report.Measure, error) {
	p, err := w.ready(ctx, c)
	if err != nil {
		return nil, err
	}
	defer p.end()
	fit := gangSpec{gangs: w.few(500, 5), size: 2, gpus: 1, prefix: "alone-"}
	alone, err := w.place(ctx, p, fit)
	if err != nil {
		return nil, err
	}
	if err := settled(ctx, p); err != nil {
		return nil, err
	}
	before, err := w.Writes(ctx, c.user)
	if err != nil {
		return nil, err
	}
	n := w.few(10000, 50)
	var pods []*corev1.Pod
	for i := range n {
		pods = append(pods, podSpec{
			name: fmt.Sprintf("hopeless-%d", i), namespace: measuredNamespace, role: hopeless, scheduler: c.scheduler,
			gpus: 8, cpus: 32, owner: fmt.Sprintf("job-%d", i*20/n),
		}.pod())
	}
	if err := w.createPods(ctx, pods, nil); err != nil {
		return nil, err
	}
	fit.prefix = "behind-"
	behind, err := w.place(ctx, p, fit)
	if err != nil {
		return nil, err
	}
	if err := settled(ctx, p); err != nil {
		return nil, err
	}
	after, err := w.Writes(ctx, c.user)
	if err != nil {
		return nil, err
	}
	statuses, events := 0, 0
	for what, count := range after {
		switch count -= before[what]; {
		case strings.HasSuffix(what, "pods/status"):
			statuses += count
		case strings.HasSuffix(what, " events"):
			events += count
		}
	}
	began, err := w.spending(ctx, p)
	if err != nil {
		return nil, err
	}
	if err := pause(ctx, time.Duration(w.few(int(30*time.Second), int(time.Second)))); err != nil {
		return nil, err
	}
	ended, err := w.spending(ctx, p)
	if err != nil {
		return nil, err
	}
	idle := ended.since(began.usage)
	return []report.Measure{
		{Name: "gangs alone s", Value: alone.seconds},
		{Name: "gangs behind the others s", Value: behind.seconds},
		{Name: "gang p99 alone s", Value: quantile(alone.waits, 0.99)},
		{Name: "gang p99 behind the others s", Value: quantile(behind.waits, 0.99)},
		{Name: "statuses a hopeless pod", Value: float64(statuses) / float64(n)},
		{Name: "events a hopeless pod", Value: float64(events) / float64(n)},
		{Name: "CPU of a core % afterwards", Value: 100 * idle.cpu.Seconds() / idle.long.Seconds()},
		{Name: "writes/s afterwards", Value: float64(ended.writes-began.writes) / idle.long.Seconds()},
	}, nil
}
