package report

import (
	"errors"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/berth-dev/berth/pkg/api/v1alpha1"
)

// Next returns what is to be reported now. previous is what was reported before, nil
// for nothing; it is not changed. The result is nil if there is nothing to report.
// The notes are sentences about what was found and cannot be in the report.
func Next(node Node, previous *v1alpha1.NodeTopology, found Findings) (next *v1alpha1.NodeTopology, notes []string) {
	if previous == nil {
		if nothing(found) {
			return nil, nil
		}
		previous = &v1alpha1.NodeTopology{}
	}
	next = &v1alpha1.NodeTopology{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "NodeTopology"},
		ObjectMeta: metav1.ObjectMeta{Name: node.Name},
	}
	if node.Boot != "" {
		next.Annotations = map[string]string{BootAnnotation: node.Boot}
	}
	if found.Machine != nil {
		next.Spec, notes = hardware(previous.Spec, found.Machine)
		notes = append(notes, found.Machine.Notes...)
	} else {
		next.Spec = *previous.Spec.DeepCopy()
	}
	next.Spec.Resource = node.Resource
	if next.Spec.Devices == nil {
		next.Spec.Devices = []v1alpha1.Device{} // a list is required, if an empty one
	}

	before := previous.Status.DeepCopy()
	next.Status.Unhealthy = unhealthy(next.Spec.Devices, before.Unhealthy, found, sameBoot(node, previous))
	next.Status.Allocations = before.Allocations
	if found.KubeletErr == nil {
		var skipped []string
		next.Status.Allocations, skipped = allocations(node.Resource, next.Spec.Devices, found.Parts, found.Held)
		notes = append(notes, skipped...)
	}
	next.Status.Conditions = []metav1.Condition{ready(before.Conditions, found)}
	return next, notes
}

// nothing reports whether a node without a report needs none: it has no library, or
// no device. A driver that fails is worth a report, for there is hardware then.
func nothing(found Findings) bool {
	if found.Machine == nil {
		return errors.Is(found.DriverErr, ErrNoDriver)
	}
	return len(found.Machine.Devices) == 0
}

// sameBoot reports whether the machine has not booted since the last report, as far as
// one knows.
func sameBoot(node Node, previous *v1alpha1.NodeTopology) bool {
	before := previous.Annotations[BootAnnotation]
	return before == "" || node.Boot == "" || before == node.Boot
}

// ready returns the condition. While its reason stays, so does its message: the first
// cause tells most, and later ones would be a write each.
func ready(before []metav1.Condition, found Findings) metav1.Condition {
	c := metav1.Condition{
		Type:               v1alpha1.ConditionReady,
		Status:             metav1.ConditionTrue,
		Reason:             v1alpha1.ReasonReady,
		Message:            "The driver and the kubelet were read.",
		LastTransitionTime: metav1.NewTime(found.Now.Truncate(time.Second)),
	}
	fail := func(reason, format string, err error) {
		c.Status, c.Reason, c.Message = metav1.ConditionFalse, reason, truncate(fmt.Sprintf(format, err), maxConditionMessage)
	}
	switch {
	case found.Machine == nil && errors.Is(found.DriverErr, ErrNoDriver):
		fail(v1alpha1.ReasonNoDriver, "The devices are those that were found before: %v", found.DriverErr)
	case found.Machine == nil:
		fail(v1alpha1.ReasonDriverFailed, "The devices are those that were found before: %v", found.DriverErr)
	case found.KubeletErr != nil:
		fail(v1alpha1.ReasonKubeletFailed, "The allocations are those that were found before: %v", found.KubeletErr)
	}
	for _, old := range before {
		if old.Type != c.Type {
			continue
		}
		if old.Status == c.Status {
			c.LastTransitionTime = old.LastTransitionTime
		}
		if old.Status == c.Status && old.Reason == c.Reason {
			c.Message = old.Message
		}
	}
	return c
}

// The longest texts, in bytes. The API takes 32,768 for the first; a sentence needs less.
const (
	maxConditionMessage = 1024
	maxFaultMessage     = 512
)

// truncate cuts a text to at most n bytes, at the beginning of a rune.
func truncate(text string, n int) string {
	if len(text) <= n {
		return text
	}
	cut := 0
	for i := range text {
		if i > n-len("...") {
			break
		}
		cut = i
	}
	return text[:cut] + "..."
}
