package queueing

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/berth-dev/berth/pkg/core/gang"
	"github.com/berth-dev/berth/pkg/dialect"
	"github.com/berth-dev/berth/pkg/state/statetest"
)

// harbinger tells of PodGroups of Volcano before their pods.
type harbinger struct {
	*queuesRig
	t    *testing.T
	kind *dialect.Kind
	made int
}

func newHarbinger(t *testing.T, gpus string) *harbinger {
	h := &harbinger{queuesRig: newQueuesRig(t), t: t}
	for _, kind := range dialect.Kinds() {
		if kind.Dialect == dialect.Volcano {
			h.kind = &kind
		}
	}
	h.SetNode(&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n"}, Status: corev1.NodeStatus{Allocatable: corev1.ResourceList{statetest.Gpu: resource.MustParse(gpus)}}})
	return h
}

// group tells of a PodGroup as it is now; its age is that of its first telling.
func (h *harbinger) group(name, queue, phase string, gpus int64) {
	h.made++
	h.table.SetObject(h.kind, &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "scheduling.volcano.sh/v1beta1", "kind": "PodGroup",
		"metadata": map[string]any{"namespace": "ns", "name": name, "uid": name, "creationTimestamp": statetest.Epoch.Add(time.Duration(h.made) * time.Second).Format(time.RFC3339)},
		"spec":     map[string]any{"minMember": int64(1), "queue": queue, "minResources": map[string]any{statetest.Gpu: fmt.Sprint(gpus), "requests." + statetest.Gpu: fmt.Sprint(gpus), "pods": "1", "count/pods": "1"}},
		"status":   map[string]any{"phase": phase},
	}})
	h.table.settleAll()
}

// expect compares who is admitted now, and has them be.
func (h *harbinger) expect(when string, want ...string) {
	h.t.Helper()
	var got []string
	for _, a := range h.ChooseAnnounced(h.table.Announced()) {
		got = append(got, a.Key.Name)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		h.t.Errorf("%s (-want +got):\n%s", when, diff)
	}
}

// As many are admitted as the cluster could hold, and a few in any case; who is placed makes
// room for the next.
func TestAnnouncedGangsAreLetInAsTheClusterHolds(t *testing.T) {
	h := newHarbinger(t, "64")
	for i := range 1000 {
		h.group(fmt.Sprintf("g%03d", i), "", "Pending", 8)
	}
	h.expect("64 GPUs", "g000", "g001", "g002", "g003", "g004", "g005", "g006", "g007")
	for i := range 8 {
		h.group(fmt.Sprintf("g%03d", i), "", "Inqueue", 8)
	}
	h.expect("eight are admitted")
	h.tell(statetest.Pod("p", func(p *corev1.Pod) { p.Annotations["scheduling.k8s.io/group-name"] = "g001" }))
	h.table.SetPod(h.pods["p"])
	h.table.settleAll()
	h.expect("one of them has its pod")
	h.table.SetPod(statetest.Pod("p", statetest.On("n", 0), func(p *corev1.Pod) { p.Annotations["scheduling.k8s.io/group-name"] = "g001" }))
	h.table.settleAll()
	h.expect("it has its place", "g008")
	h.group("g002", "", "Running", 8)
	h.group("g003", "", "Completed", 8)
	h.expect("two more run or have run", "g008", "g009", "g010")
}

// Those that could never be placed hold nobody up for whom there is room.
func TestAnnouncedGangsThatNeverFit(t *testing.T) {
	h := newHarbinger(t, "64")
	for i := range 9 {
		h.group(fmt.Sprintf("big%d", i), "", "", 100)
	}
	h.group("small", "", "", 8)
	h.expect("a few, and who fits", "big0", "big1", "big2", "big3", "small")
}

// A queue admits what its limit has room for, beside what it is charged.
func TestAnnouncedGangsWithinLimits(t *testing.T) {
	h := newHarbinger(t, "640")
	h.SetQueue(queue("a", "", 0, 24))
	h.SetQueue(queue("b", "", 0, 100))
	h.tell(statetest.GPUPod("runs", 8, statetest.InQueue("a"), statetest.On("n", 0)))
	for i := range 3 {
		h.group(fmt.Sprintf("a%d", i), "a", "Pending", 8)
	}
	h.group("b0", "b", "Pending", 8)
	h.group("lost", "nowhere", "Pending", 8)
	h.expect("a has 24 and uses 8", "a0", "a1", "b0")
	h.group("a0", "a", "Inqueue", 8)
	h.expect("one of a is admitted", "a1", "b0")
	h.forget(h.pods["runs"])
	h.expect("nobody runs", "a1", "a2", "b0")
}

// Who has pods without having been admitted needs it not: its pods came by themselves.
func TestAnnouncedGangWithPods(t *testing.T) {
	h := newHarbinger(t, "64")
	h.table.SetPod(statetest.Pod("p", func(p *corev1.Pod) { p.Annotations["scheduling.k8s.io/group-name"] = "g" }))
	h.group("g", "", "Pending", 8)
	h.expect("with a pod")
	h.table.DeletePod(statetest.Pod("p"))
	h.table.settleAll()
	h.expect("without", "g")
	h.table.DeleteObject(h.kind, types.NamespacedName{Namespace: "ns", Name: "g"})
	h.table.settleAll()
	h.expect("when the object is gone")
	if _, known := h.table.Get(gang.Key{Namespace: "ns", Dialect: dialect.Volcano, Name: "g"}); known {
		t.Error("the gang is known still")
	}
}
