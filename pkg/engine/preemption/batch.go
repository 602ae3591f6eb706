package preemption

import (
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/klog/v2"

	"github.com/berth-dev/berth/pkg/engine/fastpath"
	"github.com/berth-dev/berth/pkg/engine/measure"
	"github.com/berth-dev/berth/pkg/engine/record"
	"github.com/berth-dev/berth/pkg/engine/waitreason"
	"github.com/berth-dev/berth/pkg/insight"
	"github.com/berth-dev/berth/pkg/state/queueing"
	"github.com/berth-dev/berth/pkg/state/workload"
)

// evictionBatch is the gangs that are evicted for one that waits, and pods that it waits for.
type evictionBatch struct {
	// left are the pods that are not gone yet.
	left sets.Set[types.UID]
	// deadline is when the room is given up.
	deadline time.Time
}

// begin keeps the room, and has the victims evicted.
func (r *Reclaimer) begin(claimant *corev1.Pod, claim *queueing.Reclaim, choice *fastpath.Choice, now time.Time) {
	name := workload.NameOf(claimant)
	w := &evictionBatch{left: choice.UIDs(), deadline: now.Add(batchPatience + graceOf(evictedPods(choice)) + timeToSave(choice))}
	for _, pod := range choice.Awaited {
		w.left.Insert(pod.UID)
		until := now.Add(graceOf([]*corev1.Pod{pod}))
		if pod.DeletionTimestamp != nil {
			until = pod.DeletionTimestamp.Time
		}
		if until = until.Add(batchPatience); until.After(w.deadline) {
			w.deadline = until
		}
	}
	pods := w.left.UnsortedList()
	r.mu.Lock()
	r.batches[name] = w
	r.mu.Unlock()
	r.StopLooking(name) // of a gang that lost members, this is what is kept from now on
	r.Keep(name, choice.Room)
	r.Queues.Hold(name)
	klog.FromContext(r.ctx).Info("Making room for a gang that is entitled to it", "for", name, "queue", claim.Claimant(),
		"gangs", len(choice.Evicted), "pods", len(pods)-len(choice.Awaited), "leaving", len(choice.Awaited), "deviceSecondsLost", choice.Damage.Lost, "searched", r.Clock.Since(now))
	if len(choice.Evicted) > 0 {
		go func() {
			e := evictor{Reclaimer: r, batch: w, name: name, claimant: claimant, claim: claim, choice: choice}
			e.run()
		}()
	}
	// Some may have gone while it was looked who does.
	for _, uid := range pods {
		if !r.Queues.Placed(uid) {
			r.Gone(uid)
		}
	}
}

// evictedPods returns the pods of a choice that are to be evicted.
func evictedPods(choice *fastpath.Choice) []*corev1.Pod {
	var out []*corev1.Pod
	for _, e := range choice.Evicted {
		out = append(out, e.Pods...)
	}
	return out
}

// graceOf returns the longest of the grace periods of pods.
func graceOf(pods []*corev1.Pod) time.Duration {
	grace := int64(0)
	for _, pod := range pods {
		if s := pod.Spec.TerminationGracePeriodSeconds; s != nil {
			grace = max(grace, *s)
		}
	}
	return time.Duration(grace) * time.Second
}

// tell writes an event for a gang that goes, about its first pod and one of those for which
// it goes.
func (r *Reclaimer) tell(e fastpath.Evicted, claimant *corev1.Pod, claim *queueing.Reclaim) {
	why, lost := r.kind(e, claim), int64(0)
	for _, pod := range e.Pods {
		_, devices := r.DevicesIn(workload.Requests(pod))
		lost += queueing.Lost(pod, devices, r.Clock.Now())
	}
	measure.EvictedGangs.WithLabelValues(why).Inc()
	measure.PodsEvicted.WithLabelValues(why).Add(float64(len(e.Pods)))
	measure.LostWork.WithLabelValues(why).Add(float64(lost))
	r.Queues.Reclaimed(claim, e.Candidate)
	measure.APIWrites.WithLabelValues("event").Inc()
	note := fmt.Sprintf("%d pods of %s, of queue %q, are evicted for %s of queue %q",
		len(e.Pods), workload.Called(e.Candidate.Name, ""), claim.Queue(e.Candidate), workload.Called(claim.Name, ""), claim.Claimant())
	r.Recorder.Eventf(record.PodReference(e.Pods[0].Namespace, e.Pods[0].Name, e.Pods[0].UID), record.PodReference(claimant.Namespace, claimant.Name, claimant.UID), corev1.EventTypeWarning, "Reclaimed", "Evicting", "%s", note)
	event := record.DecisionOn(r.Clock.Now(), insight.ActionEvicted, e.Pods[0], len(e.Pods), "Reclaimed", note)
	event.Queue, event.For = claim.Queue(e.Candidate), claimant.Namespace+"/"+record.SubjectOf(claimant)
	r.Journal.Add(event)
}

// kind is why a gang goes, as a label of the metric.
func (r *Reclaimer) kind(e fastpath.Evicted, claim *queueing.Reclaim) string {
	if claim.Queue(e.Candidate) == claim.Claimant() {
		return "within_queue"
	}
	return "reclaimed"
}

// Gone takes in that a pod is gone. Whoever waited for it alone is tried now, however
// long the scheduling queue would have it wait after its last try.
func (r *Reclaimer) Gone(uid types.UID) {
	r.mu.Lock()
	var ready []string
	for name, w := range r.batches {
		if w.left.Has(uid) {
			w.left.Delete(uid)
			if w.left.Len() == 0 {
				w.deadline = r.Clock.Now().Add(placePatience)
				ready = append(ready, name)
			}
		}
	}
	r.mu.Unlock()
	slices.Sort(ready)
	for _, name := range ready {
		r.Queues.Ready(name)
	}
}

// HasBatch reports whether others are evicted for somebody, or were, and the room is kept.
func (r *Reclaimer) HasBatch(name string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.batches[name] != nil
}

// Batches returns for how many others are evicted, or were, and the room is kept.
func (r *Reclaimer) Batches() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.batches)
}

// Leaving returns the pods that are to leave and have not, of all batches.
func (r *Reclaimer) Leaving() sets.Set[types.UID] {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.leaving()
}

// leaving is Leaving for who has the lock.
func (r *Reclaimer) leaving() sets.Set[types.UID] {
	all := sets.New[types.UID]()
	for _, w := range r.batches {
		all = all.Union(w.left)
	}
	return all
}

// ended reports whether a batch has ended: another one of the same name may be under way.
func (r *Reclaimer) ended(name string, w *evictionBatch) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.batches[name] != w
}

// end gives up the room that is kept for somebody. The text says why, for the log; it is ""
// if the room was taken.
func (r *Reclaimer) end(name, why string) { r.endFor(name, waitreason.Explanation{Text: why}) }

// endFor is end where a user is to be told a reason.
func (r *Reclaimer) endFor(name string, because waitreason.Explanation) {
	why := because.Text
	r.mu.Lock()
	_, some := r.batches[name]
	delete(r.batches, name)
	switch {
	case why == "":
		delete(r.backoffs, name)
	case some:
		r.sleep(name, because)
	}
	r.mu.Unlock()
	if !some {
		return
	}
	r.Keep(name, nil)
	r.Queues.Unhold(name)
	if why != "" {
		r.Queues.Freed()
		klog.FromContext(r.ctx).Info("Giving up the room that was kept for a gang", "gang", name, "why", why)
	}
}

// Sweep gives up what is not taken in time, and has those tried again whose room is there, or whose
// pause is over.
func (r *Reclaimer) Sweep(now time.Time) {
	late := map[string]string{}
	var ready, awake []string
	r.mu.Lock()
	for name, w := range r.batches {
		switch {
		case !r.Queues.Waits(name):
			late[name] = "it waits no more"
		case now.After(w.deadline) && w.left.Len() > 0:
			late[name] = fmt.Sprintf("%d pods did not leave in time", w.left.Len())
		case now.After(w.deadline):
			late[name] = "it did not take it in time"
		case w.left.Len() == 0:
			ready = append(ready, name) // the scheduler may not have known yet that they left
		}
	}
	for name, one := range r.backoffs {
		switch {
		case now.Before(one.until):
		case !r.Queues.Waits(name):
			delete(r.backoffs, name)
		case !one.woken:
			one.woken = true
			r.backoffs[name] = one
			awake = append(awake, name)
		}
	}
	slices.Sort(awake)
	for _, name := range awake {
		r.line.join(name)
	}
	for name := range r.line.called {
		if !r.Queues.Waits(name) {
			r.line.called.Delete(name)
		}
	}
	r.mu.Unlock()
	slices.Sort(ready)
	for _, name := range ready {
		r.Queues.Ready(name)
	}
	for name, why := range late {
		r.end(name, why)
	}
	r.sweepRepairs(now)
	r.callNext()
}
