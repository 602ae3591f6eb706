package queueing

import (
	"cmp"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/berth-dev/berth/pkg/core/quota"
	"github.com/berth-dev/berth/pkg/dialect"
)

// Fate is what becomes of a gang that gives up its place, by what its owners say. The zero
// value is that of a gang of whose owners nothing is known: it is evicted.
type Fate struct {
	// Ends says that nobody makes its pods again.
	Ends bool
	// Whole says that it does not go in part: its owner would end for one pod, or start again
	// as a whole.
	Whole bool
	// Together is what ends, starts again or is suspended with it; "" if that is nothing
	// else. Gangs that have the same go together.
	Together types.UID
}

// fates asks for the fates of candidates, and makes one of those that go together: of one owner
// and one queue, it goes whole or not at all. If one of them is unsteady, or waits for room
// itself, the others stay.
func fates(all []Candidate, claimant string, of func(name string) Fate) []Candidate {
	if of == nil {
		return slices.DeleteFunc(all, func(t Candidate) bool { return t.unsteady })
	}
	type bond struct {
		owner types.UID
		queue quota.QueueID
	}
	own := of(claimant).Together
	bound := map[bond][]int{}
	broken := map[bond]bool{}
	for i := range all {
		t := &all[i]
		t.Fate = of(t.Name)
		if t.Fate.Whole {
			t.Least = len(t.Pods)
		}
		if t.Fate.Together != "" {
			b := bond{t.Fate.Together, t.Queue}
			bound[b] = append(bound[b], i)
			broken[b] = broken[b] || t.unsteady || t.Fate.Together == own
		}
	}
	var out []Candidate
	for i := range all {
		t := all[i]
		b := bond{t.Fate.Together, t.Queue}
		others := bound[b]
		switch {
		case t.unsteady, broken[b]:
		case len(others) < 2:
			out = append(out, t)
		case others[0] == i:
			out = append(out, together(all, others))
		}
	}
	return out
}

// together makes one candidate of several, with the name of the first.
func together(all []Candidate, which []int) Candidate {
	one := all[which[0]]
	one.Pods, one.uses = nil, nil
	for _, i := range which {
		part := all[i]
		one.Parts = append(one.Parts, part)
		one.Pods, one.uses = append(one.Pods, part.Pods...), append(one.uses, part.uses...)
		one.Priority = max(one.Priority, part.Priority)
		one.Ran = min(one.Ran, part.Ran)
		one.Fate.Ends = one.Fate.Ends || part.Fate.Ends
		one.Told = one.Told || part.Told
	}
	one.sort()
	one.Least = len(one.Pods)
	return one
}

// Reclaimable reports whether the gang of a pod, or a plain pod, may have to go for others:
// there are queues, and its own may have more than it is guaranteed of something that it asks
// for. Those of a higher priority in its own queue are left out of this.
func (q *Queues) Reclaimable(pod *corev1.Pod) bool {
	if !q.some.Load() {
		return false
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.settled() {
		return false
	}
	id, _, ok := q.find(q.queueNow(pod), pod.Namespace)
	if !ok {
		return false
	}
	leaf := q.tree.Own(id)
	guaranteed, limit := q.tree.Guaranteed(leaf), q.tree.Limit(leaf)
	asks := q.asksFor(pod)
	for i, name := range q.tree.Resources() {
		if amount, asked := asks[corev1.ResourceName(name)]; asked && !amount.IsZero() && limit[i] > guaranteed[i] {
			return true
		}
	}
	return len(q.tree.Resources()) == 0
}

// Done returns the device-seconds of all that a pod with so many devices has done since it
// began, wherever it saved it.
func Done(pod *corev1.Pod, devices int64, now time.Time) int64 {
	return devices * max(0, int64(now.Sub(startOf(pod))/time.Second))
}

// Ended returns the device-seconds that end for good with a gang that has done so many, as
// Package preempt wants them: 1 at least if it ends, and none if it was told to go already.
func (t *Candidate) Ended(done int64) int64 {
	if !t.Fate.Ends || t.Told {
		return 0
	}
	return max(done, 1)
}

// Gangs returns the gangs of a candidate: itself, but for one that several make up.
func (t *Candidate) Gangs() []*Candidate {
	if len(t.Parts) == 0 {
		return []*Candidate{t}
	}
	out := make([]*Candidate, len(t.Parts))
	for i := range t.Parts {
		out[i] = &t.Parts[i]
	}
	slices.SortFunc(out, func(a, b *Candidate) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

// requestAge is how long after the end of a gang's grace a request is believed to be under way.
const requestAge = time.Minute

// instant returns the instant that a pod states; false if it states none after its start that
// has come.
func instant(pod *corev1.Pod, annotation string, now time.Time) (time.Time, bool) {
	text := pod.Annotations[annotation]
	if text == "" {
		return time.Time{}, false
	}
	at, err := time.Parse(time.RFC3339, text)
	return at, err == nil && at.After(startOf(pod)) && !at.After(now)
}

// Signals reports whether a pod is to be told before it is evicted.
func Signals(pod *corev1.Pod) bool { return pod.Annotations[dialect.CheckpointSignal] == "true" }

// Requested returns when a pod was told to save its work, for a gang that has so long to do
// so; false if it was not, or so long ago that it is to be told anew.
func Requested(pod *corev1.Pod, grace time.Duration, now time.Time) (time.Time, bool) {
	at, ok := instant(pod, dialect.CheckpointRequestedAt, now)
	return at, ok && now.Sub(at) < grace+requestAge
}

// Saved reports whether a pod has saved its work since it was told to.
func Saved(pod *corev1.Pod, requested, now time.Time) bool {
	at, ok := instant(pod, dialect.CheckpointedAt, now)
	return ok && !at.Before(requested.Truncate(time.Second))
}

// grant gives a candidate the grace of its queue, if any pod of it asks to be told.
func (t *Candidate) grant(grace time.Duration, now time.Time) {
	if grace <= 0 || !slices.ContainsFunc(t.Pods, Signals) {
		return
	}
	t.Grace = grace
	t.Told = slices.ContainsFunc(t.Pods, func(pod *corev1.Pod) bool {
		_, told := Requested(pod, grace, now)
		return told && Signals(pod)
	})
}

// Pod returns a pod with a place as it was last told; nil if it has none any more.
func (q *Queues) Pod(placed *corev1.Pod) *corev1.Pod {
	q.mu.Lock()
	defer q.mu.Unlock()
	if p := q.charged[placed.UID]; p != nil {
		return p.pod
	}
	return nil
}
