package fastpath

import (
	"slices"
	"sync/atomic"

	corev1 "k8s.io/api/core/v1"
	schedulingv1beta1 "k8s.io/api/scheduling/v1beta1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework"

	"github.com/berth-dev/berth/pkg/core/fabric"
	"github.com/berth-dev/berth/pkg/core/gang"
	"github.com/berth-dev/berth/pkg/core/pack"
	"github.com/berth-dev/berth/pkg/core/plan"
	"github.com/berth-dev/berth/pkg/core/preempt"
	"github.com/berth-dev/berth/pkg/engine/podshape"
	"github.com/berth-dev/berth/pkg/state/gangtable"
	"github.com/berth-dev/berth/pkg/state/queueing"
)

// Reservation is what a gang or pod that waits needs on each node that it is to get.
type Reservation map[string]pack.Amounts

// reservations are kept for those who wait until others have left, by the name of who waits.
type reservations struct {
	of map[string]Reservation
	// wants are gangs that lack members, for which room is looked for.
	wants map[string]*wanted
	// tried is who is being tried, and lent the same if room is kept for it: it is not meanwhile.
	tried, lent string
	// kept is the sum on each node, for those who read it without a lock; it is replaced and
	// never changed.
	kept atomic.Pointer[map[string]pack.Amounts]
	// turned are the nodes that count as full, or do not though they are spares, for those who read
	// it without a lock; see turn.
	turned atomic.Pointer[turned]
	// replacing are the gangs that may use spares, for those that they lack.
	replacing map[string]replacing
}

// Keep keeps room for somebody who waits; no room is none any more.
func (p *Path) Keep(name string, room Reservation) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reservations.of == nil {
		p.reservations.of = map[string]Reservation{}
	}
	if len(room) == 0 {
		delete(p.reservations.of, name)
		if p.reservations.wants[name] == nil {
			delete(p.reservations.replacing, name)
		}
	} else {
		p.reservations.of[name] = room
	}
	p.rekeep()
}

// Lend has the room of somebody who is tried now not kept, and nodes that refused its pods count as
// full, until it is called for "".
func (p *Path) Lend(name string) {
	if avoided, _ := p.avoidedBy(name); p.reservations.kept.Load() == nil && p.reservations.turned.Load() == nil && len(avoided) == 0 && !p.wantsRoom.Load() {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reservations.tried = name
	if one := p.reservations.wants[name]; one != nil && one.found.Unjudged {
		one.tries++
	}
	if p.index != nil {
		p.turnFor(name)
	}
	if len(p.reservations.of[name]) == 0 {
		name = "" // nothing is kept for it
	}
	if p.reservations.lent != name {
		p.reservations.lent = name
		p.rekeep()
	}
}

// KeepsRoom reports whether room is kept for anybody.
func (p *Path) KeepsRoom() bool { return p.reservations.kept.Load() != nil }

// rekeep has the index keep what is to be kept.
func (p *Path) rekeep() {
	if p.index == nil {
		return
	}
	kept := map[string]pack.Amounts{}
	for name, room := range p.reservations.of {
		if name == p.reservations.lent {
			continue
		}
		for node, amounts := range room {
			kept[node] = kept[node].And(amounts)
		}
	}
	before := p.reservations.kept.Load()
	if before != nil {
		for node := range *before {
			if _, still := kept[node]; !still {
				p.index.Keep(node, pack.Amounts{})
			}
		}
	}
	for node, amounts := range kept {
		p.index.Keep(node, amounts)
	}
	p.reservations.kept.Store(&kept)
	if len(p.reservations.of) == 0 {
		p.reservations.kept.Store(nil)
	}
}

// Keeps says why a pod may not have room on a node: it is kept for others, or the gang of the pod
// avoids it; "" if it may.
func (p *Path) Keeps(pod *corev1.Pod, info fwk.NodeInfo) string {
	if why := p.full(info.Node()); why != "" {
		return why
	}
	kept := p.reservations.kept.Load()
	if kept == nil {
		return ""
	}
	if room, some := (*kept)[info.Node().Name]; some && !p.index.Devices().Free(info).Minus(room).Fits(p.Request(pod)) {
		return reasonKept
	}
	return ""
}

// Victims returns whose going makes room for the pods of a group, or for a plain pod, if
// group is nil, or why nobody's does. Pods that are leaving count as gone: the choice says
// for which of them it waits.
func (p *Path) Victims(pods []*corev1.Pod, group fwk.PodGroupInfo, running *Running, leaving []*corev1.Pod, permit preempt.Permit) (*Choice, string) {
	if len(pods) == 0 {
		return nil, ""
	}
	if group == nil {
		group = &framework.PodGroupInfo{UnscheduledPods: pods, PodGroup: &schedulingv1beta1.PodGroup{}}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	profile := p.profiles[pods[0].Spec.SchedulerName]
	if p.cache == nil || profile == nil || p.unread || !p.inStep() {
		return nil, "the index is not up to date"
	}
	p.readTouched()
	asked := gang.Topology{}
	if pg := group.GetPodGroup(); pg != nil {
		asked = gangtable.TopologyOf(pg)
	}
	request, shapes, missing := p.planRequest(group, asked, profile)
	if missing != "" {
		return nil, missing
	}
	p.openToVictims(&request, shapes)
	planner := plan.Planner{Index: p.index.Pack(), Fabric: p.index.Fabric(), Ranking: profile.ranking}
	defer p.withoutLeaving(leaving)()
	gangs, byName := running.on(p)
	found, reason := preempt.Victims(planner, request, gangs, permit, preempt.Bounds{})
	if reason != nil {
		return nil, reason.Sentence(p.index.Fabric())
	}
	choice := &Choice{Room: Reservation{}, Damage: found.Damage}
	for _, e := range found.Evict {
		t := byName[e.Gang.Name]
		if len(t.Parts) > 0 {
			for _, one := range t.Gangs() {
				choice.Evicted = append(choice.Evicted, Evicted{Candidate: one, Pods: one.Pods, Whole: true})
			}
			continue
		}
		out := Evicted{Candidate: t, Whole: e.Whole}
		for _, m := range e.Members {
			i := slices.IndexFunc(out.Candidate.Pods, func(pod *corev1.Pod) bool { return pod.Name == m.Name })
			out.Pods = append(out.Pods, out.Candidate.Pods[i])
		}
		choice.Evicted = append(choice.Evicted, out)
	}
	for i, a := range found.Candidate.Assignments {
		if a.Node != plan.NoNode {
			node := p.index.Info(a.Node).Node().Name
			choice.Room[node] = choice.Room[node].And(request.Pods[i].Request)
		}
	}
	for _, pod := range leaving {
		if _, needed := choice.Room[pod.Spec.NodeName]; needed {
			choice.Awaited = append(choice.Awaited, pod)
		}
	}
	if found.Candidate.Level != fabric.NoLevel {
		choice.domain = sets.New[string]()
		nodes := &p.index.Fabric().Domain(found.Candidate.Domain).Nodes
		for id, ok := nodes.Next(0); ok; id, ok = nodes.Next(id + 1) {
			choice.domain.Insert(p.index.Info(id).Node().Name)
		}
	}
	return choice, ""
}

// openToVictims opens to each pod of a request all nodes but those that no pod's going would
// open: one that refuses for what is on it now may be the one.
func (p *Path) openToVictims(request *plan.Request, shapes []*podshape.Shape) {
	sets := map[*podshape.Shape]*pack.Set{}
	for i, shape := range shapes {
		if shape == nil {
			continue
		}
		if sets[shape] == nil {
			sets[shape] = p.mayUse(shape)
			p.withoutFull(sets[shape])
		}
		request.Pods[i].Open = sets[shape]
	}
}

// withoutFull takes the nodes out of a set that count as full, whoever leaves them.
func (p *Path) withoutFull(set *pack.Set) {
	for id, node := range p.spares() {
		if p.full(node) != "" {
			set.Remove(id)
		}
	}
	if turned := p.reservations.turned.Load(); turned != nil {
		for node, full := range turned.full {
			if id, known := p.index.ID(node); known && full {
				set.Remove(id)
			}
		}
	}
}

// withoutLeaving has the index be as it will be once pods have left, until what it returns
// is called.
func (p *Path) withoutLeaving(leaving []*corev1.Pod) (undo func()) {
	index := p.index.Pack()
	var given []pack.Undo
	for _, pod := range leaving {
		id, known := p.index.ID(pod.Spec.NodeName)
		if !known {
			continue
		}
		if _, ok := index.Free(id); ok && p.full(p.index.Info(id).Node()) == "" {
			request, held := p.heldBy(pod)
			given = append(given, index.Give(id, request, held))
		}
	}
	return func() {
		for _, one := range slices.Backward(given) {
			index.Revert(one)
		}
	}
}

// Choice is who goes, and what they make room for.
type Choice struct {
	Evicted []Evicted
	// Awaited are pods that are leaving already, of nodes that are in Room.
	Awaited []*corev1.Pod
	Room    Reservation
	Damage  preempt.Damage
	// domain are the nodes of the domain that the gang gets; nil for all.
	domain sets.Set[string]
}

// Evicted are the pods of a gang that go.
type Evicted struct {
	Candidate *queueing.Candidate
	Pods      []*corev1.Pod
	Whole     bool
}

// ReservationOf returns the room of pods on their nodes.
func (p *Path) ReservationOf(pods []*corev1.Pod) Reservation {
	p.mu.Lock()
	defer p.mu.Unlock()
	room := Reservation{}
	for _, pod := range pods {
		request, _ := p.heldBy(pod)
		room[pod.Spec.NodeName] = room[pod.Spec.NodeName].And(request)
	}
	return room
}

// Within has the placements of a group be looked for in the domain of a choice alone, while
// upstream tries out what would be without the victims; nil ends that.
func (p *Path) Within(choice *Choice) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.within = nil
	if choice != nil {
		p.within = choice.domain
	}
}

// restricted returns the domain in which a group is tried out, as a placement; false if it
// is not restricted.
func (p *Path) restricted(parent *fwk.Placement) ([]*fwk.Placement, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.within == nil {
		return nil, false
	}
	placement := &fwk.Placement{Name: "after evictions"}
	for _, node := range parent.Nodes {
		if p.within.Has(node.Node().Name) {
			placement.Nodes = append(placement.Nodes, node)
		}
	}
	return []*fwk.Placement{placement}, true
}

// Pods returns all pods without which there is room: those that are to be evicted, and those
// that are leaving.
func (c *Choice) Pods() []*corev1.Pod {
	var out []*corev1.Pod
	for _, e := range c.Evicted {
		out = append(out, e.Pods...)
	}
	return append(out, c.Awaited...)
}

// UIDs returns those of all pods that go, but for those that are leaving already.
func (c *Choice) UIDs() sets.Set[types.UID] {
	out := sets.New[types.UID]()
	for _, e := range c.Evicted {
		for _, pod := range e.Pods {
			out.Insert(pod.UID)
		}
	}
	return out
}
