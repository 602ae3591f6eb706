package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	schedulingv1beta1 "k8s.io/api/scheduling/v1beta1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/berth-dev/berth/bench/schedulers"
)

const (
	gpusPerNode = 8
	nodesInRack = 32
	namespace   = "bench"
)

// fills are the parts of the GPUs that are taken before anything is measured.
var fills = map[string]float64{"empty": 0, "half": 0.5, "full": 0.95}

func nodeName(i int) string { return fmt.Sprintf("node-%05d", i) }

func node(i int) *corev1.Node {
	name := nodeName(i)
	amounts := corev1.ResourceList{
		corev1.ResourceCPU:    resource.MustParse("192"),
		corev1.ResourceMemory: resource.MustParse("2Ti"),
		corev1.ResourcePods:   resource.MustParse("110"),
		schedulers.GPU:        *resource.NewQuantity(gpusPerNode, resource.DecimalSI),
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

// pod asks for GPUs, and for CPU and memory in proportion.
func pod(name string, gpus int) *corev1.Pod {
	amounts := corev1.ResourceList{
		corev1.ResourceCPU:    *resource.NewQuantity(int64(8*gpus), resource.DecimalSI),
		corev1.ResourceMemory: *resource.NewQuantity(int64(gpus)<<36, resource.BinarySI),
		schedulers.GPU:        *resource.NewQuantity(int64(gpus), resource.DecimalSI),
	}
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, UID: types.UID(name)},
		Spec: corev1.PodSpec{
			SchedulerName: corev1.DefaultSchedulerName,
			Containers: []corev1.Container{{
				Name: "main", Image: "none", Resources: corev1.ResourceRequirements{Requests: amounts, Limits: amounts},
			}},
		},
	}
}

// prefill calls bound with pods of 1, 2, 4 and 8 GPUs until a part of the GPUs of a
// cluster is taken, exactly, the same for the same arguments. Nodes are filled one
// after another in a random order; one in some is left before it is full.
func prefill(nodes int, part float64, bound func(p *corev1.Pod, node int)) {
	random := rand.New(rand.NewPCG(uint64(nodes), 1))
	order := random.Perm(nodes)
	free := slices.Repeat([]int{gpusPerNode}, nodes)
	due := int(part * float64(nodes*gpusPerNode))
	made := 0
	// The second pass fills up what the first has left.
	for pass := 0; due > 0; pass++ {
		for _, node := range order {
			for free[node] > 0 && due > 0 {
				gpus := 1 << random.IntN(4)
				if gpus > min(free[node], due) {
					if pass == 0 && random.IntN(8) == 0 {
						break
					}
					continue
				}
				bound(pod("prefill-"+strconv.Itoa(made), gpus), node)
				made++
				free[node] -= gpus
				due -= gpus
			}
		}
	}
}

// gang is a pod group of pods of 8 GPUs.
func gang(name string, size int) (*schedulingv1beta1.PodGroup, []*corev1.Pod) {
	group := &schedulingv1beta1.PodGroup{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, UID: types.UID(name)},
		Spec: schedulingv1beta1.PodGroupSpec{SchedulingPolicy: schedulingv1beta1.PodGroupSchedulingPolicy{
			Gang: &schedulingv1beta1.GangSchedulingPolicy{MinCount: int32(size)},
		}},
	}
	pods := make([]*corev1.Pod, size)
	for i := range pods {
		pods[i] = pod(name+"-"+strconv.Itoa(i), gpusPerNode)
		pods[i].Spec.SchedulingGroup = &corev1.PodSchedulingGroup{PodGroupName: &group.Name}
	}
	return group, pods
}
