package gangtable

import (
	"cmp"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/berth-dev/berth/pkg/core/gang"
	"github.com/berth-dev/berth/pkg/core/repair"
)

// Loss is a member that had a place and has it no more, or whose node is lost.
type Loss struct {
	Name, Node string
	UID        types.UID
	Cause      repair.Cause
	At         time.Time
	// Pod is the pod as it was; nil if nobody saw it.
	Pod *corev1.Pod

	role string
	rank int64
}

// losses are what a gang has lost since it was whole.
type losses struct {
	lost map[types.UID]Loss
	// had is the most members that had a place or were done at once since it was placed, at most
	// its size: what it grew by since has yet to come, and is not lost. missing is how many of
	// these it lacks, stranded of them on lost nodes, and changed when it last lost one.
	had      int
	missing  int
	stranded int
	changed  time.Time
}

// Short is a gang that lacks members which it had.
type Short struct {
	Key  gang.Key
	Life int64
	// Size is how many of the members that run together at least have had a place, and Missing how
	// many of these it lacks.
	Size    int
	Missing int
	// Lost are those that it lacks, by name, as far as they are known: one whose object nobody
	// has seen is not. Since is when it lost the last one.
	Lost  []Loss
	Since time.Time
	// Standing are the members that have a place on a node that is not lost.
	Standing []Pod
	// Stranded are those on nodes that are lost: they may run, and hold what they have.
	Stranded []Pod
	// Waiting is how many members wait for a place.
	Waiting int
	// Unsettled says that a node came or went, and that there is no verdict on that yet.
	Unsettled bool
	// OnLoss is the policy as it was written, and Topology where the gang may be.
	OnLoss   string
	Topology gang.Topology
	// Ref names the object that declares the gang; nil if its pods do.
	Ref *corev1.ObjectReference
}

// Cause returns why the gang is short, in one word.
func (s *Short) Cause() repair.Cause {
	causes := map[repair.Cause]int{}
	for _, l := range s.Lost {
		causes[l.Cause]++
	}
	return repair.First(causes)
}

// Short returns the gangs that lack members, by key. All of it follows from objects, but for
// when a member was lost and what a deleted pod was: who starts anew learns that a gang is
// short from those that are left of it.
func (g *Table) Short() []Short {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.short) == 0 {
		return nil
	}
	out := make([]Short, 0, len(g.short))
	for key := range g.short {
		e := g.gangs[key]
		s := Short{Key: key, Life: e.life, Size: e.had, Missing: e.missing, Since: e.changed,
			OnLoss: e.verdict.Group.OnLoss, Topology: e.verdict.Group.Topology}
		for _, pod := range g.podsOf(e) {
			switch {
			case pod.State == gang.Waiting:
				s.Waiting++
			case !pod.Standing():
			case g.healthOf(pod.Node).Lost():
				s.Stranded = append(s.Stranded, pod)
			default:
				s.Standing = append(s.Standing, pod)
			}
		}
		s.Unsettled = len(s.Stranded) != e.stranded
		s.Lost = g.lossesOf(key, e, s.Stranded)
		if d, found := g.first(e); found {
			s.Ref = d.ref
		}
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b Short) int { return a.Key.Compare(b.Key) })
	return out
}

// ShortBy returns how many gangs lack members, by why.
func (g *Table) ShortBy() map[repair.Cause]int {
	out := map[repair.Cause]int{}
	for _, cause := range repair.Causes() {
		out[cause] = 0
	}
	for _, s := range g.Short() {
		out[s.Cause()]++
	}
	return out
}

// lossesOf returns the members that a gang lacks: those that stand on lost nodes, and of those
// that are gone the latest in whose place nobody stands.
func (g *Table) lossesOf(key gang.Key, e *entry, stranded []Pod) []Loss {
	var out []Loss
	for _, pod := range stranded {
		out = append(out, Loss{Name: pod.Name, Node: pod.Node, UID: pod.UID, Cause: repair.NodeLost, At: e.changed})
	}
	filled := map[string]bool{}
	ranks := map[place]bool{}
	for _, m := range e.members {
		if s := m.State(); s != gang.Leaving && m.Node != "" {
			filled[m.Name] = true
			if m.Rank >= 0 {
				ranks[place{m.Role, m.Rank}] = true
			}
		}
	}
	all := make([]Loss, 0, len(e.lost))
	for _, l := range e.lost {
		all = append(all, l)
	}
	for uid, l := range g.failed[key] {
		if _, known := e.lost[uid]; !known {
			all = append(all, l)
		}
	}
	slices.SortFunc(all, func(a, b Loss) int {
		return cmp.Or(b.At.Compare(a.At), strings.Compare(a.Name, b.Name), strings.Compare(string(a.UID), string(b.UID)))
	})
	for _, l := range all {
		if len(out) == e.missing {
			break
		}
		at := place{l.role, l.rank}
		if filled[l.Name] || l.rank >= 0 && ranks[at] {
			continue
		}
		filled[l.Name] = true
		if l.rank >= 0 {
			ranks[at] = true
		}
		out = append(out, l)
	}
	out = out[:min(len(out), e.missing)]
	slices.SortFunc(out, func(a, b Loss) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// place is what a member does in its gang.
type place struct {
	role string
	rank int64
}

// lose notes that a member has lost its place. Of one that is noted already, the cause may
// become known: what a watch tells first is that a pod is gone.
func (g *Table) lose(e *entry, pod *corev1.Pod, cause repair.Cause) {
	l, known := e.lost[pod.UID]
	if known && cause == repair.Deleted {
		return
	}
	if !known {
		l = Loss{Name: pod.Name, Node: pod.Spec.NodeName, UID: pod.UID, At: g.clock.Now(), rank: -1}
		if len(pod.Spec.Containers) > 0 {
			l.Pod = pod
		}
		if m, member := e.members[pod.UID]; member {
			l.role, l.rank = m.Role, m.Rank
		}
	}
	if l.Cause = cause; !known && g.healthOf(pod.Spec.NodeName).Lost() {
		l.Cause = repair.NodeLost
	}
	if e.lost == nil {
		e.lost = map[types.UID]Loss{}
	}
	e.lost[pod.UID], e.changed = l, g.clock.Now()
}

// recall takes in what a pod was that has ended, if the watch of those that have told first.
func (g *Table) recall(pod *corev1.Pod) {
	if e := g.gangs[g.failedOf[pod.UID]]; e != nil {
		if l, known := e.lost[pod.UID]; known && l.Pod == nil {
			l.Pod = pod
			e.lost[pod.UID] = l
		}
	}
}

// endedMember takes in that a member has succeeded, which is no loss, or failed.
func (g *Table) endedMember(key gang.Key, pod *corev1.Pod) {
	e := g.gangs[key]
	if pod.Status.Phase == corev1.PodSucceeded {
		if e != nil {
			delete(e.lost, pod.UID)
		}
		return
	}
	cause := causeOf(pod)
	if pod.Spec.NodeName == "" {
		return
	}
	if _, told := g.failedOf[pod.UID]; !told && cause == repair.Refused {
		g.refused(key, pod.Spec.NodeName)
	}
	g.failedOf[pod.UID] = key
	if g.failed[key] == nil {
		g.failed[key] = map[types.UID]Loss{}
	}
	g.failed[key][pod.UID] = Loss{Name: pod.Name, Node: pod.Spec.NodeName, UID: pod.UID, Cause: cause, At: pod.CreationTimestamp.Time, rank: -1}
	if e == nil {
		return
	}
	if _, known := e.lost[pod.UID]; known || e.members[pod.UID].Node != "" {
		g.lose(e, pod, cause)
	}
}

// forgetFailed forgets a pod that failed.
func (g *Table) forgetFailed(uid types.UID) {
	key, of := g.failedOf[uid]
	if !of {
		return
	}
	delete(g.failedOf, uid)
	if delete(g.failed[key], uid); len(g.failed[key]) == 0 {
		delete(g.failed, key)
	}
}

// missing returns how many members a gang lacks that it had. One that gives its places back,
// or whose binding was cut short, lacks none.
func (g *Table) missing(e *entry, members []gang.Member) int {
	count := repair.Count{Size: int(e.verdict.Group.Size), Done: e.done, Standing: int(e.standing)}
	if e.releasing || count.Size == 0 {
		return 0
	}
	for i := range members {
		if m := &members[i]; m.State().Effect().Holds && !m.Leaving && g.healthOf(m.Node).Lost() {
			count.OnLostNodes++
		}
		delete(e.collected, members[i].Name) // it is done again
	}
	e.stranded = count.OnLostNodes
	if count.Done > 0 {
		count.Done = gang.Done(members)
	}
	count.Done += len(e.collected)
	count.Size = count.Had(e.had, e.placed)
	e.had = count.Size
	missing := count.Missing()
	if missing > 0 && !e.placed && gang.Interrupted(int32(count.Size), members) {
		return 0
	}
	return missing
}

// lacks notes how many members a gang lacks.
func (g *Table) lacks(key gang.Key, e *entry, missing int) {
	if missing > e.missing {
		e.changed = g.clock.Now()
	}
	if e.missing = missing; missing > 0 {
		g.short[key] = true
		return
	}
	e.losses = losses{had: e.had}
	delete(g.short, key)
}

// refusals are the reasons for which a kubelet does not take a pod that was bound to its node,
// beside those that begin with OutOf.
var refusals = []string{
	"UnexpectedAdmissionError", "NodeAffinity", "NodeName", "NodePorts", "TaintToleration", "NodeUnschedulable", "TopologyAffinityError",
	"SMTAlignmentError", "AdmissionFailed", "InvalidNodeInfo", "PodOSNotSupported", "PodOSSelectorNodeLabelDoesNotMatch", "UnexpectedPredicateFailureType",
}

// Refused reports whether a pod was refused by its kubelet.
func Refused(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodFailed &&
		(strings.HasPrefix(pod.Status.Reason, "OutOf") || slices.Contains(refusals, pod.Status.Reason))
}

// causeOf returns why a pod that has ended or is leaving goes, as far as it says so.
func causeOf(pod *corev1.Pod) repair.Cause {
	if Refused(pod) {
		return repair.Refused
	}
	for i := range pod.Status.Conditions {
		if c := &pod.Status.Conditions[i]; c.Type == corev1.DisruptionTarget && c.Status == corev1.ConditionTrue {
			switch c.Reason {
			case "DeletionByTaintManager", "DeletionByPodGC":
				return repair.NodeLost
			}
			return repair.Evicted
		}
	}
	switch {
	case pod.Status.Phase != corev1.PodFailed:
		return repair.Deleted
	case pod.Status.Reason == "Evicted" || pod.Status.Reason == "Preempting":
		return repair.Evicted
	case pod.Status.Reason == "NodeLost" || pod.Status.Reason == "NodeShutdown" || pod.Status.Reason == "Terminated":
		return repair.NodeLost
	}
	return repair.Failed
}
