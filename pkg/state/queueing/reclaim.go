package queueing

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/berth-dev/berth/pkg/core/gang"
	"github.com/berth-dev/berth/pkg/core/preempt"
	"github.com/berth-dev/berth/pkg/core/quota"
	"github.com/berth-dev/berth/pkg/dialect"
	"github.com/berth-dev/berth/pkg/state/disruption"
	"github.com/berth-dev/berth/pkg/state/workload"
)

// Candidate is a gang or a plain pod with places, which another may have evicted.
type Candidate struct {
	Name     string
	Queue    quota.QueueID
	Priority int32
	// Pods are those with a place, by name. Least is how many of them it needs.
	Pods  []*corev1.Pod
	Least int
	// Ran is for how long it has run.
	Ran time.Duration
	// Fate is what becomes of it when it goes.
	Fate Fate
	// Grace is how long it has to save its work, once it is told, before it is evicted; 0 if it
	// is not told. Told says that it was, not long ago: then it goes before all others.
	Grace time.Duration
	Told  bool
	// Parts are the gangs that it is made of, if it is of several that go together.
	Parts []Candidate

	// uses are what is charged for each of Pods.
	uses []quota.Vector
	// unsteady says that it cannot be asked to go now: some of its pods are being bound, or are
	// leaving.
	unsteady bool
}

// pod returns the index of a pod in Pods by its name; false if there is none of it.
func (t *Candidate) pod(name string) (int, bool) {
	return slices.BinarySearchFunc(t.Pods, name, func(pod *corev1.Pod, name string) int { return strings.Compare(pod.Name, name) })
}

// sort puts the pods into the order of their names.
func (t *Candidate) sort() {
	if slices.IsSortedFunc(t.Pods, workload.ComparePods) {
		return
	}
	uses := make(map[*corev1.Pod]quota.Vector, len(t.Pods))
	for i, pod := range t.Pods {
		uses[pod] = t.uses[i]
	}
	slices.SortFunc(t.Pods, workload.ComparePods)
	for i, pod := range t.Pods {
		t.uses[i] = uses[pod]
	}
}

// Reclaim is who has places, and by which rules they may be evicted for one that waits, at
// one moment.
type Reclaim struct {
	// Name is who waits, as in the line. Candidates are by name.
	Name       string
	Candidates []Candidate
	// Leaving are the pods with a place that are being deleted, by namespace and name, but for
	// those that should be gone for long, and those that others wait for: their room is to
	// come, and nobody loses anything for it.
	Leaving []*corev1.Pod
	// Asked are those that others ask to go, of which it is not known yet whether they do.
	Asked []*corev1.Pod

	tree   *quota.Tree
	usage  *quota.Usage
	claim  quota.Claim
	shares []quota.Vector
	byName map[string]*Candidate
	// protection are the budgets that protect pods, as far as they were asked for.
	budgets    *disruption.Budgets
	protection map[types.UID][]*preempt.Budget
	// unprotected has budgets protect nobody, on trial, and refused says that they did protect
	// somebody who would have gone.
	unprotected, refused bool
}

// overdueAfter is how long after the end of its grace period a pod that is being deleted is no
// longer expected to be gone: its node may be dead, or a finalizer may hold it.
const overdueAfter = time.Minute

// Others is what is under way when somebody claims room.
type Others struct {
	// Spared are gangs that are left alone.
	Spared sets.Set[string]
	// Budgets are those that protect pods; nil for none.
	Budgets *disruption.Budgets
	// Claims are those for whom others leave, and Leaving the pods that do.
	Claims  sets.Set[string]
	Leaving sets.Set[types.UID]
	// Fate returns what becomes of a gang, by its name, as far as it is known; nil if it is of
	// none. It answers at once, and asks for no lock of Queues.
	Fate func(name string) Fate

	// finishing are gangs that are being evicted because another leader began to.
	finishing sets.Set[gang.Key]
}

// Reclaim returns who might be evicted for the pods of a gang, or for a plain pod; nil where
// there are no queues, or if its own queue is not there, or not open to it. Gangs that are being
// bound, or of which a pod is leaving, are not among the candidates, nor are those that are spared.
// Pods that leave count as gone, so that a queue is not asked twice for what it has beyond its
// guarantee, and those for whom they leave as there, so that a queue does not get its
// guarantee twice. The cost is that of the queues if it may have nobody evicted, and else that of
// all that runs.
func (q *Queues) Reclaim(pods []*corev1.Pod, others Others) *Reclaim {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.settled() || len(pods) == 0 {
		return nil
	}
	w := q.waiting[workload.IDOf(pods[0])]
	queue, _, allowed := q.find(q.queueNow(pods[0]), pods[0].Namespace)
	if w == nil || !allowed {
		return nil
	}
	others.finishing = q.gangs.Finishing()
	claim := quota.Claim{Queue: queue, Priority: workload.PriorityOf(pods[0]), Asks: q.asks(w, slices.SortedFunc(slices.Values(pods), workload.ComparePods))}
	usage := sync.OnceValue(func() *quota.Usage { return q.foreseen(w, claim, others) })
	if !q.mayClaim(claim, usage) {
		return nil
	}
	r := &Reclaim{
		Name: w.name, tree: q.tree, usage: usage(), claim: claim, shares: q.recentShares(),
		budgets: others.Budgets, protection: map[types.UID][]*preempt.Budget{},
	}
	r.Candidates = q.candidates(r.Name, others)
	r.byName = make(map[string]*Candidate, len(r.Candidates))
	r.Leaving, r.Asked = q.leaving(others)
	for i := range r.Candidates {
		r.byName[r.Candidates[i].Name] = &r.Candidates[i]
	}
	return r
}

// foreseen returns what queues use once all have left that are leaving, and, on the path of
// a claim, those have come for whom they do. Elsewhere they do not count: what a queue is
// still to get, nobody may have of it now.
func (q *Queues) foreseen(claimant *waiter, claim quota.Claim, others Others) *quota.Usage {
	usage := q.line.Used().Clone()
	for _, p := range q.leavingNow(others) {
		_, _ = usage.Release(p.account.id, p.by) // it is charged
	}
	path := sets.New[quota.QueueID]()
	for id := q.tree.Own(claim.Queue); id != quota.NoQueue; id = q.tree.Parent(id) {
		path.Insert(id)
	}
	for name := range others.Claims {
		w := q.byName[name]
		if w == nil || w == claimant {
			continue
		}
		pods := w.byName()
		id, known := q.id(q.queueNow(pods[0]))
		for id = q.tree.Own(id); !path.Has(id); {
			id = q.tree.Parent(id)
		}
		if known && id != quota.RootID {
			_, _ = usage.Charge(id, q.asks(w, pods)) // more than can be counted is more than is guaranteed
		}
	}
	return usage
}

// leavingNow returns the charged pods that are leaving, or are asked to, in no order.
func (q *Queues) leavingNow(others Others) []*chargedPod {
	out := slices.Collect(maps.Values(q.deleting))
	for uid := range others.Leaving {
		if p := q.charged[uid]; p != nil && p.pod.DeletionTimestamp == nil {
			out = append(out, p)
		}
	}
	if others.finishing.Len() > 0 { // for seconds, after a change of the leader
		for _, p := range q.charged {
			if p.pod.DeletionTimestamp == nil && !others.Leaving.Has(p.pod.UID) && others.finishes(p.pod) {
				out = append(out, p)
			}
		}
	}
	return out
}

// leaves reports whether a pod with a place is leaving, or is asked to.
func leaves(pod *corev1.Pod, others Others) bool {
	return pod.DeletionTimestamp != nil || others.Leaving.Has(pod.UID) || others.finishes(pod)
}

// finishes reports whether the gang of a pod is one of the finishing.
func (o *Others) finishes(pod *corev1.Pod) bool {
	if o.finishing.Len() == 0 {
		return false
	}
	id := workload.IDOf(pod)
	return id.Group != "" && o.finishing.Has(id.Gang())
}

// mayClaim reports whether a claim may have anybody evicted: it is within what its queue is
// guaranteed, or its fair share, or somebody of a lower priority runs in its queue. used returns
// what queues use.
func (q *Queues) mayClaim(claim quota.Claim, used func() *quota.Usage) bool {
	leaf := q.tree.Own(claim.Queue)
	rules := q.tree.Preemption(leaf)
	if rules.WithinQueue != quota.Never {
		if least, some := q.lowest(leaf); some && least < claim.Priority {
			return true
		}
	}
	if rules.Reclaim == quota.Never {
		return false
	}
	u := used()
	return u.Within(leaf, claim.Asks) || u.WithinAmount(leaf, claim.Asks, q.recentShares()[leaf])
}

// lowest returns the lowest priority of what runs in a queue itself; false if nothing does.
func (q *Queues) lowest(leaf quota.QueueID) (least int32, some bool) {
	look := func(a *account) {
		for priority := range a.priorities {
			if !some || priority < least {
				least, some = priority, true
			}
		}
	}
	if leaf != q.tree.Own(quota.RootID) {
		if a := q.accounts[q.tree.Name(leaf)]; a != nil {
			look(a)
		}
		return least, some
	}
	// Whatever is charged to no queue of its name is charged to the root.
	for _, a := range q.accounts {
		if a.id == quota.RootID {
			look(a)
		}
	}
	return least, some
}

// recentShares returns the fair shares of a second ago at most.
func (q *Queues) recentShares() []quota.Vector {
	if now := q.clock.Now(); q.shares == nil || now.Sub(q.sharesAt) > time.Second {
		_, demand := q.demands()
		q.shares, q.sharesAt = q.tree.Shares(q.capacity(), demand), now
	}
	return q.shares
}

// candidates returns all that have places and could be asked to go for a claimant.
func (q *Queues) candidates(claimant string, others Others) []Candidate {
	now := q.clock.Now()
	byID := make(map[workload.ID]*Candidate, len(q.charged)/2)
	first := make(map[*Candidate]*corev1.Pod, len(q.charged)/2)
	for _, p := range q.charged {
		id := workload.IDOf(p.pod)
		t := byID[id]
		if t == nil {
			t = &Candidate{Name: workload.NameOf(p.pod), Ran: -1, Least: 1}
			if id.Group != "" {
				need, _ := q.gangs.Need(id.Gang())
				t.Least = max(1, int(need))
			}
			t.unsteady = t.Name == claimant || others.Spared.Has(t.Name)
			byID[id] = t
		}
		// Where pods of one gang differ, the first of them speaks for it.
		if f := first[t]; f == nil || workload.ComparePods(p.pod, f) < 0 {
			first[t], t.Queue, t.Priority = p.pod, p.account.id, workload.PriorityOf(p.pod)
		}
		if q.reserved[p.pod.UID] != nil || p.pod.Spec.NodeName == "" || leaves(p.pod, others) {
			t.unsteady = true
			continue
		}
		t.Pods, t.uses = append(t.Pods, p.pod), append(t.uses, p.by)
		if ran := now.Sub(startOf(p.pod)); t.Ran < 0 || ran < t.Ran {
			t.Ran = ran
		}
	}
	inOrder := slices.SortedFunc(maps.Values(byID), func(a, b *Candidate) int { return strings.Compare(a.Name, b.Name) })
	out := make([]Candidate, len(inOrder))
	for i, t := range inOrder {
		t.unsteady = t.unsteady || len(t.Pods) == 0
		t.sort()
		t.grant(q.tree.Preemption(q.tree.Own(t.Queue)).Grace, now)
		out[i] = *t
	}
	return fates(out, claimant, others.Fate)
}

// leaving returns the pods with a place that are being deleted, or are to be, and that are
// expected to be gone soon, and those that others only ask to go. What others are to get of
// their room is kept for these, and the rest is anybody's.
func (q *Queues) leaving(others Others) (leaving, asked []*corev1.Pod) {
	now := q.clock.Now()
	for _, p := range q.leavingNow(others) {
		at := p.pod.DeletionTimestamp
		soon := at != nil && now.Before(at.Add(overdueAfter)) || at == nil && others.finishes(p.pod)
		switch {
		case p.pod.Spec.NodeName == "":
		case at == nil && others.Leaving.Has(p.pod.UID):
			asked = append(asked, p.pod)
		case soon:
			leaving = append(leaving, p.pod)
		}
	}
	byName := func(a, b *corev1.Pod) int {
		return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name))
	}
	slices.SortFunc(leaving, byName)
	slices.SortFunc(asked, byName)
	return leaving, asked
}

// startOf returns when a pod began to run, or was bound.
func startOf(pod *corev1.Pod) time.Time {
	if pod.Status.StartTime != nil {
		return pod.Status.StartTime.Time
	}
	return time.Unix(workload.BoundAt(pod), 0)
}

// Lost returns the device-seconds of work that are lost if a pod with so many devices goes
// now: since it began, or since its last checkpoint. One that is stated in the future, or
// before the pod began, or that is no time, does not count.
func Lost(pod *corev1.Pod, devices int64, now time.Time) int64 {
	since := startOf(pod)
	if at, ok := instant(pod, dialect.CheckpointedAt, now); ok {
		since = at
	}
	return devices * max(0, int64(now.Sub(since)/time.Second))
}

// Leaves says that the gang of a pod with a place is to go whole: none of its pods is tried,
// nor those that come in place of them, until all have left. Stays takes that back.
func (q *Queues) Leaves(pod *corev1.Pod) {
	if id := workload.IDOf(pod); id.Group != "" {
		q.gangs.Release(id.Gang())
	}
}

// Standing returns how many pods of the gang of a pod have a place and stay; false if there is
// no such gang.
func (q *Queues) Standing(pod *corev1.Pod) (int32, bool) {
	return q.gangs.Standing(workload.IDOf(pod).Gang())
}

// Stays says that the gang of a pod does not go after all.
func (q *Queues) Stays(pod *corev1.Pod) {
	if id := workload.IDOf(pod); id.Group != "" {
		q.gangs.Retain(id.Gang())
	}
}

// Queue returns the name of a candidate's queue.
func (r *Reclaim) Queue(t *Candidate) string { return r.tree.Name(t.Queue) }

// Claimant returns the name of the queue of the one that waits.
func (r *Reclaim) Claimant() string { return r.tree.Name(r.claim.Queue) }
