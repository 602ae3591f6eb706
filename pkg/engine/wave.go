package engine

import (
	"fmt"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/klog/v2"

	"github.com/berth-dev/berth/pkg/engine/fastpath"
	"github.com/berth-dev/berth/pkg/state"
)

// wave is gangs that are evicted for one that waits.
type wave struct {
	// left are the victims that are not gone yet.
	left sets.Set[types.UID]
	// deadline is when the room is given up.
	deadline time.Time
}

// begin keeps the room, and has the victims evicted.
func (r *reclaimer) begin(claimant *corev1.Pod, claim *state.Reclaim, choice *fastpath.Choice, now time.Time) {
	name := state.NameOf(claimant)
	grace := int64(0)
	for _, e := range choice.Evicted {
		for _, pod := range e.Pods {
			if s := pod.Spec.TerminationGracePeriodSeconds; s != nil {
				grace = max(grace, *s)
			}
		}
	}
	w := &wave{left: choice.UIDs(), deadline: now.Add(wavePatience + time.Duration(grace)*time.Second)}
	r.mu.Lock()
	r.waves[name] = w
	r.mu.Unlock()
	r.Keep(name, choice.Room)
	r.queues.Hold(name)
	klog.FromContext(r.ctx).Info("Evicting gangs for one that is entitled to their place", "for", name, "queue", claim.Claimant(),
		"gangs", len(choice.Evicted), "pods", w.left.Len(), "deviceSecondsLost", choice.Damage.Lost)
	go r.evict(name, claimant, claim, choice)
}

// evict has all victims evicted, or, if a budget protects one of them, none.
func (r *reclaimer) evict(name string, claimant *corev1.Pod, claim *state.Reclaim, choice *fastpath.Choice) {
	var pods []*corev1.Pod
	tenant := map[types.UID]string{}
	for _, e := range choice.Evicted {
		for _, pod := range e.Pods {
			pods = append(pods, pod)
			tenant[pod.UID] = e.Tenant.Name
		}
	}
	refused := r.each(pods, true)
	if len(refused) > 0 {
		now := r.clock.Now()
		r.mu.Lock()
		for _, pod := range refused {
			r.spared[tenant[pod.UID]] = now.Add(spareTime)
		}
		r.mu.Unlock()
		r.end(name, "a disruption budget protects a pod that would have to go")
		return
	}
	for _, e := range choice.Evicted {
		if e.Whole {
			r.queues.Leaves(e.Pods[0])
		}
		r.tell(e, claimant, claim)
	}
	for r.ctx.Err() == nil {
		if pods = r.each(pods, false); len(pods) == 0 {
			return
		}
		if r.over(name) {
			for _, e := range choice.Evicted {
				r.queues.Stays(e.Pods[0])
			}
			return
		}
		select {
		case <-r.ctx.Done():
		case <-r.clock.After(evictionRetry):
		}
	}
}

// each asks for the eviction of all pods, on trial or not, and returns those that were
// refused.
func (r *reclaimer) each(pods []*corev1.Pod, trial bool) []*corev1.Pod {
	var mu sync.Mutex
	var refused []*corev1.Pod
	var dryRun []string
	if trial {
		dryRun = []string{metav1.DryRunAll}
	}
	workqueue.ParallelizeUntil(r.ctx, evictionsAtATime, len(pods), func(i int) {
		pod := pods[i]
		err := evictPod(r.ctx, r.client, types.NamespacedName{Namespace: pod.Namespace, Name: pod.Name}, pod.UID, dryRun...)
		if err == nil || apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
			return // it goes, or is gone, or another has its name
		}
		klog.FromContext(r.ctx).V(2).Info("A pod was not evicted", "pod", klog.KObj(pod), "trial", trial, "err", err)
		mu.Lock()
		refused = append(refused, pod)
		mu.Unlock()
	})
	return refused
}

// tell writes an event for a gang that goes, about its first pod and one of those for which
// it goes.
func (r *reclaimer) tell(e fastpath.Evicted, claimant *corev1.Pod, claim *state.Reclaim) {
	reclaims.WithLabelValues(r.kind(e, claim)).Inc()
	r.queues.Reclaimed(claim, e.Tenant)
	apiWrites.WithLabelValues("event").Inc()
	r.recorder.Eventf(podReference(e.Pods[0].Namespace, e.Pods[0].Name, e.Pods[0].UID), podReference(claimant.Namespace, claimant.Name, claimant.UID), corev1.EventTypeWarning, "Reclaimed", "Evicting",
		"%d pods of %s, of queue %q, are evicted for %s of queue %q", len(e.Pods), e.Tenant.Name, claim.Queue(e.Tenant), claim.Name, claim.Claimant())
}

// kind is why a gang goes, as a label of the metric.
func (r *reclaimer) kind(e fastpath.Evicted, claim *state.Reclaim) string {
	if claim.Queue(e.Tenant) == claim.Claimant() {
		return "within_queue"
	}
	return "reclaimed"
}

// gone takes in that a pod is gone. Whoever waited for it alone is tried now, however
// long the scheduling queue would have it wait after its last try.
func (r *reclaimer) gone(uid types.UID) {
	r.mu.Lock()
	var ready []string
	for name, w := range r.waves {
		if w.left.Has(uid) {
			w.left.Delete(uid)
			if w.left.Len() == 0 {
				w.deadline = r.clock.Now().Add(placePatience)
				ready = append(ready, name)
			}
		}
	}
	r.mu.Unlock()
	slices.Sort(ready)
	for _, name := range ready {
		r.queues.Ready(name)
	}
}

// over reports whether a wave has ended.
func (r *reclaimer) over(name string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.waves[name] == nil
}

// end gives up the room that is kept for somebody.
func (r *reclaimer) end(name, why string) {
	r.mu.Lock()
	_, some := r.waves[name]
	delete(r.waves, name)
	switch {
	case why == "":
		delete(r.resting, name)
	case some:
		r.sleep(name)
	}
	r.mu.Unlock()
	if !some {
		return
	}
	r.Keep(name, nil)
	r.queues.Unhold(name)
	if why != "" {
		r.queues.Freed()
		klog.FromContext(r.ctx).Info("Giving up the room that was kept for a gang", "gang", name, "why", why)
	}
}

func (r *reclaimer) sweep(now time.Time) {
	late := map[string]string{}
	var ready, awake []string
	r.mu.Lock()
	for name, w := range r.waves {
		switch {
		case !r.queues.Waits(name):
			late[name] = "it waits no more"
		case now.After(w.deadline) && w.left.Len() > 0:
			late[name] = fmt.Sprintf("%d pods did not leave in time", w.left.Len())
		case now.After(w.deadline):
			late[name] = "it did not take it in time"
		case w.left.Len() == 0:
			ready = append(ready, name) // the scheduler may not have known yet that they left
		}
	}
	for name, until := range r.spared {
		if now.After(until) {
			delete(r.spared, name)
		}
	}
	for name, one := range r.resting {
		switch {
		case now.Before(one.until):
		case !r.queues.Waits(name):
			delete(r.resting, name)
		case !one.woken:
			one.woken = true
			r.resting[name] = one
			awake = append(awake, name)
		}
	}
	r.mu.Unlock()
	slices.Sort(ready)
	for _, name := range ready {
		r.queues.Ready(name)
	}
	slices.Sort(awake)
	for _, name := range awake {
		r.queues.Again(name)
	}
	for name, why := range late {
		r.end(name, why)
	}
}
