package engine

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/berth-dev/berth/pkg/engine/measure"
	"github.com/berth-dev/berth/pkg/engine/waitreason"
)

// BenchmarkReasons has 2,000 gangs wait that were told why: half of them for a member, the others
// for room. It looks whether that still holds of one of them, and counts all by their reasons.
func BenchmarkReasons(b *testing.B) {
	const gangs = 2000
	h := newTestCluster(b, rackNodes(4, 2))
	h.unchecked = true
	h.submit(testJob{name: "full", size: 4, gpus: 8})
	h.settle()
	for i := range gangs {
		h.submit(testJob{name: fmt.Sprint("g", i), size: 4, pods: 3 + i%2, gpus: 8})
	}
	h.tell()
	h.admit()
	var all []measure.Who
	for _, pod := range h.byName() {
		if pod.Spec.NodeName != "" {
			continue
		}
		why := h.explainer.Why(h.told[pod.UID])
		h.edit(pod.UID, func(p *corev1.Pod) {
			p.Status.Conditions = []corev1.PodCondition{waitreason.Condition(why.Code, why.Text)}
		})
		if who := measure.WhoOf(h.told[pod.UID]); len(all) == 0 || all[len(all)-1] != who {
			all = append(all, who)
		}
	}
	h.tell()
	for _, who := range all {
		h.explainer.Look(who)
	}
	b.Run("look", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			h.explainer.Look(all[i%len(all)])
		}
	})
	b.Run("count", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			h.census.Count()
		}
	})
}
