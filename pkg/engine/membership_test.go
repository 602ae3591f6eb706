package engine

import (
	"flag"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/berth-dev/berth/pkg/core/gang"
	"github.com/berth-dev/berth/pkg/core/gang/gangtest"
	"github.com/berth-dev/berth/pkg/dialect"
)

// everySequence has the walk take every sequence.
var everySequence = flag.Bool("every-sequence", false, "walk all sequences of events, and not one of many: some minutes")

// walker is one gang that a sequence of events happens to, in the model and in the
// cluster.
type walker struct {
	name     string
	model    *gangtest.Model
	sequence []gangtest.Event
	uids     map[string]types.UID
}

// TestMembershipWalk has all sequences of events happen to gangs that the whole scheduler
// looks after, many gangs at a time, and compares after each event who has a place with a
// plain reading of the table of states. There is room for all. In the middle, the leader
// changes.
func TestMembershipWalk(t *testing.T) {
	length, every := 6, 97
	if testing.Short() || raced {
		every = 997
	}
	var walkers []*walker
	number := 0
	for size := 1; size <= 4; size++ {
		for _, start := range []*gangtest.Model{gangtest.New(size), gangtest.NewPlaced(size)} {
			gangtest.Walk(start, length, 0, func(sequence []gangtest.Event, _, _ *gangtest.Model, _ int) int {
				if len(sequence) < length {
					return 0
				}
				if number++; number%every == 0 || *everySequence {
					walkers = append(walkers, &walker{name: fmt.Sprint("g", number), model: start.Clone(), sequence: slices.Clone(sequence), uids: map[string]types.UID{}})
				}
				return 0
			})
		}
	}
	checks := 0
	const together = 400
	for batch := range slices.Chunk(walkers, together) {
		t.Run(batch[0].name, func(t *testing.T) { checks += walkTogether(t, batch) })
	}
	t.Logf("%d of %d sequences of %d events, %d comparisons", len(walkers), number, length, checks)
}

// walkTogether has the sequences of several gangs happen in one cluster.
func walkTogether(t *testing.T, all []*walker) (checks int) {
	h := newTestCluster(t, rackNodes(100, 4))
	h.unchecked = true
	for _, w := range all {
		w.declare(h)
		w.follow(h)
	}
	h.settle()
	for _, w := range all {
		w.compare(h, -1)
	}
	for step := range all[0].sequence {
		h.clock.Step(2 * time.Second)
		for _, w := range all {
			w.model.Apply(w.sequence[step])
			w.declare(h)
			w.follow(h)
		}
		if step == len(all[0].sequence)/2 {
			h.depose()
			h.lead()
			for _, w := range all {
				w.model.Forget()
			}
		}
		h.settle()
		for _, w := range all {
			w.model.Settle()
			w.compare(h, step)
			checks++
		}
	}
	return checks
}

// declare has the object that declares the gang say its size.
func (w *walker) declare(h *testCluster) {
	kind := dialect.Kinds()[slices.IndexFunc(dialect.Kinds(), func(k dialect.Kind) bool { return k.Dialect == dialect.SchedulerPlugins })]
	object := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "scheduling.x-k8s.io/v1alpha1", "kind": "PodGroup",
		"metadata": map[string]any{"namespace": "ns", "name": w.name, "uid": w.name},
		"spec":     map[string]any{"minMember": int64(w.model.Size)},
	}}
	h.declared[w.name] = func() { h.gangs.SetObject(&kind, object) }
	h.declared[w.name]()
}

// follow has the pods of the cluster be as those of the model, but for their nodes.
func (w *walker) follow(h *testCluster) {
	there := map[string]bool{}
	for _, p := range w.model.Pods {
		there[p.Name] = true
		uid, made := w.uids[p.Name]
		if !made {
			w.uids[p.Name] = h.create(w.pod(p)).UID
			continue
		}
		pod := h.pods[uid]
		switch {
		case p.State == gang.Leaving && pod.DeletionTimestamp == nil:
			h.edit(uid, func(pod *corev1.Pod) { pod.DeletionTimestamp = &metav1.Time{Time: h.clock.Now().Add(time.Hour)} })
		case p.State == gang.Waiting && len(pod.Spec.SchedulingGates) > 0:
			h.edit(uid, func(pod *corev1.Pod) { pod.Spec.SchedulingGates = nil })
		case p.State == gang.Succeeded && pod.Status.Phase != corev1.PodSucceeded:
			h.edit(uid, func(pod *corev1.Pod) { pod.Status.Phase = corev1.PodSucceeded })
		case p.State == gang.Running && pod.Status.Phase != corev1.PodRunning:
			h.edit(uid, func(pod *corev1.Pod) { pod.Status.Phase = corev1.PodRunning })
		}
	}
	for name, uid := range w.uids {
		if !there[name] {
			h.end(uid)
			delete(w.uids, name)
		}
	}
}

// pod makes a pod of the model.
func (w *walker) pod(p gangtest.Pod) *corev1.Pod {
	c := testJob{name: w.name, gpus: 0}
	pod := c.podOf(0)
	pod.Name = w.name + "-" + p.Name
	pod.Labels["scheduling.x-k8s.io/pod-group"] = w.name
	metav1.SetMetaDataAnnotation(&pod.ObjectMeta, "berth.dev/rank", strconv.FormatInt(p.Rank, 10))
	yes := true
	pod.OwnerReferences = []metav1.OwnerReference{{APIVersion: "batch/v1", Kind: "Job", Name: "job", UID: types.UID(fmt.Sprint("job-", p.Controller)), Controller: &yes}}
	if p.State == gang.Gated {
		pod.Spec.SchedulingGates = []corev1.PodSchedulingGate{{Name: "example.com/hold"}}
	}
	return pod
}

// compare compares who has a place.
func (w *walker) compare(h *testCluster, step int) {
	h.t.Helper()
	var got, want []string
	for name, uid := range w.uids {
		if pod := h.pods[uid]; pod.Spec.NodeName != "" && pod.DeletionTimestamp == nil && !hasEnded(pod) {
			got = append(got, name)
		}
	}
	slices.Sort(got)
	want = w.model.Placed()
	if !slices.Equal(got, want) {
		g, _ := h.gangs.Get(gang.Key{Namespace: "ns", Dialect: dialect.SchedulerPlugins, Name: w.name})
		h.t.Fatalf("gang %s of %d after %v: %v have a place, want %v\n%+v\n%+v", w.name, w.model.Size, w.sequence[:step+1], got, want, w.model.Pods, g)
	}
}
