package why

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/berth-dev/berth/pkg/core/admission"
	"github.com/berth-dev/berth/pkg/core/gang"
	"github.com/berth-dev/berth/pkg/core/quota"
	"github.com/berth-dev/berth/pkg/core/remedy"
	"github.com/berth-dev/berth/pkg/insight"
	"github.com/berth-dev/berth/pkg/state/queueing"
	"github.com/berth-dev/berth/pkg/state/workload"
)

// asking asks all that a subject has to pass.
type asking struct {
	*Source
	of  *subject
	out *insight.Why
}

func (a *asking) block(b insight.Blocker) {
	if b.Unblocks == nil {
		b.Unblocks = []insight.Unblock{}
	}
	a.out.Blockers = append(a.out.Blockers, b)
}

// ask fills in the blockers, in the order in which they are passed.
func (a *asking) ask() {
	code, text := a.out.Reason, a.out.Sentence
	if a.declaration() || len(a.of.waiting) == 0 {
		return
	}
	if l, some := a.Parts.Queues.Line(a.of.waiting[0], mostAhead); some {
		a.out.Line = line(&l)
		if a.queue(&l) {
			return
		}
		a.limits(&l)
		a.turn(&l)
	}
	switch {
	case code == string(admission.Claims):
		// Its room is on the way.
		a.block(insight.Blocker{Reason: code, Constraint: insight.Eviction, Sentence: text,
			Unblocks: []insight.Unblock{{Kind: insight.Wait, Sentence: "those that leave for it are gone"}}})
		return
	case code == "VictimsProtected":
		a.block(insight.Blocker{Reason: code, Constraint: insight.Budget, Sentence: text,
			Unblocks: []insight.Unblock{{Kind: insight.Edit, Sentence: "the disruption budget lets the pods that it protects go, or more of them run"}}})
	}
	room, age, err := a.room(a.of)
	if age > 2*mostFresh {
		a.out.Remarks = append(a.out.Remarks, fmt.Sprintf("what runs where is told as it was %s ago: on so many nodes it is not looked at all the time", age.Round(time.Second)))
	}
	remarks := unjudged(a.of.waiting)
	a.out.Remarks = append(a.out.Remarks, remarks...)
	switch {
	case err != nil:
		a.out.Remarks = append(a.out.Remarks, "whether there is room was not looked at: "+err.Error())
	case room != nil:
		a.block(*room)
	case len(a.out.Blockers) == 0 && code == corev1.PodReasonUnschedulable && len(remarks) > 0:
		// What was not looked at is what it is refused for.
		a.block(insight.Blocker{Reason: code, Constraint: insight.Nodes, Sentence: text})
	}
	if len(a.out.Blockers) == 0 {
		a.scheduler(code, text)
	}
}

// declaration: what its pods or its object say makes no gang, or not yet.
func (a *asking) declaration() bool {
	g := a.of.gang
	if g == nil {
		if gates := a.of.all[0].Spec.SchedulingGates; len(gates) > 0 && len(a.of.waiting) > 0 {
			a.block(insight.Blocker{Reason: corev1.PodReasonSchedulingGated, Constraint: insight.Declaration,
				Sentence: fmt.Sprintf("the pod has the scheduling gate %q", gates[0].Name),
				Unblocks: []insight.Unblock{{Kind: insight.Edit, Sentence: "whoever set the gate takes it off"}}})
			return true
		}
		return false
	}
	if g.Verdict.Action != gang.Hold {
		return false
	}
	b := insight.Blocker{Reason: string(g.Verdict.Code), Constraint: insight.Declaration, Sentence: g.Verdict.Text}
	switch g.Verdict.Code {
	case gang.Incomplete:
		b.Unblocks = []insight.Unblock{{Kind: insight.Wait, Sentence: "its owner creates the pods that are missing"},
			{Kind: insight.Edit, Sentence: "its size is lowered to what there is"}}
	case gang.NotDeclared:
		b.Unblocks = []insight.Unblock{{Kind: insight.Edit, Sentence: "its group object is created, or its pods state the size in berth.dev/gang-size"}}
	case gang.GatedMember:
		b.Unblocks = []insight.Unblock{{Kind: insight.Edit, Sentence: "whoever set the scheduling gate takes it off"}}
	case gang.Releasing:
		b.Unblocks = []insight.Unblock{{Kind: insight.Wait, Sentence: "its pods that have places have left"}}
	case gang.Unschedulable:
		b.Constraint, b.Hopeless = insight.TopologyLevel, true
		b.Unblocks = []insight.Unblock{{Kind: insight.Edit, Sentence: "nodes get the label of the level that it requires, or it requires another"}}
	default:
		b.Unblocks = []insight.Unblock{{Kind: insight.Edit, Sentence: "what the reason names is corrected in the pods, or in the object that makes them"}}
	}
	a.block(b)
	return true
}

// queue: its queue is not there, not open to it, or makes no sense.
func (a *asking) queue(l *queueing.Line) bool {
	code, text := string(l.Refusal.Code), l.Refusal.Text
	if l.Refusal.Code == queueing.NeverFits {
		return false // that is said of its room
	}
	if code == "" && l.Queued && l.Reason.Code == admission.Faulty {
		code, text = string(l.Reason.Code), l.Reason.Sentence(l.Tree, called)
	}
	if code == "" {
		return false
	}
	fix := "the queue is made, or the gang names another"
	switch code {
	case string(queueing.QueueNotAllowed):
		fix = "the namespace is added to those that may use the queue, or the gang names another queue"
	case string(admission.Faulty):
		fix = "what the condition of the queue says is wrong with it is corrected"
	}
	a.block(insight.Blocker{Reason: code, Constraint: insight.QueueAccess, Sentence: text, Unblocks: []insight.Unblock{{Kind: insight.Edit, Queue: l.Name, Sentence: fix}}})
	return true
}

// limits: those of its queue, or of one around it.
func (a *asking) limits(l *queueing.Line) {
	books, some := a.Parts.Queues.Books()
	if !some || books.Used.Tree() != l.Tree {
		return // they are new; whoever asks again is told
	}
	pods := map[string][]*corev1.Pod{}
	byName := map[string]*remedy.Charge{}
	for i := range books.Charges {
		c := &books.Charges[i]
		name := workload.NameOf(c.Pod)
		if pods[name] = append(pods[name], c.Pod); byName[name] == nil {
			byName[name] = &remedy.Charge{Name: name, Queue: c.Queue, By: make(quota.Vector, len(c.By))}
		}
		byName[name].By = byName[name].By.Plus(c.By)
	}
	var running []remedy.Charge
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		byName[name].Ends = endOf(pods[name])
		running = append(running, *byName[name])
	}
	for _, limit := range remedy.Quota(books.Used, l.Queue, l.Asks, running) {
		a.limit(l.Tree, limit, running, pods)
	}
}

// limit: one of them.
func (a *asking) limit(tree *quota.Tree, limit remedy.Limit, running []remedy.Charge, pods map[string][]*corev1.Pod) {
	resource, queue := tree.Resources()[limit.Resource], tree.Name(limit.Queue)
	raise := insight.Unblock{Kind: insight.LimitRaised, Queue: queue, Resource: resource, Amount: int64(limit.Enough),
		Sentence: fmt.Sprintf("the limit of queue %q is raised from %s to %s", queue, amount(resource, int64(limit.Limit)), amount(resource, int64(limit.Enough)))}
	if limit.Never {
		a.block(insight.Blocker{Reason: string(admission.NeverFits), Constraint: insight.Quota, Hopeless: true,
			Sentence: fmt.Sprintf("it asks for %s, and the limit of queue %q is %s", amount(resource, int64(limit.Asked)), queue, amount(resource, int64(limit.Limit))),
			Unblocks: []insight.Unblock{
				{Kind: insight.AskLess, Queue: queue, Resource: resource, Amount: int64(limit.Limit), Sentence: fmt.Sprintf("all its pods together ask for at most %s", amount(resource, int64(limit.Limit)))},
				raise,
			}})
		return
	}
	b := insight.Blocker{Reason: string(admission.AtLimit), Constraint: insight.Quota,
		Sentence: fmt.Sprintf("%s; %s too much", limit.Refusal.Sentence(tree), amount(resource, int64(limit.Over)))}
	back := insight.Unblock{Kind: insight.QuotaBack, Queue: queue, Resource: resource, Amount: int64(limit.Over), At: moment(limit.Ends)}
	back.Sentence = fmt.Sprintf("%s back from queue %q", amount(resource, int64(limit.Over)), queue)
	var names []string
	for _, g := range limit.Gangs {
		c := &running[g]
		names = append(names, c.Name)
		back.Gangs = append(back.Gangs, insight.Ending{Name: workload.Shown(c.Name), Queue: tree.Name(c.Queue), Pods: len(pods[c.Name]), Ends: moment(c.Ends)})
	}
	if len(names) > 0 {
		back.Sentence += ", as when " + ending(names, back.At, a.Clock.Now())
		b.Unblocks = append(b.Unblocks, back)
	}
	b.Unblocks = append(b.Unblocks, raise)
	a.block(b)
}

// turn: others come before it.
func (a *asking) turn(l *queueing.Line) {
	if !l.Queued {
		return
	}
	b := insight.Blocker{Reason: string(l.Reason.Code), Constraint: insight.Turn, Sentence: l.Reason.Sentence(l.Tree, called)}
	before := make([]string, 0, len(l.Ahead))
	for _, one := range l.Ahead {
		before = append(before, workload.Shown(one.Name))
	}
	named := some(before)
	if len(before) < l.Reason.Ahead {
		named = strings.Join(before[:min(len(before), mostNamed)], ", ") + " and more"
	}
	switch l.Reason.Code {
	case admission.Behind:
		b.Unblocks = []insight.Unblock{{Kind: insight.TurnComes, Queue: l.Name, Count: l.Reason.Ahead,
			Sentence: fmt.Sprintf("the %s ahead of it in queue %q are admitted or leave: %s", count(l.Reason.Ahead, "gang"), l.Name, named)}}
		if l.Reason.Ahead == 1 {
			b.Unblocks[0].Sentence = fmt.Sprintf("the gang ahead of it in queue %q is admitted or leaves: %s", l.Name, some(before))
		}
	case admission.Held:
		b.Unblocks = []insight.Unblock{{Kind: insight.TurnComes, Queue: l.Name, Count: 1, Gangs: []insight.Ending{{Name: workload.Shown(l.Reason.For), Queue: l.Name}},
			Sentence: called(l.Reason.For) + " gets its place or leaves"}}
	case admission.Turn:
		u := insight.Unblock{Kind: insight.TurnComes, Queue: l.Name, Sentence: "a moment passes: it is the next of its queue, and no queue is served before it"}
		if len(l.QueuesAhead) > 0 {
			var names []string
			for _, q := range l.QueuesAhead {
				names = append(names, l.Tree.Name(q))
			}
			u.Sentence = fmt.Sprintf("the queues that need it more are served: %s", some(names))
		} else if l.Position == 0 {
			u.Sentence = "the queues around its own are served"
		}
		b.Unblocks = []insight.Unblock{u}
	default:
		return
	}
	a.block(b)
}

// scheduler: nothing is in its way that is known here.
func (a *asking) scheduler(code, text string) {
	b := insight.Blocker{Reason: code, Constraint: insight.Scheduler, Sentence: text,
		Unblocks: []insight.Unblock{{Kind: insight.Wait, Sentence: "the scheduler gets to it, or tries it again"}}}
	switch code {
	case "":
		b.Reason, b.Sentence = "NotTriedYet", "it is being tried"
	case corev1.PodReasonUnschedulable:
		a.out.Remarks = append(a.out.Remarks, "there was no place for it at the last try; now there is one, as far as nodes, devices, CPU and memory tell, and it is tried again soon")
	case "HeldByPlugin":
		b.Unblocks = []insight.Unblock{{Kind: insight.Edit, Sentence: "what the plugin says is missing is there"}}
	}
	a.block(b)
}
