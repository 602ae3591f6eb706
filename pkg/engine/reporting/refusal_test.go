package reporting

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework"

	"github.com/berth-dev/berth/pkg/dialect"
	"github.com/berth-dev/berth/pkg/engine/enginetest"
	"github.com/berth-dev/berth/pkg/engine/podgroups"
)

// The handler of failures passes everything on, and keeps why a member did not fit.
func TestRefusalNamesWhatWasShort(t *testing.T) {
	d := newReporterRig(t, dialect.SchedulerPlugins)
	d.declare("1", 2)
	a, b := d.member("a", ""), d.member("b", "")
	d.set(a, b)
	var passed []string
	handler := d.reporter.ObserveRefusals(func(_ context.Context, _ framework.Framework, pod *framework.QueuedPodInfo, _ *fwk.Status, _ *fwk.NominatingInfo, _ time.Time) {
		passed = append(passed, pod.Pod.Name)
	})
	fail := func(pod *corev1.Pod, err error) {
		t.Helper()
		grouped, err2 := podgroups.Transform(enginetest.Ours)(pod.DeepCopy())
		if err2 != nil {
			t.Fatal(err2)
		}
		info, err2 := framework.NewPodInfo(grouped.(*corev1.Pod))
		if err2 != nil {
			t.Fatal(err2)
		}
		handler(t.Context(), nil, &framework.QueuedPodInfo{PodInfo: info}, fwk.NewStatus(fwk.Unschedulable).WithError(err), nil, time.Time{})
	}
	fit := &framework.FitError{Pod: b, NumAllNodes: 3, Diagnosis: framework.Diagnosis{NodeToStatus: framework.NewDefaultNodeToStatus()}}
	for _, node := range []string{"n1", "n2", "n3"} {
		fit.Diagnosis.NodeToStatus.Set(node, fwk.NewStatus(fwk.Unschedulable, "Insufficient nvidia.com/gpu"))
	}
	fail(a, context.Canceled)
	fail(b, fit)
	if want := []string{"a", "b"}; !slices.Equal(passed, want) {
		t.Errorf("passed on were %v, want %v", passed, want)
	}
	d.refuse("pod group is unschedulable, 1 scheduled, 0 remaining")
	d.mustReport(time.Second)
	const text = "Gang ns/g needs 2 pods at once, and there is no place for all of them: 0/3 nodes are available: 3 Insufficient nvidia.com/gpu."
	d.expect([]string{"Pod/a Warning FailedScheduling: " + text + " PodGroup/g"}, pendingStatus)
	d.conditions.mu.Lock()
	defer d.conditions.mu.Unlock()
	for _, pod := range []*corev1.Pod{a, b} {
		asked := false
		for name, c := range d.conditions.pending {
			asked = asked || name.Name == pod.Name && c.condition.Reason == corev1.PodReasonUnschedulable && strings.Contains(c.condition.Message, text)
		}
		if !asked {
			t.Errorf("the condition of pod %q does not say why; asked for are %v", pod.Name, d.conditions.pending)
		}
	}
}
