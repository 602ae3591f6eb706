package queueing

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/berth-dev/berth/pkg/core/preempt"
	"github.com/berth-dev/berth/pkg/core/quota"
	"github.com/berth-dev/berth/pkg/dialect"
	"github.com/berth-dev/berth/pkg/state/statetest"
)

func priority(p int32) func(*corev1.Pod) {
	return func(pod *corev1.Pod) { pod.Spec.Priority = &p }
}

// names are those of the candidates of a reclaim; "nobody" if there is no reclaim.
func names(r *Reclaim) []string {
	if r == nil {
		return []string{"nobody"}
	}
	var out []string
	for _, t := range r.Candidates {
		out = append(out, t.Name)
	}
	return out
}

// A gang may ask for what its queue is guaranteed, or what is its share, or for what those
// of lower priority have in its queue; else nobody is looked at.
func TestWhoMayReclaim(t *testing.T) {
	for _, c := range []struct {
		name     string
		claimant *corev1.Pod
		want     []string
	}{
		{"within the guarantee", statetest.GPUPod("p", 2, statetest.InQueue("owner")), []string{"ns/low (pod)", "ns/other (pod)"}},
		{"above guarantee and share", statetest.GPUPod("p", 9, statetest.InQueue("owner")), []string{"nobody"}},
		{"a higher priority in its own queue", statetest.GPUPod("p", 9, statetest.InQueue("borrower"), priority(5)), []string{"ns/low (pod)", "ns/other (pod)"}},
		{"no higher priority", statetest.GPUPod("p", 9, statetest.InQueue("borrower"), priority(0)), []string{"nobody"}},
		{"a queue that is not there", statetest.GPUPod("p", 1, statetest.InQueue("nowhere")), []string{"nobody"}},
	} {
		b := newQueuesRig(t)
		b.SetNode(&corev1.Node{Status: corev1.NodeStatus{Allocatable: corev1.ResourceList{statetest.Gpu: resource.MustParse("8")}}})
		owner, none := queue("owner", "", 2, 0), int64(0)
		owner.Spec.Resources[0].Weight = &none
		b.SetQueue(owner)
		borrower, one := queue("borrower", "", 0, 0), int64(1)
		borrower.Spec.Resources[0].Weight = &one
		b.SetQueue(borrower)
		b.tell(statetest.GPUPod("low", 4, statetest.InQueue("borrower"), statetest.OnNode))
		b.tell(statetest.GPUPod("other", 4, statetest.InQueue("borrower"), statetest.OnNode))
		b.tell(statetest.GPUPod("going", 0, statetest.InQueue("borrower"), statetest.OnNode, statetest.Leaving))
		b.enter(c.claimant)
		expectNames(t, c.name, names(b.Reclaim([]*corev1.Pod{c.claimant}, Others{})), c.want)
	}
}

func TestTenants(t *testing.T) {
	b := newQueuesRig(t)
	b.SetQueue(queue("owner", "", 8, 0))
	b.SetQueue(queue("borrower", "", 0, 0))
	inGang := func(p *corev1.Pod) {
		name := "berth:g"
		p.Labels["berth.dev/gang"], p.Annotations["berth.dev/gang-size"] = "g", "2"
		p.Spec.SchedulingGroup = &corev1.PodSchedulingGroup{PodGroupName: &name}
	}
	started := func(p *corev1.Pod) { p.Status.StartTime = &metav1.Time{Time: statetest.Epoch.Add(-time.Hour)} }
	for _, p := range []*corev1.Pod{
		statetest.GPUPod("g-1", 1, statetest.InQueue("borrower"), statetest.OnNode, inGang, started), statetest.GPUPod("g-0", 1, statetest.InQueue("borrower"), statetest.OnNode, inGang), statetest.GPUPod("g-2", 1, statetest.InQueue("borrower"), statetest.OnNode, inGang, started),
		statetest.GPUPod("spared", 1, statetest.InQueue("borrower"), statetest.OnNode), statetest.GPUPod("plain", 1, statetest.InQueue("borrower"), statetest.OnNode, priority(7)),
	} {
		b.table.SetPod(p)
		b.tell(p)
	}
	b.table.settleAll()
	binding := statetest.GPUPod("binding", 1, statetest.InQueue("borrower"))
	b.enter(binding)
	b.Reserve(binding)
	claimant := statetest.GPUPod("p", 4, statetest.InQueue("owner"))
	b.enter(claimant)
	r := b.Reclaim([]*corev1.Pod{claimant}, Others{Spared: sets.New("ns/spared (pod)")})
	expectNames(t, "one that is being bound is no candidate, nor one that is spared", names(r), []string{"ns/berth:g", "ns/plain (pod)"})
	g := &r.Candidates[0]
	var pods []string
	for _, p := range g.Pods {
		pods = append(pods, p.Name)
	}
	expectNames(t, "the pods of the gang, by name", pods, []string{"g-0", "g-1", "g-2"})
	if g.Least != 2 || g.Ran != 0 || r.Candidates[1].Priority != 7 || r.Queue(g) != "borrower" || r.Claimant() != "owner" {
		t.Errorf("the gang needs %d and ran %s, the pod has priority %d; queues are %q and %q", g.Least, g.Ran, r.Candidates[1].Priority, r.Queue(g), r.Claimant())
	}
	permit, err := r.Permit(quota.ByGuarantee)
	if err != nil {
		t.Fatal(err)
	}
	undo, ok := permit.Evict(&preempt.Gang{Name: g.Name}, []preempt.Member{{Name: "g-0"}, {Name: "g-1"}})
	if !ok || !permit.Enough() {
		t.Errorf("a borrower is protected: %t", ok)
	}
	undo()
}

func TestLost(t *testing.T) {
	now := statetest.Epoch
	for _, c := range []struct {
		name       string
		checkpoint string
		want       int64
	}{
		{"none", "", 4 * 3600},
		{"half an hour ago", statetest.Epoch.Add(-30 * time.Minute).Format(time.RFC3339), 4 * 1800},
		{"before it began", statetest.Epoch.Add(-2 * time.Hour).Format(time.RFC3339), 4 * 3600},
		{"in the future", statetest.Epoch.Add(time.Hour).Format(time.RFC3339), 4 * 3600},
		{"no time", "yesterday", 4 * 3600},
	} {
		pod := statetest.GPUPod("p", 4)
		pod.Status.StartTime = &metav1.Time{Time: statetest.Epoch.Add(-time.Hour)}
		pod.Annotations[dialect.CheckpointedAt] = c.checkpoint
		if diff := cmp.Diff(c.want, Lost(pod, 4, now)); diff != "" {
			t.Errorf("checkpoint %s (-want +got):\n%s", c.name, diff)
		}
	}
}

// What becomes of the gangs of a queue is counted as long as the queue is there.
func TestTally(t *testing.T) {
	b := newQueuesRig(t)
	b.SetNode(&corev1.Node{Status: corev1.NodeStatus{Allocatable: corev1.ResourceList{statetest.Gpu: resource.MustParse("4")}}})
	b.SetQueue(queue("owner", "", 4, 0))
	b.SetQueue(queue("borrower", "", 0, 0))
	runs := statetest.GPUPod("runs", 4, statetest.InQueue("borrower"))
	b.enter(runs)
	b.admittedNames()
	if refusal, ok := b.Reserve(runs); !ok {
		t.Fatal(refusal.Text)
	}
	b.Ended(runs)
	b.tell(statetest.GPUPod("runs", 4, statetest.InQueue("borrower"), statetest.OnNode))
	waits := statetest.GPUPod("waits", 4, statetest.InQueue("owner"))
	b.enter(waits)
	b.admittedNames()
	claim := b.Reclaim([]*corev1.Pod{waits}, Others{})
	if claim == nil || len(claim.Candidates) != 1 {
		t.Fatal("nobody could be evicted")
	}
	b.Reclaimed(claim, &claim.Candidates[0])
	tallies := func() map[string]QueueTally {
		out := map[string]QueueTally{}
		for _, r := range b.Report() {
			out[r.Name] = r.QueueTally
		}
		return out
	}
	if diff := cmp.Diff(map[string]QueueTally{"borrower": {Admitted: 1, Given: 1}, "owner": {Taken: 1}}, tallies()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	b.DeleteQueue("borrower")
	tallies()
	b.SetQueue(queue("borrower", "", 0, 0))
	if got := tallies()["borrower"]; got != (QueueTally{}) {
		t.Errorf("a new queue has %+v", got)
	}
}

// A gang counts as admitted once, with its wait, also if its pods are seen bound before its try
// has ended, and if it has grown meanwhile.
func TestAdmittedIsCountedOnce(t *testing.T) {
	for _, c := range []struct {
		name string
		// pods get their places in one try; during the events do, some are seen bound.
		events string
		left   []string
	}{
		{name: "bound after the try", events: "end g-0 g-1"},
		{name: "bound before the end of the try", events: "g-0 g-1 end"},
		{name: "one bound before the end of the try", events: "g-1 end g-0"},
		{name: "grown during the try", events: "grow end g-0 g-1", left: []string{"g-2"}},
		{name: "grown during the try, and bound", events: "g-0 grow g-1 end", left: []string{"g-2"}},
		{name: "bound, and then grown during the try", events: "g-0 g-1 grow end", left: []string{"g-2"}},
		{name: "without queues at the end of the try", events: "g-0 g-1 unqueued end"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newQueuesRig(t)
			var waits []time.Duration
			b.OnAdmitted(func(queue string, waited time.Duration) { waits = append(waits, waited) })
			b.SetNode(&corev1.Node{Status: corev1.NodeStatus{Allocatable: corev1.ResourceList{statetest.Gpu: resource.MustParse("8")}}})
			b.SetQueue(queue("q", "", 8, 8))
			member := func(name string, opts ...func(*corev1.Pod)) *corev1.Pod {
				p := statetest.GPUPod(name, 1, append(opts, statetest.InQueue("q"), statetest.InNative("g"))...)
				p.CreationTimestamp = metav1.NewTime(b.clock.Now().Add(-time.Minute))
				return p
			}
			pods := []*corev1.Pod{member("g-0"), member("g-1")}
			b.enter(pods...)
			expectNames(t, "its turn", b.admittedNames(), []string{"g-0"})
			b.Began(pods[0])
			for _, p := range pods {
				if refusal, ok := b.Reserve(p); !ok {
					t.Fatal(refusal.Text)
				}
			}
			want := []time.Duration{time.Minute}
			for _, event := range strings.Fields(c.events) {
				switch event {
				case "end":
					b.Ended(pods[0])
				case "grow":
					b.enter(member("g-2"))
				case "unqueued":
					b.DeleteQueue("q")
					want = nil
				default:
					b.tell(member(event, statetest.OnNode))
				}
			}
			if diff := cmp.Diff(want, waits); diff != "" {
				t.Errorf("waits (-want +got):\n%s", diff)
			}
			var left []string
			for uid := range b.byPod {
				left = append(left, b.pods[uid].Name)
			}
			expectNames(t, "those that still wait", left, c.left)
			if got := len(b.waiting); got != len(c.left) {
				t.Errorf("%d wait, want %d", got, len(c.left))
			}
		})
	}
}
