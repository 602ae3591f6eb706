package recovery

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/events"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"

	"github.com/berth-dev/berth/pkg/core/gang"
	"github.com/berth-dev/berth/pkg/engine/measure"
	"github.com/berth-dev/berth/pkg/engine/preemption"
	"github.com/berth-dev/berth/pkg/engine/record"
	"github.com/berth-dev/berth/pkg/insight"
	"github.com/berth-dev/berth/pkg/state/gangtable"
)

// recoveryPeriod is how often gangs that are bound by half are looked at.
const recoveryPeriod = time.Second

// HalfBound looks after gangs whose binding was cut short, as by the death of the
// leader. The scheduling cycle finishes such a gang by itself: the bound members
// count, and the placement keeps the others in their domain. What recovery adds is
// the end of the patience: if no further member was bound for the grace period,
// the bound ones are evicted, so that half a gang holds nothing.
type HalfBound struct {
	Client   kubernetes.Interface
	Gangs    *gangtable.Table
	Recorder events.EventRecorder
	Clock    clock.WithTicker
	// Grace is how long after its last bind a gang may take to be bound whole.
	Grace   time.Duration
	Journal *insight.Journal
}

// Run looks after interrupted gangs until the context is done. It is run by the
// leader alone, and grants every gang the whole grace period anew.
func (r *HalfBound) Run(ctx context.Context) {
	w := r.Begin()
	ticker := r.Clock.NewTicker(recoveryPeriod)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C():
			w.Look(ctx)
		}
	}
}

// Resume takes up the evictions that another leader began and did not end: a gang that lost
// pods to it loses the others as well, and one that has all of them stays. It is called
// before anybody is placed.
func (r *HalfBound) Resume(ctx context.Context) {
	for _, g := range r.Gangs.Evicting() {
		if !g.Whole {
			klog.FromContext(ctx).Info("A gang was being evicted when the leader changed; evicting the rest", "gang", g.Key)
			r.Gangs.Finish(g.Key)
			measure.GangsReleased.Inc()
			continue
		}
		klog.FromContext(ctx).Info("A gang was to be evicted when the leader changed; it stays", "gang", g.Key)
		name := types.NamespacedName{Namespace: g.Key.Namespace, Name: g.Pod.Name}
		if err := preemption.MarkEvicting(ctx, r.Client, name, g.Pod.UID, false, "The gang is not evicted after all", r.Clock.Now()); err != nil && ctx.Err() == nil {
			klog.FromContext(ctx).Error(err, "A gang that is not evicted after all still says that it is", "gang", g.Key)
		}
	}
}

// Rounds are the rounds of one leader.
type Rounds struct {
	*HalfBound
	start time.Time
	// seen are the gangs of the last round that are bound by half, with how many pods, and
	// retry those that are left alone, until when.
	seen  map[gang.Key]int
	retry map[gang.Key]time.Time
}

// Begin begins the rounds of a leader.
func (r *HalfBound) Begin() *Rounds {
	return &Rounds{HalfBound: r, start: r.Clock.Now(), seen: map[gang.Key]int{}, retry: map[gang.Key]time.Time{}}
}

// Look looks once at all gangs that are bound by half.
func (r *Rounds) Look(ctx context.Context) {
	logger, now := klog.FromContext(ctx), r.Clock.Now()
	interrupted := map[gang.Key]int{}
	for _, g := range r.Gangs.Interrupted() {
		interrupted[g.Key] = len(g.Bound)
		if _, known := r.seen[g.Key]; !known && now.Sub(g.Since) > recoveryPeriod {
			logger.Info("A gang is bound by half; finishing it", "gang", g.Key, "bound", len(g.Bound), "size", g.Size, "grace", r.Grace)
		}
		patience := g.Since
		if r.start.After(patience) {
			patience = r.start
		}
		if !g.Releasing && now.Sub(patience) < r.Grace || now.Before(r.retry[g.Key]) {
			continue
		}
		if !g.Releasing {
			r.announce(logger, g)
			r.Gangs.Release(g.Key)
			measure.GangsReleased.Inc()
		}
		r.retry[g.Key] = now.Add(preemption.EvictionRetry)
		r.evict(ctx, g)
	}
	for key := range r.seen {
		if _, still := interrupted[key]; !still {
			logger.V(2).Info("A gang is no longer bound by half", "gang", key)
			delete(r.retry, key)
		}
	}
	r.seen = interrupted
}

func (r *HalfBound) announce(logger klog.Logger, g gangtable.Interrupted) {
	logger.Info("A gang that is bound by half could not be finished in time; evicting its bound pods",
		"gang", g.Key, "bound", len(g.Bound), "size", g.Size, "grace", r.Grace)
	note := fmt.Sprintf("Gang %s has %d of %d pods bound and could not be completed within %s: evicting them", g.Key, len(g.Bound), g.Size, r.Grace)
	r.Journal.Add(record.Decision(r.Clock.Now(), insight.ActionReleased, g.Key, len(g.Bound), string(gang.Releasing), note))
	pod := record.PodReference(g.Key.Namespace, g.Bound[0].Name, g.Bound[0].UID)
	measure.APIWrites.WithLabelValues("event").Inc()
	r.Recorder.Eventf(pod, nil, corev1.EventTypeWarning, string(gang.Releasing), "Evicting", "%s", note)
}

func (r *HalfBound) evict(ctx context.Context, g gangtable.Interrupted) {
	for _, p := range g.Bound {
		if p.State == gang.Leaving {
			continue
		}
		err := preemption.EvictPod(ctx, r.Client, types.NamespacedName{Namespace: g.Key.Namespace, Name: p.Name}, p.UID, "")
		if err != nil && !apierrors.IsNotFound(err) && ctx.Err() == nil {
			klog.FromContext(ctx).Info("Evicting a pod of a gang that is bound by half failed; trying again",
				"pod", klog.KRef(g.Key.Namespace, p.Name), "after", preemption.EvictionRetry, "err", err)
		}
	}
}
