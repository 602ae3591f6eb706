package queueing

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/berth-dev/berth/pkg/dialect"
	"github.com/berth-dev/berth/pkg/state/gangtable"
	"github.com/berth-dev/berth/pkg/state/statetest"
)

// crowded returns a bank with so many queues, in cohorts of 100, pods that run and pods that
// wait.
func crowded(t testing.TB, queues, running, waiting int) *queuesRig {
	b := newQueuesRig(t)
	for n := range 2500 {
		b.SetNode(&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprint("n", n)}, Status: corev1.NodeStatus{Allocatable: corev1.ResourceList{statetest.Gpu: *resource.NewQuantity(8, resource.DecimalSI)}}})
	}
	for i := range queues / 100 {
		b.SetQueue(queue(fmt.Sprint("cohort-", i), "", 0, 0))
	}
	leaf := func(i int) string { return fmt.Sprint("queue-", i%queues) }
	for i := range queues {
		b.SetQueue(queue(leaf(i), fmt.Sprint("cohort-", i/100), int64(i%3), 0))
	}
	for i := range running {
		p := statetest.GPUPod(fmt.Sprint("r", i), 1, statetest.InQueue(leaf(i)), statetest.OnNode)
		p.Annotations[dialect.ChargedQueueAnnotation] = leaf(i)
		b.tell(p)
	}
	for i := range waiting {
		p := statetest.GPUPod(fmt.Sprint("w", i), 8, statetest.InQueue(leaf(i)))
		b.tell(p)
		b.Enter(p)
	}
	b.Admit()
	return b
}

// What a change of one queue, or of one node, and a look at all of them cost those who wait
// for the lock.
func BenchmarkQueues(b *testing.B) {
	const queues, running, waiting = 5000, 20000, 2000
	pod := statetest.GPUPod("probe", 1, statetest.InQueue("queue-7"))
	for _, c := range []struct {
		name   string
		change func(k *queuesRig, i int)
	}{
		{"a limit", func(k *queuesRig, i int) {
			q := queue("queue-7", "cohort-0", 1, int64(10+i%2))
			q.Generation = int64(i + 2)
			k.SetQueue(q)
		}},
		{"a new queue", func(k *queuesRig, i int) { k.SetQueue(queue(fmt.Sprint("new-", i), "cohort-0", 0, 0)) }},
		{"who may use one", func(k *queuesRig, i int) {
			q := queue("queue-7", "cohort-0", 1, 0)
			q.Generation, q.Spec.Namespaces = int64(i+2), []string{fmt.Sprint("n", i)}
			k.SetQueue(q)
		}},
		{"a node", func(k *queuesRig, i int) {
			k.SetNode(&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n7"}, Status: corev1.NodeStatus{Allocatable: corev1.ResourceList{statetest.Gpu: *resource.NewQuantity(int64(7+i%2), resource.DecimalSI)}}})
		}},
		{"an announced gang after a node", func(k *queuesRig, i int) {
			k.SetNode(&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n7"}, Status: corev1.NodeStatus{Allocatable: corev1.ResourceList{statetest.Gpu: *resource.NewQuantity(int64(7+i%2), resource.DecimalSI)}}})
			k.ChooseAnnounced([]gangtable.Announced{{Announcement: dialect.Announcement{Asks: corev1.ResourceList{statetest.Gpu: *resource.NewQuantity(8, resource.DecimalSI)}}}})
		}},
		{"a report", func(k *queuesRig, _ int) { k.Report() }},
		{"a report, under the lock", func(k *queuesRig, _ int) { k.report() }},
	} {
		b.Run(c.name, func(b *testing.B) {
			k := crowded(b, queues, running, waiting)
			for i := 0; b.Loop(); i++ {
				c.change(k, i)
				k.Check(pod)
				k.Admit()
			}
		})
	}
}

// What it costs to say who might be evicted for one that waits, among 20,000 pods that run in
// gangs of 8.
func BenchmarkReclaim(b *testing.B) {
	const queues, running = 200, 20000
	k := crowded(b, queues, 0, 0)
	for i := range running {
		p := statetest.GPUPod(fmt.Sprint("r", i), 1, statetest.InQueue(fmt.Sprint("queue-", i/8%queues)), statetest.OnNode)
		p.Annotations[dialect.ChargedQueueAnnotation] = fmt.Sprint("queue-", i/8%queues)
		p.Annotations["berth.dev/gang"], p.Annotations["berth.dev/gang-size"] = fmt.Sprint("g", i/8), "8"
		k.tell(p)
	}
	probe := statetest.GPUPod("probe", 1, statetest.InQueue("queue-7"))
	probe.Spec.Priority = new(int32(1000))
	k.tell(probe)
	k.Enter(probe)
	b.ReportAllocs()
	for b.Loop() {
		if r := k.Reclaim([]*corev1.Pod{probe}, Others{}); r == nil || len(r.Candidates) == 0 {
			b.Fatal("nobody may be evicted")
		}
	}
}
