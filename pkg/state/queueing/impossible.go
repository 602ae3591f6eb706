package queueing

import (
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/berth-dev/berth/pkg/core/admission"
	"github.com/berth-dev/berth/pkg/core/gang"
	"github.com/berth-dev/berth/pkg/state/workload"
)

// ToJudge reports whether it is to be judged if the cluster could hold the gang of a pod, or
// a plain pod, at all: there was no room for it, and it was not judged yet for this version
// of the nodes.
func (q *Queues) ToJudge(pod *corev1.Pod, version int64) bool {
	if !q.some.Load() {
		return false
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	w := q.waiting[workload.IDOf(pod)]
	return w != nil && w.refused && w.judged != version && q.settled()
}

// Judged says that the cluster could hold it, as of a version of the nodes, and of which class
// it is: none of one class has a place where another has none, as long as none comes free. ""
// for one that is like no other.
func (q *Queues) Judged(pod *corev1.Pod, version int64, class string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if w := q.waiting[workload.IDOf(pod)]; w != nil && !w.renewed {
		w.judged, w.class = version, class
		if w.refused {
			q.noRoomFor(w)
		}
	}
}

// Began says that the scheduler begins to try a pod, or its gang.
func (q *Queues) Began(pod *corev1.Pod) {
	if !q.some.Load() {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if w := q.waiting[workload.IDOf(pod)]; w != nil {
		w.renewed = false
	}
}

// RenewGang says that the scheduler knows a gang otherwise than before.
func (q *Queues) RenewGang(key gang.Key) {
	if !q.some.Load() {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if w := q.waiting[workload.IDOfGang(key)]; w != nil {
		q.renew(w)
	}
}

// renew says that a gang, or a plain pod, is not what it was: what was judged does not hold of
// it. A try that is under way may be of what it was.
func (q *Queues) renew(w *waiter) {
	w.judged, w.renewed, w.class = 0, true, ""
	if q.isImpossible(w) || w.queued && !w.admitted {
		delete(q.impossible, w)
		q.again(w)
	}
}

// Impossible says that the cluster could not hold the gang of a pod, or a plain pod, even
// if nothing else ran. It is taken out of the line, so that its age holds nobody up, is told
// why, and costs nothing more until MayFit or a change of its own.
func (q *Queues) Impossible(pod *corev1.Pod, why string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	w := q.waiting[workload.IDOf(pod)]
	if w == nil || w.admitted || w.renewed || !q.settled() {
		return
	}
	q.line.Gone(w.name)
	w.queued, w.refused = false, false
	q.refuse(w, Refusal{Code: NeverFits, Queue: q.queueNow(pod), Text: why})
	q.impossible[w] = struct{}{}
	q.stuck = append(q.stuck, w)
	q.tell()
}

// WhyNever says why the cluster could not hold the gang of a pod, or a plain pod, even if
// nothing else ran; false if that is not known.
func (q *Queues) WhyNever(pod *corev1.Pod) (why string, never bool) {
	if !q.some.Load() {
		return "", false
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	w := q.waiting[workload.IDOf(pod)]
	if w == nil || !q.isImpossible(w) {
		return "", false
	}
	return w.refusal.Text, true
}

// NeverFit returns the gangs that the cluster could not hold, even if nothing else ran.
func (q *Queues) NeverFit() []gang.Key {
	q.mu.Lock()
	defer q.mu.Unlock()
	var out []gang.Key
	for w := range q.impossible {
		if w.id.Group != "" {
			out = append(out, w.id.Gang())
		}
	}
	return out
}

// isImpossible reports whether the cluster could not hold one at all.
func (q *Queues) isImpossible(w *waiter) bool {
	_, is := q.impossible[w]
	return is
}

// MayFit has all those tried again that the cluster could not hold: nodes have changed.
func (q *Queues) MayFit() {
	if !q.some.Load() {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.impossible) == 0 || !q.settled() {
		return
	}
	all := slices.SortedFunc(maps.Keys(q.impossible), func(a, b *waiter) int { return strings.Compare(a.name, b.name) })
	for _, w := range all {
		q.enqueue(w)
	}
	q.tell()
}

const (
	// explainAfter is how long a gang waits before its pods are told why: most have their turn
	// sooner. explainAgain is after how long it is looked whether the reason is another.
	explainAfter = 10 * time.Second
	explainAgain = time.Minute
	// explainPods is how many pods are told at a time, in the mean: each is a request.
	// explainLooks is how many gangs are looked at.
	explainPods  = 16
	explainLooks = 256
)

// doubt is a gang whose pods may not know why it waits, and when that is to be looked at.
type doubt struct {
	of *waiter
	at time.Time
}

// Explain returns gangs and plain pods that their queue has held for a while, and why, each
// once for each reason: some of them, so that no storm of requests follows. Those for which
// there was no room were told by the scheduler, and those whose turn never comes by Stuck. It
// is to be called every second or so.
func (q *Queues) Explain() []Stuck {
	if !q.some.Load() {
		return nil
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.settled() {
		return nil
	}
	q.explained = min(q.explained+explainPods, explainPods)
	now, looks := q.clock.Now(), 0
	var out []Stuck
	for _, list := range []*[]doubt{&q.fresh, &q.known} {
		for ; len(*list) > 0 && !now.Before((*list)[0].at) && q.explained > 0 && looks < explainLooks; looks++ {
			w := (*list)[0].of
			*list = (*list)[1:]
			if q.waiting[w.id] != w {
				continue
			}
			q.known = append(q.known, doubt{w, now.Add(explainAgain)})
			code, text, known := q.why(w)
			switch admission.Code(code) {
			case admission.Turn, admission.Behind, admission.Held, admission.AtLimit, admission.Claims:
			default:
				w.said = ""
				continue
			}
			if !known || code == w.said {
				continue
			}
			w.said = code
			out = append(out, Stuck{Pods: w.byName(), Code: code, Text: text})
			q.explained -= len(w.pods)
		}
	}
	return out
}
