package statetest

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/berth-dev/berth/pkg/core/gang"
	"github.com/berth-dev/berth/pkg/dialect"
)

const Gpu = "nvidia.com/gpu"

var Epoch = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

// Pod returns a pod of Berth's whose UID is its name.
func Pod(name string, with ...func(*corev1.Pod)) *corev1.Pod {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: name, UID: types.UID(name),
			Labels: map[string]string{}, Annotations: map[string]string{}, CreationTimestamp: metav1.NewTime(Epoch)},
		Spec: corev1.PodSpec{SchedulerName: "berth"},
	}
	for _, f := range with {
		f(pod)
	}
	return pod
}

func InGang(name string) func(*corev1.Pod) {
	return func(p *corev1.Pod) { p.Labels["berth.dev/gang"] = name }
}

func InForeign(name string) func(*corev1.Pod) {
	return func(p *corev1.Pod) { p.Labels["scheduling.x-k8s.io/pod-group"] = name }
}

func InNative(name string) func(*corev1.Pod) {
	return func(p *corev1.Pod) { p.Spec.SchedulingGroup = &corev1.PodSchedulingGroup{PodGroupName: &name} }
}

func Sized(n int) func(*corev1.Pod) {
	return func(p *corev1.Pod) { p.Annotations["berth.dev/gang-size"] = fmt.Sprint(n) }
}

func On(node string, after time.Duration) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Spec.NodeName = node
		p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionTrue,
			LastTransitionTime: metav1.NewTime(Epoch.Add(after))}}
	}
}

func Created(after time.Duration) func(*corev1.Pod) {
	return func(p *corev1.Pod) { p.CreationTimestamp = metav1.NewTime(Epoch.Add(after)) }
}

func Leaving(p *corev1.Pod) { p.DeletionTimestamp = &metav1.Time{Time: Epoch} }

func Uid(uid string) func(*corev1.Pod) { return func(p *corev1.Pod) { p.UID = types.UID(uid) } }

func By(scheduler string) func(*corev1.Pod) {
	return func(p *corev1.Pod) { p.Spec.SchedulerName = scheduler }
}

func BerthKey(name string) gang.Key {
	return gang.Key{Namespace: "ns", Dialect: dialect.Berth, Name: name}
}

func ForeignKey(name string) gang.Key {
	return gang.Key{Namespace: "ns", Dialect: dialect.SchedulerPlugins, Name: name}
}

func NativeKey(name string) gang.Key {
	return gang.Key{Namespace: "ns", Dialect: gang.Native, Name: name}
}

func GPUPod(name string, gpus int64, with ...func(*corev1.Pod)) *corev1.Pod {
	return Pod(name, append([]func(*corev1.Pod){func(p *corev1.Pod) {
		p.Spec.Containers = []corev1.Container{{Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{Gpu: *resource.NewQuantity(gpus, resource.DecimalSI)}}}}
	}}, with...)...)
}

func InQueue(name string) func(*corev1.Pod) {
	return func(p *corev1.Pod) { p.Labels["berth.dev/queue"] = name }
}

func OnNode(p *corev1.Pod) { p.Spec.NodeName = "node" }
