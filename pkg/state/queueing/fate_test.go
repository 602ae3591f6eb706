package queueing

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/berth-dev/berth/pkg/core/preempt"
	"github.com/berth-dev/berth/pkg/core/quota"
	"github.com/berth-dev/berth/pkg/dialect"
	"github.com/berth-dev/berth/pkg/state/statetest"
)

// Gangs of one owner that fails as a whole are one candidate, as long as all of them could go.
func TestTenantsGoTogether(t *testing.T) {
	ends := Fate{Ends: true}
	set := Fate{Together: "set", Whole: true}
	for _, c := range []struct {
		name    string
		fates   map[string]Fate
		leaving string
		want    string
	}{
		{"nothing is known", nil, "", "a:1/1 b:1/1 c:1/1"},
		{"one that ends", map[string]Fate{"a": ends}, "", "a:1/1! b:1/1 c:1/1"},
		{"two of an owner", map[string]Fate{"a": set, "c": set}, "", "a+c:2/2 b:1/1"},
		{"one of an owner", map[string]Fate{"a": set}, "", "a:1/1 b:1/1 c:1/1"},
		{"one of two ends", map[string]Fate{"a": set, "c": {Together: "set", Ends: true}}, "", "a+c:2/2! b:1/1"},
		{"one of two is leaving", map[string]Fate{"a": set, "c": set}, "c", "b:1/1"},
		{"the owner of the one that waits", map[string]Fate{"a": set, "p": set}, "", "b:1/1 c:1/1"},
	} {
		b := newQueuesRig(t)
		b.SetQueue(queue("owner", "", 8, 0))
		b.SetQueue(queue("borrower", "", 0, 0))
		for _, name := range []string{"a", "b", "c"} {
			pod := statetest.GPUPod(name, 1, statetest.InQueue("borrower"), statetest.OnNode)
			if name == c.leaving {
				pod.DeletionTimestamp = &metav1.Time{Time: statetest.Epoch}
			}
			b.tell(pod)
		}
		claimant := statetest.GPUPod("p", 4, statetest.InQueue("owner"))
		b.enter(claimant)
		others := Others{}
		if c.fates != nil {
			others.Fate = func(name string) Fate { return c.fates[strings.TrimSuffix(strings.TrimPrefix(name, "ns/"), " (pod)")] }
		}
		r := b.Reclaim([]*corev1.Pod{claimant}, others)
		var got []string
		for i := range r.Candidates {
			one := &r.Candidates[i]
			var names []string
			for _, part := range one.Gangs() {
				names = append(names, part.Pods[0].Name)
			}
			text := fmt.Sprintf("%s:%d/%d", strings.Join(names, "+"), one.Least, len(one.Pods))
			if one.Ended(0) == 1 {
				text += "!"
			}
			got = append(got, text)
		}
		if slices.Sort(got); strings.Join(got, " ") != c.want {
			t.Errorf("%s: candidates are %q, want %q", c.name, strings.Join(got, " "), c.want)
		}
		if len(r.Candidates[0].Parts) == 0 {
			continue
		}
		permit, err := r.Permit(quota.ByGuarantee)
		if err != nil {
			t.Fatal(err)
		}
		undo, ok := permit.Evict(&preempt.Gang{Name: r.Candidates[0].Name}, []preempt.Member{{Name: "a"}, {Name: "c"}})
		if !ok {
			t.Errorf("%s: those that go together are protected", c.name)
			continue
		}
		undo()
	}
}

func TestReclaimable(t *testing.T) {
	b := newQueuesRig(t)
	b.SetQueue(queue("firm", "", 8, 8))
	b.SetQueue(queue("open", "", 8, 0))
	for name, want := range map[string]bool{"firm": false, "open": true, "nowhere": false} {
		pod := statetest.GPUPod("p-"+name, 1, statetest.InQueue(name))
		b.enter(pod)
		if got := b.Reclaimable(pod); got != want {
			t.Errorf("in queue %q: %t, want %t", name, got, want)
		}
	}
}

func TestEnded(t *testing.T) {
	pod := statetest.GPUPod("p", 4)
	pod.Status.StartTime = &metav1.Time{Time: statetest.Epoch.Add(-time.Hour)}
	pod.Annotations[dialect.CheckpointedAt] = statetest.Epoch.Add(-time.Minute).Format(time.RFC3339)
	done := Done(pod, 4, statetest.Epoch)
	if done != 4*3600 {
		t.Errorf("it has done %d device-seconds, want an hour of four", done)
	}
	ends, again := Candidate{Fate: Fate{Ends: true}}, Candidate{}
	if ends.Ended(done) != done || ends.Ended(0) != 1 || again.Ended(done) != 0 {
		t.Errorf("%d, %d and %d end", ends.Ended(done), ends.Ended(0), again.Ended(done))
	}
}
