package preemption

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/client-go/util/retry"
	"k8s.io/klog/v2"

	"github.com/berth-dev/berth/pkg/dialect"
	"github.com/berth-dev/berth/pkg/engine/fastpath"
	"github.com/berth-dev/berth/pkg/engine/suspension"
	"github.com/berth-dev/berth/pkg/state/workload"
)

// reconsider returns why victims are to be chosen anew, "" if they are not: what their owners
// say now is not what was believed when they were chosen.
func (e *evictor) reconsider() (string, error) {
	if e.Departures == nil {
		return "", nil
	}
	for _, victim := range e.choice.Evicted {
		name, then := victim.Candidate.Name, victim.Candidate.Fate
		now, err := e.Departures.Read(e.ctx, name)
		if err != nil {
			return "", err
		}
		if now.Ends && !then.Ends && victim.Whole || now.Whole && !victim.Whole || now.Together != then.Together && now.Together != "" {
			return fmt.Sprintf("what becomes of %s was not known, or has changed", workload.Called(name, "")), nil
		}
	}
	return "", nil
}

// mates returns how users know the gangs of pods that would go with the victims and of which that
// was not known; it is once they are asked for here.
func (e *evictor) mates(affected []*corev1.Pod, victims sets.Set[types.UID]) ([]string, error) {
	if e.Departures == nil || e.claim == nil {
		return nil, nil // a gang that goes for its own sake was not chosen
	}
	names := sets.New[string]()
	for _, pod := range affected {
		if name := workload.NameOf(pod); pod.Spec.NodeName != "" && !victims.Has(pod.UID) && !e.Departures.Known(name) {
			names.Insert(name)
		}
	}
	var called []string
	for _, name := range sets.List(names) {
		if _, err := e.Departures.Read(e.ctx, name); err != nil {
			return nil, err
		}
		called = append(called, workload.Called(name, ""))
	}
	return called, nil
}

// readOwners finds the owners that can be suspended: an eviction counts as a failure of a Job
// and may end it for good, and what is suspended and resumed makes its pods again. Where
// others than the victims would go with the owner, or some of the gang stay, pods are evicted:
// others that go together are victims together, but for those of another queue. It returns why
// victims are to be chosen anew, "" if they are not.
func (e *evictor) readOwners(pods []*corev1.Pod) (string, error) {
	if e.Suspender == nil || !e.Suspender.Any(e.ctx) {
		return "", nil
	}
	victims := sets.New[types.UID]()
	for _, pod := range pods {
		victims.Insert(pod.UID)
	}
	e.suspended = map[string][]dialect.Departure{}
	for _, victim := range e.choice.Evicted {
		if !victim.Whole {
			continue
		}
		departures, err := e.Suspender.Departures(e.ctx, victim.Pods)
		if err != nil {
			return "", fmt.Errorf("reading the owners of %s: %w", workload.Called(victim.Candidate.Name, ""), err)
		}
		for _, d := range departures {
			if d.Action != dialect.Suspend {
				continue
			}
			affected, err := e.Suspender.Affected(e.ctx, d.Owner)
			if err != nil {
				return "", err
			}
			if news, err := e.mates(affected, victims); err != nil || len(news) > 0 {
				return fmt.Sprintf("others go with %s of which that was not known: %s", workload.Called(victim.Candidate.Name, ""), strings.Join(news, ", ")), err
			}
			if !slices.ContainsFunc(affected, func(pod *corev1.Pod) bool { return pod.Spec.NodeName != "" && !victims.Has(pod.UID) }) {
				e.suspended[victim.Candidate.Name] = append(e.suspended[victim.Candidate.Name], d)
			}
		}
	}
	return "", nil
}

// suspendOwners suspends the owners of a gang that are to be, and returns the pods that are to
// be evicted.
func (e *evictor) suspendOwners(victim fastpath.Evicted, gone sets.Set[types.UID]) ([]*corev1.Pod, error) {
	left := slices.Clone(victim.Pods)
	done := sets.New[types.UID]()
	for _, d := range e.suspended[victim.Candidate.Name] {
		err := error(nil)
		if !done.Has(d.Owner.UID) {
			done.Insert(d.Owner.UID)
			err = retry.RetryOnConflict(retry.DefaultRetry, func() error { return e.Suspender.Suspend(e.ctx, d.Owner, e.name) })
		}
		switch {
		case errors.Is(err, suspension.ErrNotAllowed):
			klog.FromContext(e.ctx).Info("An owner may not be suspended; its pods are evicted", "owner", d.Owner, "err", err)
			continue
		case err != nil && !errors.Is(err, suspension.ErrNotOurs): // whoever suspends it has its pods go
			return nil, err
		}
		for _, pod := range d.Pods {
			gone.Insert(pod.UID)
		}
		left = slices.DeleteFunc(left, func(pod *corev1.Pod) bool { return gone.Has(pod.UID) })
	}
	return left, nil
}
