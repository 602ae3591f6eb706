package engine

import (
	"context"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/events"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/features"
	"k8s.io/utils/clock"

	"github.com/berth-dev/berth/pkg/engine/fastpath"
	"github.com/berth-dev/berth/pkg/plugins/queuereclaim"
	"github.com/berth-dev/berth/pkg/state"
)

const (
	// leastRest is how long nobody is looked for again, for a gang for which nobody was found.
	// It doubles each time, up to mostRest. spareTime is how long a gang is left alone that a
	// budget protected.
	leastRest = 5 * time.Second
	mostRest  = 5 * time.Minute
	spareTime = 15 * time.Second
	// searchShare has victims be looked for at most one part in so many of the time.
	searchShare = 4
	// wavePatience is how long victims may take to be gone beyond the longest of their grace
	// periods, and placePatience how long room is kept after that for a gang that does not
	// take it.
	wavePatience  = time.Minute
	placePatience = 30 * time.Second
	// evictionsAtATime is how many evictions are under way at once.
	evictionsAtATime = 16
)

// reclaimer has gangs evicted for those that are entitled to their place, and keeps the
// place until it is taken: at most one wave of evictions for each gang that waits.
type reclaimer struct {
	*fastpath.Path
	queues   *state.Queues
	client   kubernetes.Interface
	recorder events.EventRecorder
	clock    clock.WithTicker
	// ctx ends evictions. It is set before the first cycle.
	ctx context.Context

	// mu is taken before that of queues, and not after it.
	mu    sync.Mutex
	waves map[string]*wave
	// resting are those for whom nobody was found, and spared, until when, those that a budget
	// protected.
	resting map[string]rest
	spared  map[string]time.Time
	// quiet is until when nobody at all is looked for.
	quiet time.Time
}

// rest is how long nobody is looked for, and until when.
type rest struct {
	long  time.Duration
	until time.Time
	// woken says that the gang was let in again since.
	woken bool
}

var _ queuereclaim.Reclaimer = &reclaimer{}

func newReclaimer(path *fastpath.Path, queues *state.Queues, client kubernetes.Interface, recorder events.EventRecorder, c clock.WithTicker) *reclaimer {
	path.LeaveOut(func() bool { return queues.Some() && !groupsInGroups() })
	return &reclaimer{
		Path: path, queues: queues, client: client, recorder: recorder, clock: c, ctx: context.Background(),
		waves: map[string]*wave{}, resting: map[string]rest{}, spared: map[string]time.Time{},
	}
}

// groupsInGroups reports whether the cache of the scheduler has to have all gangs, though no
// other plugin preempts where there are queues: groups count their child groups, and a running
// pod that is to grow is looked for with its gang.
func groupsInGroups() bool {
	return utilfeature.DefaultFeatureGate.Enabled(features.CompositePodGroup) ||
		utilfeature.DefaultFeatureGate.Enabled(features.InPlacePodVerticalScalingSchedulerPreemption)
}

// Some reports whether there is any queue, or was a moment ago, so that gangs may still be left
// out of the snapshot.
func (r *reclaimer) Some() bool { return r.queues.Some() || r.LeavesOut() }

// Reclaim makes room for the pods of a group, or for a plain pod.
func (r *reclaimer) Reclaim(pods []*corev1.Pod, group fwk.PodGroupInfo, fits func(gone []*corev1.Pod) bool) string {
	if len(pods) == 0 {
		return ""
	}
	name, now := state.NameOf(pods[0]), r.clock.Now()
	if text := r.busy(name, now); text != "" {
		return text
	}
	if pods[0].Spec.PreemptionPolicy != nil && *pods[0].Spec.PreemptionPolicy == corev1.PreemptNever {
		return "its pods say that nobody is to be evicted for them"
	}
	claim := r.queues.Reclaim(pods, r.others(now))
	if claim == nil {
		return "its queue is not entitled to what others have"
	}
	choice, why := r.choose(claim, pods, group, now)
	r.searched(now)
	if choice == nil {
		r.rest(name)
		klog.FromContext(r.ctx).V(2).Info("Nobody's going makes room for a gang that is entitled to it", "gang", name, "why", why)
		return why
	}
	var gone []*corev1.Pod
	for _, e := range choice.Evicted {
		gone = append(gone, e.Pods...)
	}
	r.Within(choice)
	r.queues.Try(pods[0])
	ok := fits(gone)
	r.queues.Try(nil)
	r.Within(nil)
	r.searched(now)
	if !ok {
		r.rest(name)
		klog.FromContext(r.ctx).V(2).Info("Gangs whose going would make room for another were tried without, and it did not fit", "gang", name, "gangs", len(choice.Evicted), "pods", len(gone))
		return "the gangs that would make room for it were tried without, and it did not fit"
	}
	r.begin(pods[0], claim, choice, now)
	return fmt.Sprintf("%d pods of %d gangs are evicted for it", len(gone), len(choice.Evicted))
}

// choose returns who goes, by the first mode by which enough may.
func (r *reclaimer) choose(claim *state.Reclaim, pods []*corev1.Pod, group fwk.PodGroupInfo, now time.Time) (*fastpath.Choice, string) {
	lost := func(pod *corev1.Pod, devices int64) int64 { return state.Lost(pod, devices, now) }
	why := ""
	for _, mode := range state.Modes() {
		permit, err := claim.Permit(mode)
		if err != nil {
			return nil, err.Error()
		}
		choice, reason := r.Victims(pods, group, claim.Tenants, lost, permit)
		if choice != nil && len(choice.Evicted) > 0 {
			return choice, ""
		}
		if choice != nil {
			return nil, "there is room for it, and yet it was refused"
		}
		if why == "" {
			why = reason
		}
	}
	return nil, why
}

// busy says why nobody is looked for, "" if somebody is.
func (r *reclaimer) busy(name string, now time.Time) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if w := r.waves[name]; w != nil {
		return fmt.Sprintf("it waits for %d pods to leave that are evicted for it", w.left.Len())
	}
	resting := r.resting[name]
	switch {
	case now.Before(resting.until):
		return "nobody whose going would make room for it was found a while ago"
	case now.Before(r.quiet):
		r.resting[name] = rest{long: resting.long, until: r.quiet}
		return "whose going would make room for it is looked for in a moment"
	}
	return ""
}

// searched takes in that somebody was looked for since an instant.
func (r *reclaimer) searched(since time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.clock.Now()
	r.quiet = now.Add((searchShare - 1) * now.Sub(since))
}

// rest has nobody looked for, for a while.
func (r *reclaimer) rest(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sleep(name)
}

func (r *reclaimer) sleep(name string) {
	long := min(max(leastRest, 2*r.resting[name].long), mostRest)
	r.resting[name] = rest{long: long, until: r.clock.Now().Add(long)}
}

// left returns who is left alone now.
func (r *reclaimer) left(now time.Time) sets.Set[string] {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := sets.New[string]()
	for name, until := range r.spared {
		if now.Before(until) {
			out.Insert(name)
		}
	}
	return out
}

// others is what is under way for others.
func (r *reclaimer) others(now time.Time) state.Others {
	out := state.Others{Spared: r.left(now), Claims: sets.New[string](), Leaving: sets.New[types.UID]()}
	r.mu.Lock()
	defer r.mu.Unlock()
	for name, w := range r.waves {
		out.Claims.Insert(name)
		out.Leaving = out.Leaving.Union(w.left)
	}
	return out
}

// tried takes in that somebody who waits was tried: who has its place needs no room kept.
func (r *reclaimer) tried(pod *corev1.Pod) {
	if !r.some() {
		return
	}
	name := state.NameOf(pod)
	if !r.over(name) && r.queues.Placed(pod.UID) {
		r.end(name, "")
	}
}

// some reports whether room is kept for anybody.
func (r *reclaimer) some() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.waves) > 0
}

// Run gives up what is not taken in time, and has those tried again whose room is there or
// whose rest is over, until the context is done.
func (r *reclaimer) Run(ctx context.Context) {
	ticker := r.clock.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C():
			r.sweep(r.clock.Now())
		}
	}
}
