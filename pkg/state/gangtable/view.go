package gangtable

import (
	"iter"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/berth-dev/berth/pkg/core/gang"
	"github.com/berth-dev/berth/pkg/dialect"
)

// Gang is what is known of one gang at one moment.
type Gang struct {
	Key     gang.Key
	Verdict gang.Verdict
	// Life tells a gang from an earlier one of the same name; see [Table.Life].
	Life int64
	// Pods are all members by name; Bound of them have a node and are not leaving.
	// Running of them run. Done have succeeded, and Waiting may be given a node.
	Pods    []Pod
	Bound   int32
	Running int32
	Done    int32
	Waiting int32
	// Placed says that the gang was placed in this life of it.
	Placed bool
	// Had is how many of the members that run together at least have had a place, and Missing how
	// many of these it lacks.
	Had, Missing int
	// Ref names the object that declares the gang; nil if its pods do.
	Ref *corev1.ObjectReference
	// Object is that object and Kind its kind if this is where the gang's outcome is
	// written: not for a native pod group, nor for a gang that the object declares
	// beside its own. It must not be changed.
	Object *unstructured.Unstructured
	Kind   *dialect.Kind
}

// Get returns what is known of a gang that has members or an object.
func (g *Table) Get(key gang.Key) (Gang, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	e := g.gangs[key]
	if e == nil {
		return Gang{}, false
	}
	out := Gang{Key: key, Verdict: e.verdict, Life: e.life, Placed: e.placed, Had: e.had, Missing: e.missing, Pods: g.podsOf(e)}
	if e.explained != "" && e.explainedIn == e.life && e.verdict.Action == gang.Hold && e.verdict.Code == gang.Incomplete {
		out.Verdict.Text += ": " + e.explained
	}
	for _, p := range out.Pods {
		switch p.State {
		case gang.Running:
			out.Running++
			out.Bound++
		case gang.Bound:
			out.Bound++
		case gang.Succeeded:
			out.Done++
		case gang.Waiting:
			out.Waiting++
		}
	}
	if d, found := g.first(e); found {
		out.Ref = d.ref
	}
	if d, found := g.told(e); found && !d.second {
		out.Object, out.Kind = d.object, d.kind
	}
	return out, true
}

// Explain has the reason of a gang that waits for pods say why these do not come, in this life
// of it. "" is that nobody knows.
func (g *Table) Explain(key gang.Key, life int64, why string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if e := g.gangs[key]; e != nil && e.life == life {
		e.explained, e.explainedIn = why, life
	}
}

// Placed reports whether a gang has its place, or had it before members were lost.
func (g *Table) Placed(key gang.Key) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	e := g.gangs[key]
	return e != nil && e.placed
}

// Standing returns how many members of a gang have a place and are not leaving; false if
// there is no such gang.
func (g *Table) Standing(key gang.Key) (int32, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	e := g.gangs[key]
	if e == nil {
		return 0, false
	}
	return e.standing, true
}

// Pinned reports whether members of a gang have a place and others have to share a domain with
// them.
func (g *Table) Pinned(key gang.Key) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	e := g.gangs[key]
	return e != nil && e.standing > 0 && e.verdict.Group.Topology.Required != ""
}

// Evicting returns the gangs of which a member that stays says that they are being evicted,
// with that member, and whether all members that have a place stay: ordered by key. Unless
// this process evicts them, another one has begun to and did not come to the end.
func (g *Table) Evicting() []Evicting {
	g.mu.Lock()
	defer g.mu.Unlock()
	var out []Evicting
	for key, e := range g.gangs {
		for uid, m := range e.members {
			if m.Evicting && m.State().Effect().Counts && m.State() != gang.Succeeded {
				size := e.verdict.Group.Size
				out = append(out, Evicting{Key: key, Pod: g.podOf(uid, m),
					Whole: e.standing == e.bound && e.standing >= size})
			}
		}
	}
	slices.SortFunc(out, func(a, b Evicting) int { return a.Key.Compare(b.Key) })
	return out
}

// Evicting is a gang of which a member says that it is being evicted.
type Evicting struct {
	Key gang.Key
	Pod Pod
	// Whole says that no member has left yet.
	Whole bool
}

// Finish has a gang give its places back as Release has, and has Interrupted list it until
// all have left, also if it was whole once.
func (g *Table) Finish(key gang.Key) {
	g.Release(key)
	g.mu.Lock()
	defer g.mu.Unlock()
	if e := g.gangs[key]; e != nil {
		if e.finishing = e.releasing; e.finishing {
			g.finishing.Insert(key)
		}
	}
}

// Finishing returns the gangs that give their places back because of Finish.
func (g *Table) Finishing() sets.Set[gang.Key] {
	g.mu.Lock()
	defer g.mu.Unlock()
	for key := range g.finishing {
		if e := g.gangs[key]; e == nil || !e.finishing {
			g.finishing.Delete(key)
		}
	}
	return g.finishing.Clone()
}

// Life returns the number of a gang's life; 0 if there is no such gang. A gang that
// is deleted and made again under the same name has another one.
func (g *Table) Life(key gang.Key) int64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	if e := g.gangs[key]; e != nil {
		return e.life
	}
	return 0
}

// Keys returns the keys of all gangs that have members, in order.
func (g *Table) Keys() []gang.Key {
	g.mu.Lock()
	defer g.mu.Unlock()
	var keys []gang.Key
	for key, e := range g.gangs {
		if len(e.members) > 0 {
			keys = append(keys, key)
		}
	}
	slices.SortFunc(keys, gang.Key.Compare)
	return keys
}

// Named returns the keys of the gangs of a name in a namespace that have members, in order:
// two dialects may have one of the name.
func (g *Table) Named(namespace, name string) []gang.Key {
	g.mu.Lock()
	defer g.mu.Unlock()
	var keys []gang.Key
	for key, e := range g.gangs {
		if key.Namespace == namespace && key.Name == name && len(e.members) > 0 {
			keys = append(keys, key)
		}
	}
	slices.SortFunc(keys, gang.Key.Compare)
	return keys
}

// Cleared reports whether a pod's gang was admitted with what the pod says taken
// into account, and how many members of the gang must have a place together: a pod
// that comes later may be its gang's undoing.
func (g *Table) Cleared(key gang.Key, pod types.UID) (need int32, cleared bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	e := g.gangs[key]
	if e == nil || e.published == nil || !e.cleared[pod] {
		return 0, false
	}
	return e.published.Need, true
}

// Interrupted is a gang whose binding was cut short.
type Interrupted struct {
	Key gang.Key
	// Size is the least number of members that must be bound.
	Size int32
	// Bound are the members that hold a place, by name.
	Bound []Pod
	// Since is when the last of them was seen to be bound.
	Since time.Time
	// Releasing says that Release was called and members are still bound.
	Releasing bool
}

// Interrupted returns the gangs of which some members are bound, but fewer than
// the gang needs, and that were never seen whole; ordered by key.
func (g *Table) Interrupted() []Interrupted {
	g.mu.Lock()
	defer g.mu.Unlock()
	var out []Interrupted
	for key, e := range g.gangs {
		size := e.verdict.Group.Size
		if e.bound == 0 || e.placed && !(e.releasing && e.finishing) || !e.releasing && (size == 0 || e.bound >= size) {
			continue
		}
		members := make([]gang.Member, 0, len(e.members))
		for _, m := range e.members {
			members = append(members, m)
		}
		if !e.releasing && !gang.Interrupted(size, members) {
			continue
		}
		bound := slices.DeleteFunc(g.podsOf(e), func(p Pod) bool { return p.Node == "" || p.State == gang.Succeeded })
		out = append(out, Interrupted{Key: key, Size: size, Bound: bound, Since: e.progress, Releasing: e.releasing})
	}
	slices.SortFunc(out, func(a, b Interrupted) int { return a.Key.Compare(b.Key) })
	return out
}

// Waiting returns the names of the members of a gang that may be placed, in order. Members of
// another scheduler are left out.
func (g *Table) Waiting(key gang.Key) []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	var out []string
	for m := range g.waitingOf(key) {
		out = append(out, m.Name)
	}
	slices.Sort(out)
	return out
}

// AnyWaiting returns the name of one of those that Waiting returns, whichever; "" if there is
// none.
func (g *Table) AnyWaiting(key gang.Key) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	for m := range g.waitingOf(key) {
		return m.Name
	}
	return ""
}

// waitingOf yields the members of a gang that may be placed, in no order.
func (g *Table) waitingOf(key gang.Key) iter.Seq[gang.Member] {
	return func(yield func(gang.Member) bool) {
		e := g.gangs[key]
		if e == nil {
			return
		}
		for _, m := range e.members {
			if m.State() == gang.Waiting && g.ours(m.Scheduler) && !yield(m) {
				return
			}
		}
	}
}

// podOf returns a member as others see it.
func (g *Table) podOf(uid types.UID, m gang.Member) Pod {
	return Pod{Name: m.Name, UID: uid, Node: m.Node, Ours: g.ours(m.Scheduler), State: m.State()}
}

// podsOf returns the members by name.
func (g *Table) podsOf(e *entry) []Pod {
	out := make([]Pod, 0, len(e.members))
	for uid, m := range e.members {
		out = append(out, g.podOf(uid, m))
	}
	slices.SortFunc(out, func(a, b Pod) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// Verdict returns the verdict on a gang; the zero value if there is none yet.
func (g *Table) Verdict(key gang.Key) gang.Verdict {
	g.mu.Lock()
	defer g.mu.Unlock()
	if e := g.gangs[key]; e != nil {
		return e.verdict
	}
	return gang.Verdict{}
}

// Queue returns the queue that a gang names, "" if it names none; false if there is no
// verdict on it.
func (g *Table) Queue(key gang.Key) (string, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	e := g.gangs[key]
	if e == nil || e.verdict.Action != gang.Admit {
		return "", false
	}
	return e.verdict.Group.Queue, true
}

// Need returns how many members of a gang must have a place together, and how many of
// them have one; 0 and 0 if it is not admitted.
func (g *Table) Need(key gang.Key) (need, standing int32) {
	g.mu.Lock()
	defer g.mu.Unlock()
	e := g.gangs[key]
	if e == nil || e.verdict.Action != gang.Admit {
		return 0, 0
	}
	return e.verdict.Group.Need, e.standing
}

// Settled reports whether there is a verdict on all that was told.
func (g *Table) Settled() bool { return g.dirty.Len() == 0 }
