package workload

import (
	"math/rand/v2"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/resource"
	resourcehelper "k8s.io/component-helpers/resource"
)

// Two versions that are said to ask alike do, whatever has changed between them.
func TestRequestsAlike(t *testing.T) {
	const rounds = 50_000
	random := rand.New(rand.NewPCG(3, 4))
	amounts := func() corev1.ResourceList {
		if random.IntN(4) == 0 {
			return nil
		}
		return corev1.ResourceList{corev1.ResourceCPU: *resource.NewQuantity(int64(random.IntN(3)), resource.DecimalSI)}
	}
	requirements := func() *corev1.ResourceRequirements {
		if random.IntN(2) == 0 {
			return nil
		}
		return &corev1.ResourceRequirements{Requests: amounts()}
	}
	status := func(name string) corev1.ContainerStatus {
		return corev1.ContainerStatus{Name: name, AllocatedResources: amounts(), Resources: requirements()}
	}
	container := func(name string) corev1.Container {
		c := corev1.Container{Name: name, Resources: corev1.ResourceRequirements{Requests: amounts()}}
		if random.IntN(3) == 0 {
			c.RestartPolicy = new(corev1.ContainerRestartPolicyAlways)
		}
		return c
	}
	changes := []func(p *corev1.Pod){
		func(p *corev1.Pod) { p.Spec.Containers[0] = container("a") },
		func(p *corev1.Pod) { p.Spec.Containers = append(p.Spec.Containers, container("b")) },
		func(p *corev1.Pod) { p.Spec.InitContainers = []corev1.Container{container("i"), container("j")} },
		func(p *corev1.Pod) { p.Spec.Overhead = amounts() },
		func(p *corev1.Pod) { p.Spec.Resources = requirements() },
		func(p *corev1.Pod) { p.Status.ContainerStatuses = []corev1.ContainerStatus{status("a")} },
		func(p *corev1.Pod) { p.Status.ContainerStatuses = nil },
		func(p *corev1.Pod) { p.Status.InitContainerStatuses = []corev1.ContainerStatus{status("j")} },
		func(p *corev1.Pod) { p.Status.AllocatedResources = amounts() },
		func(p *corev1.Pod) { p.Status.Resources = requirements() },
		func(p *corev1.Pod) {
			p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodResizePending, Reason: []string{"", corev1.PodReasonInfeasible}[random.IntN(2)]}}
		},
		func(p *corev1.Pod) {
			p.Status.NodeAllocatableResourceClaimStatuses = []corev1.NodeAllocatableResourceClaimStatus{{
				Mapping: []corev1.NodeAllocatableMappedResources{{Name: corev1.ResourceCPU, Quantity: resource.NewQuantity(int64(random.IntN(2)), resource.DecimalSI)}},
			}}
		},
		func(p *corev1.Pod) { p.Status.Phase = corev1.PodRunning },
		func(p *corev1.Pod) { p.Annotations = map[string]string{"some": "thing"} },
	}
	options := []resourcehelper.PodResourcesOptions{
		{}, {UseStatusResources: true}, {UseStatusResources: true, InPlacePodLevelResourcesVerticalScalingEnabled: true},
		{UseStatusResources: true, UseDRANodeAllocatableResourceClaimStatus: true},
	}
	alike, differ := 0, 0
	for range rounds {
		a := &corev1.Pod{Spec: corev1.PodSpec{Containers: []corev1.Container{container("a")}}}
		for range random.IntN(4) {
			changes[random.IntN(len(changes))](a)
		}
		b := a.DeepCopy()
		for range random.IntN(3) {
			changes[random.IntN(len(changes))](b)
		}
		if !RequestsAlike(a, b) {
			differ++
			continue
		}
		alike++
		for _, o := range options {
			if x, y := resourcehelper.PodRequests(a, o), resourcehelper.PodRequests(b, o); !equality.Semantic.DeepEqual(x, y) {
				t.Fatalf("they are said to ask alike, and with %+v one asks for %v and the other for %v:\n%v\n%v", o, x, y, a, b)
			}
		}
	}
	if alike < rounds/4 || differ < rounds/4 {
		t.Errorf("%d pairs ask alike and %d may not", alike, differ)
	}
}
