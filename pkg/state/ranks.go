package state

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/berth-dev/berth/pkg/dialect"
)

// Ranks returns the ranks of pods that wait: what they say, or else their place in the
// order of names, a number in a name by its value: worker-2 comes before worker-10.
func Ranks(pods []*corev1.Pod) []int {
	order := make([]int, len(pods))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		x, y := pods[a].Name, pods[b].Name
		if len(x) != len(y) && strings.TrimRight(x, "0123456789") == strings.TrimRight(y, "0123456789") {
			return len(x) - len(y)
		}
		return strings.Compare(x, y)
	})
	ranks := make([]int, len(pods))
	for i, at := range order {
		if rank, said := RankOf(pods[at]); said {
			ranks[at] = rank
		} else {
			ranks[at] = i
		}
	}
	return ranks
}

// RankOf returns the rank that a pod says it has; 0 and false if it says none.
func RankOf(pod *corev1.Pod) (rank int, said bool) {
	if m, ok := dialect.Of(pod); ok && m.Rank >= 0 {
		return int(m.Rank), true
	}
	return 0, false
}
