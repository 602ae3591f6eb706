package reporting

import (
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/berth-dev/berth/pkg/engine/measure"
	"github.com/berth-dev/berth/pkg/state/gangtable"
)

// timing is when what happened to a gang in one of its lives. Zero times have not come.
type timing struct {
	// refused is when there was no room for it first, and nodes how many had come by then.
	refused time.Time
	nodes   int64
	// bound is when enough of it was bound, of so many devices together. runs says that it
	// was seen to run since.
	bound time.Time
	size  string
	runs  bool
}

// observeRefused notes that there is no room for a gang.
func (r *Reporter) observeRefused(t *told, code string) {
	if t.timing.refused.IsZero() && !t.placed && code == corev1.PodReasonUnschedulable && r.NodesAdded != nil {
		t.timing.refused, t.timing.nodes = r.Clock.Now(), r.NodesAdded()
	}
}

// observePlaced counts how long a gang waited that was bound just now. Its pods are looked
// at, once.
func (r *Reporter) observePlaced(g gangtable.Gang, t *told, at time.Time) {
	if r.Devices == nil {
		return
	}
	made, devices := at, int64(0)
	for i := range g.Pods {
		pod, err := r.Conditions.pods.Pods(g.Key.Namespace).Get(g.Pods[i].Name)
		if err != nil {
			continue
		}
		_, n := r.Devices(pod)
		devices += n
		if c := pod.CreationTimestamp.Time; !c.IsZero() && c.Before(made) {
			made = c
		}
	}
	t.timing.bound, t.timing.size = at, measure.GangSizes.Of(devices)
	measure.GangWait.WithLabelValues(t.timing.size).Observe(at.Sub(made).Seconds())
	if refused := t.timing.refused; !refused.IsZero() && r.NodesAdded() > t.timing.nodes {
		measure.ScaleUp.Observe(max(0, at.Sub(refused).Seconds()))
	}
}

// observeRunning counts how long a gang took to run since it was bound.
func (r *Reporter) observeRunning(g gangtable.Gang, t *told) {
	if !t.timing.bound.IsZero() && !t.timing.runs && g.Running+g.Done >= g.Verdict.Group.Need {
		t.timing.runs = true
		measure.GangStart.WithLabelValues(t.timing.size).Observe(max(0, r.Clock.Since(t.timing.bound).Seconds()))
	}
}
