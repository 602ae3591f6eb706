package gangtable

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"

	"github.com/berth-dev/berth/pkg/core/gang"
	"github.com/berth-dev/berth/pkg/core/repair"
	"github.com/berth-dev/berth/pkg/dialect"
	"github.com/berth-dev/berth/pkg/state/workload"
)

// Sink is told what follows from a verdict. Its methods are called by one
// goroutine, never twice for the same news.
type Sink interface {
	// Publish makes a gang known to the scheduler, or known anew after a change.
	Publish(group gang.Group)
	// Withdraw takes a gang back: its pods wait until it is published again.
	Withdraw(key gang.Key)
	// Cleared says that members of a gang that the scheduler knows were taken into
	// its verdict since: they may join.
	Cleared(key gang.Key)
	// Changed says that the verdict, the members or the object of a gang changed.
	Changed(key gang.Key)
}

// Table holds all gangs of the cluster. Its methods may be called concurrently.
type Table struct {
	ours  func(schedulerName string) bool
	sink  Sink
	clock clock.PassiveClock
	dirty workqueue.TypedInterface[gang.Key]

	// ranks orders the resources whose objects declare gangs: the least is heard.
	ranks map[schema.GroupVersionResource]int

	mu     sync.Mutex
	levels levels
	gangs  map[gang.Key]*entry
	pods   map[types.UID]gang.Key
	// ended are the pods that have succeeded or failed, and are still objects. What is
	// told of them as pods that run is out of date.
	ended   map[types.UID]bool
	objects map[objectID][]gang.Key
	// health is that of each node that there is, and onNode the gangs that have pods there.
	health map[string]NodeHealth
	onNode map[string]map[types.UID]gang.Key
	// short are the gangs that lack members, and failed the pods of each gang that have
	// failed and are still objects.
	short    map[gang.Key]bool
	failed   map[gang.Key]map[types.UID]Loss
	failedOf map[types.UID]gang.Key
	// refusals are the nodes whose kubelets refused pods of a gang, by its name, and avoiding how
	// many of them AvoidanceEnded saw avoided last.
	refusals    map[string]*repair.Refusals
	avoiding    map[string]int
	someRefused atomic.Bool
	// announcing are the gangs that an object announces, or did: see Announced.
	announcing map[gang.Key]bool
	// awaiting are gangs that wait for other pods, and until which second; see gang.Verdict.
	awaiting map[gang.Key]int64
	// finishing has all gangs whose entry is finishing, and some that were.
	finishing sets.Set[gang.Key]
	// lives counts the lives of all gangs.
	lives int64
}

// entry is all that is known about one gang.
//
// A gang lives from its first member until none of its members stays: those that
// are being deleted are of the past, and what comes after them under the same name
// is another gang.
type entry struct {
	// members are those that have not failed. Done of them have succeeded.
	members map[types.UID]gang.Member
	done    int
	// collected are the names of those that succeeded in this life and are no objects any more.
	collected map[string]bool
	declared  map[objectID]declaration
	// staying counts the members that are not being deleted; life numbers the
	// gang's life, and is 0 before the first.
	staying int
	life    int64

	// cleared are the members that the verdict rests on, if it is to admit.
	cleared map[types.UID]bool

	// required is the topology level that the gang requires, "" if none. tiered says that
	// a level that it asks for depends on which labels nodes have.
	required string
	// segments is the level that each of its segments requires, "" if none.
	segments string
	tiered   bool
	// explained says why its pods do not come, in the life explainedIn; see Explain.
	explained   string
	explainedIn int64
	// verdict is the last one; published is set while the scheduler knows the gang.
	verdict   gang.Verdict
	published *gang.Group
	// placed is set once as many members as the gang's size were seen to have a place,
	// or to have had one and be done, until none of them is left.
	placed bool
	// releasing is set from Release until no member is bound any more, but for those that are
	// being deleted on lost nodes, or Retain.
	releasing bool
	// finishing says that nobody else evicts those that are bound.
	finishing bool
	// bound counts members with a node, standing those of them that are not leaving;
	// progress is when bound last grew.
	bound, standing int32
	progress        time.Time
	losses
}

// New returns an empty table. ours says which scheduler names are Berth's.
func New(ours func(schedulerName string) bool, sink Sink, c clock.PassiveClock) *Table {
	ranks := map[schema.GroupVersionResource]int{nativeResource: 0}
	for _, kind := range dialect.Kinds() {
		ranks[kind.Resource] = len(ranks)
		if kind.Owner {
			ranks[kind.Resource] = -1
		}
	}
	ranks[podResource] = len(ranks)
	return &Table{
		ranks:      ranks,
		levels:     newLevels(),
		ours:       ours,
		sink:       sink,
		clock:      c,
		dirty:      workqueue.NewTyped[gang.Key](),
		gangs:      map[gang.Key]*entry{},
		pods:       map[types.UID]gang.Key{},
		ended:      map[types.UID]bool{},
		objects:    map[objectID][]gang.Key{},
		announcing: map[gang.Key]bool{},
		awaiting:   map[gang.Key]int64{},
		finishing:  sets.New[gang.Key](),
		health:     map[string]NodeHealth{},
		onNode:     map[string]map[types.UID]gang.Key{},
		short:      map[gang.Key]bool{},
		failed:     map[gang.Key]map[types.UID]Loss{},
		failedOf:   map[types.UID]gang.Key{},
		refusals:   map[string]*repair.Refusals{},
		avoiding:   map[string]int{},
	}
}

// Ours reports whether a scheduler's name is one of Berth's.
func (g *Table) Ours(scheduler string) bool { return g.ours(scheduler) }

// Settle does at once what Run does: it returns when nothing is left to do.
func (g *Table) Settle() {
	for g.dirty.Len() > 0 {
		key, _ := g.dirty.Get()
		g.settle(key)
		g.dirty.Done(key)
	}
}

// Run settles changes until the context is done.
func (g *Table) Run(ctx context.Context) {
	stop := context.AfterFunc(ctx, g.dirty.ShutDown)
	defer stop()
	go func() {
		ticker := time.NewTicker(time.Second)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				g.StopAwaiting()
			}
		}
	}()
	for {
		key, shutdown := g.dirty.Get()
		if shutdown {
			return
		}
		g.settle(key)
		g.dirty.Done(key)
	}
}

// StopAwaiting looks anew at gangs that have waited for other pods for long enough.
func (g *Table) StopAwaiting() {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.clock.Now().Unix()
	for key, until := range g.awaiting {
		if now >= until {
			delete(g.awaiting, key)
			g.dirty.Add(key)
		}
	}
}

// SetPod takes in a pod that was added or changed, and has not ended.
func (g *Table) SetPod(pod *corev1.Pod) {
	membership, member := dialect.Of(pod)
	declared := dialect.DeclaredBy(pod)

	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ended[pod.UID] {
		return
	}
	if id := podID(pod); declared != nil || g.objects[id] != nil {
		says := make([]declaration, 0, len(declared))
		for _, d := range declared {
			says = append(says, declaration{key: d.Key, said: d.Declaration, fault: d.Fault})
		}
		g.setObject(id, says)
	}
	if old, was := g.pods[pod.UID]; was && (!member || old != membership.Key) {
		g.removePod(pod.UID, old)
	}
	if member {
		g.setMember(pod, membership)
	}
}

// setMember takes in what a pod is to its gang.
func (g *Table) setMember(pod *corev1.Pod, membership dialect.Membership) {
	e := g.entry(membership.Key)
	m := workload.Member(pod, membership)
	old, was := e.members[pod.UID]
	if was && old.Node != "" {
		// The queue that it named when it was placed pays for it.
		m.Claims.Queue = old.Claims.Queue
	}
	if was && sameMember(old, m) {
		return
	}
	if !m.Leaving {
		if e.staying == 0 {
			g.lives++
			e.life = g.lives
		}
		e.staying++
	}
	if was {
		e.leave(old)
	}
	if !sameStatement(old, m) {
		delete(e.cleared, pod.UID)
	}
	if m.Succeeded {
		e.done++
	}
	if m.Node != "" && m.Leaving && (!was || !old.Leaving) {
		g.lose(e, pod, causeOf(pod))
	}
	g.place(membership.Key, pod.UID, m)
	g.pods[pod.UID] = membership.Key
	e.members[pod.UID] = m
	g.dirty.Add(membership.Key)
}

// SetEnded takes in a pod that has succeeded or failed. One that has succeeded stays a
// member; one that failed is none any more.
func (g *Table) SetEnded(pod *corev1.Pod) {
	if pod.Status.Phase != corev1.PodSucceeded && pod.Status.Phase != corev1.PodFailed {
		return
	}
	membership, member := dialect.Of(pod)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.ended[pod.UID] = true
	g.removeObject(podID(pod))
	stays := member && pod.Status.Phase == corev1.PodSucceeded
	if member {
		g.endedMember(membership.Key, pod)
	}
	if key, was := g.pods[pod.UID]; was && (!stays || key != membership.Key) {
		g.removePod(pod.UID, key)
	}
	if stays {
		g.setMember(pod, membership)
	}
}

// DeleteEnded forgets a pod that has ended and is gone.
func (g *Table) DeleteEnded(uid types.UID) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.ended, uid)
	g.forgetFailed(uid)
	if key, was := g.pods[uid]; was {
		if e := g.gangs[key]; e.staying > 1 {
			if e.collected == nil {
				e.collected = map[string]bool{}
			}
			e.collected[e.members[uid].Name] = true
		}
		g.removePod(uid, key)
	}
}

// DeletePod forgets a pod that is gone, or has ended. Of one that has ended it is
// SetEnded that says what becomes of it.
func (g *Table) DeletePod(pod *corev1.Pod) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ended[pod.UID] {
		g.recall(pod)
		return
	}
	g.removeObject(podID(pod))
	if key, was := g.pods[pod.UID]; was {
		if e := g.gangs[key]; pod.Spec.NodeName != "" && !e.members[pod.UID].Succeeded {
			g.lose(e, pod, causeOf(pod))
		}
		g.removePod(pod.UID, key)
	}
}

// Release withdraws a gang that is to go until none of its members is bound, so that
// it is not completed while its places are taken back: whoever evicts them calls it. Members
// that are being deleted on lost nodes are not waited for.
func (g *Table) Release(key gang.Key) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if e := g.gangs[key]; e != nil && e.bound > 0 && e.staying > 0 {
		e.releasing = true
		g.dirty.Add(key)
	}
}

// Restart is Release of a gang that was placed, and lost members since: whoever calls it has
// the rest of it leave.
func (g *Table) Restart(key gang.Key) {
	g.Release(key)
	g.mu.Lock()
	defer g.mu.Unlock()
	if e := g.gangs[key]; e != nil && e.releasing {
		e.placed = true
	}
}

// Retain takes Release back: the gang stays after all, and those of its members that
// are gone may come back.
func (g *Table) Retain(key gang.Key) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if e := g.gangs[key]; e != nil && e.releasing {
		e.releasing, e.finishing = false, false
		g.dirty.Add(key)
	}
}

func (g *Table) entry(key gang.Key) *entry {
	e := g.gangs[key]
	if e == nil {
		e = &entry{members: map[types.UID]gang.Member{}, declared: map[objectID]declaration{}}
		g.gangs[key] = e
	}
	return e
}

func (g *Table) removePod(uid types.UID, key gang.Key) {
	e := g.gangs[key]
	e.leave(e.members[uid])
	g.unplace(uid, e.members[uid].Node)
	delete(g.pods, uid)
	delete(e.members, uid)
	delete(e.cleared, uid)
	g.dirty.Add(key)
}

// leave takes a member out of the counts. With the last of those that stay ends the
// gang's life.
func (e *entry) leave(m gang.Member) {
	if m.Succeeded {
		e.done--
	}
	if m.Leaving {
		return
	}
	e.staying--
	if e.staying == 0 {
		e.placed, e.releasing, e.finishing = false, false, false
		e.losses, e.collected = losses{}, nil
	}
}
