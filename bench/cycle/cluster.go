package main

import (
	"math/rand/v2"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	schedulingv1beta1 "k8s.io/api/scheduling/v1beta1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/berth-dev/berth/bench/rig"
)

// fills are the parts of the GPUs that are taken before anything is measured.
var fills = map[string]float64{"empty": 0, "half": 0.5, "full": 0.95}

// prefill calls bound with pods of 1, 2, 4 and 8 GPUs until a part of the GPUs of a
// cluster is taken, exactly, the same for the same arguments. Nodes are filled one
// after another in a random order; one in some is left before it is full.
func prefill(nodes int, part float64, bound func(p *corev1.Pod, node int)) {
	random := rand.New(rand.NewPCG(uint64(nodes), 1))
	order := random.Perm(nodes)
	free := slices.Repeat([]int{rig.GPUsPerNode}, nodes)
	due := int(part * float64(nodes*rig.GPUsPerNode))
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
				bound(rig.Pod("prefill-"+strconv.Itoa(made), gpus), node)
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
		ObjectMeta: metav1.ObjectMeta{Namespace: rig.Namespace, Name: name, UID: types.UID(name)},
		Spec: schedulingv1beta1.PodGroupSpec{SchedulingPolicy: schedulingv1beta1.PodGroupSchedulingPolicy{
			Gang: &schedulingv1beta1.GangSchedulingPolicy{MinCount: int32(size)},
		}},
	}
	pods := make([]*corev1.Pod, size)
	for i := range pods {
		pods[i] = rig.Pod(name+"-"+strconv.Itoa(i), rig.GPUsPerNode)
		pods[i].Spec.SchedulingGroup = &corev1.PodSchedulingGroup{PodGroupName: &group.Name}
	}
	return group, pods
}
