package dialect

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/berth-dev/berth/pkg/core/gang"
)

// Older labels of the Coscheduling plugin. They belong to the API group
// scheduling.sigs.k8s.io, which scheduler-plugins left and Koordinator kept.
const (
	coschedulingGroupLabel = "pod-group.scheduling.sigs.k8s.io"
	coschedulingNameLabel  = "pod-group.scheduling.sigs.k8s.io/name"
	coschedulingSizeLabel  = "pod-group.scheduling.sigs.k8s.io/min-available"
)

// coschedulingGang reads the older labels. They say nothing of their own beside a
// newer name with the same value.
func coschedulingGang(pod *corev1.Pod) statement {
	said := spelled(
		pod.Labels[coschedulingGroupLabel], "label "+coschedulingGroupLabel,
		pod.Labels[coschedulingNameLabel], "label "+coschedulingNameLabel)
	if said.name == "" || said.fault != nil {
		return said
	}
	if said.name == pod.Labels[schedulerPluginsGroupLabel] || said.name == pod.Annotations[koordinatorGangName] {
		return statement{}
	}
	return said
}

func coschedulingSize(pod *corev1.Pod) (*int64, *gang.Fault) {
	return wholeNumber(pod.Labels, coschedulingSizeLabel, label)
}

// declareCoscheduling reads a PodGroup of either API group: it declares the gang of
// its own dialect and the one of the older label.
func declareCoscheduling(obj *unstructured.Unstructured, dialect gang.Dialect, source string) []Declared {
	r := newReader(obj, source)
	claims := r.claims(obj, "")
	claims.Size = r.root(obj).object("spec").integer("minMember")
	return r.declare(obj, claims, dialect, Coscheduling)
}

// Phases of a PodGroup of scheduler-plugins and of Koordinator.
const (
	coschedulingPending    = "Pending"
	coschedulingScheduling = "Scheduling"
	coschedulingScheduled  = "Scheduled"
	coschedulingRunning    = "Running"
	coschedulingFinished   = "Finished"
	coschedulingFailed     = "Failed"
)

// coschedulingStatus writes the status of a PodGroup of either API group, with
// placed for the phase between bound and running.
func coschedulingStatus(obj *unstructured.Unstructured, o Outcome, placed string, countBound bool) []byte {
	var r reader
	spec, status := r.root(obj).object("spec"), r.root(obj).object("status")
	phase := status.text("phase")
	if phase == coschedulingFinished || phase == coschedulingFailed {
		return nil
	}
	changes := patch{}
	changes.text(status, "phase", coschedulingPhase(spec, o, placed))
	changes.count(status, "running", o.Running)
	if countBound {
		changes.count(status, "scheduled", o.Bound)
	}
	return changes.body()
}

func coschedulingPhase(spec node, o Outcome, placed string) string {
	least := int64(1)
	if n := spec.integer("minMember"); n != nil {
		least = *n
	}
	switch {
	case !o.Scheduled:
		return coschedulingPending
	case int64(o.Running) < least:
		return placed
	}
	return coschedulingRunning
}
