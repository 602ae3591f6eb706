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
	"k8s.io/client-go/util/workqueue"
)

// An observer notes when each pod of a workload was first seen with a node, which of them
// have one now, and which of them were evicted.
type observer struct {
	workload Workload
	refs     []PodRef       // Workload.Pods
	places   map[string]int // pod -> its place in refs
	// gone are the places of pods that were evicted, for those who create them anew.
	gone workqueue.TypedInterface[int]

	// All that follows is guarded by mu.
	mu      sync.Mutex
	first   []time.Time // of each place; zero if it was not bound yet
	last    time.Time   // when a pod was last seen to be bound or to be gone
	seated  []bool      // by place
	waiting []int       // pods of each submission that are not bound
	evicted []int       // by place, how often
	lost    []string    // pods that went and were not evicted
	// wanted says of which places all is closed once all of them are seated; nil if nobody
	// waits. missing is how many are not.
	wanted  []bool
	missing int
	all     chan struct{}
}

func newObserver(w Workload) *observer {
	o := &observer{
		workload: w, refs: w.Pods(), places: map[string]int{}, waiting: make([]int, len(w.Submissions)),
		gone: workqueue.NewTyped[int](),
	}
	for i, ref := range o.refs {
		o.places[w.Submissions[ref.Submission].PodName(ref.Index)] = i
		o.waiting[ref.Submission]++
	}
	o.first, o.seated, o.evicted = make([]time.Time, len(o.refs)), make([]bool, len(o.refs)), make([]int, len(o.refs))
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
		// Names are all that is needed of what is kept, and whether it is being evicted.
		informers.WithTransform(func(obj any) (any, error) {
			if pod, ok := obj.(*v1.Pod); ok {
				return &v1.Pod{
					ObjectMeta: metav1.ObjectMeta{Name: pod.Name, Namespace: pod.Namespace, UID: pod.UID, ResourceVersion: pod.ResourceVersion},
					Status: v1.PodStatus{Conditions: slices.DeleteFunc(slices.Clone(pod.Status.Conditions), func(c v1.PodCondition) bool {
						return c.Type != v1.DisruptionTarget
					})},
				}, nil
			}
			return obj, nil
		}))
	informer := factory.Core().V1().Pods().Informer()
	registration, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: func(obj any) { o.see(obj.(*v1.Pod).Name, time.Now()) },
		DeleteFunc: func(obj any) {
			if last, ok := obj.(cache.DeletedFinalStateUnknown); ok {
				obj = last.Obj
			}
			if pod, ok := obj.(*v1.Pod); ok {
				o.leave(pod.Name, wasEvicted(pod), time.Now())
			}
		},
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

// wasEvicted reports whether a pod goes because the Eviction API was asked for it.
func wasEvicted(pod *v1.Pod) bool {
	return slices.ContainsFunc(pod.Status.Conditions, func(c v1.PodCondition) bool {
		return c.Type == v1.DisruptionTarget && c.Reason == "EvictionByEvictionAPI" && c.Status == v1.ConditionTrue
	})
}

// want returns a channel that is closed once all pods of some submissions are bound at one
// time.
func (o *observer) want(of func(submission int) bool) <-chan struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.wanted, o.missing, o.all = make([]bool, len(o.refs)), 0, make(chan struct{})
	for i, ref := range o.refs {
		if o.wanted[i] = of(ref.Submission); o.wanted[i] && !o.seated[i] {
			o.missing++
		}
	}
	o.complete()
	return o.all
}

func (o *observer) complete() {
	if o.missing == 0 && o.wanted != nil {
		close(o.all)
		o.wanted = nil
	}
}

// see notes that a pod has a node.
func (o *observer) see(name string, now time.Time) {
	place, ours := o.places[name]
	if !ours {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.seated[place] {
		return
	}
	o.seated[place], o.last = true, now
	if o.first[place].IsZero() {
		o.first[place] = now
	}
	o.waiting[o.refs[place].Submission]--
	if o.wanted != nil && o.wanted[place] {
		o.missing--
		o.complete()
	}
}

// leave notes that a pod that had a node is gone.
func (o *observer) leave(name string, evicted bool, now time.Time) {
	place, ours := o.places[name]
	if !ours {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.seated[place] {
		return
	}
	o.seated[place], o.last = false, now
	o.waiting[o.refs[place].Submission]++
	if o.wanted != nil && o.wanted[place] {
		o.missing++
	}
	if !evicted {
		o.lost = append(o.lost, name)
		return
	}
	o.evicted[place]++
	o.gone.Add(place)
}

// progress is how many pods are bound, and how many gangs are whole.
func (o *observer) progress() (bound, complete int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for i, s := range o.workload.Submissions {
		bound += s.Size - o.waiting[i]
		if s.Gang() && o.waiting[i] == 0 {
			complete++
		}
	}
	return bound, complete
}

// seen is when each pod was first bound, by its place in Workload.Pods and zero if it was
// not, and when the last was bound or went.
func (o *observer) seen() (bound []time.Time, last time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.first), o.last
}

// evictions are what was evicted so far.
func (o *observer) evictions() Evictions {
	o.mu.Lock()
	defer o.mu.Unlock()
	e := Evictions{Times: make([]int, len(o.workload.Submissions)), Pods: make([]int, len(o.workload.Submissions))}
	for place, n := range o.evicted {
		s := o.refs[place].Submission
		e.Times[s] += n
		if n > 0 {
			e.Pods[s]++
		}
	}
	return e
}

// vanished are the pods that went and were not evicted.
func (o *observer) vanished() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.lost)
}

// quietFor is for how long no pod was bound and none went.
func (o *observer) quietFor(now time.Time) time.Duration {
	o.mu.Lock()
	defer o.mu.Unlock()
	return now.Sub(o.last)
}
