package state

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/types"

	"github.com/berth-dev/berth/pkg/core/gang"
	"github.com/berth-dev/berth/pkg/dialect"
)

// settle reaches a verdict on one gang and tells the sink what follows.
func (g *Gangs) settle(key gang.Key) {
	g.mu.Lock()
	publish, withdraw := g.judge(key)
	g.mu.Unlock()

	switch {
	case publish != nil:
		g.sink.Publish(*publish)
	case withdraw:
		g.sink.Withdraw(key)
	}
	g.sink.Changed(key)
}

// judge updates the entry of a gang. It returns the group to publish, if it is
// new or changed, or whether a published one is to be withdrawn.
func (g *Gangs) judge(key gang.Key) (publish *gang.Group, withdraw bool) {
	e := g.gangs[key]
	if e == nil {
		return nil, false
	}
	if len(e.members) == 0 {
		withdraw = e.published != nil
		e.published, e.admitted, e.whole, e.releasing, e.bound = nil, false, false, false, 0
		e.verdict = gang.Verdict{}
		if len(e.declared) == 0 {
			delete(g.gangs, key)
		}
		return nil, withdraw
	}

	members := make([]gang.Member, 0, len(e.members))
	var bound int32
	mine := false
	for _, m := range e.members {
		members = append(members, m)
		mine = mine || g.ours(m.Scheduler)
		if m.Node != "" {
			bound++
		}
	}
	if bound > e.bound {
		e.progress = g.clock.Now()
	}
	e.bound = bound
	if !mine {
		withdraw = e.published != nil
		e.published, e.verdict = nil, gang.Verdict{}
		return nil, withdraw
	}

	if e.releasing && bound == 0 {
		e.releasing, e.admitted = false, false
	}
	declared, fault := e.declaration()
	switch {
	case e.releasing:
		e.verdict = gang.Verdict{Action: gang.Hold, Code: gang.Releasing,
			Text: fmt.Sprintf("gang %s was bound by half and could not be completed; its %d bound pods are being evicted", key, bound)}
	case fault != nil:
		e.verdict = gang.Verdict{Action: gang.Hold, Code: fault.Code, Text: fault.Text}
	default:
		e.verdict = gang.Resolve(key, declared, members, g.ours, e.admitted)
	}
	if e.verdict.Action != gang.Admit {
		withdraw = e.published != nil
		e.published = nil
		return nil, withdraw
	}
	e.admitted = true
	e.whole = e.whole || bound >= e.verdict.Group.Size
	if e.published != nil && *e.published == e.verdict.Group {
		return nil, false
	}
	group := e.verdict.Group
	e.published = &group
	return &group, false
}

// declaration returns the object's word on the gang, nil if there is no object.
func (e *entry) declaration() (*gang.Declaration, *gang.Fault) {
	d, found := e.first()
	if !found {
		return nil, nil
	}
	if d.fault != nil {
		return nil, d.fault
	}
	return &d.said, nil
}

// first returns the declaration that is heard: an object's before a pod's, of
// several kinds the first of dialect.Kinds, then by name.
func (e *entry) first() (declaration, bool) {
	if len(e.declared) == 0 {
		return declaration{}, false
	}
	best := slices.MinFunc(slices.Collect(maps.Keys(e.declared)), func(a, b objectID) int {
		if c := cmp.Compare(kindRank(a), kindRank(b)); c != 0 {
			return c
		}
		return strings.Compare(a.name.String(), b.name.String())
	})
	return e.declared[best], true
}

// kindRank orders declarations: native groups, foreign kinds, pods.
func kindRank(id objectID) int {
	if id.resource == nativeResource {
		return -1
	}
	kinds := dialect.Kinds()
	for i := range kinds {
		if kinds[i].Resource == id.resource {
			return i
		}
	}
	return len(kinds)
}

// sameMember reports whether nothing that a verdict rests on differs.
func sameMember(a, b gang.Member) bool {
	sameSize := (a.Claims.Size == nil) == (b.Claims.Size == nil) &&
		(a.Claims.Size == nil || *a.Claims.Size == *b.Claims.Size)
	sameFault := (a.Fault == nil) == (b.Fault == nil) &&
		(a.Fault == nil || *a.Fault == *b.Fault)
	a.Claims.Size, b.Claims.Size = nil, nil
	a.Fault, b.Fault = nil, nil
	return sameSize && sameFault && a == b
}

// Pod names one member of a gang.
type Pod struct {
	Name string
	UID  types.UID
	Node string
	// Leaving says that the pod is being deleted.
	Leaving bool
}
