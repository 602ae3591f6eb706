package demo

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
)

// An observer notes when each pod of a workload was first seen, when it was first seen with a
// node, which of them have one now, which were evicted, and which were made again since.
//
// Controllers make one pod of the API after the other for one pod of the workload. A pod of
// the workload is at its place while any of them has a node and has not failed.
type observer struct {
	workload Workload
	roster   roster
	refs     []PodRef       // Workload.AllPods
	places   map[PodRef]int // index into refs

	// All that follows is guarded by mu.
	mu      sync.Mutex
	names   map[string]int     // pod of the API -> its place; of all there ever were
	seated  map[types.UID]bool // pods of the API that have a node and have not failed
	made    []int              // by place, pods of the API that were made for it
	created []time.Time        // by place, when the first of them was seen
	first   []time.Time        // by place, when one was first seen with a node
	last    time.Time          // when a pod was last seen to be bound or to be gone
	changed time.Time          // that, or when the last pod was seen to be made
	at      []int              // by place, pods of the API that are seated
	waiting []int              // pods of each submission that are not bound
	evicted []int              // by place, how often
	lost    []string           // pods that went or failed, and were not evicted
	// wanted says of which places all is closed once all of them are seated; nil if nobody
	// waits. missing is how many are not.
	wanted  []bool
	missing int
	all     chan struct{}
}

func newObserver(w Workload) *observer {
	o := &observer{
		workload: w, roster: w.roster(), refs: w.AllPods(), places: map[PodRef]int{}, waiting: make([]int, len(w.Submissions)),
		names: map[string]int{}, seated: map[types.UID]bool{},
	}
	for i, ref := range o.refs {
		o.places[ref] = i
		o.waiting[ref.Submission]++
	}
	o.made, o.at, o.evicted = make([]int, len(o.refs)), make([]int, len(o.refs)), make([]int, len(o.refs))
	o.created, o.first = make([]time.Time, len(o.refs)), make([]time.Time, len(o.refs))
	return o
}

// observe watches pods until ctx ends. It returns when the watch stands.
func observe(ctx context.Context, client kubernetes.Interface, w Workload) (*observer, error) {
	o := newObserver(w)
	factory := informers.NewSharedInformerFactoryWithOptions(client, 0,
		informers.WithNamespace(namespace), informers.WithTransform(essence))
	informer := factory.Core().V1().Pods().Informer()
	registration, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(obj any) { o.see(obj.(*v1.Pod), false, time.Now()) },
		UpdateFunc: func(_, obj any) { o.see(obj.(*v1.Pod), false, time.Now()) },
		DeleteFunc: func(obj any) {
			if last, ok := obj.(cache.DeletedFinalStateUnknown); ok {
				obj = last.Obj
			}
			if pod, ok := obj.(*v1.Pod); ok {
				o.see(pod, true, time.Now())
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

// essence is what is kept of a pod.
func essence(obj any) (any, error) {
	pod, ok := obj.(*v1.Pod)
	if !ok {
		return obj, nil
	}
	out := &v1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: pod.Name, Namespace: pod.Namespace, UID: pod.UID, ResourceVersion: pod.ResourceVersion, Labels: map[string]string{}},
		Spec:       v1.PodSpec{NodeName: pod.Spec.NodeName},
		Status: v1.PodStatus{Phase: pod.Status.Phase, Conditions: slices.DeleteFunc(slices.Clone(pod.Status.Conditions), func(c v1.PodCondition) bool {
			return c.Type != v1.DisruptionTarget
		})},
	}
	for _, key := range []string{submissionLabel, batchv1.JobCompletionIndexAnnotation} {
		if value, has := pod.Labels[key]; has {
			out.Labels[key] = value
		}
	}
	return out, nil
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
		if o.wanted[i] = of(ref.Submission); o.wanted[i] && o.at[i] == 0 {
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

// see notes what a pod of the API is like, or was when it was deleted.
func (o *observer) see(pod *v1.Pod, gone bool, now time.Time) {
	ref, ours := o.roster.ref(pod)
	if !ours {
		return
	}
	place := o.places[ref]
	o.mu.Lock()
	defer o.mu.Unlock()
	if _, known := o.names[pod.Name]; !known {
		o.names[pod.Name] = place
		o.made[place]++
		o.changed = now
		if o.created[place].IsZero() {
			o.created[place] = now
		}
	}
	sits := !gone && pod.Spec.NodeName != "" && pod.Status.Phase != v1.PodFailed
	switch was := o.seated[pod.UID]; {
	case sits && !was:
		o.seated[pod.UID] = true
		o.sit(place, now)
	case was && !sits:
		delete(o.seated, pod.UID)
		o.leave(place, now)
		if wasEvicted(pod) {
			o.evicted[place]++
		} else {
			o.lost = append(o.lost, pod.Name)
		}
	}
}

// sit notes that a pod has a node.
func (o *observer) sit(place int, now time.Time) {
	o.last, o.changed = now, now
	if o.at[place]++; o.at[place] > 1 {
		return // the one before it has not ended yet
	}
	if o.first[place].IsZero() {
		o.first[place] = now
	}
	o.waiting[o.refs[place].Submission]--
	if o.wanted != nil && o.wanted[place] {
		o.missing--
		o.complete()
	}
}

// leave notes that a pod that had a node has failed, or is gone.
func (o *observer) leave(place int, now time.Time) {
	o.last, o.changed = now, now
	if o.at[place]--; o.at[place] > 0 {
		return
	}
	o.waiting[o.refs[place].Submission]++
	if o.wanted != nil && o.wanted[place] {
		o.missing++
	}
}

// An advance is how far a workload is.
type advance struct {
	made  int // pods that were made, not counting those that were made again
	bound int // pods that are bound
	whole int // gangs that are
}

func (o *observer) progress() advance {
	o.mu.Lock()
	defer o.mu.Unlock()
	var a advance
	for i := range o.refs {
		a.made += min(o.made[i], 1)
	}
	for i, s := range o.workload.Submissions {
		a.bound += s.Size - o.waiting[i]
		if s.Gang() && o.waiting[i] == 0 {
			a.whole++
		}
	}
	return a
}

// seen is when each pod was first seen, and when it was first bound, by its place in
// Workload.AllPods and zero if it was not; and when the last was bound or went.
func (o *observer) seen() (created, bound []time.Time, last time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.created), slices.Clone(o.first), o.last
}

// evictions are what was evicted so far, and what was made again.
func (o *observer) evictions() Evictions {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := len(o.workload.Submissions)
	e := Evictions{Times: make([]int, n), Pods: make([]int, n), MadeAgain: make([]int, n)}
	for place, times := range o.evicted {
		s := o.refs[place].Submission
		e.Times[s] += times
		if times > 0 {
			e.Pods[s]++
		}
		e.MadeAgain[s] += max(o.made[place]-1, 0)
	}
	return e
}

// vanished are the pods that went or failed, and were not evicted.
func (o *observer) vanished() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.lost)
}

// submissionOf is the submission that a pod of the API is, or was, of; none if it is of none.
func (o *observer) submissionOf(pod string) (int, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	place, ours := o.names[pod]
	if !ours {
		return 0, false
	}
	return o.refs[place].Submission, true
}

// quietFor is for how long no pod was made or bound, and none went.
func (o *observer) quietFor(now time.Time) time.Duration {
	o.mu.Lock()
	defer o.mu.Unlock()
	return now.Sub(o.changed)
}
