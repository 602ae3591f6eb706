package reporting

import (
	"context"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/kubernetes/pkg/scheduler"
	"k8s.io/utils/clock"

	"github.com/berth-dev/berth/pkg/core/gang"
	"github.com/berth-dev/berth/pkg/engine/measure"
	"github.com/berth-dev/berth/pkg/engine/podgroups"
	"github.com/berth-dev/berth/pkg/engine/waitreason"
	"github.com/berth-dev/berth/pkg/state/gangtable"
	"github.com/berth-dev/berth/pkg/state/queueing"
	"github.com/berth-dev/berth/pkg/state/unqueued"
)

const (
	// unexplainedDelay is how long a pod may wait before somebody must have said why: with
	// the delay of conditions, and the pace at which they are written, it is told within ten
	// seconds, unless thousands are to be told at once.
	unexplainedDelay = 5 * time.Second
	// reexplainDelay is after how long it is looked whether what was said still holds, or later
	// if more than ten a second wait: see againAtATime.
	reexplainDelay = 30 * time.Second
	// incompleteLook is after how long a gang is looked at again whose pods are being created.
	incompleteLook = 2 * time.Second
	// Every lookPeriod, looksAtATime gangs and plain pods are looked at of which a pod was told
	// nothing yet, so that ten thousand that come at once do not stand in the way of those that
	// are placed, and every againPeriod againAtATime of the others: who refuses or holds one says
	// so itself, and this is for what nobody thought of.
	lookPeriod   = 100 * time.Millisecond
	looksAtATime = 100
	againPeriod  = time.Second
	againAtATime = 10
	// In each lookPeriod, so many pods are told that others of their queues come first:
	// few while pods are bound, and until busyDelay after that, for most of those in line
	// are bound soon, and their conditions would be written for nothing; else as many as
	// the conditions' writer gets written.
	inLineAtATime   = conditionRate / int(time.Second/lookPeriod)
	inLineWhileBusy = 5
	busyDelay       = time.Second
)

// Explainer sees to it that no pod waits in silence. The reporter tells members of gangs
// that are held or refused, queues tell those that they hold, and the scheduler tells
// plain pods that it refused. Each of them speaks of what it has done. The explainer asks
// the other way round: of a pod that waits it asks everyone who might hold it, in the
// order in which a pod passes them, and says what the first one answers, if nobody has
// said it.
type Explainer struct {
	ExplainerParts
	// sched is nil before Attach.
	sched *scheduler.Scheduler

	mu sync.Mutex
	// leads is set once Run runs: before that, nobody is kept.
	leads bool
	// next is when each is to be looked at: first those of which a pod was told nothing yet, and
	// again the others, each by time. What says another time is out of date. lookedAgain is when
	// any of the others was.
	next         map[measure.Who]nextLook
	first, again []dueLook
	lookedAgain  time.Time
	// lastBind is when one of them was last seen to be bound.
	lastBind time.Time

	// line are those that are to be told that others come first. Only Run touches it.
	line []measure.Who
}

// ExplainerParts are whom an explainer asks, and what it tells by.
type ExplainerParts struct {
	Clock      clock.WithTicker
	Ours       func(scheduler string) bool
	Gangs      *gangtable.Table
	Queues     *queueing.Queues
	Windows    *unqueued.Windows
	Gate       *podgroups.Gate
	Conditions *ConditionWriter
	// Entitlement says why a pod that was refused a place does not get what its queue is
	// entitled to; nil if nobody knows.
	Entitlement func(pod *corev1.Pod) (waitreason.Explanation, bool)
}

// dueLook is when one is to be looked at.
type dueLook struct {
	who measure.Who
	at  time.Time
}

// nextLook is when one is to be looked at, and whether all of its pods were told why they wait.
type nextLook struct {
	at   time.Time
	told bool
}

func NewExplainer(parts ExplainerParts) *Explainer {
	return &Explainer{ExplainerParts: parts, next: map[measure.Who]nextLook{}}
}

// Attach has the explainer ask the scheduling queue of a scheduler too, and its plugins. It is
// called before Run.
func (e *Explainer) Attach(sched *scheduler.Scheduler) { e.sched = sched }

// SetPod takes in a pod that was made or changed.
func (e *Explainer) SetPod(pod *corev1.Pod) {
	bound := pod.Spec.NodeName != ""
	if pod.DeletionTimestamp != nil || !e.Ours(pod.Spec.SchedulerName) || !bound && waitreason.Said(pod) {
		return
	}
	who := measure.WhoOf(pod)
	e.mu.Lock()
	defer e.mu.Unlock()
	next, known := e.next[who]
	due := e.Clock.Now().Add(unexplainedDelay)
	switch {
	case bound && known:
		e.lastBind = e.Clock.Now()
	case !bound && e.leads && (!known || next.told || next.at.After(due)):
		// Others of its gang may have been looked at a moment ago.
		e.plan(who, nextLook{at: due})
	}
}

// Run explains until the context is done. It is run by the leader alone.
func (e *Explainer) Run(ctx context.Context) {
	e.mu.Lock()
	e.leads = true
	e.mu.Unlock()
	all, _ := e.Conditions.pods.List(labels.Everything()) // a lister of an informer does not fail
	for _, pod := range all {
		e.SetPod(pod)
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-e.Clock.After(e.pause()):
			for _, who := range e.due() {
				e.Look(who)
			}
			e.tellInLine()
		}
	}
}

// pause returns for how long nobody is to be looked at or told.
func (e *Explainer) pause() time.Duration {
	if len(e.line) > 0 {
		return lookPeriod
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.first) == 0 {
		return againPeriod
	}
	return min(max(e.first[0].at.Sub(e.Clock.Now()), lookPeriod), againPeriod)
}

// due returns who is to be looked at now, a few at a time: of those that nobody looked at
// yet, and of the others.
func (e *Explainer) due() []measure.Who {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.Clock.Now()
	var out []measure.Who
	take := func(list *[]dueLook, most int) {
		for n := 0; n < most && len(*list) > 0 && !now.Before((*list)[0].at); *list = (*list)[1:] {
			if look := (*list)[0]; e.next[look.who].at.Equal(look.at) {
				out = append(out, look.who)
				n++
			}
		}
	}
	take(&e.first, looksAtATime)
	if now.Sub(e.lookedAgain) >= againPeriod {
		e.lookedAgain = now
		take(&e.again, againAtATime)
	}
	return out
}

// forget has one not be looked at any more.
func (e *Explainer) forget(who measure.Who) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.next, who)
}

// lookAgain has one be looked at after a while: those that were told why they wait come after
// those that were not.
func (e *Explainer) lookAgain(who measure.Who, after time.Duration, told bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.plan(who, nextLook{e.Clock.Now().Add(after), told})
}

// plan has one be looked at then.
func (e *Explainer) plan(who measure.Who, next nextLook) {
	e.next[who] = next
	list := &e.first
	if next.told {
		list = &e.again
	}
	// Nearly all come last.
	i := len(*list)
	for i > 0 && next.at.Before((*list)[i-1].at) {
		i--
	}
	*list = slices.Insert(*list, i, dueLook{who, next.at})
}

// Look looks at a gang or plain pod, has it told why it waits, and looked at again later.
func (e *Explainer) Look(who measure.Who) {
	if e.holdsStill(who) {
		e.lookAgain(who, reexplainDelay, true)
		return
	}
	pods := e.waiting(who)
	if len(pods) == 0 {
		e.forget(who)
		return
	}
	why := e.Why(pods[0])
	// The reporter tells all members of a gang what the verdict is, with an event, and gives
	// the others some time to be created.
	if left := pods[0].CreationTimestamp.Add(incompleteDelay + unexplainedDelay).Sub(e.Clock.Now()); left > 0 && why.Code == string(gang.Incomplete) {
		// Once it is complete, something else may hold it that nobody speaks of.
		e.lookAgain(who, min(left, incompleteLook), false)
		return
	}
	if why.IsInLine() && slices.ContainsFunc(pods, why.IsNews) {
		e.line = append(e.line, who)
		return
	}
	e.tell(pods, why)
	e.lookAgain(who, reexplainDelay, why.Code != "" || waitreason.Said(pods[0]))
}

// holdsStill reports whether all pods of one were told why they wait, and that is still so: what
// any of them says goes for all.
func (e *Explainer) holdsStill(who measure.Who) bool {
	e.mu.Lock()
	told := e.next[who].told
	e.mu.Unlock()
	if !told {
		return false
	}
	pod := e.any(who)
	return pod != nil && waitreason.Said(pod) && !e.Why(pod).IsNews(pod)
}

// tell tells those of the pods that do not say so yet why they wait.
func (e *Explainer) tell(pods []*corev1.Pod, why waitreason.Explanation) {
	for _, pod := range pods {
		if why.IsNews(pod) {
			e.Conditions.Set(types.NamespacedName{Namespace: pod.Namespace, Name: pod.Name}, waitreason.Condition(why.Code, why.Text))
		}
	}
}

// tellInLine tells the first of those in line, unless they were placed meanwhile or wait for
// something else. What they say is then looked at again like that of all others.
func (e *Explainer) tellInLine() {
	e.mu.Lock()
	left := inLineAtATime
	if e.Clock.Since(e.lastBind) < busyDelay {
		left = inLineWhileBusy
	}
	e.mu.Unlock()
	for ; len(e.line) > 0 && left > 0; e.line = e.line[1:] {
		who := e.line[0]
		pods := e.waiting(who)
		if len(pods) == 0 {
			e.forget(who)
			continue
		}
		e.tell(pods, e.Why(pods[0]))
		e.lookAgain(who, reexplainDelay, true)
		left -= len(pods)
	}
}

// waiting returns the pods of one that wait, and may be placed if they are of a gang.
func (e *Explainer) waiting(who measure.Who) []*corev1.Pod {
	names := []string{who.Pod}
	if who.Group != "" {
		names = e.Gangs.Waiting(gang.KeyOf(who.Namespace, who.Group))
	}
	var out []*corev1.Pod
	for _, name := range names {
		if pod := e.waits(who, name); pod != nil {
			out = append(out, pod)
		}
	}
	return out
}

// any returns one of those that waiting returns, whichever; nil if there is none, or that one was
// bound this moment.
func (e *Explainer) any(who measure.Who) *corev1.Pod {
	name := who.Pod
	if who.Group != "" {
		name = e.Gangs.AnyWaiting(gang.KeyOf(who.Namespace, who.Group))
	}
	return e.waits(who, name)
}

// waits returns a pod of ours that waits, by its name.
func (e *Explainer) waits(who measure.Who, name string) *corev1.Pod {
	pod := e.Conditions.Waiting(types.NamespacedName{Namespace: who.Namespace, Name: name})
	if pod == nil || !e.Ours(pod.Spec.SchedulerName) {
		return nil
	}
	return pod
}
