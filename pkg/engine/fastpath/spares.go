package fastpath

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/berth-dev/berth/pkg/core/fabric"
	"github.com/berth-dev/berth/pkg/core/plan"
	"github.com/berth-dev/berth/pkg/core/repair"
	"github.com/berth-dev/berth/pkg/state"
)

// Refusals says which nodes the gang of a name is not given now, for their kubelets refused pods of
// it, and which are the last that it is given.
type Refusals func(name string) (avoided []repair.Avoided, last []string)

// Avoid has the path hear of refusals. It is called before the first cycle.
func (p *Path) Avoid(refusals Refusals) { p.refusals = refusals }

// Nodes that count as full. A spare does, but for a gang that lacks members and has its room there.
// A node that a gang avoids does while that gang is tried, or room is looked for it. So the index
// is all that knows of either, and each count by domain is right.

// turning is which nodes count otherwise than they do for everybody.
type turning struct {
	avoided []repair.Avoided
	// last are full as well, if they are to come last.
	last []string
	// room is that of the gang: its spares are open to it. spares says that all are.
	room   Room
	spares bool
}

// turnFor has nodes count as they do while a gang is tried; "" for nobody. Nodes that come last are
// left out if there is room for it elsewhere. Where nobody can say where its room is, spares are
// open to it from the second try on.
func (p *Path) turnFor(name string) {
	avoided, last := p.avoidedBy(name)
	t := turning{avoided: avoided, room: p.rooms.of[name]}
	if len(t.room) > 0 {
		t.last = last
	}
	if one := p.rooms.wants[name]; one != nil && one.found.Unjudged {
		t.spares = one.tries > 1
	}
	p.turn(t)
}

// turn has nodes count so, until it is called again.
func (p *Path) turn(t turning) {
	full := map[string]bool{}
	if t.spares {
		spares := p.index.Spares()
		for id, ok := spares.Next(0); ok; id, ok = spares.Next(id + 1) {
			full[p.index.Info(id).Node().Name] = false
		}
	}
	for _, node := range t.last {
		full[node] = true
	}
	for node := range t.room {
		if id, known := p.index.ID(node); known && p.index.Spares().Has(id) {
			full[node] = false
		} else {
			delete(full, node)
		}
	}
	for _, one := range t.avoided {
		full[one.Node] = true
	}
	if len(full) == 0 {
		p.turnTo(nil)
	} else {
		p.turnTo(&full)
	}
}

// turnTo is turn with the outcome.
func (p *Path) turnTo(full *map[string]bool) {
	before := p.rooms.turned.Load()
	switch {
	case full == nil && before == nil:
		return
	case full == nil:
		p.index.Turn(nil)
	case before == nil || !maps.Equal(*before, *full):
		p.index.Turn(*full)
	}
	p.rooms.turned.Store(full)
}

// stages are the ways to look for room for a gang that lacks members, in their order: on nodes as
// they are, then on spares too, and on nodes that refused pods of it a while ago.
func (p *Path) stages(name string) []turning {
	avoided, last := p.avoidedBy(name)
	stages := []turning{{avoided: avoided, last: last}}
	if p.index.Spares().Len() > 0 {
		stages = append(stages, turning{avoided: avoided, last: last, spares: true})
	}
	if len(last) > 0 {
		stages = append(stages, turning{avoided: avoided, spares: true})
	}
	return stages
}

func (p *Path) avoidedBy(name string) (avoided []repair.Avoided, last []string) {
	if p.refusals == nil {
		return nil, nil
	}
	return p.refusals(name)
}

// full says why a node counts as full for the gang that is tried; "" if it does not.
func (p *Path) full(node *corev1.Node) string {
	if turned := p.rooms.turned.Load(); turned != nil {
		if full, is := (*turned)[node.Name]; is {
			if full {
				return reasonAvoided
			}
			return ""
		}
	}
	if state.IsSpare(node) {
		return reasonSpare
	}
	return ""
}

// whyFull says what would be for a gang that has no place if nodes did not count as full: in the
// closest domain of the widest level that was tried. It is "" if they make no difference.
func (p *Path) whyFull(reason *plan.Reason, request *plan.Request, pods []*corev1.Pod, shapes []*shape, planner plan.Planner) string {
	last := reason.Levels[len(reason.Levels)-1]
	if last.Closest == fabric.NoDomain {
		return ""
	}
	nodes := &p.index.Fabric().Domain(last.Closest).Nodes
	before, open := p.rooms.turned.Load(), map[string]bool{}
	var avoided []string
	if before != nil {
		for name, full := range *before {
			open[name] = full
			if id, known := p.index.ID(name); known && full && nodes.Has(id) {
				avoided = append(avoided, name)
			}
		}
		slices.Sort(avoided)
	}
	text, spares := "", 0
	if len(avoided) > 0 {
		text = fmt.Sprintf("; %s there refused pods of the gang, and are avoided for a while", strings.Join(avoided, ", "))
	}
	all := p.index.Spares()
	for id, ok := all.Next(0); ok; id, ok = all.Next(id + 1) {
		if node := p.index.Info(id).Node(); nodes.Has(id) && p.full(node) == reasonSpare {
			open[node.Name] = false
			spares++
		}
	}
	if spares == 0 {
		return text
	}
	p.turnTo(&open)
	for _, s := range shapes {
		if s != nil {
			s.CatchUp(p.index, s.verified.Remove)
		}
	}
	if len(p.newVerifier(request, pods, shapes).plan(planner).Candidates) > 0 {
		text += fmt.Sprintf("; it would fit if %d spare nodes there (%s=true) were not kept for gangs that lose members", spares, state.SpareLabel)
	}
	p.turnTo(before)
	return text
}

const (
	reasonSpare   = "node(s) are spares, kept for gangs that lose members (" + state.SpareLabel + "=true)"
	reasonAvoided = "node(s) refused pods of the gang, and are avoided for a while"
	reasonKept    = "room is kept for another gang"
)
