package rig

import (
	"fmt"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/berth-dev/berth/bench/schedulers"
)

const (
	// GPUsPerNode is how many GPUs a node has.
	GPUsPerNode = 8
	// Namespace is that of all pods.
	Namespace = "bench"

	nodesInRack = 32
)

// NodeName returns the name of a node by its number.
func NodeName(i int) string { return fmt.Sprintf("node-%05d", i) }

// Node returns a node by its number.
func Node(i int) *corev1.Node {
	name := NodeName(i)
	amounts := corev1.ResourceList{
		corev1.ResourceCPU:    resource.MustParse("192"),
		corev1.ResourceMemory: resource.MustParse("2Ti"),
		corev1.ResourcePods:   resource.MustParse("110"),
		schedulers.GPU:        *resource.NewQuantity(GPUsPerNode, resource.DecimalSI),
	}
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(name), Labels: map[string]string{
			corev1.LabelHostname:     name,
			corev1.LabelTopologyZone: "zone-" + strconv.Itoa(i%3),
			"berth.dev/rack":         "rack-" + strconv.Itoa(i/nodesInRack),
		}},
		Status: corev1.NodeStatus{Capacity: amounts, Allocatable: amounts},
	}
}

// Pod returns a pod that asks for GPUs, and for CPU and memory in proportion: a third of
// the CPU of a node, and a quarter of its memory, go with all of its GPUs.
func Pod(name string, gpus int) *corev1.Pod {
	amounts := corev1.ResourceList{
		corev1.ResourceCPU:    *resource.NewQuantity(int64(8*gpus), resource.DecimalSI),
		corev1.ResourceMemory: *resource.NewQuantity(int64(gpus)<<36, resource.BinarySI),
		schedulers.GPU:        *resource.NewQuantity(int64(gpus), resource.DecimalSI),
	}
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: Namespace, Name: name, UID: types.UID(name)},
		Spec: corev1.PodSpec{
			SchedulerName: corev1.DefaultSchedulerName,
			Containers: []corev1.Container{{
				Name: Container, Image: "none", Resources: corev1.ResourceRequirements{Requests: amounts, Limits: amounts},
			}},
		},
	}
}

// Container is the name of the one container of a pod.
const Container = "main"

// GPUs returns how many GPUs a pod asks for.
func GPUs(p *corev1.Pod) int {
	q := p.Spec.Containers[0].Resources.Requests[schedulers.GPU]
	return int(q.Value())
}
