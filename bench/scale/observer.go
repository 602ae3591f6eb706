package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	watchtools "k8s.io/client-go/tools/watch"
)

// observer sees when the measured pods of a run are bound.
type observer struct {
	mu sync.Mutex
	// seen are those that were seen, by name.
	seen map[string]*seenPod
	// bound is how many of them were seen with a node.
	bound int
	// changed is closed and made anew with each binding.
	changed chan struct{}
	stop    context.CancelFunc
	done    chan struct{}
}

// seenPod is a pod as the observer saw it.
type seenPod struct {
	name string
	// job and index are of a pod of an Indexed Job.
	job, index string
	// made is when it was first seen, and bound when it was first seen with its node; zero if it
	// was not.
	made, bound time.Time
	node        string
}

// observe watches the measured pods from now on, of which there are none yet.
func observe(ctx context.Context, client kubernetes.Interface) (*observer, error) {
	ctx, stop := context.WithCancel(ctx)
	o := &observer{seen: map[string]*seenPod{}, changed: make(chan struct{}), stop: stop, done: make(chan struct{})}
	pods := measuredPods{client}
	list, err := client.CoreV1().Pods(measuredNamespace).List(ctx, metav1.ListOptions{LabelSelector: pods.selector(), Limit: 1})
	if err != nil {
		stop()
		return nil, fmt.Errorf("listing the measured pods: %w", err)
	}
	watcher, err := watchtools.NewRetryWatcherWithContext(ctx, list.ResourceVersion, pods)
	if err != nil {
		stop()
		return nil, fmt.Errorf("watching the measured pods: %w", err)
	}
	go func() {
		defer close(o.done)
		for event := range watcher.ResultChan() {
			if pod, ok := event.Object.(*corev1.Pod); ok && event.Type != watch.Deleted {
				o.saw(pod)
			}
		}
	}()
	return o, nil
}

// measuredPods watches the measured pods.
type measuredPods struct{ client kubernetes.Interface }

func (measuredPods) selector() string { return runLabel + "=" + measured }

// WatchWithContext watches from options.ResourceVersion on.
func (m measuredPods) WatchWithContext(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
	options.LabelSelector = m.selector()
	return m.client.CoreV1().Pods(measuredNamespace).Watch(ctx, options)
}

func (o *observer) saw(pod *corev1.Pod) {
	o.mu.Lock()
	defer o.mu.Unlock()
	p := o.seen[pod.Name]
	if p == nil {
		p = &seenPod{name: pod.Name, job: pod.Labels[batchv1.JobNameLabel], index: pod.Labels[batchv1.JobCompletionIndexAnnotation], made: time.Now()}
		o.seen[pod.Name] = p
	}
	if pod.Spec.NodeName == "" || p.node != "" {
		return
	}
	p.node, p.bound = pod.Spec.NodeName, time.Now()
	o.bound++
	close(o.changed)
	o.changed = make(chan struct{})
}

// wait waits until so many pods are bound.
func (o *observer) wait(ctx context.Context, p *process, pods int) error {
	bound := 0
	err := o.await(ctx, p, func() bool {
		bound = o.bound
		return bound >= pods
	})
	if err != nil {
		return fmt.Errorf("waiting until %s has bound %d pods, of which %d are: %w", p.contender.name, pods, bound, err)
	}
	return nil
}

// await waits until something is so of the pods that were seen. It asks under the lock, after
// each binding.
func (o *observer) await(ctx context.Context, p *process, so func() bool) error {
	for {
		o.mu.Lock()
		done, changed := so(), o.changed
		o.mu.Unlock()
		if done {
			return nil
		}
		select {
		case <-changed:
		case <-p.Exited():
			return p.Failure()
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// close ends the watch.
func (o *observer) close() {
	o.stop()
	<-o.done
}

// replacement waits until a pod is bound that was made in place of one of an Indexed Job.
func (o *observer) replacement(ctx context.Context, p *process, lost seenPod) (found seenPod, err error) {
	err = o.await(ctx, p, func() bool {
		for _, other := range o.seen {
			if other.job == lost.job && other.index == lost.index && other.made.After(lost.made) && !other.bound.IsZero() {
				found = *other
			}
		}
		return found.name != ""
	})
	if err != nil {
		return seenPod{}, fmt.Errorf("waiting for what takes the place of pod %q: %w", lost.name, err)
	}
	return found, nil
}

// pods returns the pods that are bound, by their names.
func (o *observer) pods() []seenPod {
	o.mu.Lock()
	defer o.mu.Unlock()
	var out []seenPod
	for _, name := range sortedKeys(o.seen) {
		if p := o.seen[name]; !p.bound.IsZero() {
			out = append(out, *p)
		}
	}
	return out
}

// times returns when pods were bound, in order.
func (o *observer) times() []time.Time {
	var out []time.Time
	for _, p := range o.pods() {
		out = append(out, p.bound)
	}
	slices.SortFunc(out, time.Time.Compare)
	return out
}

// at returns when a pod was bound; zero if it was not.
func (o *observer) at(name string) time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()
	if p := o.seen[name]; p != nil {
		return p.bound
	}
	return time.Time{}
}
