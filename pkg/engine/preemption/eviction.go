package preemption

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/klog/v2"

	"github.com/berth-dev/berth/pkg/dialect"
	"github.com/berth-dev/berth/pkg/engine/fastpath"
	"github.com/berth-dev/berth/pkg/engine/measure"
	"github.com/berth-dev/berth/pkg/engine/waitreason"
	"github.com/berth-dev/berth/pkg/state/queueing"
)

// evictor has the gangs of a choice evicted: each of them whole or not at all.
//
// First the disruption budgets that protect any of the pods are read from the API server, and
// all pods are counted against them: if they may not go together, none goes. Then it is
// written on one pod of each gang that the gang is being evicted, and that pod goes last:
// whoever leads next finds it as long as part of the gang is there (see [recovery]).
//
// A budget that was made since may stop it in the middle. So gangs go one after another, and
// one of them at most has lost some of its pods then. That one is made whole again before
// anything else gets the room of what it lost, and nobody else goes for that claim before.
type evictor struct {
	*Reclaimer
	// batch, claimant and claim are nil if a gang goes for its own sake (see restart).
	batch    *evictionBatch
	name     string
	claimant *corev1.Pod
	claim    *queueing.Reclaim
	choice   *fastpath.Choice
	// suspended are the owners that are suspended instead of their pods evicted, by the name of
	// the gang.
	suspended map[string][]dialect.Departure
	// told are the pods that were told to save their work, and since when.
	told map[types.UID]time.Time
}

// run evicts, until all have been, or the batch ends.
func (e *evictor) run() {
	outcome := measure.BatchNotBegun
	defer func() { measure.EvictionBatches.WithLabelValues(outcome).Inc() }()
	if stopped := e.prepare(); stopped != nil {
		e.endFor(e.name, *stopped)
		return
	}
	if waited, stopped := e.letSave(); waited || stopped != nil {
		if stopped == nil && e.ctx.Err() == nil {
			stopped = e.prepare()
		}
		if stopped != nil {
			e.endFor(e.name, *stopped)
			e.spare(e.choice.Evicted)
			return
		}
	}
	if e.ctx.Err() != nil {
		return // whoever leads next finds what was told
	}
	for _, victim := range e.choice.Evicted {
		if err := e.mark(victim, true); err != nil {
			e.end(e.name, err.Error())
			e.spare(e.choice.Evicted)
			return
		}
	}
	for _, victim := range e.choice.Evicted {
		if victim.Whole {
			e.Queues.Leaves(victim.Pods[0])
		}
		e.tell(victim, e.claimant, e.claim)
	}
	outcome = measure.BatchCutShort
	victims := e.inOrder()
	for i, victim := range victims {
		if e.ended(e.name, e.batch) {
			// The gang has its place already, or waits no more.
			outcome = measure.BatchDone
			e.spare(victims[i:])
			return
		}
		if stopped := e.evictGang(victim); stopped != nil {
			klog.FromContext(e.ctx).Info("A batch of evictions was cut short", "for", e.name, "gang", victim.Candidate.Name, "why", stopped.Text)
			e.endFor(e.name, *stopped)
			e.spare(victims[i+1:])
			return
		}
	}
	outcome = measure.BatchDone
}

// prepare reads what may have changed since the choice, and returns why nobody may go; nil if
// all may.
func (e *evictor) prepare() *waitreason.Explanation {
	pods := evictedPods(e.choice)
	if err := e.readBudgets(pods); err != nil {
		return &waitreason.Explanation{Text: err.Error()}
	}
	if protection := e.claim.Protected(pods); protection != nil {
		why := victimsProtected(protection.Sentence())
		return &why
	}
	why, err := e.reconsider()
	if err == nil && why == "" {
		why, err = e.readOwners(pods)
	}
	if err != nil {
		why = err.Error()
	}
	if why != "" {
		return &waitreason.Explanation{Text: why}
	}
	return nil
}

// inOrder returns the gangs in the order in which they go: first those that budgets protect,
// for if one of them may not go after all, the others need not.
func (e *evictor) inOrder() []fastpath.Evicted {
	var protected, others []fastpath.Evicted
	for _, victim := range e.choice.Evicted {
		if slices.ContainsFunc(victim.Pods, func(pod *corev1.Pod) bool { return len(e.budgets.Of(pod)) > 0 }) {
			protected = append(protected, victim)
		} else {
			others = append(others, victim)
		}
	}
	return append(protected, others...)
}

// evictGang evicts the pods of a gang that go, and returns why it stopped before all had gone;
// nil if they have.
func (e *evictor) evictGang(victim fastpath.Evicted) *waitreason.Explanation {
	gone := sets.New[types.UID]()
	first, err := e.suspendOwners(victim, gone)
	if err != nil {
		e.undo(victim, gone)
		return &waitreason.Explanation{Text: err.Error()}
	}
	var last []*corev1.Pod
	if marked := e.markedOf(victim); slices.Contains(first, marked) {
		first = slices.DeleteFunc(first, func(pod *corev1.Pod) bool { return pod == marked })
		last = append(last, marked)
	}
	for _, pods := range [][]*corev1.Pod{first, last} {
		if stopped := e.evictPods(pods, gone); stopped != nil {
			e.undo(victim, gone)
			return stopped
		}
	}
	return nil
}

// evictPods evicts pods, again if that fails for another reason than a budget, and adds those
// that go to the gone. It returns why it stopped before all were; nil if they are.
func (e *evictor) evictPods(pods []*corev1.Pod, gone sets.Set[types.UID]) *waitreason.Explanation {
	for {
		var mu sync.Mutex
		var failed []*corev1.Pod
		var budget error
		workqueue.ParallelizeUntil(e.ctx, evictionsAtATime, len(pods), func(i int) {
			pod := e.latest(pods[i])
			err := EvictPod(e.ctx, e.Client, types.NamespacedName{Namespace: pod.Namespace, Name: pod.Name}, pod.UID, pod.ResourceVersion)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil, apierrors.IsNotFound(err):
				gone.Insert(pod.UID) // it goes, or is gone, or has ended, or another has its name
			default:
				klog.FromContext(e.ctx).V(2).Info("A pod was not evicted", "pod", klog.KObj(pod), "err", err)
				failed = append(failed, pod)
				if isBudget(err) {
					budget = err
				}
			}
		})
		switch {
		case e.ctx.Err() != nil:
			return nil // whoever leads next finds what was marked
		case budget != nil:
			why := victimsProtected("a disruption budget stopped their eviction: " + budget.Error())
			return &why
		case len(failed) == 0:
			return nil
		case e.ended(e.name, e.batch):
			return &waitreason.Explanation{Text: fmt.Sprintf("%d pods could not be evicted in time", len(failed))}
		}
		pods = failed
		select {
		case <-e.ctx.Done():
		case <-e.Clock.After(EvictionRetry):
		}
	}
}

// latest returns a pod as it was heard of last.
func (r *Reclaimer) latest(pod *corev1.Pod) *corev1.Pod {
	if now, err := r.Pods.Pods(pod.Namespace).Get(pod.Name); err == nil && now.UID == pod.UID {
		return now
	}
	return pod
}

// isBudget reports whether an eviction was refused for a disruption budget, and not because
// the API server is busy or away.
func isBudget(err error) bool {
	var status apierrors.APIStatus
	return apierrors.HasStatusCause(err, policyv1.DisruptionBudgetCause) ||
		errors.As(err, &status) && status.Status().Code == http.StatusInternalServerError && strings.Contains(err.Error(), "more than one PodDisruptionBudget")
}

// readBudgets reads the budgets that protect any of the pods as they are now.
func (e *evictor) readBudgets(pods []*corev1.Pod) error {
	names := sets.New[types.NamespacedName]()
	for _, pod := range pods {
		for _, b := range e.budgets.Of(pod) {
			namespace, name, _ := strings.Cut(b.Name, "/")
			names.Insert(types.NamespacedName{Namespace: namespace, Name: name})
		}
	}
	all := names.UnsortedList()
	errs := make([]error, len(all))
	workqueue.ParallelizeUntil(e.ctx, evictionsAtATime, len(all), func(i int) {
		pdb, err := e.Client.PolicyV1().PodDisruptionBudgets(all[i].Namespace).Get(e.ctx, all[i].Name, metav1.GetOptions{})
		switch {
		case err == nil:
			e.budgets.Set(pdb)
		case apierrors.IsNotFound(err):
			e.budgets.Delete(all[i])
		default:
			errs[i] = fmt.Errorf("reading disruption budget %s: %w", all[i], err)
		}
	})
	return errors.Join(errs...)
}

// markedOf returns the pod of a gang on which it is written that the gang goes: the last by
// name; nil if it goes in one step, or not whole, or if its owner has the mark.
func (e *evictor) markedOf(victim fastpath.Evicted) *corev1.Pod {
	if !victim.Whole || len(victim.Pods) < 2 || len(e.suspended[victim.Candidate.Name]) > 0 {
		return nil
	}
	return slices.MaxFunc(victim.Pods, func(a, b *corev1.Pod) int { return strings.Compare(a.Name, b.Name) })
}

// mark writes on a pod of a gang that the gang is being evicted, or that it is not.
func (e *evictor) mark(victim fastpath.Evicted, evicting bool) error {
	pod := e.markedOf(victim)
	if pod == nil {
		return nil
	}
	text := "The gang lost pods, and starts again"
	switch {
	case !evicting:
		text = "The gang is not evicted after all"
	case e.claim != nil:
		text = fmt.Sprintf("The gang is evicted for %s of queue %q", e.name, e.claim.Claimant())
	}
	return MarkEvicting(e.ctx, e.Client, types.NamespacedName{Namespace: pod.Namespace, Name: pod.Name}, pod.UID, evicting, text, e.Clock.Now())
}

// spare has gangs stay that have lost nothing.
func (e *evictor) spare(victims []fastpath.Evicted) {
	for _, victim := range victims {
		e.Queues.Stays(victim.Pods[0])
		e.takeBack(victim)
		if err := e.mark(victim, false); err != nil {
			klog.FromContext(e.ctx).Error(err, "A gang that is not evicted after all still says that it is", "gang", victim.Candidate.Name)
		}
	}
}

// undo has a gang of which only some pods have gone stay, and keeps the room of those for it.
func (e *evictor) undo(victim fastpath.Evicted, gone sets.Set[types.UID]) {
	lost := slices.DeleteFunc(slices.Clone(victim.Pods), func(pod *corev1.Pod) bool { return !gone.Has(pod.UID) })
	if len(lost) == len(victim.Pods) {
		return
	}
	e.spare([]fastpath.Evicted{victim})
	if len(lost) > 0 && victim.Whole && e.claim != nil {
		e.repair(victim, lost, e.name)
	}
}
