package engine

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler"
	"k8s.io/kubernetes/pkg/scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins/names"
	"k8s.io/utils/clock"

	"github.com/berth-dev/berth/pkg/core/admission"
	"github.com/berth-dev/berth/pkg/core/gang"
	"github.com/berth-dev/berth/pkg/plugins/ganggate"
	"github.com/berth-dev/berth/pkg/plugins/queueadmission"
	"github.com/berth-dev/berth/pkg/state"
)

const (
	// unexplainedDelay is how long a pod may wait before somebody must have said why: with
	// the delay of conditions, and the pace at which they are written, it is told within ten
	// seconds, unless thousands are to be told at once.
	unexplainedDelay = 5 * time.Second
	// reexplainDelay is after how long it is looked whether what was said still holds.
	reexplainDelay = 30 * time.Second
	// Every lookPeriod, looksAtATime gangs and plain pods are looked at, so that ten thousand
	// that come at once do not stand in the way of those that are placed.
	lookPeriod   = 100 * time.Millisecond
	looksAtATime = 100
	// In each lookPeriod, so many pods are told that others of their queues come first:
	// few while pods are bound, and until busyDelay after that, for most of those in line
	// are bound soon, and their conditions would be written for nothing; else as many as
	// the conditions' writer gets written.
	inLineAtATime   = conditionRate / int(time.Second/lookPeriod)
	inLineWhileBusy = 5
	busyDelay       = time.Second
)

// The reasons for which a pod waits that no verdict, queue or refusal gives. None of them
// is "Unschedulable": nodes would not help.
const (
	// reasonGangEntering: the gang was admitted, and the scheduling queue is taking it in.
	reasonGangEntering = "GangEntering"
	// reasonNotTried: the scheduling queue has the pod, and its turn has not come.
	reasonNotTried = "NotTriedYet"
	// reasonBackoff: the pod was tried, and is tried again after a while.
	reasonBackoff = "RetriedSoon"
	// reasonHeldByPlugin: a plugin of the scheduler does not let the pod be tried.
	reasonHeldByPlugin = "HeldByPlugin"
)

// explanation is why a pod waits. The zero value is silence: somebody else says it.
type explanation struct {
	code, text string
}

// explainer sees to it that no pod waits in silence. The reporter tells members of gangs
// that are held or refused, queues tell those that they hold, and the scheduler tells
// plain pods that it refused. Each of them speaks of what it has done. The explainer asks
// the other way round: of a pod that waits it asks everyone who might hold it, in the
// order in which a pod passes them, and says what the first one answers, if nobody has
// said it.
type explainer struct {
	clock      clock.WithTicker
	ours       func(scheduler string) bool
	gangs      *state.Gangs
	queues     *state.Queues
	gate       *gate
	conditions *conditionWriter
	sched      *scheduler.Scheduler
	// entitlement says why a pod that was refused a place does not get what its queue is
	// entitled to; nil if nobody knows.
	entitlement func(pod *corev1.Pod) (explanation, bool)

	mu sync.Mutex
	// leads is set once Run runs: before that, nobody is kept.
	leads bool
	// known are those that are to be looked at: first those that nobody was told of yet, in
	// the order in which they came, and again the others.
	known        map[waits]bool
	first, again []dueLook
	// lastBind is when one of them was last seen to be bound.
	lastBind time.Time

	// line are those that are to be told that others come first. Only Run touches it.
	line []waits
}

// waits names a gang by its group, or a plain pod by its name: who waits.
type waits struct {
	namespace, group, pod string
}

// dueLook is when one is to be looked at.
type dueLook struct {
	who waits
	at  time.Time
}

func newExplainer(c clock.WithTicker, ours func(string) bool, gangs *state.Gangs, queues *state.Queues, g *gate, conditions *conditionWriter) *explainer {
	return &explainer{clock: c, ours: ours, gangs: gangs, queues: queues, gate: g, conditions: conditions, known: map[waits]bool{}}
}

// SetPod takes in a pod that was made or changed.
func (e *explainer) SetPod(pod *corev1.Pod) {
	bound := pod.Spec.NodeName != ""
	if pod.DeletionTimestamp != nil || !e.ours(pod.Spec.SchedulerName) || !bound && said(pod) {
		return
	}
	who := waits{namespace: pod.Namespace, group: gang.InGroup(groupOf(pod))}
	if who.group == "" {
		who.pod = pod.Name
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case bound && e.known[who]:
		e.lastBind = e.clock.Now()
	case !bound && e.leads && !e.known[who]:
		e.known[who] = true
		e.first = append(e.first, dueLook{who, e.clock.Now().Add(unexplainedDelay)})
	}
}

// said reports whether a pod has a condition that says why it waits.
func said(pod *corev1.Pod) bool {
	c := scheduledCondition(pod)
	return c != nil && c.Status == corev1.ConditionFalse && c.Reason != "" && c.Message != ""
}

// Run explains until the context is done. It is run by the leader alone.
func (e *explainer) Run(ctx context.Context) {
	e.mu.Lock()
	e.leads = true
	e.mu.Unlock()
	all, _ := e.conditions.pods.List(labels.Everything()) // a lister of an informer does not fail
	for _, pod := range all {
		e.SetPod(pod)
	}
	ticker := e.clock.NewTicker(lookPeriod)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C():
			for _, who := range e.due() {
				e.look(who)
			}
			e.tellInLine()
		}
	}
}

// due returns who is to be looked at now, a few at a time: of those that nobody looked at
// yet, and of the others.
func (e *explainer) due() []waits {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.clock.Now()
	var out []waits
	for _, list := range [...]*[]dueLook{&e.first, &e.again} {
		for n := 0; n < looksAtATime && len(*list) > 0 && !now.Before((*list)[0].at); n++ {
			out = append(out, (*list)[0].who)
			*list = (*list)[1:]
		}
	}
	return out
}

// lookAgain has one be looked at after a while, or not any more.
func (e *explainer) lookAgain(who waits, after time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if after == 0 {
		delete(e.known, who)
		return
	}
	at := dueLook{who, e.clock.Now().Add(after)}
	// Nearly all come last.
	i := len(e.again)
	for i > 0 && at.at.Before(e.again[i-1].at) {
		i--
	}
	e.again = slices.Insert(e.again, i, at)
}

// look looks at a gang or plain pod, has it told why it waits, and looked at again later.
func (e *explainer) look(who waits) {
	pods := e.waiting(who)
	if len(pods) == 0 {
		e.lookAgain(who, 0)
		return
	}
	why := e.why(pods[0])
	// The reporter tells all members of a gang what the verdict is, with an event, and gives
	// the others some time to be created.
	if left := pods[0].CreationTimestamp.Add(incompleteDelay + unexplainedDelay).Sub(e.clock.Now()); left > 0 && why.code == string(gang.Incomplete) {
		e.lookAgain(who, left)
		return
	}
	if why.isInLine() && slices.ContainsFunc(pods, why.isNews) {
		e.line = append(e.line, who)
		return
	}
	e.tell(pods, why)
	e.lookAgain(who, reexplainDelay)
}

// tell tells those of the pods that do not say so yet why they wait.
func (e *explainer) tell(pods []*corev1.Pod, why explanation) {
	for _, pod := range pods {
		if why.isNews(pod) {
			e.conditions.Set(types.NamespacedName{Namespace: pod.Namespace, Name: pod.Name}, waitsFor(why.code, why.text))
		}
	}
}

// tellInLine tells the first of those in line, unless they were placed meanwhile or wait for
// something else. What they say is then looked at again like that of all others.
func (e *explainer) tellInLine() {
	e.mu.Lock()
	left := inLineAtATime
	if e.clock.Since(e.lastBind) < busyDelay {
		left = inLineWhileBusy
	}
	e.mu.Unlock()
	for ; len(e.line) > 0 && left > 0; e.line = e.line[1:] {
		who := e.line[0]
		pods := e.waiting(who)
		if len(pods) == 0 {
			e.lookAgain(who, 0)
			continue
		}
		e.tell(pods, e.why(pods[0]))
		e.lookAgain(who, reexplainDelay)
		left -= len(pods)
	}
}

// waiting returns the pods of one that wait, and may be placed if they are of a gang.
func (e *explainer) waiting(who waits) []*corev1.Pod {
	names := []string{who.pod}
	if who.group != "" {
		names = names[:0]
		g, _ := e.gangs.Get(gang.KeyOf(who.namespace, who.group))
		for i := range g.Pods {
			if g.Pods[i].State == gang.Waiting && g.Pods[i].Ours {
				names = append(names, g.Pods[i].Name)
			}
		}
	}
	var out []*corev1.Pod
	for _, name := range names {
		pod := e.conditions.waiting(types.NamespacedName{Namespace: who.namespace, Name: name})
		if pod != nil && e.ours(pod.Spec.SchedulerName) {
			out = append(out, pod)
		}
	}
	return out
}

// inLine are the reasons of those that others of their queues come before.
var inLine = []string{string(admission.Turn), string(admission.Behind), string(admission.Held)}

// isInLine reports whether others of the queue come first.
func (why explanation) isInLine() bool { return slices.Contains(inLine, why.code) }

// isNews reports whether there is something to say, and a pod does not say it.
func (why explanation) isNews(pod *corev1.Pod) bool {
	return why.code != "" && (!said(pod) || contradicts(scheduledCondition(pod).Reason, why.code))
}

// contradicts reports whether what was said is not what is the case. A refusal by the
// scheduler is still worth knowing while the pod waits for the next try, and how far a
// gang has come in its queue is not news.
func contradicts(said, is string) bool {
	refused := []string{corev1.PodReasonUnschedulable, corev1.PodReasonSchedulerError}
	waits := []string{reasonNotTried, reasonBackoff}
	switch {
	case said == is:
		return false
	case slices.Contains(waits, is):
		return !slices.Contains(refused, said) && !slices.Contains(waits, said)
	}
	return !slices.Contains(inLine, is) || !slices.Contains(inLine, said)
}

// held returns how many gangs wait, by reason: all of them, whoever holds them.
func (e *explainer) held() map[string]int {
	out := map[string]int{}
	byVerdict, waiting := e.gangs.Held()
	for code, n := range byVerdict {
		out[string(code)] += n
	}
	for _, name := range waiting {
		pod := e.conditions.waiting(name)
		if pod == nil {
			continue
		}
		code := e.why(pod).code
		if c := scheduledCondition(pod); said(pod) && !contradicts(c.Reason, code) {
			code = c.Reason
		}
		if code == "" {
			code = reasonNotTried // it is being tried
		}
		out[code]++
	}
	return out
}

// why says why a pod waits: what holds it, or the zero value if the API server says so
// itself, as of scheduling gates.
func (e *explainer) why(pod *corev1.Pod) explanation {
	for _, ask := range [...]func(*corev1.Pod) (explanation, bool){e.gated, e.verdict, e.queue, e.entering, e.entitled, e.scheduling} {
		if why, holds := ask(pod); holds {
			return why
		}
	}
	return explanation{}
}

// gated: the pod has a scheduling gate. The API server says so when the pod is made.
func (e *explainer) gated(pod *corev1.Pod) (explanation, bool) {
	return explanation{}, len(pod.Spec.SchedulingGates) > 0
}

// verdict: the pod's gang is held.
func (e *explainer) verdict(pod *corev1.Pod) (explanation, bool) {
	group := groupOf(pod)
	if group == "" {
		return explanation{}, false
	}
	verdict := e.gangs.Verdict(gang.KeyOf(pod.Namespace, group))
	if verdict.Action == gang.Admit {
		return explanation{}, false
	}
	if verdict.Action != gang.Hold {
		return explanation{reasonGangEntering, "the pod is new to its gang, which is looked at anew"}, true
	}
	return explanation{string(verdict.Code), verdict.Text}, true
}

// queue: the pod's queue does not let it be tried.
func (e *explainer) queue(pod *corev1.Pod) (explanation, bool) {
	code, text, holds := e.queues.Why(pod)
	if code == string(admission.NoRoom) || code == string(admission.Claims) {
		if why, more := e.entitled(pod); more {
			return why, holds
		}
	}
	if code == string(admission.NoRoom) {
		code = reasonBackoff
	}
	return explanation{code, text}, holds
}

// entitled: the pod was tried, and does not get what its queue is entitled to.
func (e *explainer) entitled(pod *corev1.Pod) (explanation, bool) {
	if e.entitlement == nil {
		return explanation{}, false
	}
	return e.entitlement(pod)
}

// entering: the scheduling queue has not taken in the gang as it is.
func (e *explainer) entering(pod *corev1.Pod) (explanation, bool) {
	group := groupOf(pod)
	if group == "" || e.gate.Open(pod, group) {
		return explanation{}, false
	}
	return explanation{reasonGangEntering, fmt.Sprintf("gang %s is complete, and is being taken into the scheduling queue", gang.KeyOf(pod.Namespace, group))}, true
}

// scheduling: the scheduling queue has it. What plugins say is asked of them.
func (e *explainer) scheduling(pod *corev1.Pod) (explanation, bool) {
	info, found := e.sched.SchedulingQueue.GetPod(pod.Name, pod.Namespace, pod.Spec.SchedulingGroup)
	if !found || info.Pod.UID != pod.UID {
		// It is being tried.
		return explanation{}, true
	}
	gating, refusing := info.GatingPlugin, info.UnschedulablePlugins.Union(info.PendingPlugins)
	if group := groupOf(pod); group != "" {
		entity, found := e.sched.SchedulingQueue.GetPodGroup(group, pod.Namespace, fwk.PodGroupKeyType)
		if !found {
			return explanation{reasonGangEntering, "the scheduling queue is taking in the pod's gang"}, true
		}
		if gating == "" && entity.Gated() {
			other := gatedMember(entity)
			if other == nil {
				return explanation{}, true
			}
			return explanation{reasonHeldByPlugin, fmt.Sprintf("pod %q of the gang is held: %s", other.Name, e.saysPlugin(other, entity.GatingPlugin))}, true
		}
	}
	switch {
	case gating != "":
		return explanation{reasonHeldByPlugin, e.saysPlugin(pod, gating)}, true
	case info.Attempts == 0:
		return explanation{reasonNotTried, "the pod is in the scheduling queue, and is tried when its turn comes"}, true
	case refusing.Len() > 0:
		return explanation{reasonBackoff, "no node was found by " + strings.Join(slices.Sorted(maps.Keys(refusing)), ", ") + "; the pod is tried again when that may have changed"}, true
	}
	return explanation{reasonBackoff, "the last try failed; the pod is tried again soon"}, true
}

// gatedMember returns the first member by name that a plugin holds.
func gatedMember(entity *framework.QueuedPodGroupInfo) *corev1.Pod {
	var first *corev1.Pod
	entity.ForEachPodInfo(func(info *framework.QueuedPodInfo) bool {
		if info.Gated() && (first == nil || info.Pod.Name < first.Name) {
			first = info.Pod
		}
		return true
	})
	return first
}

// preEnqueueTexts say what a plugin holds a pod for, where the plugin itself may not be
// asked or says too little. Every PreEnqueue plugin of the built-in profile is here.
var preEnqueueTexts = map[string]string{
	ganggate.Name:         "its gang is being taken into the scheduling queue",
	queueadmission.Name:   "its queue has not let it in yet",
	names.SchedulingGates: "it has a scheduling gate",
	names.GangScheduling:  "the scheduling queue does not have all pods of its gang yet",
	// The others answer for themselves.
	names.DynamicResources:  "",
	names.DefaultPreemption: "",
}

// saysPlugin says why a plugin holds a pod.
func (e *explainer) saysPlugin(pod *corev1.Pod, plugin string) string {
	text := preEnqueueTexts[plugin]
	if text == "" {
		if f := e.sched.Profiles[pod.Spec.SchedulerName]; f != nil {
			for _, p := range f.PreEnqueuePlugins() {
				if p.Name() == plugin {
					text = p.PreEnqueue(context.Background(), pod).Message()
				}
			}
		}
	}
	if text == "" {
		return fmt.Sprintf("plugin %s lets it be tried later", plugin)
	}
	return fmt.Sprintf("plugin %s: %s", plugin, text)
}
