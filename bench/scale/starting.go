package main

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/berth-dev/berth/bench/report"
)

// start has a pod wait and starts the scheduler.
func start(ctx context.Context, w *world, c contender) ([]report.Measure, error) {
	o, err := observe(ctx, w.client)
	if err != nil {
		return nil, err
	}
	defer o.close()
	if err := w.createPods(ctx, []*corev1.Pod{w.probe(c, "probe")}, nil); err != nil {
		return nil, err
	}
	p, err := w.start(ctx, c, false)
	if err != nil {
		return nil, err
	}
	defer p.end()
	if err := o.wait(ctx, p, 1); err != nil {
		return nil, err
	}
	used, err := p.usage(ctx)
	if err != nil {
		return nil, err
	}
	peak, err := p.PeakMemory()
	if err != nil {
		return nil, err
	}
	return []report.Measure{
		{Name: "first binding s", Value: o.at("probe").Sub(p.started).Seconds()},
		{Name: "CPU s until then", Value: used.cpu.Seconds()},
		{Name: "peak memory MiB", Value: float64(peak) / (1 << 20)},
	}, nil
}

// probe is a pod that fits anywhere.
func (w *world) probe(c contender, name string) *corev1.Pod {
	return podSpec{name: name, namespace: measuredNamespace, role: measured, scheduler: c.scheduler}.pod()
}

// takeover kills the scheduler that leads, and has a pod wait for the one that stands by.
func takeover(ctx context.Context, w *world, c contender) ([]report.Measure, error) {
	leader, err := w.start(ctx, c, true)
	if err != nil {
		return nil, err
	}
	defer leader.Kill()
	if err := w.warmUp(ctx, leader); err != nil {
		return nil, err
	}
	standby, err := w.start(ctx, c, true)
	if err != nil {
		return nil, err
	}
	defer standby.end()
	if err := w.poll(ctx, "the standby to be up", func() (bool, error) {
		select {
		case <-standby.Exited():
			return false, standby.Failure()
		default:
		}
		_, err := standby.metrics(ctx)
		return err == nil, nil
	}); err != nil {
		return nil, err
	}
	if err := settled(ctx, standby); err != nil {
		return nil, err
	}
	o, err := observe(ctx, w.client)
	if err != nil {
		return nil, err
	}
	defer o.close()
	lease := "kube-scheduler"
	if c.isBerth() {
		lease = "berth"
	}
	holder := func() (string, error) {
		found, err := w.client.CoordinationV1().Leases("kube-system").Get(ctx, lease, metav1.GetOptions{})
		if err != nil {
			return "", fmt.Errorf("reading lease %q: %w", lease, err)
		}
		if found.Spec.HolderIdentity == nil {
			return "", nil
		}
		return *found.Spec.HolderIdentity, nil
	}
	was, err := holder()
	if err != nil {
		return nil, err
	}
	leader.Kill()
	killed := time.Now()
	if err := w.createPods(ctx, []*corev1.Pod{w.probe(c, "probe")}, nil); err != nil {
		return nil, err
	}
	if err := w.poll(ctx, "the standby to have the lease", func() (bool, error) {
		now, err := holder()
		return err == nil && now != "" && now != was, err
	}); err != nil {
		return nil, err
	}
	leads := time.Now()
	if err := o.wait(ctx, standby, 1); err != nil {
		return nil, err
	}
	return []report.Measure{
		{Name: "first binding after the lease ms", Value: 1000 * max(0, o.at("probe").Sub(leads).Seconds())},
		{Name: "lease after the kill s", Value: leads.Sub(killed).Seconds()},
	}, nil
}

// settled waits until a process does next to nothing.
func settled(ctx context.Context, p *process) error {
	const window = time.Second
	for {
		before, err := p.CPUTime()
		if err != nil {
			return err
		}
		select {
		case <-time.After(window):
		case <-p.Exited():
			return p.Failure()
		case <-ctx.Done():
			return fmt.Errorf("waiting until %s is idle: %w", p.contender.name, context.Cause(ctx))
		}
		after, err := p.CPUTime()
		if err != nil {
			return err
		}
		if after-before < window/20 {
			return nil
		}
	}
}
