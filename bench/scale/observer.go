package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	watchtools "k8s.io/client-go/tools/watch"
)

// observer sees when the measured pods of a run are bound.
type observer struct {
	mu sync.Mutex
	// bound is when each was first seen with a node, by name.
	bound map[string]time.Time
	// changed is closed and made anew with each binding.
	changed chan struct{}
	stop    context.CancelFunc
	done    chan struct{}
}

// observe watches the measured pods from now on, of which there are none yet.
func observe(ctx context.Context, client kubernetes.Interface) (*observer, error) {
	ctx, stop := context.WithCancel(ctx)
	o := &observer{bound: map[string]time.Time{}, changed: make(chan struct{}), stop: stop, done: make(chan struct{})}
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
			if pod, ok := event.Object.(*corev1.Pod); ok && pod.Spec.NodeName != "" && event.Type != watch.Deleted {
				o.saw(pod.Name)
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

func (o *observer) saw(name string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if _, before := o.bound[name]; before {
		return
	}
	o.bound[name] = time.Now()
	close(o.changed)
	o.changed = make(chan struct{})
}

// wait waits until so many pods are bound.
func (o *observer) wait(ctx context.Context, p *process, pods int) error {
	for {
		o.mu.Lock()
		bound, changed := len(o.bound), o.changed
		o.mu.Unlock()
		if bound >= pods {
			return nil
		}
		select {
		case <-changed:
		case <-p.Exited():
			return p.Failure()
		case <-ctx.Done():
			return fmt.Errorf("waiting until %s has bound %d pods, of which %d are: %w", p.contender.name, pods, bound, context.Cause(ctx))
		}
	}
}

// close ends the watch.
func (o *observer) close() {
	o.stop()
	<-o.done
}

// times returns when pods were bound, in order.
func (o *observer) times() []time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()
	var out []time.Time
	for _, at := range o.bound {
		out = append(out, at)
	}
	slices.SortFunc(out, time.Time.Compare)
	return out
}

// at returns when a pod was bound; zero if it was not.
func (o *observer) at(name string) time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.bound[name]
}
