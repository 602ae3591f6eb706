package why

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/berth-dev/berth/pkg/core/gang"
	"github.com/berth-dev/berth/pkg/core/quota"
	"github.com/berth-dev/berth/pkg/dialect"
	"github.com/berth-dev/berth/pkg/engine/waitreason"
	"github.com/berth-dev/berth/pkg/insight"
	"github.com/berth-dev/berth/pkg/state/queueing"
	"github.com/berth-dev/berth/pkg/state/workload"
)

// mostAhead is how many of those ahead are listed.
const mostAhead = 10

// Why says why a gang or plain pod waits.
func (s *Source) Why(_ context.Context, namespace, name string) (*insight.Why, error) {
	if !s.Leads() {
		return nil, insight.ErrNotLeading
	}
	of, err := s.find(namespace, name)
	if err != nil {
		return nil, err
	}
	out := &insight.Why{Head: s.head(), Gang: s.gang(of), Blockers: []insight.Blocker{}}
	if asked := topologyOf(of); asked != (gang.Topology{}) {
		out.Topology = &insight.Topology{Required: asked.Required, Preferred: asked.Preferred, SegmentSize: int(asked.SegmentSize), SegmentsTopology: asked.SegmentLevel}
	}
	out.Remarks = dialect.UnknownKeys(of.all[0])
	if out.State == insight.Placed {
		if len(of.waiting) > 0 {
			out.Remarks = append(out.Remarks, fmt.Sprintf("%s more would join it, and each is placed when there is room for it", count(len(of.waiting), "pod")))
		}
		return out, nil
	}
	a := &asking{Source: s, of: of, out: out}
	a.ask()
	if len(out.Blockers) > 0 {
		first := &out.Blockers[0]
		out.Constraint = first.Constraint
		// What decides is told in the words of whoever was asked now: those of the pods'
		// condition may be from an earlier try.
		out.Reason, out.Sentence = first.Reason, first.Sentence
	}
	return out, nil
}

// gang describes a subject, with the reason for which it waits in few words.
func (s *Source) gang(of *subject) insight.Gang {
	out := insight.Gang{Namespace: of.namespace(), Name: of.name(), Pod: of.gang == nil, State: insight.Placed, Created: of.all[0].CreationTimestamp.UTC()}
	out.Asks = map[string]int64{}
	for _, pod := range of.all {
		if made := pod.CreationTimestamp.UTC(); made.Before(out.Created) {
			out.Created = made
		}
		for name, q := range s.Requests(pod) {
			out.Asks[string(name)] += int64(queueing.AmountOf(name, q))
		}
	}
	if p := of.all[0].Spec.Priority; p != nil {
		out.Priority = *p
	}
	out.Queue = s.Parts.Queues.QueueNow(of.all[0])
	out.Pods = insight.Pods{Needed: 1, Total: len(of.all), Bound: len(of.standing), Waiting: len(of.waiting)}
	if g := of.gang; g != nil {
		// A gang that is held has no verdict on its size but what it says.
		out.Pods = insight.Pods{Needed: int(g.Verdict.Group.Need), Total: len(g.Pods), Bound: int(g.Bound), Running: int(g.Running), Waiting: int(g.Waiting)}
		if g.Verdict.Action == gang.Hold || out.Pods.Bound < out.Pods.Needed {
			out.State = insight.Pending
		}
	} else {
		if of.all[0].Status.Phase == corev1.PodRunning {
			out.Pods.Running = 1
		}
		if of.all[0].Spec.NodeName == "" {
			out.State = insight.Pending
		}
	}
	if len(of.standing) > 0 {
		out.Ends = moment(endOf(of.standing))
	}
	if out.State == insight.Pending {
		out.Reason, out.Sentence = s.holds(of)
	}
	return out
}

// holds says what holds a subject now: what the explainer says, or else the condition of its
// first pod that waits.
func (s *Source) holds(of *subject) (code, text string) {
	if of.gang != nil && of.gang.Verdict.Action == gang.Hold {
		return string(of.gang.Verdict.Code), of.gang.Verdict.Text
	}
	if len(of.waiting) == 0 {
		return "", ""
	}
	code, text = s.Holds(of.waiting[0])
	if code == "" {
		if c := waitreason.ConditionOf(of.waiting[0]); c != nil {
			code, text = c.Reason, c.Message
		}
	}
	return code, text
}

// line describes the place of a subject in its queue.
func line(l *queueing.Line) *insight.Line {
	out := &insight.Line{Queue: l.Name, Path: []string{}, QueuePosition: l.Position}
	for q := l.Queue; q != quota.NoQueue && q != quota.RootID; q = l.Tree.Parent(q) {
		out.Path = append(out.Path, l.Tree.Name(q))
	}
	slices.Reverse(out.Path)
	for _, q := range l.QueuesAhead {
		out.QueuesAhead = append(out.QueuesAhead, l.Tree.Name(q))
	}
	if out.Waiting = l.Waiting; !l.Queued {
		return out
	}
	out.Position = l.Reason.Ahead + 1
	for _, a := range l.Ahead {
		out.Ahead = append(out.Ahead, insight.Ahead{Name: workload.Shown(a.Name), Priority: a.Priority, Created: a.Arrived.UTC().Truncate(time.Second), Asks: byName(l.Tree, a.Asks)})
	}
	return out
}
