package fastpath

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/berth-dev/berth/pkg/core/fabric"
	"github.com/berth-dev/berth/pkg/core/pack"
	"github.com/berth-dev/berth/pkg/core/plan"
	"github.com/berth-dev/berth/pkg/core/repair"
	"github.com/berth-dev/berth/pkg/engine/podshape"
	"github.com/berth-dev/berth/pkg/state/nodeindex"
	"github.com/berth-dev/berth/pkg/state/workload"
)

// Refusals says which nodes the gang of a name is not given now, for their kubelets refused pods of
// it, and which are the last that it is given.
type Refusals func(name string) (avoided []repair.Avoided, last []string)

// Avoid has the path hear of refusals. It is called before the first cycle.
func (p *Path) Avoid(refusals Refusals) { p.refusals = refusals }

// Claims has the path ask at each snapshot which nodes queues have kept as spares. It is called
// before the first cycle.
func (p *Path) Claims(claims func() *[]repair.Claim) { p.claims = claims }

// Nodes that count as full. A spare does, but for a gang that lacks members and has its room there.
// A node that a gang avoids does while that gang is tried, or room is looked for it. So the index
// is all that knows of either, and each count by domain is right.

// turning is which nodes count otherwise than they do for everybody.
type turning struct {
	avoided []repair.Avoided
	// last are full as well, if they are to come last.
	last []string
	// room is that of the gang. spares says that all spares are open that are for everybody, or for
	// one of queues.
	room   Reservation
	spares bool
	queues []string
	// name is the gang to which some spares are open, for so many of its pods.
	name string
	replacing
}

// replacing is who may use spares in place of those that a gang lacks. An elastic gang has others
// as well, and nobody can say of a pod in whose place it comes: so they are counted.
type replacing struct {
	// on are the spares that are open, by name: those of the room that is kept, or all of them if
	// nobody can say where the room is.
	on []string
	// before are the pods that had a place when room was looked for, and most is how many others may
	// be on these spares.
	before sets.Set[types.UID]
	most   int
}

// replaces takes in for how many of those that a gang lacks there is room on spares alone.
func (p *Path) replaces(name string, one *wanted) {
	r := replacing{on: one.found.Spares, before: sets.New[types.UID](), most: one.onSpares}
	for _, pods := range [][]*corev1.Pod{one.Standing, one.Stranded, one.Leaving} {
		for _, pod := range pods {
			r.before.Insert(pod.UID)
		}
	}
	if one.found.Unjudged {
		r.most = len(one.Missing)
		for _, node := range p.spares() {
			if p.sparesFor(node, one.Queues) {
				r.on = append(r.on, node.Name)
			}
		}
	}
	if p.reservations.replacing == nil {
		p.reservations.replacing = map[string]replacing{}
	}
	p.reservations.replacing[name] = r
}

// used reports whether as many pods of a gang are on spares as may be.
func (p *Path) used(name string, r replacing) bool {
	n := 0
	for _, node := range r.on {
		info, err := p.snapshot.Get(node)
		if err != nil {
			continue
		}
		for _, on := range info.GetPods() {
			if pod := on.GetPod(); pod.DeletionTimestamp == nil && workload.NameOf(pod) == name && !r.before.Has(pod.UID) {
				n++
			}
		}
	}
	return n >= r.most
}

// spares are the nodes that are spares, by number.
func (p *Path) spares() iter.Seq2[pack.NodeID, *corev1.Node] {
	return func(yield func(pack.NodeID, *corev1.Node) bool) {
		spares := p.index.Spares()
		for id, ok := spares.Next(0); ok; id, ok = spares.Next(id + 1) {
			if !yield(id, p.index.Info(id).Node()) {
				return
			}
		}
	}
}

// turned is the outcome of a turning.
type turned struct {
	// full are the nodes that count otherwise than they do for everybody, by name.
	full map[string]bool
	turning
}

// turnFor has nodes count as they do while a gang is tried; "" for nobody. Nodes that come last are
// left out if there is room for it elsewhere. Where nobody can say where its room is, spares are
// open to it from the second try on.
func (p *Path) turnFor(name string) {
	avoided, last := p.avoidedBy(name)
	t := turning{avoided: avoided, room: p.reservations.of[name]}
	if len(t.room) > 0 {
		t.last = last
	}
	one := p.reservations.wants[name]
	if r, some := p.reservations.replacing[name]; some && (one == nil || !one.found.Unjudged || one.tries > 1) && !p.used(name, r) {
		t.name, t.replacing = name, r
	}
	p.turn(t)
}

// turn has nodes count so, until it is called again.
func (p *Path) turn(t turning) {
	full := map[string]bool{}
	if t.spares {
		for _, node := range p.spares() {
			if p.sparesFor(node, t.queues) {
				full[node.Name] = false
			}
		}
	}
	for _, node := range t.last {
		full[node] = true
	}
	for node := range t.room {
		if id, known := p.index.ID(node); !known || p.claimed == nil || nodeindex.IsSpare(p.index.Info(id).Node()) {
			delete(full, node)
		} else {
			full[node] = false // it would be kept for a queue, as nobody else has it
		}
	}
	for _, node := range t.on {
		full[node] = false
	}
	for _, one := range t.avoided {
		full[one.Node] = true
	}
	p.turnTo(turned{full, t})
}

// turnTo is turn with the outcome.
func (p *Path) turnTo(now turned) {
	before := p.reservations.turned.Load()
	if len(now.full) == 0 {
		if before != nil {
			p.index.Turn(nil)
			p.reservations.turned.Store(nil)
		}
		return
	}
	if before == nil || !maps.Equal(before.full, now.full) {
		p.index.Turn(now.full)
	}
	p.reservations.turned.Store(&now)
}

// stages are the ways to look for room for a gang that lacks members, in their order: on nodes as
// they are, then on spares too, and on nodes that refused pods of it a while ago.
func (p *Path) stages(name string, queues []string) []turning {
	avoided, last := p.avoidedBy(name)
	var room Reservation
	if p.claimed != nil {
		room = p.reservations.of[name]
	}
	stages := []turning{{avoided: avoided, last: last, room: room}}
	if p.index.Spares().Len() > 0 {
		stages = append(stages, turning{avoided: avoided, last: last, room: room, spares: true, queues: queues})
	}
	if len(last) > 0 {
		stages = append(stages, turning{avoided: avoided, room: room, spares: true, queues: queues})
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
	if turned := p.reservations.turned.Load(); turned != nil {
		if full, is := turned.full[node.Name]; is {
			switch {
			case full:
				return reasonAvoided
			case turned.name != "" && slices.Contains(turned.on, node.Name) && p.used(turned.name, turned.replacing):
				return reasonSpare
			}
			return ""
		}
	}
	switch queue, spare := p.index.Spare(node); {
	case !spare:
		return ""
	case queue == "":
		return reasonSpare
	default:
		return fmt.Sprintf(reasonQueueSpare, queue)
	}
}

// sparesFor reports whether a spare is for gangs of these queues that lack members.
func (p *Path) sparesFor(node *corev1.Node, queues []string) bool {
	queue, spare := p.index.Spare(node)
	return spare && (queue == "" || slices.Contains(queues, queue))
}

// whyFull says what would be for a gang that has no place if nodes did not count as full: in the
// closest domain of the widest level that was tried. It is "" if they make no difference.
func (p *Path) whyFull(reason *plan.Reason, request *plan.Request, pods []*corev1.Pod, shapes []*podshape.Shape, planner plan.Planner) string {
	last := reason.Levels[len(reason.Levels)-1]
	if last.Closest == fabric.NoDomain {
		return ""
	}
	nodes := &p.index.Fabric().Domain(last.Closest).Nodes
	before, open := p.reservations.turned.Load(), map[string]bool{}
	var avoided []string
	if before != nil {
		for name, full := range before.full {
			open[name] = full
			if id, known := p.index.ID(name); known && full && nodes.Has(id) {
				avoided = append(avoided, name)
			}
		}
		slices.Sort(avoided)
	}
	text, spares, whose := "", 0, sets.New[string]()
	if len(avoided) > 0 {
		text = fmt.Sprintf("; %s there refused pods of the gang, and are avoided for a while", strings.Join(avoided, ", "))
	}
	for id, node := range p.spares() {
		if why := p.full(node); nodes.Has(id) && why != "" && why != reasonAvoided {
			open[node.Name] = false
			spares++
			if queue, _ := p.index.Spare(node); queue != "" {
				whose.Insert(fmt.Sprintf("spares of queue %q", queue))
			} else {
				whose.Insert(nodeindex.SpareLabel + "=true")
			}
		}
	}
	if spares == 0 {
		return text
	}
	p.turnTo(turned{full: open})
	for _, s := range shapes {
		if s != nil {
			s.CatchUp(p.index, s.Verified.Remove)
		}
	}
	if len(p.newVerifier(request, pods, shapes).plan(planner).Candidates) > 0 {
		text += fmt.Sprintf("; it would fit if %d spare nodes there (%s) were not kept for gangs that lose members", spares, strings.Join(sets.List(whose), ", "))
	}
	if before == nil {
		before = &turned{}
	}
	p.turnTo(*before)
	return text
}

const (
	reasonSpare      = "node(s) are spares, kept for gangs that lose members (" + nodeindex.SpareLabel + "=true)"
	reasonQueueSpare = "node(s) are spares, kept for gangs of queue %q that lose members"
	reasonAvoided    = "node(s) refused pods of the gang, and are avoided for a while"
	reasonKept       = "room is kept for another gang"
)
