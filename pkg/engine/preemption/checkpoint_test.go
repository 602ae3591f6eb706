package preemption

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/berth-dev/berth/pkg/dialect"
	"github.com/berth-dev/berth/pkg/state/workload"
)

// signalled is a reclaimer rig whose first victim has a minute to save its work.
type signalled struct {
	*reclaimerRig
	// patches are the values of the annotation, in order; "null" takes it off.
	patches []string
}

func newSignalled(t *testing.T, annotations map[string]string) *signalled {
	t.Helper()
	s := &signalled{reclaimerRig: newReclaimerRig(t)}
	s.Client.(*fake.Clientset).PrependReactor("patch", "pods", func(action clienttesting.Action) (bool, runtime.Object, error) {
		body := string(action.(clienttesting.PatchAction).GetPatch())
		if !strings.Contains(body, dialect.CheckpointRequestedAt) {
			return false, nil, nil
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		_, value, _ := strings.Cut(body, `requested-at":`)
		value, _, _ = strings.Cut(value, "}")
		s.patches = append(s.patches, strings.Trim(value, `"`))
		return true, &corev1.Pod{}, nil
	})
	first := &s.choice.Evicted[0]
	s.say(0, annotations)
	first.Candidate.Pods, first.Candidate.Grace = []*corev1.Pod{s.victims[0]}, time.Minute
	first.Pods = first.Candidate.Pods
	return s
}

// say has a victim say more in annotations.
func (s *signalled) say(i int, annotations map[string]string) {
	pod := s.victims[i].DeepCopy()
	pod.Status.StartTime = &metav1.Time{Time: s.reclaimerRig.clock.Now().Add(-time.Hour)}
	pod.Annotations = map[string]string{dialect.CheckpointSignal: "true"}
	for key, value := range annotations {
		pod.Annotations[key] = value
	}
	s.victims[i] = pod
	s.Queues.SetPod(pod)
}

// lead begins the batch, and waits until the evictor looks again in a while.
func (s *signalled) lead(t *testing.T) {
	t.Helper()
	s.begin(s.claimant, s.claim, s.choice, s.reclaimerRig.clock.Now())
	s.expectWaiting(t)
}

func (s *signalled) expectWaiting(t *testing.T) {
	t.Helper()
	if err := wait.PollUntilContextTimeout(t.Context(), time.Millisecond, time.Minute, true, func(context.Context) (bool, error) { return s.reclaimerRig.clock.HasWaiters(), nil }); err != nil {
		t.Fatal("the evictor does not wait")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.asked) > 0 {
		t.Fatalf("evictions %q before the time was over", s.asked)
	}
}

func (s *signalled) stamp(offset time.Duration) string {
	return s.reclaimerRig.clock.Now().Add(offset).Format(time.RFC3339)
}

func (s *signalled) expectPatches(t *testing.T, want ...string) {
	t.Helper()
	err := wait.PollUntilContextTimeout(t.Context(), time.Millisecond, time.Minute, true, func(context.Context) (bool, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		return slices.Equal(s.patches, want), nil
	})
	if err != nil {
		t.Errorf("the annotation was written as %q, want %q", s.patches, want)
	}
}

// A pod that asks for it is told, and nobody goes before its time is over.
func TestVictimHasTimeToSave(t *testing.T) {
	s := newSignalled(t, nil)
	now := s.stamp(0)
	s.lead(t)
	s.reclaimerRig.clock.Step(59 * time.Second)
	s.expectWaiting(t)
	s.expectPatches(t, now)
	s.reclaimerRig.clock.Step(time.Second)
	s.expectAsked(t, "v1", "v2")
}

// One that says that it has saved its work goes at once; one that says that it will have, or
// had before it was told, does not.
func TestVictimHasSaved(t *testing.T) {
	s := newSignalled(t, nil)
	s.lead(t)
	for _, said := range []time.Duration{time.Hour, -time.Minute} {
		s.say(0, map[string]string{dialect.CheckpointedAt: s.stamp(said)})
		s.reclaimerRig.clock.Step(time.Second)
		s.expectWaiting(t)
	}
	s.say(0, map[string]string{dialect.CheckpointedAt: s.stamp(0)})
	s.reclaimerRig.clock.Step(time.Second)
	s.expectAsked(t, "v1", "v2")
}

// One that leaves by itself is not evicted.
func TestVictimLeavesByItself(t *testing.T) {
	s := newSignalled(t, nil)
	s.lead(t)
	s.Queues.DeletePod(s.victims[0])
	s.Gone(s.victims[0].UID)
	s.reclaimerRig.clock.Step(time.Second)
	s.expectAsked(t, "v2")
}

// The next leader has those go that were told, with what is left of their time; what a pod
// says of the future counts as nothing.
func TestVictimWasToldByAnotherLeader(t *testing.T) {
	s := newSignalled(t, nil)
	s.say(0, map[string]string{dialect.CheckpointRequestedAt: s.stamp(-50 * time.Second)})
	s.choice.Evicted[0].Pods = []*corev1.Pod{s.victims[0]}
	s.lead(t)
	s.reclaimerRig.clock.Step(10 * time.Second)
	s.expectAsked(t, "v1", "v2")
	s.expectPatches(t)

	s = newSignalled(t, nil)
	s.say(0, map[string]string{dialect.CheckpointRequestedAt: s.stamp(time.Hour)})
	s.choice.Evicted[0].Pods = []*corev1.Pod{s.victims[0]}
	now := s.stamp(0)
	s.lead(t)
	s.expectPatches(t, now)
	s.reclaimerRig.clock.Step(time.Minute)
	s.expectAsked(t, "v1", "v2")
}

// Whoever waits for it may be gone meanwhile: then it is told that it stays.
func TestVictimStaysAfterAll(t *testing.T) {
	s := newSignalled(t, nil)
	now := s.stamp(0)
	s.lead(t)
	s.end(workload.NameOf(s.claimant), "it waits no more")
	s.reclaimerRig.clock.Step(time.Second)
	s.expectPatches(t, now, "null")
	if len(s.asked) > 0 {
		t.Errorf("evictions %q for nobody", s.asked)
	}
}
