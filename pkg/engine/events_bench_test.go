package engine

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/berth-dev/berth/pkg/engine/podgroups"
)

// BenchmarkPodEvents measures what each event of a member of a gang costs the engine beside
// the scheduler's own handler: a pod that is made, that is bound, and whose status changes
// while it runs.
func BenchmarkPodEvents(b *testing.B) {
	const pods = 1000
	yes := true
	var made, bound, runs [pods]*corev1.Pod
	for i := range pods {
		c := testJob{name: fmt.Sprint("g", i/8), size: 8, gpus: 8}
		pod := c.podOf(i % 8)
		pod.UID = types.UID(fmt.Sprint("u", i))
		pod.CreationTimestamp = metav1.Unix(1700000000, 0)
		pod.OwnerReferences = []metav1.OwnerReference{{APIVersion: "batch/v1", Kind: "Job", Name: c.name, UID: types.UID(c.name), Controller: &yes}}
		obj, err := podgroups.Transform(func(name string) bool { return name == SchedulerName })(pod)
		if err != nil {
			b.Fatal(err)
		}
		made[i] = obj.(*corev1.Pod)
		bound[i] = made[i].DeepCopy()
		bound[i].Spec.NodeName = fmt.Sprint("node-", i)
		runs[i] = bound[i].DeepCopy()
		runs[i].Status.Phase = corev1.PodRunning
		runs[i].Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
	}
	later := runs
	for i := range later {
		later[i] = runs[i].DeepCopy()
		later[i].Status.PodIP = "10.0.0.1"
	}
	h := newTestCluster(b, rackNodes(4, 2), testQueue{name: "q"})
	set := func(name string, all *[pods]*corev1.Pod, before ...*[pods]*corev1.Pod) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for n := 0; n < b.N; n++ {
				if n%pods == 0 {
					b.StopTimer()
					for _, pod := range made {
						h.engine.DeletePod(pod)
					}
					for _, first := range before {
						for _, pod := range first {
							h.engine.SetPod(pod)
						}
					}
					h.judge()
					b.StartTimer()
				}
				h.engine.SetPod(all[n%pods])
			}
		})
	}
	set("made", &made)
	set("bound", &bound, &made)
	set("status", &later, &made, &bound, &runs)
}
