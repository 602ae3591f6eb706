package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/berth-dev/berth/bench/report"
)

// backlog makes pods and then starts the scheduler. The rate is from the first binding to
// the last.
func backlog(ctx context.Context, w *world, c contender) ([]report.Measure, error) {
	n := w.few(5000, 60)
	var pods []*corev1.Pod
	for i := range n {
		pods = append(pods, podSpec{name: fmt.Sprintf("pod-%d", i), namespace: measuredNamespace, role: measured, scheduler: c.scheduler, gpus: 1, cpus: 4}.pod())
	}
	if err := w.createPods(ctx, pods, nil); err != nil {
		return nil, err
	}
	o, err := observe(ctx, w.client)
	if err != nil {
		return nil, err
	}
	defer o.close()
	before := spending{}
	if before.writes, err = w.writesOf(ctx, c); err != nil {
		return nil, err
	}
	p, err := w.start(ctx, c, false)
	if err != nil {
		return nil, err
	}
	defer p.end()
	if err := o.wait(ctx, p, n); err != nil {
		return nil, err
	}
	at := o.times()
	out := []report.Measure{{Name: "pods/s", Value: float64(n-1) / at[n-1].Sub(at[0]).Seconds()}}
	more, err := w.cost(ctx, p, before, n)
	return append(out, more...), err
}

// gangs makes gangs while the scheduler runs.
func gangs(ctx context.Context, w *world, c contender) ([]report.Measure, error) {
	return w.gangs(ctx, c, gangSpec{gangs: w.few(1000, 8), size: 4, gpus: 1})
}

// racks makes gangs that have to be in one rack.
func racks(ctx context.Context, w *world, c contender) ([]report.Measure, error) {
	return w.gangs(ctx, c, gangSpec{gangs: w.few(64, 3), size: w.few(16, 4), gpus: 8, rack: true})
}

// gangSpec are gangs that are alike.
type gangSpec struct {
	gangs, size, gpus int
	rack              bool
	prefix            string
}

func (s gangSpec) name(gang int) string { return fmt.Sprintf("%sgang-%d", s.prefix, gang) }

func (s gangSpec) pods(scheduler string) []*corev1.Pod {
	var pods []*corev1.Pod
	for g := range s.gangs {
		for i := range s.size {
			pods = append(pods, podSpec{
				name: fmt.Sprintf("%s-%d", s.name(g), i), namespace: measuredNamespace, role: measured,
				scheduler: scheduler, gpus: s.gpus, cpus: 4 * s.gpus, group: s.name(g),
			}.pod())
		}
	}
	return pods
}

// gangs makes gangs while the scheduler runs. The rate is from the first pod that is made to
// the last binding.
func (w *world) gangs(ctx context.Context, c contender, s gangSpec) ([]report.Measure, error) {
	p, err := w.ready(ctx, c)
	if err != nil {
		return nil, err
	}
	defer p.end()
	before, err := w.spending(ctx, p)
	if err != nil {
		return nil, err
	}
	found, err := w.place(ctx, p, s)
	if err != nil {
		return nil, err
	}
	out := []report.Measure{
		{Name: "pods/s", Value: float64(s.gangs*s.size) / found.seconds},
		{Name: "gangs/s", Value: float64(s.gangs) / found.seconds},
		{Name: "gang p50 s", Value: quantile(found.waits, 0.5)},
		{Name: "gang p99 s", Value: quantile(found.waits, 0.99)},
	}
	more, err := w.cost(ctx, p, before, s.gangs*s.size)
	return append(out, more...), err
}

// placed says how long gangs took.
type placed struct {
	// seconds are from the first pod that is made to the last binding.
	seconds float64
	// waits are, for each gang, from when its last pod was made to when that was bound, in
	// seconds and in order.
	waits []float64
}

// place makes gangs and waits until they are bound.
func (w *world) place(ctx context.Context, p *process, s gangSpec) (placed, error) {
	var names []string
	for g := range s.gangs {
		names = append(names, s.name(g))
	}
	if err := w.createGroups(ctx, names, s.size, s.rack); err != nil {
		return placed{}, err
	}
	o, err := observe(ctx, w.client)
	if err != nil {
		return placed{}, err
	}
	defer o.close()
	began := time.Now()
	made := map[string]time.Time{}
	pods := s.pods(p.contender.scheduler)
	// A few gangs at a time, so that it is known when each was there.
	chunk := 16 * s.size
	for some := range slices.Chunk(pods, chunk) {
		if err := w.createPods(ctx, some, nil); err != nil {
			return placed{}, err
		}
		now := time.Now()
		for _, pod := range some {
			made[pod.Name] = now
		}
	}
	if err := o.wait(ctx, p, len(pods)); err != nil {
		return placed{}, err
	}
	var out placed
	at := o.times()
	out.seconds = at[len(at)-1].Sub(began).Seconds()
	for g := range s.gangs {
		wait := 0.0
		for i := range s.size {
			name := fmt.Sprintf("%s-%d", s.name(g), i)
			wait = max(wait, o.at(name).Sub(made[name]).Seconds())
		}
		out.waits = append(out.waits, wait)
	}
	slices.Sort(out.waits)
	return out, nil
}

// spike scales a Deployment from nothing. The rate is from that change to the last binding.
func spike(ctx context.Context, w *world, c contender) ([]report.Measure, error) {
	n := w.few(5000, 60)
	p, err := w.ready(ctx, c)
	if err != nil {
		return nil, err
	}
	defer p.end()
	pod := podSpec{namespace: measuredNamespace, role: measured, scheduler: c.scheduler, gpus: 1, cpus: 4}.pod()
	pod.Spec.RestartPolicy = corev1.RestartPolicyAlways
	deployment := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: "inference", Namespace: measuredNamespace},
		Spec: appsv1.DeploymentSpec{
			Replicas: new(int32(0)),
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{runLabel: measured}},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: pod.Labels, Annotations: pod.Annotations}, Spec: pod.Spec},
		},
	}
	deployments := w.client.AppsV1().Deployments(measuredNamespace)
	if deployment, err = deployments.Create(ctx, deployment, metav1.CreateOptions{}); err != nil {
		return nil, fmt.Errorf("creating a Deployment: %w", err)
	}
	if err := w.poll(ctx, "the deployment controller", func() (bool, error) {
		found, err := deployments.Get(ctx, deployment.Name, metav1.GetOptions{})
		return err == nil && found.Status.ObservedGeneration > 0, err
	}); err != nil {
		return nil, err
	}
	before, err := w.spending(ctx, p)
	if err != nil {
		return nil, err
	}
	o, err := observe(ctx, w.client)
	if err != nil {
		return nil, err
	}
	defer o.close()
	scale, err := deployments.GetScale(ctx, deployment.Name, metav1.GetOptions{})
	if err != nil {
		return nil, fmt.Errorf("reading the scale of a Deployment: %w", err)
	}
	scale.Spec.Replicas = int32(n)
	began := time.Now()
	if _, err := deployments.UpdateScale(ctx, deployment.Name, scale, metav1.UpdateOptions{}); err != nil {
		return nil, fmt.Errorf("scaling a Deployment: %w", err)
	}
	if err := o.wait(ctx, p, n); err != nil {
		return nil, err
	}
	at := o.times()
	out := []report.Measure{{Name: "last bound s", Value: at[len(at)-1].Sub(began).Seconds()}}
	more, err := w.cost(ctx, p, before, n)
	return append(out, more...), err
}

// spending is what a process has used until now, and how much it has written.
type spending struct {
	usage
	writes int
}

func (w *world) spending(ctx context.Context, p *process) (out spending, err error) {
	if out.usage, err = p.usage(ctx); err != nil {
		return out, err
	}
	out.writes, err = w.writesOf(ctx, p.contender)
	return out, err
}

// cost is what a process has used since for pods that were seen bound, and written. A watch shows
// a binding before the API server has answered and logged it, so cost waits until so many are.
func (w *world) cost(ctx context.Context, p *process, before spending, pods int) ([]report.Measure, error) {
	now, err := w.spending(ctx, p)
	if err != nil {
		return nil, err
	}
	if err := w.poll(ctx, "the API server to log the bindings of "+p.contender.name, func() (bool, error) {
		if now.writes-before.writes >= pods {
			return true, nil
		}
		now.writes, err = w.writesOf(ctx, p.contender)
		return false, err
	}); err != nil {
		return nil, err
	}
	peak, err := p.PeakMemory()
	if err != nil {
		return nil, err
	}
	return []report.Measure{
		{Name: "scheduler CPU s per 1,000 pods", Value: 1000 * (now.cpu - before.cpu).Seconds() / float64(pods)},
		{Name: "writes a pod", Value: float64(now.writes-before.writes) / float64(pods)},
		{Name: "peak memory MiB", Value: float64(peak) / (1 << 20)},
	}, nil
}

// few is how much of something there is.
func (w *world) few(full, small int) int {
	if w.small {
		return small
	}
	return full
}

// quantile returns a quantile of sorted values.
func quantile(sorted []float64, q float64) float64 {
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}
