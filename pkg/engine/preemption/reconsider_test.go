package preemption

import (
	"context"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/berth-dev/berth/pkg/dialect"
	"github.com/berth-dev/berth/pkg/engine/departures"
	"github.com/berth-dev/berth/pkg/state/queueing"
	"github.com/berth-dev/berth/pkg/state/workload"
)

// oneOwner is an owner of all pods that may not be suspended.
type oneOwner struct{ spec map[string]any }

func (o oneOwner) Owners(_ context.Context, pod *corev1.Pod) ([]dialect.OwnerObject, error) {
	ref, _ := dialect.Controller(pod)
	return []dialect.OwnerObject{{OwnerRef: ref, Object: &unstructured.Unstructured{Object: map[string]any{"spec": o.spec}}}}, nil
}

func (oneOwner) MaySuspend(context.Context, schema.GroupResource) bool { return false }

// A gang that would have come again when it was chosen, and would not any more, stays; so does
// one of which nothing was known, and whose owner fails as a whole.
func TestVictimsAreReconsidered(t *testing.T) {
	for _, test := range []struct {
		name  string
		then  queueing.Fate
		limit int64
		asked int
	}{
		{"it still comes again", queueing.Fate{Together: "job"}, 3, 2},
		{"it has no retries left", queueing.Fate{Together: "job"}, 0, 0},
		{"nothing was known, and it comes again", queueing.Fate{}, 3, 2},
		{"nothing was known, and it ends", queueing.Fate{}, 0, 0},
		{"it was known to end", queueing.Fate{Ends: true, Whole: true, Together: "job"}, 0, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newReclaimerRig(t)
			yes := true
			c.Departures = departures.New(oneOwner{map[string]any{"backoffLimit": test.limit}}, c.Queues, c.Client, c.Reclaimer.Clock, func() {})
			for _, pod := range c.victims {
				pod.OwnerReferences = []metav1.OwnerReference{{APIVersion: "batch/v1", Kind: "Job", Name: "job", UID: "job", Controller: &yes}}
				c.Departures.Set(pod)
			}
			for _, victim := range c.choice.Evicted {
				victim.Candidate.Fate = test.then
			}
			name := workload.NameOf(c.claimant)
			e := evictor{Reclaimer: c.Reclaimer, name: name, claimant: c.claimant, claim: c.claim, choice: c.choice}
			e.batch = &evictionBatch{left: c.choice.UIDs(), deadline: c.clock.Now()}
			c.batches[name] = e.batch
			e.run()
			if len(c.asked) != test.asked {
				t.Errorf("the evictions are %q, want %d", c.asked, test.asked)
			}
			if !c.HasBatch(name) != (test.asked == 0) {
				t.Errorf("the room is given up: %t", !c.HasBatch(name))
			}
		})
	}
}
