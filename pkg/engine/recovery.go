package engine

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/events"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"

	"github.com/berth-dev/berth/pkg/core/gang"
	"github.com/berth-dev/berth/pkg/engine/binder"
	"github.com/berth-dev/berth/pkg/engine/measure"
	"github.com/berth-dev/berth/pkg/engine/record"
	"github.com/berth-dev/berth/pkg/insight"
	"github.com/berth-dev/berth/pkg/state/gangtable"
)

const (
	recoveryPeriod = time.Second
	// evictionRetry is how long a gang whose evictions were refused, as by a
	// PodDisruptionBudget, is left alone before the next try.
	evictionRetry = 5 * time.Second
)

// recovery looks after gangs whose binding was cut short, as by the death of the
// leader. The scheduling cycle finishes such a gang by itself: the bound members
// count, and the placement keeps the others in their domain. What recovery adds is
// the end of the patience: if no further member was bound for the grace period,
// the bound ones are evicted, so that half a gang holds nothing.
type recovery struct {
	client   kubernetes.Interface
	gangs    *gangtable.Table
	recorder events.EventRecorder
	clock    clock.WithTicker
	grace    time.Duration
	journal  *insight.Journal
}

// Run looks after interrupted gangs until the context is done. It is run by the
// leader alone, and grants every gang the whole grace period anew.
func (r *recovery) Run(ctx context.Context) {
	w := r.begin()
	ticker := r.clock.NewTicker(recoveryPeriod)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C():
			w.look(ctx)
		}
	}
}

// resume takes up the evictions that another leader began and did not end: a gang that lost
// pods to it loses the others as well, and one that has all of them stays. It is called
// before anybody is placed.
func (r *recovery) resume(ctx context.Context) {
	for _, g := range r.gangs.Evicting() {
		if !g.Whole {
			klog.FromContext(ctx).Info("A gang was being evicted when the leader changed; evicting the rest", "gang", g.Key)
			r.gangs.Finish(g.Key)
			measure.GangsReleased.Inc()
			continue
		}
		klog.FromContext(ctx).Info("A gang was to be evicted when the leader changed; it stays", "gang", g.Key)
		name := types.NamespacedName{Namespace: g.Key.Namespace, Name: g.Pod.Name}
		if err := markEvicting(ctx, r.client, name, g.Pod.UID, false, "The gang is not evicted after all", r.clock.Now()); err != nil && ctx.Err() == nil {
			klog.FromContext(ctx).Error(err, "A gang that is not evicted after all still says that it is", "gang", g.Key)
		}
	}
}

// rounds are the rounds of one leader.
type rounds struct {
	*recovery
	start time.Time
	// seen are the gangs of the last round that are bound by half, with how many pods, and
	// retry those that are left alone, until when.
	seen  map[gang.Key]int
	retry map[gang.Key]time.Time
}

func (r *recovery) begin() *rounds {
	return &rounds{recovery: r, start: r.clock.Now(), seen: map[gang.Key]int{}, retry: map[gang.Key]time.Time{}}
}

// look looks once at all gangs that are bound by half.
func (r *rounds) look(ctx context.Context) {
	logger, now := klog.FromContext(ctx), r.clock.Now()
	interrupted := map[gang.Key]int{}
	for _, g := range r.gangs.Interrupted() {
		interrupted[g.Key] = len(g.Bound)
		if _, known := r.seen[g.Key]; !known && now.Sub(g.Since) > recoveryPeriod {
			logger.Info("A gang is bound by half; finishing it", "gang", g.Key, "bound", len(g.Bound), "size", g.Size, "grace", r.grace)
		}
		patience := g.Since
		if r.start.After(patience) {
			patience = r.start
		}
		if !g.Releasing && now.Sub(patience) < r.grace || now.Before(r.retry[g.Key]) {
			continue
		}
		if !g.Releasing {
			r.announce(logger, g)
			r.gangs.Release(g.Key)
			measure.GangsReleased.Inc()
		}
		r.retry[g.Key] = now.Add(evictionRetry)
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

func (r *recovery) announce(logger klog.Logger, g gangtable.Interrupted) {
	logger.Info("A gang that is bound by half could not be finished in time; evicting its bound pods",
		"gang", g.Key, "bound", len(g.Bound), "size", g.Size, "grace", r.grace)
	note := fmt.Sprintf("Gang %s has %d of %d pods bound and could not be completed within %s: evicting them", g.Key, len(g.Bound), g.Size, r.grace)
	r.journal.Add(record.Decision(r.clock.Now(), insight.ActionReleased, g.Key, len(g.Bound), string(gang.Releasing), note))
	pod := record.PodReference(g.Key.Namespace, g.Bound[0].Name, g.Bound[0].UID)
	measure.APIWrites.WithLabelValues("event").Inc()
	r.recorder.Eventf(pod, nil, corev1.EventTypeWarning, string(gang.Releasing), "Evicting", "%s", note)
}

func (r *recovery) evict(ctx context.Context, g gangtable.Interrupted) {
	for _, p := range g.Bound {
		if p.State == gang.Leaving {
			continue
		}
		err := evictPod(ctx, r.client, types.NamespacedName{Namespace: g.Key.Namespace, Name: p.Name}, p.UID, "")
		if err != nil && !apierrors.IsNotFound(err) && ctx.Err() == nil {
			klog.FromContext(ctx).Info("Evicting a pod of a gang that is bound by half failed; trying again",
				"pod", klog.KRef(g.Key.Namespace, p.Name), "after", evictionRetry, "err", err)
		}
	}
}

// evictTries is how often an eviction is asked for whose answer is lost.
const evictTries = 3

// evictPod asks for the eviction of a pod: of that UID and no other of its name, and of that
// version, which is read if it is not known. For the API server deletes a pod that has ended
// since, and with it what its gang and its owner go by: a replacement of another member would
// wait for that one for ever. A pod that has ended stays, as one that is gone.
//
// If the answer is lost, a read says whether the pod goes; if it does not, it is asked for again,
// which takes no more from its disruption budget than once if the first is granted after all.
func evictPod(ctx context.Context, client kubernetes.Interface, name types.NamespacedName, uid types.UID, version string) error {
	for try := 1; ; try++ {
		if version != "" {
			measure.APIWrites.WithLabelValues("eviction").Inc()
			err := client.PolicyV1().Evictions(name.Namespace).Evict(ctx, &policyv1.Eviction{
				ObjectMeta:    metav1.ObjectMeta{Namespace: name.Namespace, Name: name.Name},
				DeleteOptions: &metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &uid, ResourceVersion: &version}},
			})
			changed := apierrors.IsConflict(err)
			if !changed && !binder.InDoubt(err) || try >= evictTries || !changed && !binder.Pause(ctx, binder.SettleRest(binder.SettleFirst, try)) {
				return err
			}
		}
		pod, err := client.CoreV1().Pods(name.Namespace).Get(ctx, name.Name, metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err), err == nil && (pod.UID != uid || pod.DeletionTimestamp != nil || measure.Over(pod)):
			return nil
		case err == nil:
			version = pod.ResourceVersion
		case version == "":
			return err
		}
	}
}
