package recovery

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/klog/v2"

	"github.com/berth-dev/berth/pkg/core/gang"
	"github.com/berth-dev/berth/pkg/core/repair"
	"github.com/berth-dev/berth/pkg/dialect"
	"github.com/berth-dev/berth/pkg/engine/fastpath"
	"github.com/berth-dev/berth/pkg/engine/measure"
	"github.com/berth-dev/berth/pkg/engine/preemption"
	"github.com/berth-dev/berth/pkg/engine/record"
	"github.com/berth-dev/berth/pkg/engine/suspension"
	"github.com/berth-dev/berth/pkg/state/gangtable"
	"github.com/berth-dev/berth/pkg/state/queueing"
	"github.com/berth-dev/berth/pkg/state/unqueued"
	"github.com/berth-dev/berth/pkg/state/workload"
)

const (
	// repairPeriod is how often gangs that lack members are looked at.
	repairPeriod = 250 * time.Millisecond
	// lossDelay is how long a gang has to have lost nobody else before anything is said or
	// done: whoever ends a gang deletes its pods one by one.
	lossDelay = 500 * time.Millisecond
	// wholeDelay is for how long a gang has to have been whole again before that is said: a
	// kubelet may refuse the next pod as it did the last.
	wholeDelay = time.Second
	// roomPeriod is how often room is looked for anew for a gang that lacks members.
	roomPeriod = time.Second
	// lookPatience is for how long nobody may have looked for room, for want of anybody to place,
	// until the gang is tried for it.
	lookPatience = 3 * time.Second
	// ownerAge is for how long it is believed what the owner of pods does.
	ownerAge = time.Minute
	// ownersAtATime is of how many gangs the owners are read in one look. The others are taken
	// to be replaced until theirs are.
	ownersAtATime = 8
	// repeatDelay is for how long what was said of a gang is not said again, if it was whole in
	// between: a node may come and go.
	repeatDelay = time.Minute
	// restartRest is how long a restart is left alone that a disruption budget stopped.
	restartRest = 30 * time.Second
	// mostNamedLost is how many lost pods a text names.
	mostNamedLost = 3
)

// Repairer sees to gangs that lost members after they were placed, by the decisions of package
// repair: it says so, keeps room for those that come in their place, or restarts the gang. What
// it goes by follows from objects, so whoever leads next goes on with it.
type Repairer struct {
	*preemption.Reclaimer
	windows *unqueued.Windows
	window  time.Duration
	// ownerOf says what the owner of pods does.
	ownerOf func(ctx context.Context, pods []*corev1.Pod) repair.Owner

	// of are the gangs that are short. Only look touches it, and lock guards what restarts
	// change.
	of   map[gang.Key]*shortGang
	lock sync.Mutex
	// restarts counts those that are under way.
	restarts int
	// past is what was said of gangs that were short a while ago, and read of how many gangs the
	// owner was read in this look.
	past map[gang.Key]pastShort
	read int
}

// pastShort is what was said of a gang in one of its lives, and when it was whole again.
type pastShort struct {
	life int64
	said record.Recent
	at   time.Time
}

// shortGang is what is done about one gang.
type shortGang struct {
	life int64
	name string
	// whole is since when the gang is not short; zero while it is.
	whole time.Time
	// since is when the first member was lost: what stands has done no work since.
	since time.Time
	// said are the gists of what was said last, and any that something was. refusals is the most
	// that were counted of nodes which are avoided.
	said     record.Recent
	any      bool
	refusals int
	// wanted is when room was asked for last, for whom; zero if none is kept.
	wanted time.Time
	keys   string
	// roomy says that room is kept, and looked when somebody looked for room last.
	roomy  bool
	looked time.Time
	// noRoom is since when there is none; zero if there is.
	noRoom time.Time
	owner  repair.Owner
	asked  time.Time
	// restarting says that a restart is under way, rest until when none is tried, and refused
	// why the last one was not.
	restarting bool
	rest       time.Time
	refused    string
}

// NewRepairer makes a repairer that waits for so long until a gang is given up, where its policy is
// to wait. ownerOf says what the owner of pods does.
func NewRepairer(r *preemption.Reclaimer, windows *unqueued.Windows, window time.Duration, ownerOf func(ctx context.Context, pods []*corev1.Pod) repair.Owner) *Repairer {
	return &Repairer{Reclaimer: r, windows: windows, window: window, ownerOf: ownerOf, of: map[gang.Key]*shortGang{}, past: map[gang.Key]pastShort{}}
}

// Restarting reports whether the restart of any gang is under way.
func (r *Repairer) Restarting() bool {
	r.lock.Lock()
	defer r.lock.Unlock()
	return r.restarts > 0
}

// Run repairs until the context is done. It is run by the leader alone.
func (r *Repairer) Run(ctx context.Context) {
	ticker := r.Clock.NewTicker(repairPeriod)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C():
			r.Look(ctx, r.Clock.Now())
		}
	}
}

// Look looks once at all gangs that are short, and ends what is done for those that are not any
// more.
func (r *Repairer) Look(ctx context.Context, now time.Time) {
	r.read = 0
	for key, p := range r.past {
		if now.Sub(p.at) >= repeatDelay {
			delete(r.past, key)
		}
	}
	all := r.Gangs.Short()
	still := make(map[gang.Key]bool, len(all))
	for i := range all {
		s := &all[i]
		still[s.Key] = true
		g := r.of[s.Key]
		if g != nil && g.life != s.Life {
			r.end(ctx, s.Key, g)
			g = nil
		}
		if g == nil {
			g = &shortGang{life: s.Life, since: s.Since, owner: repair.Owner{Replaces: true}}
			if p := r.past[s.Key]; p.life == s.Life {
				g.said = p.said
			}
			r.of[s.Key] = g
		}
		if now.Sub(s.Since) >= lossDelay && !s.Unsettled {
			r.see(ctx, s, g, now)
		}
	}
	for _, name := range r.Gangs.AvoidanceEnded() {
		r.again(name)
	}
	for key, g := range r.of {
		switch {
		case still[key]:
			g.whole = time.Time{}
		case g.whole.IsZero():
			g.whole = now
			r.unwant(g)
		case now.Sub(g.whole) >= wholeDelay:
			r.end(ctx, key, g)
		}
	}
}

// end ends what is done for a gang that is not short any more.
func (r *Repairer) end(ctx context.Context, key gang.Key, g *shortGang) {
	delete(r.of, key)
	r.unwant(g)
	if len(g.said) > 0 {
		r.past[key] = pastShort{g.life, g.said, r.Clock.Now()}
	}
	known, ok := r.Gangs.Get(key)
	if !g.any || !ok || known.Life != g.life || known.Verdict.Group.Size == 0 || int(known.Bound+known.Done) < known.Had {
		return
	}
	r.mark(ctx, key, metav1.ConditionFalse, "all of its pods have a place or are done")
	regarding, _ := r.regarding(known.Ref, known.Pods, key)
	r.event(regarding, nil, corev1.EventTypeNormal, ReasonRepaired, "Repairing",
		fmt.Sprintf("Gang %s is whole again: %d of %d pods have a place or are done", key, known.Bound+known.Done, known.Had))
}

// see decides about one gang that is short, and does it.
func (r *Repairer) see(ctx context.Context, s *gangtable.Short, g *shortGang, now time.Time) {
	standing := r.podsOf(s.Key.Namespace, s.Standing)
	stranded := r.podsOf(s.Key.Namespace, s.Stranded)
	if len(standing)+len(stranded) == 0 {
		return
	}
	if g.name == "" {
		g.name = workload.NameOf(slices.Concat(standing, stranded)[0])
	}
	policy, fault := repair.ParsePolicy(s.OnLoss)
	found := r.Found(g.name)
	switch {
	case !found.Looked:
	case found.NoRoom && g.noRoom.IsZero():
		g.noRoom = now
	case !found.NoRoom:
		g.noRoom = time.Time{}
	}
	if roomy := len(found.Room) > 0; roomy != g.roomy {
		if g.roomy = roomy; roomy {
			r.again(g.name) // those that wait were refused before
		}
	}
	if g.roomy && s.Waiting > 0 {
		r.Queues.Ahead(g.name)
	}
	switch {
	case found.Looked && !found.Unjudged || g.wanted.IsZero():
		g.looked = now
	case s.Waiting > 0 && now.Sub(g.looked) >= lookPatience:
		// Where nobody is tried, nobody looks: the gang itself is. Nor does anybody for one of
		// which it cannot be said where its room is.
		g.looked = now
		r.again(g.name)
	}
	if policy != repair.Ignore && now.Sub(g.asked) >= ownerAge && r.read < ownersAtATime {
		r.read++
		g.owner, g.asked = r.ownerOf(ctx, slices.Concat(standing, stranded)), now
	}
	situation := repair.Situation{
		Policy: policy, Owner: g.owner, Missing: s.Missing, For: seconds(now.Sub(s.Since)), Window: seconds(r.window),
		NoRoom: !g.noRoom.IsZero() && len(standing) > 0, Elsewhere: found.Elsewhere, Spares: found.Spares,
	}
	if situation.NoRoom {
		situation.NoRoomFor = seconds(now.Sub(g.noRoom))
	}
	for _, pod := range standing {
		devices := max(1, int64(r.Request(pod).Devices))
		situation.Idle += devices
		situation.Lost += queueing.Lost(pod, devices, g.since)
	}
	d := repair.Decide(situation)
	switch d.Action {
	case repair.Keep, repair.Wait:
		r.want(s, g, standing, stranded, now)
	case repair.GiveUp, repair.Tell:
		r.unwant(g)
	case repair.RestartAll:
		r.begin(ctx, s.Key, g, slices.Concat(standing, stranded), now)
	}
	r.say(ctx, s, g, d, policy.Or(g.owner), fault)
}

func seconds(d time.Duration) int64 { return int64(d / time.Second) }

// want has room looked for, for as many pods as are missing.
func (r *Repairer) want(s *gangtable.Short, g *shortGang, standing, stranded []*corev1.Pod, now time.Time) {
	want := fastpath.Want{Topology: s.Topology, Queues: r.queuesOf(standing), Standing: standing, Stranded: stranded, Weigh: g.owner.MakesAgain}
	var keys strings.Builder
	for _, l := range s.Lost {
		pod, err := r.Pods.Pods(s.Key.Namespace).Get(l.Name)
		there := err == nil && pod.UID == l.UID
		if !there {
			pod = l.Pod
		}
		if pod == nil {
			continue
		}
		if there && pod.DeletionTimestamp != nil && l.Cause != repair.NodeLost {
			want.Leaving = append(want.Leaving, pod)
		}
		want.Missing = append(want.Missing, fastpath.Anew(pod))
		fmt.Fprintf(&keys, "%s %t,", l.UID, there)
	}
	// Those that nobody has seen are taken to be like one that is left.
	for len(want.Missing) < s.Missing && len(standing) > 0 {
		want.Missing = append(want.Missing, fastpath.Anew(standing[0]))
		keys.WriteString("?,")
	}
	if len(standing) == 0 {
		r.unwant(g) // there is nothing to complete: it starts anew once all of it is gone
		return
	}
	if r.HasBatch(g.name) || keys.String() == g.keys && now.Sub(g.wanted) < roomPeriod {
		return
	}
	g.wanted, g.keys = now, keys.String()
	r.Want(g.name, want)
}

// queuesOf returns the queue of pods, and those around it.
func (r *Repairer) queuesOf(pods []*corev1.Pod) []string {
	if len(pods) == 0 || r.Queues.SpareClaims() == nil {
		return nil
	}
	return r.Queues.Around(pods[0])
}

// unwant has no room be kept any more.
func (r *Repairer) unwant(g *shortGang) {
	if g.wanted.IsZero() {
		return
	}
	g.wanted, g.keys, g.noRoom = time.Time{}, "", time.Time{}
	r.Unwant(g.name)
	if !r.HasBatch(g.name) { // what others are evicted for is kept by their batch
		r.Keep(g.name, nil)
	}
	r.Queues.Freed()
	r.windows.Freed()
}

// again has a gang tried again that was refused, whoever says whose turn it is.
func (r *Repairer) again(name string) {
	r.Queues.Again(name)
	r.windows.Again(name)
}

// begin restarts a gang, unless that is under way, or was refused a while ago.
func (r *Repairer) begin(ctx context.Context, key gang.Key, g *shortGang, pods []*corev1.Pod, now time.Time) {
	r.unwant(g)
	r.lock.Lock()
	defer r.lock.Unlock()
	if g.restarting || now.Before(g.rest) {
		return
	}
	g.restarting = true
	r.restarts++
	klog.FromContext(ctx).Info("Restarting a gang that lost pods", "gang", key, "pods", len(pods))
	go func() {
		err := r.Restart(key, pods)
		r.lock.Lock()
		defer r.lock.Unlock()
		r.restarts--
		g.restarting, g.refused = false, ""
		if err != nil {
			g.rest, g.refused = r.Clock.Now().Add(restartRest), err.Error()
			klog.FromContext(ctx).Info("A gang that lost pods could not be restarted; trying again", "gang", key, "after", restartRest, "why", err)
			return
		}
		measure.GangsRestarted.Inc()
	}()
}

// podsOf returns members as the scheduler knows them.
func (r *Repairer) podsOf(namespace string, members []gangtable.Pod) []*corev1.Pod {
	out := make([]*corev1.Pod, 0, len(members))
	for _, m := range members {
		if pod, err := r.Pods.Pods(namespace).Get(m.Name); err == nil && pod.UID == m.UID {
			out = append(out, pod)
		}
	}
	return out
}

// OwnersBy says what the owners of pods do, as the objects say that a suspender reads.
func OwnersBy(suspender *suspension.Suspender) func(ctx context.Context, pods []*corev1.Pod) repair.Owner {
	return func(ctx context.Context, pods []*corev1.Pod) repair.Owner {
		owner := repair.Owner{Replaces: true}
		departures, err := suspender.Departures(ctx, pods)
		if err != nil || len(departures) == 0 {
			return owner
		}
		owner.MakesAgain = true
		for _, d := range departures {
			owner.MakesAgain = owner.MakesAgain && d.Action != dialect.WouldNotSurvive
			owner.Replaces = owner.Replaces && d.Replaces()
		}
		return owner
	}
}
