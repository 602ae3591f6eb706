package reporting

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/berth-dev/berth/pkg/core/gang"
	"github.com/berth-dev/berth/pkg/dialect"
	"github.com/berth-dev/berth/pkg/engine/enginetest"
	"github.com/berth-dev/berth/pkg/state/gangtable"
)

// reporterRig is a reporter on a bench, with gangs that settle when the test says so.
type reporterRig struct {
	*writerRig
	t       *testing.T
	gangs   *gangtable.Table
	sink    *enginetest.SyncSink
	events  *enginetest.Recorder
	dynamic *dynamicfake.FakeDynamicClient
	kind    dialect.Kind
}

func newReporterRig(t *testing.T, of gang.Dialect) *reporterRig {
	t.Helper()
	d := &reporterRig{writerRig: newWriterRig(t), t: t, events: &enginetest.Recorder{}, kind: enginetest.Kind(t, of), sink: enginetest.NewSyncSink()}
	d.gangs = gangtable.New(enginetest.Ours, d.sink, d.clock)
	d.dynamic = dynamicfake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(),
		map[schema.GroupVersionResource]string{d.kind.Resource: d.kind.Kind + "List"})
	d.reporter.Gangs, d.reporter.Recorder, d.reporter.Conditions, d.reporter.Dynamic = d.gangs, d.events, d.conditions, d.dynamic
	go d.gangs.Run(t.Context())
	return d
}

// settle waits until the gangs have taken in everything so far.
func (d *reporterRig) settle() { d.sink.Wait(d.gangs.SetPod) }

// member is a pod of the gang "g" of the reporter rig's dialect, or of Berth's own if the
// size is given.
func (d *reporterRig) member(name, node string, change ...func(*corev1.Pod)) *corev1.Pod {
	pod := enginetest.Pod(name)
	pod.Labels = map[string]string{"scheduling.x-k8s.io/pod-group": "g"}
	pod.Spec.NodeName = node
	for _, f := range change {
		f(pod)
	}
	return pod
}

func (d *reporterRig) set(pods ...*corev1.Pod) {
	for _, pod := range pods {
		d.see(d.t, pod)
		d.gangs.SetPod(pod)
	}
	d.settle()
}

func (d *reporterRig) remove(pods ...*corev1.Pod) {
	for _, pod := range pods {
		if err := d.pods.Delete(pod); err != nil {
			d.t.Fatal(err)
		}
		d.gangs.DeletePod(pod)
	}
	d.settle()
}

func (d *reporterRig) key() gang.Key {
	return gang.Key{Namespace: "ns", Dialect: d.kind.Dialect, Name: "g"}
}

// declare makes the object of the gang, or changes it.
func (d *reporterRig) declare(uid string, size int64) {
	d.t.Helper()
	o := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": d.kind.Resource.GroupVersion().String(), "kind": d.kind.Kind,
		"metadata": map[string]any{"namespace": "ns", "name": "g", "uid": uid},
		"spec":     map[string]any{"minMember": size},
	}}
	if err := d.dynamic.Tracker().Update(d.kind.Resource, o, "ns"); apierrors.IsNotFound(err) {
		err = d.dynamic.Tracker().Create(d.kind.Resource, o, "ns")
		if err != nil {
			d.t.Fatal(err)
		}
	}
	d.gangs.SetObject(&d.kind, o)
	d.settle()
}

func (d *reporterRig) refuse(text string) {
	d.reporter.Decided(d.key(), metav1.Condition{Status: metav1.ConditionFalse, Reason: "Unschedulable", Message: text})
}

func (d *reporterRig) bind(pods ...*corev1.Pod) {
	d.reporter.Decided(d.key(), metav1.Condition{Status: metav1.ConditionTrue, Reason: "Scheduled"})
	for _, pod := range pods {
		d.reporter.Bound(d.key())
		bound := pod.DeepCopy() // others read the one that was told
		bound.Spec.NodeName = "n"
		d.set(bound)
	}
}

// report reports after a while, and returns the error.
func (d *reporterRig) report(after time.Duration) error {
	d.clock.Step(after)
	return d.reporter.report(d.t.Context(), d.key())
}

// statuses are the patches of the object: subresource and body.
func (d *reporterRig) statuses() []string {
	var out []string
	for _, action := range d.dynamic.Actions() {
		if p, ok := action.(clienttesting.PatchAction); ok {
			out = append(out, p.GetSubresource()+" "+string(p.GetPatch()))
		}
	}
	return out
}

func (d *reporterRig) expect(events []string, statuses ...string) {
	d.t.Helper()
	if diff := cmp.Diff(events, d.events.Log); diff != "" {
		d.t.Errorf("events (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(statuses, d.statuses()); diff != "" {
		d.t.Errorf("patches of the object (-want +got):\n%s", diff)
	}
}

const (
	pendingStatus   = `status {"status":{"phase":"Pending"}}`
	scheduledStatus = `status {"status":{"phase":"Scheduling"}}`
)

func (d *reporterRig) mustReport(after time.Duration) {
	d.t.Helper()
	if err := d.report(after); err != nil {
		d.t.Fatal(err)
	}
}
