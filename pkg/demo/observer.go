package demo

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
)

// An observer notes when each pod of a workload was first seen with a node.
type observer struct {
	places map[string]int // pod -> its place in Workload.Order

	mu       sync.Mutex
	bound    []time.Time // by place; guarded by mu
	last     time.Time   // guarded by mu
	count    int         // guarded by mu
	waiting  []int       // pods of each submission that are not bound; guarded by mu
	complete int         // gangs that are bound whole; guarded by mu
	workload Workload
	all      chan struct{} // closed once every pod is bound
}

func newObserver(w Workload) *observer {
	o := &observer{
		places:   make(map[string]int, len(w.Order)),
		bound:    make([]time.Time, len(w.Order)),
		waiting:  make([]int, len(w.Submissions)),
		workload: w,
		all:      make(chan struct{}),
	}
	for i, ref := range w.Order {
		o.places[w.Submissions[ref.Submission].PodName(ref.Index)] = i
		o.waiting[ref.Submission]++
	}
	return o
}

// observe watches bound pods until ctx ends. It returns when the watch stands.
func observe(ctx context.Context, client kubernetes.Interface, w Workload) (*observer, error) {
	o := newObserver(w)
	factory := informers.NewSharedInformerFactoryWithOptions(client, 0,
		informers.WithNamespace(namespace),
		informers.WithTweakListOptions(func(options *metav1.ListOptions) {
			options.FieldSelector = fields.OneTermNotEqualSelector("spec.nodeName", "").String()
		}),
		// Names are all that is needed of what is kept.
		informers.WithTransform(func(obj any) (any, error) {
			if pod, ok := obj.(*v1.Pod); ok {
				return &v1.Pod{ObjectMeta: metav1.ObjectMeta{Name: pod.Name, Namespace: pod.Namespace, UID: pod.UID, ResourceVersion: pod.ResourceVersion}}, nil
			}
			return obj, nil
		}))
	informer := factory.Core().V1().Pods().Informer()
	registration, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: func(obj any) { o.see(obj.(*v1.Pod).Name, time.Now()) },
	})
	if err != nil {
		return nil, fmt.Errorf("watching pods: %w", err)
	}
	factory.Start(ctx.Done())
	if !cache.WaitForCacheSync(ctx.Done(), registration.HasSynced) {
		return nil, fmt.Errorf("watching pods: %w", context.Cause(ctx))
	}
	return o, nil
}

// see notes that a pod has a node.
func (o *observer) see(name string, now time.Time) {
	place, ours := o.places[name]
	if !ours {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.bound[place].IsZero() {
		return
	}
	o.bound[place], o.last = now, now
	o.count++
	s := o.workload.Order[place].Submission
	o.waiting[s]--
	if o.waiting[s] == 0 && o.workload.Submissions[s].Gang() {
		o.complete++
	}
	if o.count == len(o.bound) {
		close(o.all)
	}
}

// progress is how many pods are bound, and how many gangs are whole.
func (o *observer) progress() (bound, complete int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.count, o.complete
}

// seen is when each pod was bound, by its place in Workload.Order and zero if it
// was not, and when the last of them was.
func (o *observer) seen() (bound []time.Time, last time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.bound), o.last
}
