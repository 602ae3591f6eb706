package fastpath

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/klog/v2"
	"k8s.io/kubernetes/pkg/scheduler/framework"
)

// One pod: the snapshot is updated, a node is found, the pod is assumed; every so
// often all are forgotten. What the scheduling queue and the binding cost is not in.
func BenchmarkCycle(b *testing.B) {
	for _, nodes := range []int{100, 2500, 25_000} {
		b.Run(fmt.Sprintf("nodes=%d", nodes), func(b *testing.B) {
			r := newRig(b, "")
			for i := range nodes {
				r.addNode(testNode(fmt.Sprintf("node-%05d", i), 8, 192, 2048))
			}
			pod := testPod("p", 1, 8, 64)
			info := r.queued(pod)
			r.begin()
			var assumed []*corev1.Pod
			b.ReportAllocs()
			for b.Loop() {
				r.begin()
				result, reason, err := r.path.try(b.Context(), r.fw, framework.NewCycleState(), info)
				if err != nil || reason != "" {
					b.Fatal(err, reason)
				}
				copied := *pod
				copied.Name = fmt.Sprint("p-", len(assumed))
				copied.Spec.NodeName = result.SuggestedHost
				copied.UID = types.UID(copied.Name)
				r.must(r.sched.Cache.AssumePod(klog.Background(), &copied))
				assumed = append(assumed, &copied)
				if len(assumed) == 400 {
					for _, p := range assumed {
						r.must(r.sched.Cache.ForgetPod(klog.Background(), p))
					}
					assumed = assumed[:0]
				}
			}
		})
	}
}
