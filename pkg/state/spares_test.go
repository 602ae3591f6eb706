package state

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/berth-dev/berth/pkg/core/gang"
	"github.com/berth-dev/berth/pkg/core/pack"
	"github.com/berth-dev/berth/pkg/dialect"
)

// Whatever becomes of nodes, of what is kept on them and of who is tried, the index has of each
// what follows from the node, and the spares are those that have the label.
func TestNodesThatCountAsFull(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 9))
	ix := NewIndex(testDevices(t), NewInventory())
	nodes, kept, turned := map[string]*corev1.Node{}, map[string]pack.Amounts{}, map[string]bool{}
	for step := range 5_000 {
		name := fmt.Sprint("n", random.IntN(6))
		switch random.IntN(6) {
		case 0, 1:
			node := indexNode(name, map[corev1.ResourceName]string{"nvidia.com/gpu": "8", "cpu": "8", "pods": "10"})
			node.Labels = map[string]string{SpareLabel: []string{"true", "true", "false", "yes", ""}[random.IntN(5)]}
			nodes[name] = node
			ix.Set(read(node))
		case 2:
			delete(nodes, name)
			ix.Remove(name)
		case 3:
			kept[name] = pack.Amounts{Kind: 1, Devices: int32(random.IntN(9))}
			if kept[name].Devices == 0 {
				kept[name] = pack.Amounts{}
			}
			ix.Keep(name, kept[name])
		default:
			turned = map[string]bool{}
			for i := range random.IntN(4) {
				turned[fmt.Sprint("n", (i*5+step)%6)] = random.IntN(2) == 0
			}
			ix.Turn(turned)
		}
		spares := 0
		for name, node := range nodes {
			want := pack.Amounts{Kind: 1, Devices: 8 - kept[name].Devices, CPU: 8000, Pods: 10}
			full, said := turned[name]
			if spare := node.Labels[SpareLabel] == "true"; spare {
				spares++
				full = full || !said
			}
			if full {
				want = pack.Amounts{Kind: 1}
			}
			id, _ := ix.ID(name)
			if got, _ := ix.Pack().Free(id); got != want {
				t.Fatalf("step %d: %s has %+v free, want %+v (kept %v, turned %v)", step, name, got, want, kept, turned)
			}
		}
		if got := ix.Spares().Len(); got != spares {
			t.Fatalf("step %d: %d spares, want %d", step, got, spares)
		}
	}
}

// A refusal counts once for each pod, for its gang alone, and is forgotten in time.
func TestRefusalsOfAGang(t *testing.T) {
	clock := clocktesting.NewFakeClock(time.Unix(1_000_000, 0))
	g := NewGangs(func(string) bool { return true }, nil, clock)
	refused := func(name string) *corev1.Pod {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: name, UID: types.UID(name),
			Labels: map[string]string{"berth.dev/gang": "g"}, Annotations: map[string]string{"berth.dev/gang-size": "2"}}}
		pod.Spec.NodeName, pod.Spec.SchedulerName = "n1", "berth"
		pod.Status.Phase, pod.Status.Reason = corev1.PodFailed, "UnexpectedAdmissionError"
		return pod
	}
	name := NameOfGang(gang.Key{Namespace: "ns", Dialect: dialect.Berth, Name: "g"})
	expect := func(when string, seconds int64, last int) {
		t.Helper()
		avoided, after := g.Avoided(name)
		left := int64(0)
		if len(avoided) > 0 {
			left = avoided[0].Until - clock.Now().Unix()
		}
		if left != seconds || len(after) != last {
			t.Errorf("%s: avoided for %d s, and %d come last; want %d s and %d", when, left, len(after), seconds, last)
		}
	}
	g.SetEnded(refused("g-0"))
	clock.Step(time.Second)
	g.SetEnded(refused("g-0"))
	g.SetEnded(refused("g-1"))
	expect("two were refused at once", 4, 0)
	if ended := g.AvoidanceEnded(); len(ended) != 0 {
		t.Errorf("%v are over", ended)
	}
	clock.Step(4 * time.Second)
	if ended := g.AvoidanceEnded(); len(ended) != 1 || ended[0] != name {
		t.Errorf("%v are over, want %s", ended, name)
	}
	expect("that is over", 0, 1)
	g.SetEnded(refused("g-0"))
	expect("it was told before", 0, 1)
	g.SetEnded(refused("g-2"))
	expect("a third was refused", 10, 0)
	if avoided, last := g.Avoided("ns/other"); len(avoided)+len(last) != 0 {
		t.Errorf("another gang avoids %v and %v", avoided, last)
	}
	failed := refused("g-3")
	failed.Spec.NodeName, failed.Status.Reason = "n2", "Error"
	g.SetEnded(failed)
	expect("one failed", 10, 0)
	clock.Step(time.Hour)
	g.AvoidanceEnded()
	if len(g.refusals)+len(g.avoiding) != 0 || g.someRefused.Load() {
		t.Errorf("%d refusals are remembered after an hour", len(g.refusals))
	}
}
