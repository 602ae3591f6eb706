package queueing

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/berth-dev/berth/pkg/api/v1alpha1"
	"github.com/berth-dev/berth/pkg/core/quota"
	"github.com/berth-dev/berth/pkg/state/statetest"
	"github.com/berth-dev/berth/pkg/state/workload"
)

// A change of a queue does not take back who is admitted, nor have anybody tried again for
// whom there was no room.
func TestChangeOfAQueueLeavesTheLine(t *testing.T) {
	b := newQueuesRig(t)
	a := queue("a", "", 0, 0)
	b.SetQueue(a)
	inside, without := statetest.GPUPod("inside", 1, statetest.InQueue("a")), statetest.GPUPod("without", 1, statetest.InQueue("a"))
	for _, p := range []*corev1.Pod{inside, without} {
		b.tell(p)
		b.Enter(p)
	}
	if let := b.Admit(); len(let) != 2 {
		t.Fatalf("admitted are %v", let)
	}
	b.Ended(without)
	number := b.Number("", "", inside.UID)
	check := func(what string) {
		t.Helper()
		if let := b.Admit(); len(let) != 0 {
			t.Errorf("%s: %d are admitted, and had no room before or are inside", what, len(let))
		}
		if !b.Enter(inside) || b.Number("", "", inside.UID) != number {
			t.Errorf("%s: who was admitted is not, or at another place", what)
		}
		if code, _, _ := b.Why(without); code != "NoRoom" {
			t.Errorf("%s: the other waits for %q", what, code)
		}
	}
	b.SetQueue(queue("b", "", 4, 0))
	check("another queue")
	changed := a.DeepCopy()
	changed.Generation, changed.Spec.Parent = 2, "b"
	b.SetQueue(changed)
	check("another parent")
	// With its limit lowered it may not have its place.
	changed = changed.DeepCopy()
	changed.Generation, changed.Spec.Resources[0].Limit = 3, new(resource.MustParse("0"))
	b.SetQueue(changed)
	b.Admit()
	if code, _, _ := b.Why(inside); code != "QueueLimitTooLow" {
		t.Errorf("its limit is 0, and it waits for %q", code)
	}
}

// A queue whose spec changes in place leaves everybody where a tree that is made anew does.
func TestChangesInPlaceAgreeWithATreeMadeAnew(t *testing.T) {
	const rounds, steps = 40, 150
	inPlace, codes := 0, map[string]int{}
	for seed := range uint64(rounds) {
		r := rand.New(rand.NewPCG(29, seed))
		a, b := newQueuesRig(t), newQueuesRig(t)
		both := func(f func(b *queuesRig)) { f(a); f(b) }
		specs := map[string]*v1alpha1.Queue{}
		var names []string
		pods, told := map[string]*corev1.Pod{}, map[string]bool{}
		for step := range steps {
			switch r.IntN(6) {
			case 0, 1:
				name := fmt.Sprint("q", r.IntN(6))
				object := specs[name]
				if object == nil {
					object = restricted(name, 0)
					if len(names) > 0 && r.IntN(2) == 0 {
						object.Spec.Parent = names[r.IntN(len(names))]
					}
					names = append(names, name)
				}
				object = object.DeepCopy()
				object.Generation++
				of := &object.Spec.Resources[0]
				switch r.IntN(5) {
				case 0:
					object.Spec.Namespaces = []string{fmt.Sprint("n", r.IntN(3))}
				case 1:
					of.Guaranteed = resource.NewQuantity(int64(r.IntN(4)), resource.DecimalSI)
				case 2:
					of.Guaranteed, of.Limit = nil, nil
				case 3:
					of.Weight = new(int64(r.IntN(4)))
				default:
					of.Limit = resource.NewQuantity(int64(2+r.IntN(6)), resource.DecimalSI)
				}
				specs[name] = object
				stale := a.stale
				both(func(b *queuesRig) { b.SetQueue(object) })
				if !stale && !a.stale {
					inPlace++
				}
				b.changed()
			case 2, 3:
				p := statetest.GPUPod(fmt.Sprint("p", step), int64(1+r.IntN(4)), statetest.InQueue(fmt.Sprint("q", r.IntN(6))), in(fmt.Sprint("n", r.IntN(3))))
				pods[p.Name] = p
				both(func(b *queuesRig) { b.tell(p); b.Enter(p) })
			default:
				for _, name := range slices.Sorted(maps.Keys(told)) {
					p, fits := pods[name], r.IntN(2) == 0
					both(func(b *queuesRig) {
						if fits {
							b.Reserve(p)
						}
						b.Ended(p)
					})
					delete(told, name)
				}
				if r.IntN(2) == 0 {
					both(func(b *queuesRig) { b.Retry() })
				}
			}
			a.rebuilt, b.rebuilt = time.Time{}, time.Time{} // a tree that is due is made at once
			said := func(b *queuesRig) string {
				var out strings.Builder
				for _, p := range b.Admit() {
					fmt.Fprintln(&out, "in", p.Name)
				}
				for _, s := range b.Stuck() {
					fmt.Fprintln(&out, s.Pods[0].Name, s.Text)
				}
				for _, name := range slices.Sorted(maps.Keys(pods)) {
					code, text, _ := b.Why(pods[name])
					fmt.Fprintln(&out, name, code, text)
				}
				for _, report := range b.Report() {
					if report.Head != nil {
						fmt.Fprintln(&out, *report.Head)
					}
					if report.Fault != nil {
						fmt.Fprintln(&out, *report.Fault)
					}
					report.Head, report.Fault = nil, nil
					fmt.Fprintf(&out, "%+v\n", report)
				}
				return out.String()
			}
			got, want := said(a), said(b)
			if got != want {
				t.Fatalf("seed %d, step %d:\n%s", seed, step, gocmp.Diff(want, got))
			}
			for name, p := range pods {
				code, _, waits := a.Why(p)
				if !waits && a.Waits(workload.NameOf(p)) {
					code, told[name] = "Admitted", true
				}
				codes[code]++
			}
		}
	}
	if inPlace < 500 {
		t.Errorf("only %d changes were made in place", inPlace)
	}
	for _, code := range []string{string(QueueNotAllowed), "Admitted", "NoRoom", "QueueAtLimit", "QueueLimitTooLow", "QueueFaulty"} {
		if codes[code] < 100 {
			t.Errorf("%s was seen %d times: the test is too easy, %v", code, codes[code], codes)
		}
	}
}

// ticking is a clock on which each look takes a millisecond.
type ticking struct{ now time.Time }

func (c *ticking) Now() time.Time {
	c.now = c.now.Add(time.Millisecond)
	return c.now
}

func (c *ticking) Since(t time.Time) time.Duration { return c.Now().Sub(t) }

// Queues that come all the time take a tenth of it at most, and are all there in the end.
func TestManyQueuesCostAFewTrees(t *testing.T) {
	b := newQueuesRig(t)
	c := &ticking{now: statetest.Epoch}
	b.clock = c
	b.SetQueue(queue("first", "", 0, 0))
	pod := statetest.GPUPod("p", 1, statetest.InQueue("first"))
	b.tell(pod)
	made, last := 0, time.Time{}
	for i := range 1000 {
		b.SetQueue(queue(fmt.Sprint("q", i), "", 0, 0))
		b.Check(pod)
		if b.rebuilt != last {
			made, last = made+1, b.rebuilt
		}
	}
	if took := c.now.Sub(statetest.Epoch) / time.Millisecond; made > 1+int(took)/10 || made < 2 {
		t.Errorf("the tree was made %d times in %d ms", made, took)
	}
	c.now = c.now.Add(time.Second)
	if refusal, ok := b.Check(statetest.GPUPod("last", 1, statetest.InQueue("q999"))); !ok {
		t.Error(refusal.Text)
	}
}

// What all nodes have is the sum, whatever comes and goes and however much it is.
func TestCapacityAgreesWithTheSum(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	b := newQueuesRig(t)
	b.SetQueue(queue("a", "", 1, 0))
	amounts := []string{"0", "1", "8", "1e18", "9e18", "1e30"}
	for step := range 3000 {
		name := fmt.Sprint("n", r.IntN(5))
		if r.IntN(4) == 0 {
			b.DeleteNode(name)
		} else {
			b.SetNode(&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}, Status: corev1.NodeStatus{Allocatable: corev1.ResourceList{statetest.Gpu: resource.MustParse(amounts[r.IntN(len(amounts)-r.IntN(3))])}}})
		}
		if r.IntN(20) == 0 {
			b.SetQueue(queue(fmt.Sprint("q", step), "", 0, 0))
		}
		b.Admit()
		want := quota.Amount(0)
		for _, n := range slices.Sorted(maps.Keys(b.nodes)) {
			want = want.Plus(AmountOf(statetest.Gpu, b.nodes[n][statetest.Gpu]))
		}
		if got := b.capacity(); got[0] != want {
			t.Fatalf("step %d: the nodes have %d, and it is said %d", step, want, got[0])
		}
	}
}
