package drills

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	watchtools "k8s.io/client-go/tools/watch"

	"github.com/berth-dev/berth/pkg/localcluster"
)

// A notice is an event of Berth about a gang, and when it was seen.
type notice struct {
	at           time.Time
	reason, note string
}

// about reports whether the note names the gang of a Job.
func (n notice) about(job string) bool {
	return slices.ContainsFunc(strings.FieldsFunc(n.note, func(r rune) bool { return r == ' ' || r == ':' }), func(word string) bool {
		return strings.HasPrefix(word, namespace+"/") && strings.HasSuffix(word, "/"+job)
	})
}

// An observer keeps a ledger by what the API says.
type observer struct {
	mu      sync.Mutex
	ledger  *ledger              // guarded by mu
	notices []notice             // guarded by mu
	unready map[string]time.Time // since when nodes are not ready; guarded by mu
	failed  error                // why a watch ended; guarded by mu
}

// observe watches pods, events and nodes until ctx ends.
func observe(ctx context.Context, client kubernetes.Interface) (*observer, error) {
	o := &observer{ledger: newLedger(), unready: map[string]time.Time{}}
	nodes, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("listing nodes: %w", err)
	}
	for i := range nodes.Items {
		o.seeNode(&nodes.Items[i])
	}
	pods, err := client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("listing pods: %w", err)
	}
	for i := range pods.Items {
		o.seePod(&pods.Items[i], false)
	}
	events, err := client.EventsV1().Events(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("listing events: %w", err)
	}
	// Watches keep the order of changes, which informers do not, of two objects.
	for _, w := range []struct {
		from  string
		watch cache.WatchFuncWithContext
		see   func(kind watch.EventType, obj runtime.Object)
	}{
		{nodes.ResourceVersion, client.CoreV1().Nodes().Watch, func(_ watch.EventType, obj runtime.Object) {
			if node, ok := obj.(*corev1.Node); ok {
				o.seeNode(node)
			}
		}},
		{pods.ResourceVersion, client.CoreV1().Pods(namespace).Watch, func(kind watch.EventType, obj runtime.Object) {
			if pod, ok := obj.(*corev1.Pod); ok {
				o.seePod(pod, kind == watch.Deleted)
			}
		}},
		{events.ResourceVersion, client.EventsV1().Events(namespace).Watch, func(kind watch.EventType, obj runtime.Object) {
			if event, ok := obj.(*eventsv1.Event); ok && kind == watch.Added {
				o.seeEvent(event)
			}
		}},
	} {
		watcher, err := watchtools.NewRetryWatcherWithContext(ctx, w.from, &cache.ListWatch{WatchFuncWithContext: w.watch})
		if err != nil {
			return nil, fmt.Errorf("watching: %w", err)
		}
		go func() {
			for event := range watcher.ResultChan() {
				if event.Type == watch.Error {
					o.fail(fmt.Errorf("a watch ended: %v", event.Object))
				}
				w.see(event.Type, event.Object)
			}
			if ctx.Err() == nil {
				o.fail(errors.New("a watch ended"))
			}
		}()
	}
	return o, nil
}

func (o *observer) fail(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.failed == nil {
		o.failed = err
	}
}

// check asks the ledger something, or says why it can no more be asked.
func (o *observer) check(ask func(l *ledger)) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	ask(o.ledger)
	return o.failed
}

func (o *observer) seeNode(n *corev1.Node) {
	o.mu.Lock()
	defer o.mu.Unlock()
	gpus := n.Status.Capacity[localcluster.GPUResource]
	ready := isReady(n)
	o.ledger.nodes[n.Name] = node{
		rack: n.Labels[localcluster.RackLabel], zone: n.Labels[corev1.LabelTopologyZone], gpus: gpus.Value(),
		ready: ready && !n.Spec.Unschedulable && len(n.Spec.Taints) == 0,
	}
	switch _, known := o.unready[n.Name]; {
	case ready:
		delete(o.unready, n.Name)
	case !known:
		o.unready[n.Name] = time.Now()
	}
}

func isReady(n *corev1.Node) bool {
	for _, c := range n.Status.Conditions {
		if c.Type == corev1.NodeReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

func (o *observer) seePod(p *corev1.Pod, gone bool) {
	known := pod{
		uid: string(p.UID), name: p.Name, gang: p.Labels[batchv1.JobNameLabel], node: p.Spec.NodeName,
		foreign: p.Spec.SchedulerName != "berth",
		running: p.Status.Phase == corev1.PodRunning, leaving: p.DeletionTimestamp != nil,
		ended: gone || p.Status.Phase == corev1.PodFailed || p.Status.Phase == corev1.PodSucceeded,
	}
	if p.Status.StartTime != nil {
		known.began = p.Status.StartTime.Time
	}
	for _, c := range p.Spec.Containers {
		gpus := c.Resources.Limits[localcluster.GPUResource]
		known.gpus += gpus.Value()
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if text := p.Annotations[devicesAnnotation]; text != "" && known.node != "" {
		given := map[string][]string{}
		if err := json.Unmarshal([]byte(text), &given); err != nil {
			o.ledger.breaks("annotation %s of pod %s is %q", devicesAnnotation, p.Name, text)
		}
		for _, devices := range given {
			known.devices = append(known.devices, devices...)
		}
	}
	if known.holds() && !known.foreign && len(known.devices) != int(known.gpus) {
		o.ledger.breaks("pod %s asks for %d GPUs, and was given %d", p.Name, known.gpus, len(known.devices))
	}
	o.ledger.see(known, time.Now())
}

func (o *observer) seeEvent(e *eventsv1.Event) {
	if !strings.HasPrefix(e.Reason, "Gang") && e.Reason != "DeviceUnhealthy" {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.notices = append(o.notices, notice{time.Now(), e.Reason, e.Note})
}

// noticesSince returns what Berth said since a time.
func (o *observer) noticesSince(start time.Time) []notice {
	o.mu.Lock()
	defer o.mu.Unlock()
	var out []notice
	for _, n := range o.notices {
		if !n.at.Before(start) {
			out = append(out, n)
		}
	}
	return out
}

// firstUnready returns when the first of the nodes that are not ready now was seen so, zero if
// all are ready.
func (o *observer) firstUnready() (first time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, at := range o.unready {
		if first.IsZero() || at.Before(first) {
			first = at
		}
	}
	return first
}
