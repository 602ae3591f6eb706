package fastpath

import (
	"math/rand/v2"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/resource"
	resourcehelper "k8s.io/component-helpers/resource"
	"k8s.io/kubernetes/pkg/scheduler/framework"

	"github.com/berth-dev/berth/pkg/state/workload"
)

// What a pod asks for is what the scheduler's own library says, also of those pods that it is
// read off.
func TestRequests(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	maybe := func(in int) bool { return r.IntN(in) == 0 }
	list := func() corev1.ResourceList {
		if maybe(8) {
			return nil
		}
		out := corev1.ResourceList{}
		for _, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory, "nvidia.com/gpu"} {
			if !maybe(3) {
				out[name] = *resource.NewQuantity(int64(r.IntN(3)), resource.DecimalSI)
			}
		}
		return out
	}
	like := func(asks corev1.ResourceList) corev1.ResourceList {
		if maybe(4) {
			return list()
		}
		return asks.DeepCopy()
	}
	plain, counted := 0, 0
	for range 20000 {
		pod := &corev1.Pod{}
		containers := 1
		if maybe(5) {
			containers = r.IntN(3)
		}
		for i := range containers {
			name := string(rune('a' + i))
			asks := list()
			pod.Spec.Containers = append(pod.Spec.Containers, corev1.Container{Name: name, Resources: corev1.ResourceRequirements{Requests: asks}})
			if maybe(2) {
				status := corev1.ContainerStatus{Name: name}
				if maybe(10) {
					status.Name = "other"
				}
				if maybe(2) {
					status.AllocatedResources = like(asks)
				}
				if maybe(2) {
					status.Resources = &corev1.ResourceRequirements{Requests: like(asks)}
				}
				pod.Status.ContainerStatuses = append(pod.Status.ContainerStatuses, status)
			}
		}
		if maybe(10) {
			pod.Spec.InitContainers = []corev1.Container{{Name: "init", Resources: corev1.ResourceRequirements{Requests: list()}}}
		}
		if maybe(10) {
			pod.Spec.Overhead = list()
		}
		if maybe(10) {
			pod.Spec.Resources = &corev1.ResourceRequirements{Requests: list()}
		}
		if maybe(10) {
			pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodResizePending, Reason: corev1.PodReasonInfeasible}}
		}
		if _, is := workload.PlainRequests(pod); is {
			plain++
		} else {
			counted++
		}
		counts := framework.PodInfo{Pod: pod}
		if got, want := ResourceOf(pod), counts.CalculateResource().Resource; !apiequality.Semantic.DeepEqual(got, want) {
			t.Fatalf("%v, want %v, of %+v", got, want, pod)
		}
		got, want := workload.Requests(pod), resourcehelper.PodRequests(pod, resourcehelper.PodResourcesOptions{UseStatusResources: true})
		if !apiequality.Semantic.DeepEqual(got, want) && len(got)+len(want) > 0 {
			t.Fatalf("%v, want %v, of %+v", got, want, pod)
		}
	}
	if plain < 1000 || counted < 1000 {
		t.Errorf("%d pods were read off, and %d counted: the test shows little", plain, counted)
	}
}
