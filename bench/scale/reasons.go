package main

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/berth-dev/berth/bench/report"
	"github.com/berth-dev/berth/pkg/api/v1alpha1"
)

// comes begins the names of gangs that come and go.
const comes = "churn-"

// shortQueue is a queue that has less than is asked of it.
const shortQueue = "scale-short"

// reasons has 2,000 gangs wait, for reasons of many kinds, while each second a gang comes, is
// placed and goes, and each half minute a whole node comes free and is taken again. Once
// all were tried, it counts what is written to tell why they wait, the processor time of finding
// that out, and how long berthctl why takes at a prompt.
func reasons(ctx context.Context, w *world, c contender) ([]report.Measure, error) {
	prompt := filepath.Join(w.Dir(), "berthctl")
	if err := build(ctx, prompt, "github.com/berth-dev/berth/cmd/berthctl", ""); err != nil {
		return nil, err
	}
	queue := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "berth.dev/v1alpha1", "kind": "Queue", "metadata": map[string]any{"name": shortQueue},
		"spec": map[string]any{
			"namespaces": []any{measuredNamespace},
			"resources":  []any{map[string]any{"name": "nvidia.com/gpu", "limit": "2"}},
		},
	}}
	if _, err := w.dynamic.Resource(v1alpha1.QueuesResource).Create(ctx, queue, metav1.CreateOptions{}); err != nil {
		return nil, fmt.Errorf("creating queue %q: %w", shortQueue, err)
	}
	defer w.dynamic.Resource(v1alpha1.QueuesResource).Delete(context.WithoutCancel(ctx), shortQueue, metav1.DeleteOptions{}) //nolint:errcheck // The cluster ends soon.
	p, err := w.ready(ctx, c)
	if err != nil {
		return nil, err
	}
	defer p.end()

	began := time.Now()
	waiting, err := w.hold(ctx, c)
	if err != nil {
		return nil, err
	}
	made := time.Now()
	if err := w.told(ctx, p); err != nil {
		return nil, err
	}
	told := time.Now()
	before, pods, err := w.tried(ctx, c)
	if err != nil {
		return nil, err
	}
	tried := time.Now()
	used, err := p.usage(ctx)
	if err != nil {
		return nil, err
	}
	span := time.Duration(w.few(int(w.reasonsFor), int(5*time.Second)))
	var profile string
	group, busy := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		profile, err = w.profile(busy, p, span-2*time.Second)
		return err
	})
	group.Go(func() error { return w.churn(busy, c, span) })
	if err := group.Wait(); err != nil {
		return nil, err
	}
	since, err := p.usage(ctx)
	if err != nil {
		return nil, err
	}
	after, err := w.writesOfReasons(ctx, c)
	if err != nil {
		return nil, err
	}
	share, err := shareOf(ctx, profile, reasonFunctions)
	if err != nil {
		return nil, err
	}
	words, err := shareOf(ctx, profile, wordFunctions)
	if err != nil {
		return nil, err
	}
	whys, err := w.askWhy(ctx, p, prompt, waiting)
	if err != nil {
		return nil, err
	}
	spent := since.since(used)
	sum := func(counts map[string]int) (n int) {
		for _, what := range reasonWrites {
			n += counts[what]
		}
		return n
	}
	rate := func(what ...string) float64 {
		writes := 0
		for _, w := range what {
			writes += after[w] - before[w]
		}
		return float64(writes) / spent.long.Seconds()
	}
	return []report.Measure{
		{Name: "gangs that wait", Value: float64(len(waiting))},
		{Name: "made in s", Value: made.Sub(began).Seconds()},
		{Name: "told s after the last was made", Value: told.Sub(made).Seconds()},
		{Name: "all tried s after that", Value: tried.Sub(told).Seconds()},
		{Name: "reason writes a pod until then", Value: float64(sum(before)) / float64(pods)},
		{Name: "reason writes/s", Value: rate(reasonWrites...)},
		{Name: "of these pod conditions/s", Value: rate("pods/status")},
		{Name: "group statuses/s", Value: rate("podgroups/status")},
		{Name: "events/s", Value: rate("events")},
		{Name: "CPU of a core %", Value: 100 * spent.cpu.Seconds() / spent.long.Seconds()},
		{Name: "reasons, % of that", Value: share},
		{Name: "with events and groups' statuses %", Value: words},
		{Name: "berthctl why, median ms", Value: quantile(whys, 0.5)},
		{Name: "berthctl why, 95th percentile ms", Value: quantile(whys, 0.95)},
		{Name: "berthctl why, most ms", Value: whys[len(whys)-1]},
	}, nil
}

// hold makes gangs that wait, and returns their names: for a node with room for their pods, for
// a rack, for their queue, and for members that are not made.
func (w *world) hold(ctx context.Context, c contender) ([]string, error) {
	each := w.few(480, 4)
	var waiting []string
	for _, s := range []struct {
		gangSpec
		made  int
		queue string
	}{
		{gangSpec{prefix: "node-", gangs: each, size: 4, gpus: 8}, 4, ""},
		{gangSpec{prefix: "few-", gangs: each, size: 2, gpus: 6}, 2, ""},
		{gangSpec{prefix: "queue-", gangs: each, size: 4, gpus: 1}, 4, shortQueue},
		{gangSpec{prefix: "members-", gangs: each, size: 4, gpus: 1}, 3, ""},
		{gangSpec{prefix: "rack-", gangs: w.few(80, 2), size: 64, gpus: 3, rack: true}, 64, ""},
	} {
		var names []string
		var pods []*corev1.Pod
		for g := range s.gangs {
			names = append(names, s.name(g))
		}
		for i, pod := range s.pods(c.scheduler) {
			if i%s.size >= s.made {
				continue
			}
			pod.Labels[runLabel] = hopeless
			if s.queue != "" {
				pod.Labels["berth.dev/queue"] = s.queue
			}
			pods = append(pods, pod)
		}
		if err := w.createGroups(ctx, names, s.size, s.rack); err != nil {
			return nil, err
		}
		if err := w.createPods(ctx, pods, nil); err != nil {
			return nil, err
		}
		waiting = append(waiting, names...)
	}
	return waiting, nil
}

// told waits until every pod that waits says why.
func (w *world) told(ctx context.Context, p *process) error {
	return w.poll(ctx, "all pods to say why they wait", func() (bool, error) {
		select {
		case <-p.Exited():
			return false, p.Failure()
		case <-time.After(2 * time.Second):
		}
		pods, err := w.client.CoreV1().Pods(measuredNamespace).List(ctx, metav1.ListOptions{LabelSelector: runLabel + "=" + hopeless, ResourceVersion: "0"})
		if err != nil {
			return false, err
		}
		for i := range pods.Items {
			if pods.Items[i].Spec.NodeName != "" {
				return false, fmt.Errorf("pod %q was to wait, and got node %q", pods.Items[i].Name, pods.Items[i].Spec.NodeName)
			}
			if !slices.ContainsFunc(pods.Items[i].Status.Conditions, func(c corev1.PodCondition) bool {
				return c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse && c.Message != ""
			}) {
				return false, nil
			}
		}
		return len(pods.Items) > 0, nil
	})
}

// churn makes a gang of 4 in each second, and ends the one before the last. Each half minute a
// pod of the filled cluster ends and comes again ten seconds later, so that its node is whole for
// a while: one gang of those that wait for a node would fit on a part of its nodes.
func (w *world) churn(ctx context.Context, c contender, span time.Duration) error {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	now := metav1.DeleteOptions{GracePeriodSeconds: new(int64(0))}
	pods := w.client.CoreV1().Pods(filledNamespace)
	for second := range int(span / time.Second) {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		come := gangSpec{prefix: fmt.Sprintf("%s%d-", comes, second), gangs: 1, size: 4, gpus: 1}
		if err := w.createGroups(ctx, []string{come.name(0)}, come.size, false); err != nil {
			return err
		}
		if err := w.createPods(ctx, come.pods(c.scheduler), nil); err != nil {
			return err
		}
		if second >= 2 {
			gone := gangSpec{prefix: fmt.Sprintf("%s%d-", comes, second-2), gangs: 1, size: 4}
			for _, pod := range gone.pods(c.scheduler) {
				if err := w.client.CoreV1().Pods(measuredNamespace).Delete(ctx, pod.Name, now); err != nil {
					return fmt.Errorf("ending pod %q: %w", pod.Name, err)
				}
			}
			if err := w.dynamic.Resource(podGroups).Namespace(measuredNamespace).Delete(ctx, gone.name(0), now); err != nil {
				return fmt.Errorf("ending gang %q: %w", gone.name(0), err)
			}
		}
		name := fmt.Sprintf("filled-%d-0", second/30%w.nodes)
		switch second % 30 {
		case 0:
			if err := pods.Delete(ctx, name, now); err != nil {
				return fmt.Errorf("ending pod %q: %w", name, err)
			}
		case 10:
			s := podSpec{name: name, namespace: filledNamespace, role: "filled", scheduler: c.scheduler, gpus: filledGPUs}
			if _, err := pods.Create(ctx, s.pod(), metav1.CreateOptions{}); err != nil {
				return fmt.Errorf("making pod %q again: %w", name, err)
			}
		}
	}
	return nil
}

// reasonWrites are the resources in which it is told why something waits.
var reasonWrites = []string{"pods/status", "podgroups/status", "events"}

// tried waits until every gang that waits was tried, and its pods say what came of that: until
// less than ten reasons a second are written, or five minutes have passed. It returns what was
// written until then, and how many pods wait.
func (w *world) tried(ctx context.Context, c contender) (written map[string]int, pods int, err error) {
	list, err := w.client.CoreV1().Pods(measuredNamespace).List(ctx, metav1.ListOptions{LabelSelector: runLabel + "=" + hopeless, ResourceVersion: "0"})
	if err != nil {
		return nil, 0, err
	}
	const most = 10
	span := time.Duration(w.few(int(15*time.Second), int(time.Second)))
	for began := time.Now(); ; {
		last := written
		if written, err = w.writesOfReasons(ctx, c); err != nil {
			return nil, 0, err
		}
		if n := written["pods/status"] - last["pods/status"]; last != nil && float64(n) < most*span.Seconds() || time.Since(began) > 5*time.Minute {
			return written, len(list.Items), nil
		}
		if err := pause(ctx, span); err != nil {
			return nil, 0, err
		}
	}
}

// writesOfReasons counts what a contender has written until now about gangs that wait, by
// resource: all but what is about pods that come and go.
func (w *world) writesOfReasons(ctx context.Context, c contender) (map[string]int, error) {
	found, err := w.RequestsAbout(ctx, c.user, func(name string) bool {
		return !strings.HasPrefix(name, comes) && !strings.HasPrefix(name, "filled-")
	})
	if err != nil {
		return nil, err
	}
	out := map[string]int{}
	for what, n := range found {
		if verb, resource, _ := strings.Cut(what, " "); verb != "get" && verb != "list" && verb != "watch" {
			out[resource] += n
		}
	}
	return out, nil
}

// askWhy asks berthctl 100 times why a gang waits, of each kind in turn, and returns how long that
// took, in milliseconds and in order.
func (w *world) askWhy(ctx context.Context, p *process, prompt string, waiting []string) ([]float64, error) {
	const times = 100
	kubeconfig := filepath.Join(w.Dir(), "prompt.kubeconfig")
	if err := w.WriteAdminKubeconfig(kubeconfig); err != nil {
		return nil, err
	}
	var took []float64
	for i := range times {
		name := waiting[i*len(waiting)/times]
		began := time.Now()
		out, err := exec.CommandContext(ctx, prompt, "why", name, "--namespace", measuredNamespace, "--kubeconfig", kubeconfig,
			"--server", fmt.Sprintf("https://127.0.0.1:%d", p.port), "--insecure-skip-tls-verify").CombinedOutput()
		if err != nil {
			return nil, fmt.Errorf("asking why %s waits: %w\n%s", name, err, out)
		}
		took = append(took, float64(time.Since(began))/float64(time.Millisecond))
	}
	slices.Sort(took)
	return took, nil
}
