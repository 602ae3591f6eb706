package main

import (
	"math/rand/v2"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"

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
