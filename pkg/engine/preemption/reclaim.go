package preemption

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/events"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/features"
	"k8s.io/utils/clock"

	"github.com/berth-dev/berth/pkg/core/admission"
	"github.com/berth-dev/berth/pkg/engine/departures"
	"github.com/berth-dev/berth/pkg/engine/fastpath"
	"github.com/berth-dev/berth/pkg/engine/suspension"
	"github.com/berth-dev/berth/pkg/engine/waitreason"
	"github.com/berth-dev/berth/pkg/insight"
	"github.com/berth-dev/berth/pkg/plugins/queuereclaim"
	"github.com/berth-dev/berth/pkg/state/disruption"
	"github.com/berth-dev/berth/pkg/state/gangtable"
	"github.com/berth-dev/berth/pkg/state/queueing"
	"github.com/berth-dev/berth/pkg/state/workload"
)

const (
	// minBackoff is the first pause between two searches for the victims of one gang, after a
	// search found none. The pause doubles each time, up to maxBackoff.
	minBackoff = 5 * time.Second
	maxBackoff = 5 * time.Minute
	// awaitBackoff is the pause of a gang that gets room once the victims of others have left.
	awaitBackoff = time.Second
	// batchPatience is how much longer than the longest of their grace periods victims may take
	// to leave. placePatience is how long the room is kept after that for a gang that does not
	// take it.
	batchPatience = time.Minute
	placePatience = 30 * time.Second
	// evictionsAtATime is how many evictions are under way at once.
	evictionsAtATime = 16
)

// Reclaimer evicts gangs for others that are entitled to their place, and reserves the place
// until it is taken. Each waiting gang has at most one eviction batch.
type Reclaimer struct {
	Parts
	budgets *disruption.Budgets
	// ctx ends evictions. It is set before the first cycle.
	ctx context.Context

	// mu is taken before that of queues, and not after it.
	mu      sync.Mutex
	batches map[string]*evictionBatch
	// backoffs are the pauses of gangs for which no victims were found, by name.
	backoffs map[string]backoff
	// repairs are gangs that lost pods to a batch that was cut short, by name: the room of
	// those pods is kept for them.
	repairs map[string]undone
	// line says whose turn it is to have victims searched for.
	line searchLine
}

// Parts are what a reclaimer goes by, and what it evicts with.
type Parts struct {
	*fastpath.Path
	Queues   *queueing.Queues
	Gangs    *gangtable.Table
	Client   kubernetes.Interface
	Pods     corelisters.PodLister
	Recorder events.EventRecorder
	// Suspender has owners suspended instead of their pods evicted; nil if none are.
	Suspender *suspension.Suspender
	// Departures knows who would survive; nil if nobody does.
	Departures *departures.Departures
	Clock      clock.WithTicker
	Journal    *insight.Journal
}

// backoff is a pause in the search for the victims of one gang.
type backoff struct {
	long  time.Duration
	until time.Time
	// woken says that the gang was admitted again since.
	woken bool
	// why is what a user is told, if it is more than that there is no room.
	why waitreason.Explanation
}

// victimsProtected says what keeps others from going for a gang.
func victimsProtected(by string) waitreason.Explanation {
	return waitreason.Because(waitreason.VictimsProtected, "the gang is entitled to room that others have, but "+by)
}

var _ queuereclaim.Reclaimer = &Reclaimer{}

// New makes a reclaimer for which nothing is under way.
func New(parts Parts) *Reclaimer {
	parts.LeaveOut(func() bool { return parts.Queues.Some() && !groupsInGroups() })
	return &Reclaimer{
		Parts: parts, budgets: disruption.New(), ctx: context.Background(),
		batches: map[string]*evictionBatch{}, backoffs: map[string]backoff{}, repairs: map[string]undone{}, line: newSearchLine(),
	}
}

// Attach has evictions end with a context. It is called before the first cycle.
func (r *Reclaimer) Attach(ctx context.Context) { r.ctx = ctx }

// groupsInGroups reports whether the cache of the scheduler has to have all gangs, though no
// other plugin preempts where there are queues: groups count their child groups, and a running
// pod that is to grow is looked for with its gang.
func groupsInGroups() bool {
	return utilfeature.DefaultFeatureGate.Enabled(features.CompositePodGroup) ||
		utilfeature.DefaultFeatureGate.Enabled(features.InPlacePodVerticalScalingSchedulerPreemption)
}

// Some reports whether there is any queue, or was a moment ago, so that gangs may still be left
// out of the snapshot.
func (r *Reclaimer) Some() bool { return r.Queues.Some() || r.LeavesOut() }

// Reclaim makes room for the pods of a group, or for a plain pod.
func (r *Reclaimer) Reclaim(pods []*corev1.Pod, group fwk.PodGroupInfo, fits func(gone []*corev1.Pod) bool) string {
	if len(pods) == 0 {
		return ""
	}
	name, now := workload.NameOf(pods[0]), r.Clock.Now()
	if text := r.busy(name, now); text != "" {
		return text
	}
	defer r.leaveSearchLine()
	if pods[0].Spec.PreemptionPolicy != nil && *pods[0].Spec.PreemptionPolicy == corev1.PreemptNever {
		return "its pods say that nobody is to be evicted for them"
	}
	claim := r.Queues.Reclaim(pods, r.others())
	if claim == nil {
		return "its queue is not entitled to what others have"
	}
	choice, why := r.choose(claim, pods, group, now)
	if n := len(claim.Asked); n > 0 && (choice == nil || len(choice.Evicted) > 0) && r.suffices(claim, pods, group, now) {
		r.searched(now)
		return r.await(name, fmt.Sprintf("%d pods are asked to go for others, and would leave room for it as well; nobody else is until it is seen whether they go", n))
	}
	r.searched(now)
	if choice == nil {
		r.backOff(name, why)
		klog.FromContext(r.ctx).V(2).Info("Nobody's going makes room for a gang that is entitled to it", "gang", name, "why", why.Text)
		return why.Text
	}
	gone := choice.Pods()
	r.Within(choice)
	r.Queues.Try(pods[0])
	ok := fits(gone)
	r.Queues.Try(nil)
	r.Within(nil)
	r.searched(now)
	if !ok {
		r.backOff(name, waitreason.Explanation{})
		klog.FromContext(r.ctx).V(2).Info("Gangs whose going would make room for another were tried without, and it did not fit", "gang", name, "gangs", len(choice.Evicted), "pods", len(gone))
		return "the gangs that would make room for it were tried without, and it did not fit"
	}
	r.found()
	r.begin(pods[0], claim, choice, now)
	if len(choice.Evicted) == 0 {
		return fmt.Sprintf("%d pods are leaving, and it gets their room", len(gone))
	}
	return fmt.Sprintf("%d pods of %d gangs are evicted for it", len(choice.UIDs()), len(choice.Evicted))
}

// choose returns who goes, by the first mode by which enough may; or why nobody does, with a
// code if budgets are what decides.
func (r *Reclaimer) choose(claim *queueing.Reclaim, pods []*corev1.Pod, group fwk.PodGroupInfo, now time.Time) (*fastpath.Choice, waitreason.Explanation) {
	running := fastpath.NewRunning(claim.Candidates, now)
	choice, why := r.chooseByModes(claim, pods, group, running)
	if choice != nil || !claim.BudgetsRefused() {
		return choice, waitreason.Explanation{Text: why}
	}
	var open *fastpath.Choice
	claim.WithoutBudgets(func() { open, _ = r.chooseByModes(claim, pods, group, running) })
	if open == nil {
		return nil, waitreason.Explanation{Text: why}
	}
	for _, e := range open.Evicted {
		if protection := claim.Protected(e.Pods); protection != nil {
			return nil, victimsProtected(fmt.Sprintf("%s (%s)", protection.Sentence(), workload.Called(e.Candidate.Name, pods[0].Namespace)))
		}
	}
	if protection := claim.Protected(evictedPods(open)); protection != nil {
		return nil, victimsProtected(protection.Sentence())
	}
	return nil, waitreason.Explanation{Text: why}
}

// suffices reports whether a claim gets room once those have gone who are asked to for others.
func (r *Reclaimer) suffices(claim *queueing.Reclaim, pods []*corev1.Pod, group fwk.PodGroupInfo, now time.Time) bool {
	permit, err := claim.Permit(queueing.Modes()[0])
	if err != nil {
		return false
	}
	choice, _ := r.Victims(pods, group, fastpath.NewRunning(nil, now), slices.Concat(claim.Leaving, claim.Asked), permit)
	return choice != nil && len(choice.Awaited) > 0
}

// await has nobody looked for until it may be seen whether those go who are asked to.
func (r *Reclaimer) await(name, text string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.backoffs[name] = backoff{long: r.backoffs[name].long, until: r.Clock.Now().Add(awaitBackoff), why: waitreason.Because(string(admission.Claims), text)}
	return text
}

func (r *Reclaimer) chooseByModes(claim *queueing.Reclaim, pods []*corev1.Pod, group fwk.PodGroupInfo, running *fastpath.Running) (*fastpath.Choice, string) {
	why := ""
	for _, mode := range queueing.Modes() {
		permit, err := claim.Permit(mode)
		if err != nil {
			return nil, err.Error()
		}
		choice, text := r.Victims(pods, group, running, claim.Leaving, permit)
		if choice != nil && len(choice.Evicted)+len(choice.Awaited) > 0 {
			return choice, ""
		}
		if choice != nil {
			return nil, "there is room for it, and yet it was refused"
		}
		if why == "" {
			why = text
		}
	}
	return nil, why
}

// busy says why nobody is looked for, "" if somebody is.
func (r *Reclaimer) busy(name string, now time.Time) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if w := r.batches[name]; w != nil {
		return fmt.Sprintf("it waits for %d pods to leave", w.left.Len())
	}
	for victim, one := range r.repairs {
		if one.claimant == name {
			return workload.Called(victim, "") + " lost pods for it and is made whole first"
		}
	}
	switch {
	case now.Before(r.backoffs[name].until):
		return "nobody whose going would make room for it was found a while ago"
	case !r.line.enter(name, now):
		return "whose going would make room for it is looked for in a moment"
	}
	return ""
}

// searched takes in that somebody was looked for since an instant.
func (r *Reclaimer) searched(since time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.line.searched(since, r.Clock.Now())
}

// found takes in that those were found who were looked for.
func (r *Reclaimer) found() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.line.found(r.Clock.Now())
}

// backOff pauses the search for victims of a gang, because of why.
func (r *Reclaimer) backOff(name string, why waitreason.Explanation) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sleep(name, why)
}

func (r *Reclaimer) sleep(name string, why waitreason.Explanation) {
	long := min(max(minBackoff, 2*r.backoffs[name].long), maxBackoff)
	r.backoffs[name] = backoff{long: long, until: r.Clock.Now().Add(long), why: why}
}

// Why says what a gang or plain pod waits for that is entitled to room, if there is more to
// be said than that there is none.
func (r *Reclaimer) Why(name string) (waitreason.Explanation, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if w := r.batches[name]; w != nil {
		return waitreason.Because(string(admission.Claims), fmt.Sprintf("the gang gets its place once %d pods have left", w.left.Len())), true
	}
	why := r.backoffs[name].why
	return why, why.Code != ""
}

// Entitlement says why a pod, or its gang, that is refused a place does not get what its queue
// is entitled to: a limit holds it, a budget protects those that would have to go, or they
// are leaving. None of that is for want of nodes. Or the cluster could not hold it at all.
func (r *Reclaimer) Entitlement(pod *corev1.Pod) (waitreason.Explanation, bool) {
	if text, never := r.Queues.WhyNever(pod); never {
		return waitreason.Because(string(queueing.NeverFits), text), true
	}
	if why, more := r.Why(workload.NameOf(pod)); more {
		return why, true
	}
	text, at := r.Queues.AtLimit(pod)
	return waitreason.Because(string(admission.AtLimit), text), at
}

// SetBudget takes in a disruption budget that was made or changed, and DeleteBudget that it
// is gone. Those for whom somebody would have to go that a budget protects are looked after
// again.
func (r *Reclaimer) SetBudget(pdb *policyv1.PodDisruptionBudget) {
	r.budgets.Set(pdb)
	r.wakeProtected()
}

// DeleteBudget forgets a disruption budget.
func (r *Reclaimer) DeleteBudget(name types.NamespacedName) {
	r.budgets.Delete(name)
	r.wakeProtected()
}

func (r *Reclaimer) wakeProtected() {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.Clock.Now()
	for name, one := range r.backoffs {
		if one.why.Code == waitreason.VictimsProtected && now.Before(one.until) {
			one.until = now
			r.backoffs[name] = one
		}
	}
}

// others is what is under way for others.
func (r *Reclaimer) others() queueing.Others {
	out := queueing.Others{Budgets: r.budgets, Spared: sets.New[string](), Claims: sets.New[string]()}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.Departures != nil {
		out.Fate = r.Departures.Of
	}
	for name := range r.repairs {
		out.Spared.Insert(name)
	}
	for name := range r.batches {
		out.Claims.Insert(name)
	}
	out.Leaving = r.leaving()
	return out
}

// Tried takes in that somebody who waits was tried: who has its place needs no room kept.
func (r *Reclaimer) Tried(pod *corev1.Pod) {
	if !r.some() {
		return
	}
	name := workload.NameOf(pod)
	if r.HasBatch(name) && r.Queues.Placed(pod.UID) {
		r.end(name, "")
	}
}

// some reports whether room is kept for anybody.
func (r *Reclaimer) some() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.batches)+len(r.repairs) > 0
}

// Run gives up what is not taken in time, and has those tried again whose room is there, or whose
// turn it is after their rest, until the context is done.
func (r *Reclaimer) Run(ctx context.Context) {
	ticker := r.Clock.NewTicker(time.Second)
	defer ticker.Stop()
	turn := r.Clock.NewTimer(time.Second)
	defer turn.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C():
			r.Sweep(r.Clock.Now())
		case <-r.line.news:
		case <-turn.C():
		}
		if after := r.callNext(); after > 0 {
			turn.Reset(after)
		}
	}
}
