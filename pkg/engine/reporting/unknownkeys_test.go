package reporting

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/berth-dev/berth/pkg/engine/enginetest"
)

// A misspelt annotation is told once for each owner of pods that wait, and by the leader alone.
func TestUnknownKeys(t *testing.T) {
	misspelt := func(name string, change ...func(*corev1.Pod)) *corev1.Pod {
		pod := enginetest.Pod(name)
		pod.Annotations = map[string]string{"berth.dev/gangsize": "16"}
		for _, f := range change {
			f(pod)
		}
		return pod
	}
	ownedBy := func(job string) func(*corev1.Pod) {
		return func(pod *corev1.Pod) {
			pod.OwnerReferences = []metav1.OwnerReference{{APIVersion: "batch/v1", Kind: "Job", Name: job, UID: "uid-of-job", Controller: new(true)}}
		}
	}
	leads := false
	events := &enginetest.Recorder{}
	k := NewUnknownKeys(enginetest.Ours, func() bool { return leads }, events)
	k.SetPod(misspelt("standby"))
	leads = true
	k.SetPod(misspelt("train-0", ownedBy("train")))
	k.SetPod(misspelt("train-0", ownedBy("train")))
	k.SetPod(misspelt("train-1", ownedBy("train")))
	k.SetPod(misspelt("bound", func(pod *corev1.Pod) { pod.Spec.NodeName = "n" }))
	k.SetPod(misspelt("leaves", func(pod *corev1.Pod) { pod.DeletionTimestamp = &metav1.Time{} }))
	k.SetPod(misspelt("of-another", func(pod *corev1.Pod) { pod.Spec.SchedulerName = "default-scheduler" }))
	k.SetPod(enginetest.Pod("right"))
	k.SetPod(misspelt("single"))
	want := []string{
		"Pod/train-0 Warning UnknownKey: annotation berth.dev/gangsize is unknown; did you mean berth.dev/gang-size? Job/train",
		"Pod/single Warning UnknownKey: annotation berth.dev/gangsize is unknown; did you mean berth.dev/gang-size?",
	}
	if diff := cmp.Diff(want, events.Log); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// However many owners are wrong, few events are written.
func TestUnknownKeysOfManyOwners(t *testing.T) {
	events := &enginetest.Recorder{}
	k := NewUnknownKeys(enginetest.Ours, func() bool { return true }, events)
	for i := range 10 * unknownKeyBurst {
		pod := enginetest.Pod(fmt.Sprint("p", i))
		pod.Labels = map[string]string{"berth.dev/gang-size": "16"}
		k.SetPod(pod)
	}
	if n := len(events.Log); n < unknownKeyBurst || n > 2*unknownKeyBurst {
		t.Errorf("%d events were written, want about %d", n, unknownKeyBurst)
	}
}
