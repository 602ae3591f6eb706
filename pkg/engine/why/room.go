package why

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/berth-dev/berth/pkg/core/fabric"
	"github.com/berth-dev/berth/pkg/core/pack"
	"github.com/berth-dev/berth/pkg/core/plan"
	"github.com/berth-dev/berth/pkg/core/remedy"
	"github.com/berth-dev/berth/pkg/insight"
	"github.com/berth-dev/berth/pkg/state/queueing"
	"github.com/berth-dev/berth/pkg/state/workload"
)

// steps is about how often a search for gangs looks at a node.
const steps = 200_000

// room says why there is no place for a subject that waits; nil if there is one, as far as is
// known. What runs where is known as it was a while ago: age.
func (s *Source) room(of *subject) (blocker *insight.Blocker, age time.Duration, err error) {
	asked := topologyOf(of)
	err = s.pictures.with(of.waiting[0].Spec.SchedulerName, []string{asked.Required, asked.Preferred, asked.SegmentLevel}, func(p *picture) {
		age = s.Clock.Since(p.at)
		request, kinds, missing := s.request(p, of)
		if missing != "" {
			blocker = &insight.Blocker{Reason: corev1.PodReasonUnschedulable, Constraint: insight.TopologyLevel, Sentence: missing, Hopeless: true,
				Unblocks: []insight.Unblock{{Kind: insight.Edit, Sentence: "nodes get the label of the level, or the gang asks for another level"}}}
			return
		}
		defer s.keep(p, of.lineName())()
		answer := remedy.Find(p.cluster, request, remedy.Bounds{Steps: steps})
		if !answer.Fits {
			t := &telling{Source: s, picture: p, request: request, kinds: kinds, answer: answer}
			blocker = t.blocker()
		}
	})
	return blocker, age, err
}

// telling turns an answer into words.
type telling struct {
	*Source
	*picture
	request remedy.Request
	kinds   []*usable
	answer  remedy.Answer
}

func (t *telling) blocker() *insight.Blocker {
	b := &insight.Blocker{Reason: corev1.PodReasonUnschedulable, Constraint: insight.Constraint(t.answer.Constraint), Hopeless: t.answer.Hopeless, Unblocks: []insight.Unblock{}}
	// A taint or a cordon may be taken off: without them the cluster might hold it.
	if b.Hopeless && !slices.ContainsFunc(t.answer.Remedies, func(r remedy.Remedy) bool { return r.Kind == remedy.NodesOpen }) {
		b.Reason = string(queueing.NeverFits)
	}
	for _, c := range t.answer.Levels {
		b.Levels = append(b.Levels, t.level(c))
	}
	if t.answer.Constraint == remedy.Kept {
		var names []string
		for i := range t.cluster.Running {
			if t.cluster.Running[i].Kept {
				names = append(names, workload.Shown(t.cluster.Running[i].Name))
			}
		}
		b.Unblocks = append(b.Unblocks, insight.Unblock{Kind: insight.Wait, Sentence: fmt.Sprintf("%s, for which room is kept, gives it up", some(names))})
	}
	opens := false
	for _, r := range t.answer.Remedies {
		b.Unblocks = append(b.Unblocks, t.unblock(r))
		opens = opens || r.Kind == remedy.NodesOpen
	}
	if t.answer.Constraint == remedy.Nodes && !opens {
		b.Unblocks = append(b.Unblocks, insight.Unblock{Kind: insight.Edit, Sentence: "its pods select other nodes, or more nodes get the labels that they select"})
	}
	last := b.Levels[len(b.Levels)-1]
	b.Sentence = t.decides() + ": " + last.Sentence
	if b.Reason == string(queueing.NeverFits) {
		b.Sentence = "even if nothing else ran, there would be no place; now " + b.Sentence
	}
	return b
}

// decides says which constraint keeps it from its place.
func (t *telling) decides() string {
	switch t.answer.Constraint {
	case remedy.Kept:
		return "there is room, and it is kept for others who are entitled to it"
	case remedy.Nodes:
		return "there is room, on nodes that its pods may not use"
	case remedy.Links:
		return "enough GPUs are free, and they are not linked as the pods ask"
	case remedy.CPU:
		if t.asksDevices() {
			return "enough GPUs are free, and not enough CPU beside them"
		}
		return "not enough CPU is free"
	case remedy.Memory:
		if t.asksDevices() {
			return "enough GPUs are free, and not enough memory beside them"
		}
		return "not enough memory is free"
	case remedy.Level:
		level := t.request.Required
		if level == fabric.NoLevel {
			level = t.request.SegmentLevel
		}
		return fmt.Sprintf("there is room in the cluster, and not in one domain of %s", t.key(level))
	}
	return "too few GPUs are free"
}

func (t *telling) asksDevices() bool {
	return slices.ContainsFunc(t.request.Pods, func(p plan.Pod) bool { return p.Request.Devices > 0 })
}

func (t *telling) key(level fabric.Level) string {
	if level == fabric.NoLevel {
		return ""
	}
	return t.cluster.Planner.Fabric.Key(level)
}

// where is the path of a domain, "" for the whole cluster.
func (t *telling) where(d pack.DomainID) string {
	if d == fabric.NoDomain || d == fabric.Root {
		return ""
	}
	return t.cluster.Planner.Fabric.Domain(d).Name
}

// in is " in D" or nothing.
func (t *telling) in(d pack.DomainID) string {
	if name := t.where(d); name != "" {
		return " in " + name
	}
	return ""
}

// level says what came closest.
func (t *telling) level(c remedy.Closest) insight.Level {
	out := insight.Level{Level: t.key(c.Level), Closest: t.where(c.Closest), Needed: c.Needed, Fit: c.Fit}
	if c.Scattered || c.Closest == fabric.NoDomain {
		out.Short, out.Sentence = insight.TopologyLevel, c.Sentence(t.cluster.Planner.Fabric, c.Needed)
		return out
	}
	out.Refusals = t.refusals(c.Closest)
	name := cmp.Or(out.Closest, "the cluster")
	text := fmt.Sprintf("%s has a place for %d of %s", name, c.Fit, count(c.Needed, "pod"))
	if out.Closest != "" {
		text = fmt.Sprintf("%s comes closest, with a place for %d of %s", name, c.Fit, count(c.Needed, "pod"))
	}
	switch lack := t.lack(c); {
	case t.answer.Constraint == remedy.Links:
		out.Short = insight.Links
		text += "; no node there is known to have so many free that are linked so"
	case lack == plan.LackDevices:
		out.Short = insight.Devices
		if out.Amount = max(0, c.Asked-c.Free); out.Amount > 0 {
			text += fmt.Sprintf("; %d GPUs are free of the %d that they ask for, %d short", c.Free, c.Asked, out.Amount)
		} else {
			text += fmt.Sprintf("; %d GPUs are free for the %d that they ask for, and too few of them on one node", c.Free, c.Asked)
		}
	case lack == plan.LackCPU:
		out.Short = insight.CPU
		text += "; CPU is short on nodes that have all else"
	case lack == plan.LackMemory:
		out.Short = insight.Memory
		text += "; memory is short on nodes that have all else"
	default:
		out.Short = insight.Nodes
		if len(out.Refusals) == 0 {
			text += "; there is room, in pieces that are too small"
		}
	}
	for i, r := range out.Refusals {
		if i == 0 {
			text += "; "
		} else {
			text += ", "
		}
		text += fmt.Sprintf("%s %s (%s)", count(r.Count, "node"), r.Text, some(r.Nodes))
	}
	out.Sentence = text
	return out
}

// lack is what a domain is short of. Where counts alone do not tell, what decides does.
func (t *telling) lack(c remedy.Closest) plan.Lack {
	if c.Of == plan.LackNodes {
		switch t.answer.Constraint {
		case remedy.CPU:
			return plan.LackCPU
		case remedy.Memory:
			return plan.LackMemory
		}
	}
	return c.Of
}

// refusals returns what nodes of a domain say, most first.
func (t *telling) refusals(d pack.DomainID) []insight.Refusal {
	said := map[string][]string{}
	nodes := &t.cluster.Planner.Fabric.Domain(d).Nodes
	for _, kind := range t.kinds {
		for text, ids := range kind.refusals {
			for _, id := range ids {
				if nodes.Has(id) {
					said[text] = append(said[text], t.nodeName(id))
				}
			}
		}
	}
	var out []insight.Refusal
	for text, names := range said {
		slices.Sort(names)
		names = slices.Compact(names)
		out = append(out, insight.Refusal{Text: text, Count: len(names), Nodes: names[:min(len(names), 2*mostNamed)]})
	}
	slices.SortFunc(out, func(a, b insight.Refusal) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.Text, b.Text))
	})
	return out
}

// unblock says what has to change.
func (t *telling) unblock(r remedy.Remedy) insight.Unblock {
	u := insight.Unblock{Kind: insight.UnblockKind(r.Kind), Level: t.key(r.Level), Domain: t.where(r.Domain), Count: r.Count}
	for _, id := range r.Nodes {
		u.Nodes = append(u.Nodes, t.nodeName(id))
	}
	now := t.Clock.Now()
	switch r.Kind {
	case remedy.GangsEnd:
		var names, kept []string
		for _, g := range r.Gangs {
			if names = append(names, t.cluster.Running[g].Name); t.cluster.Running[g].Kept {
				kept = append(kept, workload.Shown(t.cluster.Running[g].Name))
			}
		}
		u.At = moment(r.Ends)
		for _, name := range names {
			one := insight.Ending{Name: workload.Shown(name)}
			if runs := t.running[name]; runs != nil {
				one.Pods, one.Ends, one.Queue = len(runs.pods), moment(runs.ends), t.Parts.Queues.ChargedQueue(runs.pods[0].UID)
			}
			u.Gangs = append(u.Gangs, one)
		}
		if u.Sentence = ending(names, u.At, now) + t.in(r.Domain); len(kept) > 0 {
			u.Sentence += fmt.Sprintf("; room is kept there for %s, which has to take another, or none", some(kept))
		}
	case remedy.NodesFree:
		u.Sentence = fmt.Sprintf("%s more come free%s: %s", count(r.Count, "node"), t.in(r.Domain), some(u.Nodes))
		if r.Count == 1 {
			u.Sentence = fmt.Sprintf("1 node more comes free%s: %s", t.in(r.Domain), some(u.Nodes))
		}
	case remedy.NodesAdded:
		u.Nodes = []string{t.nodeName(r.Like)}
		u.Sentence = fmt.Sprintf("%s like %s added%s", count(r.Count, "node"), t.nodeName(r.Like), t.in(r.Domain))
	case remedy.NodesOpen:
		u.Sentence = fmt.Sprintf("%s no taint or cordon any more, or the pods tolerate it: %s", has(r.Count, "node"), some(u.Nodes))
	case remedy.AskLess:
		u.Resource, u.Amount = string(corev1.ResourceCPU), r.Amount
		text := resource.NewMilliQuantity(r.Amount, resource.DecimalSI).String() + " CPU"
		if r.Short == remedy.Memory {
			u.Resource, text = string(corev1.ResourceMemory), mebibytes(r.Amount)
		}
		u.Sentence = "its pods ask for at most " + text + " each"
	case remedy.FewerPods:
		u.Sentence = fmt.Sprintf("it needs no more than %s", count(r.Count, "pod"))
	}
	return u
}

// has is "1 node has" or "2 nodes have".
func has(n int, word string) string {
	if n == 1 {
		return count(n, word) + " has"
	}
	return count(n, word) + " have"
}

// mebibytes writes an amount of memory, rounded down.
func mebibytes(n int64) string {
	return fmt.Sprintf("%d MiB of memory", n>>20)
}
