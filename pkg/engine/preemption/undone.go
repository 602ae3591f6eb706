package preemption

import (
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/klog/v2"

	"github.com/berth-dev/berth/pkg/engine/fastpath"
	"github.com/berth-dev/berth/pkg/engine/measure"
)

// undone is a gang that lost pods to a batch that was cut short.
type undone struct {
	// pod is one of those that it lost. claimant is for whom they went: nobody else goes for
	// it until the gang is whole, or the deadline has passed.
	pod      *corev1.Pod
	claimant string
	deadline time.Time
	// had is how many pods the gang had.
	had int32
}

// repair keeps the room of the pods that a gang has lost until their owner has made them
// again and they have their place.
func (r *Reclaimer) repair(victim fastpath.Evicted, lost []*corev1.Pod, claimant string) {
	name := victim.Candidate.Name
	room := r.ReservationOf(lost)
	now := r.Clock.Now()
	r.mu.Lock()
	r.repairs[name] = undone{pod: lost[0], claimant: claimant, had: int32(len(victim.Pods)), deadline: now.Add(batchPatience + graceOf(lost) + placePatience)}
	r.mu.Unlock()
	r.Keep(name, room)
	klog.FromContext(r.ctx).Info("Keeping room for a gang that lost pods to a batch that was cut short", "gang", name, "lost", len(lost), "of", len(victim.Pods), "for", claimant)
}

// sweepRepairs gives up the room that is kept for gangs that are whole again, or that nobody
// makes whole.
func (r *Reclaimer) sweepRepairs(now time.Time) {
	done, open := map[string]string{}, []string{}
	end := func(name, outcome, why string) {
		done[name] = why
		measure.Repairs.WithLabelValues(outcome).Inc()
	}
	r.mu.Lock()
	for name, one := range r.repairs {
		switch bound, known := r.Queues.Standing(one.pod); {
		case !known:
			end(name, measure.RepairGone, "it is gone")
		case bound >= one.had:
			end(name, measure.RepairWhole, "it is whole")
		case now.After(one.deadline):
			end(name, measure.RepairFailed, fmt.Sprintf("%d of its %d pods have a place, and nobody made the others in time", bound, one.had))
		default:
			open = append(open, name)
		}
	}
	for name := range done {
		delete(r.repairs, name)
	}
	r.mu.Unlock()
	slices.Sort(open)
	for _, name := range open {
		r.Queues.Ahead(name)
	}
	for name, why := range done {
		r.Keep(name, nil)
		klog.FromContext(r.ctx).Info("The room of pods that a gang lost is no longer kept for it", "gang", name, "why", why)
	}
	if len(done) > 0 {
		r.Queues.Freed()
	}
}
