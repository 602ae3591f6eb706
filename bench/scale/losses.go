package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/berth-dev/berth/bench/report"
)

const (
	// lossSize is the number of pods of a gang of the scenario losses.
	lossSize = 4
	// lossPause is the time between two losses of one pod, and nodePause between two of a node.
	lossPause = 100 * time.Millisecond
	nodePause = time.Second
)

// losses has 500 gangs run, each an Indexed Job of 4 pods in one rack. Then 200 of them, in all
// racks, lose a pod each, one after another. Those 200 end, which leaves room in each rack, and
// others lose all that they have on 20 nodes, one node after another. The Job controller makes
// the replacements, ten seconds after the first loss of a Job and twice as long after each further
// one. It measures how long the controller takes, and how long the scheduler takes to bind a
// replacement once it is made, as seen in a watch of pods.
func losses(ctx context.Context, w *world, c contender) ([]report.Measure, error) {
	p, err := w.ready(ctx, c)
	if err != nil {
		return nil, err
	}
	defer p.end()
	o, err := observe(ctx, w.client)
	if err != nil {
		return nil, err
	}
	defer o.close()
	jobs := w.few(500, 5)
	if err := w.createJobs(ctx, c, jobs); err != nil {
		return nil, err
	}
	if err := o.wait(ctx, p, jobs*lossSize); err != nil {
		return nil, err
	}
	running := o.pods()
	if err := w.startPods(ctx, running); err != nil {
		return nil, err
	}
	if err := settled(ctx, p); err != nil {
		return nil, err
	}
	before, err := w.spending(ctx, p)
	if err != nil {
		return nil, err
	}
	l := &losing{w: w, p: p, o: o, lost: map[string]time.Time{}, jobs: map[string]bool{}}
	single, err := l.pods(ctx, running, w.few(200, 2))
	if err != nil {
		return nil, err
	}
	if err := w.endJobs(ctx, sortedKeys(l.jobs)); err != nil {
		return nil, err
	}
	nodes, err := l.nodes(ctx, running, w.few(20, 1))
	if err != nil {
		return nil, err
	}
	out := slices.Concat(single.measures("a pod: "), nodes.measures("a node: "))
	more, err := w.cost(ctx, p, before, len(l.lost))
	return append(out, more...), err
}

// createJobs makes Jobs of which each is a gang in one rack, and which forgive evictions.
func (w *world) createJobs(ctx context.Context, c contender, jobs int) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(writersAtATime)
	for i := range jobs {
		name := fmt.Sprintf("gang-%d", i)
		pod := podSpec{namespace: measuredNamespace, role: measured, scheduler: c.scheduler, gpus: 1, cpus: 4}.pod()
		pod.Labels["berth.dev/gang"] = name
		pod.Annotations["berth.dev/gang-size"] = fmt.Sprint(lossSize)
		pod.Annotations["berth.dev/required-topology"] = "rack"
		job := &batchv1.Job{
			ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: measuredNamespace},
			Spec: batchv1.JobSpec{
				Completions: new(int32(lossSize)), Parallelism: new(int32(lossSize)),
				CompletionMode: new(batchv1.IndexedCompletion),
				PodFailurePolicy: &batchv1.PodFailurePolicy{Rules: []batchv1.PodFailurePolicyRule{{
					Action: batchv1.PodFailurePolicyActionIgnore,
					OnPodConditions: []batchv1.PodFailurePolicyOnPodConditionsPattern{{
						Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue,
					}},
				}}},
				Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: pod.Labels, Annotations: pod.Annotations}, Spec: pod.Spec},
			},
		}
		group.Go(func() error {
			if _, err := w.client.BatchV1().Jobs(measuredNamespace).Create(ctx, job, metav1.CreateOptions{}); err != nil {
				return fmt.Errorf("creating Job %q: %w", name, err)
			}
			return nil
		})
	}
	return group.Wait()
}

// endJobs deletes Jobs and their pods, and waits until they are gone.
func (w *world) endJobs(ctx context.Context, jobs []string) error {
	for _, job := range jobs {
		err := w.client.BatchV1().Jobs(measuredNamespace).Delete(ctx, job, metav1.DeleteOptions{PropagationPolicy: new(metav1.DeletePropagationBackground)})
		if err != nil {
			return fmt.Errorf("deleting Job %q: %w", job, err)
		}
	}
	pods := metav1.ListOptions{LabelSelector: fmt.Sprintf("%s in (%s)", batchv1.JobNameLabel, strings.Join(jobs, ","))}
	return w.poll(ctx, "the pods of the Jobs that ended to be gone", func() (bool, error) {
		return w.removePods(ctx, pods)
	})
}

// startPods has pods run.
func (w *world) startPods(ctx context.Context, pods []seenPod) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(writersAtATime)
	for _, pod := range pods {
		group.Go(func() error { return w.setPhase(ctx, pod.name, corev1.PodRunning) })
	}
	return group.Wait()
}

// setPhase says what becomes of a pod, as the kubelets would that are not there.
func (w *world) setPhase(ctx context.Context, pod string, phase corev1.PodPhase) error {
	_, err := w.client.CoreV1().Pods(measuredNamespace).Patch(ctx, pod, types.MergePatchType,
		fmt.Appendf(nil, `{"status":{"phase":%q}}`, phase), metav1.PatchOptions{}, "status")
	if err != nil {
		return fmt.Errorf("setting status.phase of pod %q to %s: %w", pod, phase, err)
	}
	return nil
}

// losing takes pods from gangs.
type losing struct {
	w *world
	p *process
	o *observer
	// lost is when each pod was lost, by name, and jobs are those that have lost one: the Job
	// controller waits for longer before it makes the next.
	lost map[string]time.Time
	jobs map[string]bool
}

// pods evicts so many pods, one of each gang, one after another.
func (l *losing) pods(ctx context.Context, running []seenPod, n int) (repaired, error) {
	byNode := slices.SortedFunc(slices.Values(running), func(a, b seenPod) int { return cmp.Or(cmp.Compare(a.node, b.node), cmp.Compare(a.name, b.name)) })
	first := map[string]bool{}
	byNode = slices.DeleteFunc(byNode, func(pod seenPod) bool {
		was := first[pod.job]
		first[pod.job] = true
		return was
	})
	some := spread(byNode, n)
	for _, pod := range some {
		l.jobs[pod.job] = true
	}
	for _, pod := range some {
		if err := l.evict(ctx, pod); err != nil {
			return repaired{}, err
		}
		if err := pause(ctx, lossPause); err != nil {
			return repaired{}, err
		}
	}
	return l.await(ctx, some)
}

// nodes cordons so many nodes and evicts the pods there, one node after another.
func (l *losing) nodes(ctx context.Context, running []seenPod, n int) (repaired, error) {
	names := l.nodesOf(running, n)
	var some []seenPod
	defer func() {
		for _, node := range names {
			if err := l.cordon(context.WithoutCancel(ctx), node, false); err != nil {
				say("%v", err)
			}
		}
	}()
	for _, node := range names {
		if err := l.cordon(ctx, node, true); err != nil {
			return repaired{}, err
		}
		for _, pod := range running {
			if pod.node != node || l.jobs[pod.job] {
				continue
			}
			some = append(some, pod)
			if err := l.evict(ctx, pod); err != nil {
				return repaired{}, err
			}
		}
		if err := pause(ctx, nodePause); err != nil {
			return repaired{}, err
		}
	}
	return l.await(ctx, some)
}

// nodesOf returns so many nodes of pods of Jobs that have lost none, in different racks, where
// each Job has the fewest: the Job controller makes up for several losses of one Job late.
func (l *losing) nodesOf(running []seenPod, n int) []string {
	of := map[string]map[string]int{}
	for _, pod := range running {
		if l.jobs[pod.job] {
			continue
		}
		if of[pod.node] == nil {
			of[pod.node] = map[string]int{}
		}
		of[pod.node][pod.job]++
	}
	most := func(node string) int { return slices.Max(slices.Collect(maps.Values(of[node]))) }
	names := sortedKeys(of)
	slices.SortStableFunc(names, func(a, b string) int { return cmp.Compare(most(a), most(b)) })
	fewest := 0
	for fewest < len(names) && (fewest < n || most(names[fewest]) == most(names[0])) {
		fewest++
	}
	// The names of nodes follow the racks.
	return spread(names[:fewest], n)
}

// spread returns n of all, or all if there are fewer, at equal distances.
func spread[T any](all []T, n int) []T {
	n = min(n, len(all))
	out := make([]T, n)
	for i := range out {
		out[i] = all[i*len(all)/n]
	}
	return out
}

func (l *losing) cordon(ctx context.Context, node string, cordoned bool) error {
	_, err := l.w.client.CoreV1().Nodes().Patch(ctx, node, types.MergePatchType,
		fmt.Appendf(nil, `{"spec":{"unschedulable":%t}}`, cordoned), metav1.PatchOptions{})
	if err != nil {
		return fmt.Errorf("setting spec.unschedulable of node %q: %w", node, err)
	}
	return nil
}

// evict evicts a pod, and has it fail, as it does when its kubelet has stopped it: the Job
// controller makes no replacement before that.
func (l *losing) evict(ctx context.Context, pod seenPod) error {
	now := time.Now()
	if err := l.w.client.PolicyV1().Evictions(measuredNamespace).Evict(ctx, &policyv1.Eviction{
		ObjectMeta: metav1.ObjectMeta{Name: pod.name, Namespace: measuredNamespace},
	}); err != nil {
		return fmt.Errorf("evicting pod %q: %w", pod.name, err)
	}
	l.lost[pod.name] = now
	return l.w.setPhase(ctx, pod.name, corev1.PodFailed)
}

// repaired says how long losses lasted, in seconds and in order: until the replacement was made,
// from then until it was bound, and both together.
type repaired struct{ made, bound, whole []float64 }

// await waits until the replacements of lost pods are bound.
func (l *losing) await(ctx context.Context, lost []seenPod) (repaired, error) {
	if len(lost) == 0 {
		return repaired{}, errors.New("no pod was lost")
	}
	var out repaired
	for _, pod := range lost {
		at := l.lost[pod.name]
		next, err := l.o.replacement(ctx, l.p, pod)
		if err != nil {
			return out, err
		}
		out.made = append(out.made, next.made.Sub(at).Seconds())
		out.bound = append(out.bound, next.bound.Sub(next.made).Seconds())
		out.whole = append(out.whole, next.bound.Sub(at).Seconds())
	}
	for _, values := range [][]float64{out.made, out.bound, out.whole} {
		slices.Sort(values)
	}
	return out, nil
}

func (r repaired) measures(of string) []report.Measure {
	return []report.Measure{
		{Name: of + "losses", Value: float64(len(r.whole))},
		{Name: of + "replacement made p99 s", Value: quantile(r.made, 0.99)},
		{Name: of + "then bound p50 s", Value: quantile(r.bound, 0.5)},
		{Name: of + "then bound p99 s", Value: quantile(r.bound, 0.99)},
		{Name: of + "whole again p99 s", Value: quantile(r.whole, 0.99)},
	}
}
