package workload

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/berth-dev/berth/pkg/dialect"
)

// Ranks returns the ranks of the pods of a gang, of those that wait and of those that have a
// node. A pod has the rank that it says it has; else, if it has a node, the one that it was
// placed with, as is written on it. The others have the lowest ranks that are left, in the
// order of names, where a number counts by its value: worker-2 comes before worker-10. So a
// pod that comes in the place of one that went has its rank, and is of its segment.
func Ranks(waiting, running []*corev1.Pod) (ofWaiting, ofRunning []int) {
	ofWaiting, ofRunning = make([]int, len(waiting)), make([]int, len(running))
	type unranked struct {
		name string
		rank *int
	}
	var rest []unranked
	used := map[int]bool{}
	for i, pod := range running {
		rank, known := rankOf(pod)
		if !known {
			rank, known = placedRank(pod)
		}
		if !known {
			rest = append(rest, unranked{pod.Name, &ofRunning[i]})
			continue
		}
		ofRunning[i] = rank
		if pod.DeletionTimestamp == nil {
			used[rank] = true
		}
	}
	for i, pod := range waiting {
		rank, known := rankOf(pod)
		if !known {
			rest = append(rest, unranked{pod.Name, &ofWaiting[i]})
			continue
		}
		ofWaiting[i], used[rank] = rank, true
	}
	slices.SortFunc(rest, func(a, b unranked) int { return compareNames(a.name, b.name) })
	next := 0
	for _, pod := range rest {
		for used[next] {
			next++
		}
		*pod.rank = next
		next++
	}
	return ofWaiting, ofRunning
}

// compareNames compares names of pods: by what comes before the number at their end, then by
// its value.
func compareNames(a, b string) int {
	stem, of := strings.TrimRight(a, digits), strings.TrimRight(b, digits)
	value, than := strings.TrimLeft(a[len(stem):], "0"), strings.TrimLeft(b[len(of):], "0")
	return cmp.Or(strings.Compare(stem, of), cmp.Compare(len(value), len(than)), strings.Compare(value, than), strings.Compare(a, b))
}

const digits = "0123456789"

// rankOf returns the rank that a pod says it has; false if it says none.
func rankOf(pod *corev1.Pod) (int, bool) {
	if m, ok := dialect.Of(pod); ok && m.Rank >= 0 {
		return int(m.Rank), true
	}
	return 0, false
}

// placedRank returns the rank that is written on a pod that was placed by a plan; false if
// none is.
func placedRank(pod *corev1.Pod) (int, bool) {
	text := pod.Annotations[dialect.PlacementAnnotation]
	if text == "" {
		return 0, false
	}
	var p struct {
		Rank *int `json:"rank"`
	}
	if err := json.Unmarshal([]byte(text), &p); err != nil || p.Rank == nil || *p.Rank < 0 {
		return 0, false
	}
	return *p.Rank, true
}
