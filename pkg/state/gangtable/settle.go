package gangtable

import (
	"fmt"

	"k8s.io/apimachinery/pkg/types"

	"github.com/berth-dev/berth/pkg/core/gang"
)

// settle reaches a verdict on one gang and tells the sink what follows.
func (g *Table) settle(key gang.Key) {
	g.mu.Lock()
	publish, withdraw := g.judge(key)
	cleared := g.clear(key)
	g.mu.Unlock()

	switch {
	case publish != nil:
		g.sink.Publish(*publish)
	case withdraw:
		g.sink.Withdraw(key)
	}
	if cleared {
		g.sink.Cleared(key)
	}
	g.sink.Changed(key)
}

// clear notes which members the verdict rests on. It reports whether there is one
// that the last verdict to admit did not rest on.
func (g *Table) clear(key gang.Key) bool {
	e := g.gangs[key]
	if e == nil {
		return false
	}
	if e.published == nil {
		e.cleared = nil
		return false
	}
	if e.cleared == nil {
		e.cleared = make(map[types.UID]bool, len(e.members))
	}
	news := false
	for uid := range e.members {
		if !e.cleared[uid] {
			e.cleared[uid] = true
			news = true
		}
	}
	return news
}

// judge updates the entry of a gang. It returns the group to publish, if it is
// new or changed, or whether a published one is to be withdrawn.
func (g *Table) judge(key gang.Key) (publish *gang.Group, withdraw bool) {
	e := g.gangs[key]
	if e == nil {
		return nil, false
	}
	if len(e.members) == e.done {
		// Nobody waits, and nobody has a place.
		withdraw = e.published != nil
		e.published, e.verdict, e.bound, e.standing = nil, gang.Verdict{}, 0, 0
		g.lacks(key, e, 0)
		if len(e.members)+len(e.declared) == 0 {
			delete(g.gangs, key)
		}
		return nil, withdraw
	}

	members := make([]gang.Member, 0, len(e.members))
	var bound, standing, unanswered int32
	mine := false
	for _, m := range e.members {
		members = append(members, m)
		mine = mine || g.ours(m.Scheduler)
		if m.Node != "" && !m.Succeeded {
			bound++
			switch {
			case !m.Leaving:
				standing++
			case g.healthOf(m.Node).Lost():
				unanswered++
			}
		}
	}
	if bound > e.bound {
		e.progress = g.clock.Now()
	}
	e.bound, e.standing = bound, standing
	if !mine {
		withdraw = e.published != nil
		e.published, e.verdict = nil, gang.Verdict{}
		e.placed, e.releasing, e.finishing = false, false, false
		g.lacks(key, e, 0)
		return nil, withdraw
	}

	// Who leaves and whose kubelet does not answer may never be gone, and keeps its place: nobody
	// waits for it.
	if e.releasing && bound == unanswered {
		e.releasing, e.finishing, e.placed = false, false, false
	}
	declared, fault := g.declaration(e)
	switch {
	case e.releasing:
		e.verdict = gang.Verdict{Action: gang.Hold, Code: gang.Releasing,
			Text: fmt.Sprintf("gang %s gives its places back; its %d bound pods are being evicted", key, bound)}
	case fault != nil:
		e.verdict = gang.Verdict{Action: gang.Hold, Code: fault.Code, Text: fault.Text}
	default:
		now := g.clock.Now().Unix()
		e.verdict = gang.Resolve(key, declared, members, g.ours, e.placed).Await(now)
		e.placed = e.verdict.Placed
		if e.verdict.Until > now {
			g.awaiting[key] = e.verdict.Until
		} else {
			delete(g.awaiting, key)
		}
	}
	g.lacks(key, e, g.missing(e, members))
	if key.Dialect == gang.Native && declared == nil && (e.verdict.Action == gang.Admit || e.verdict.Code == gang.NotDeclared) {
		// The scheduler gets native groups as the server has them; what their pods say
		// does not make one.
		e.verdict = gang.Verdict{Action: gang.Hold, Code: gang.NotDeclared,
			Text: fmt.Sprintf("gang %s is declared by nothing: create the PodGroup of %s that its pods name", key, nativeResource.Group)}
	}
	asked := &e.verdict.Group.Topology
	labelled := func(level string) bool { return g.levels.nodes[level] > 0 }
	resolved, why := ResolveTiers(*asked, labelled)
	e.tiered = nodesDecide(*asked, labelled)
	*asked, e.required, e.segments = resolved, resolved.Required, resolved.SegmentLevel
	switch {
	case bound > 0:
	case why != "":
		e.verdict = gang.Verdict{Action: gang.Hold, Code: gang.Unschedulable,
			Text: fmt.Sprintf("gang %s requires %s; lower it, or label the nodes", key, why)}
	case e.required != "" && g.levels.nodes[e.required] == 0:
		e.verdict = gang.Verdict{Action: gang.Hold, Code: gang.Unschedulable,
			Text: fmt.Sprintf("gang %s requires one domain of topology level %s, and no node has that label%s", key, e.required, levelHint(e.required))}
	case e.segments != "" && g.levels.nodes[e.segments] == 0:
		e.verdict = gang.Verdict{Action: gang.Hold, Code: gang.Unschedulable,
			Text: fmt.Sprintf("gang %s requires one domain of topology level %s for each segment, and no node has that label%s", key, e.segments, levelHint(e.segments))}
	}
	if e.verdict.Action != gang.Admit {
		withdraw = e.published != nil
		e.published = nil
		return nil, withdraw
	}
	if e.published != nil && *e.published == e.verdict.Group {
		return nil, false
	}
	group := e.verdict.Group
	e.published = &group
	return &group, false
}

// declaration returns the object's word on the gang, nil if there is no object.
func (g *Table) declaration(e *entry) (*gang.Declaration, *gang.Fault) {
	d, found := g.first(e)
	if !found {
		return nil, nil
	}
	if d.fault != nil {
		return nil, d.fault
	}
	return &d.said, nil
}

// first returns the declaration that is heard: an owner's first, a native group's before a
// foreign object's, of several kinds the first of dialect.Kinds, a pod's last; then by name.
func (g *Table) first(e *entry) (declaration, bool) {
	return g.firstOf(e, func(declaration) bool { return true })
}

// told returns the declaration of the object that the outcome is told to: an owner is not.
func (g *Table) told(e *entry) (declaration, bool) {
	return g.firstOf(e, func(d declaration) bool { return d.kind == nil || !d.kind.Owner })
}

func (g *Table) firstOf(e *entry, of func(declaration) bool) (declaration, bool) {
	var best objectID
	found := false
	for id, d := range e.declared {
		if of(d) && (!found || g.heardBefore(id, best)) {
			best, found = id, true
		}
	}
	return e.declared[best], found
}

func (g *Table) heardBefore(a, b objectID) bool {
	if ra, rb := g.ranks[a.resource], g.ranks[b.resource]; ra != rb {
		return ra < rb
	}
	return a.name.String() < b.name.String()
}

// sameDeclaration reports whether an object says the same, and is the same.
func sameDeclaration(a, b declaration) bool {
	if a.ref != nil && b.ref != nil && a.ref.UID != b.ref.UID {
		return false
	}
	return a.second == b.second && a.said.Source == b.said.Source &&
		sameClaims(a.said.Claims, b.said.Claims) && sameFault(a.fault, b.fault)
}

func sameClaims(a, b gang.Claims) bool {
	same := a.Size == b.Size || a.Size != nil && b.Size != nil && *a.Size == *b.Size
	a.Size, b.Size = nil, nil
	return same && a == b
}

func sameFault(a, b *gang.Fault) bool {
	return a == b || a != nil && b != nil && *a == *b
}

// sameMember reports whether nothing that a verdict rests on differs.
func sameMember(a, b gang.Member) bool {
	same := sameClaims(a.Claims, b.Claims) && sameFault(a.Fault, b.Fault)
	a.Claims, b.Claims = gang.Claims{}, gang.Claims{}
	a.Fault, b.Fault = nil, nil
	return same && a == b
}

// sameStatement reports whether two states of a pod say the same of its gang.
func sameStatement(a, b gang.Member) bool {
	a.Node, a.Bound, a.Gate, a.Running, a.Leaving, a.Succeeded = b.Node, b.Bound, b.Gate, b.Running, b.Leaving, b.Succeeded
	return sameMember(a, b)
}

// Pod names one member of a gang.
type Pod struct {
	Name string
	UID  types.UID
	Node string
	// Ours says that the pod names a scheduler of Berth's.
	Ours bool
	// State is what the pod is to its gang, as far as the pod itself says it.
	State gang.State
}

// Standing reports whether the pod has its place and is not leaving it.
func (p *Pod) Standing() bool { return p.State == gang.Bound || p.State == gang.Running }
