package fastpath

import (
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/berth-dev/berth/pkg/core/fabric"
	"github.com/berth-dev/berth/pkg/core/gang"
	"github.com/berth-dev/berth/pkg/core/plan"
	"github.com/berth-dev/berth/pkg/engine/podshape"
)

// mostLookedFor is for how many gangs room is looked for at a snapshot.
const mostLookedFor = 8

// Want is a gang that lacks members.
type Want struct {
	// Topology is where it may be.
	Topology gang.Topology
	// Queues are the queue of the gang and those around it, whose spares are for it.
	Queues []string
	// Missing are pods like those that it lacks, and Standing those that have a place.
	Missing, Standing []*corev1.Pod
	// Leaving are pods of it that are being deleted: their room is to come.
	Leaving []*corev1.Pod
	// Stranded are those on nodes that are lost.
	Stranded []*corev1.Pod
	// Weigh asks, if there is no room, where the whole gang would have a place if it left.
	Weigh bool
}

// Found is what there is for a gang that lacks members.
type Found struct {
	// Looked says that somebody has looked since it was asked for.
	Looked bool
	// Room is kept for all that are missing; NoRoom says that there is none, and Why. Unjudged
	// says that the index cannot tell.
	Room     Reservation
	NoRoom   bool
	Why      string
	Unjudged bool
	// Spares are the spare nodes in Room, by name.
	Spares []string
	// Elsewhere is the domain that would hold the whole gang; "" for none, or if that was not
	// asked.
	Elsewhere string
}

// wanted is a Want, and what was found for it.
type wanted struct {
	Want
	due   bool
	found Found
	// onSpares is how many of those that are missing have their room on spares.
	onSpares int
	// tries counts those of the gang since it was found that nobody can say where its room is.
	tries int
}

// Want has room for a gang that lacks members be looked for when the next snapshot is taken,
// before anybody gets a place in it, and kept if there is enough for all that are missing. What
// was kept for the gang before stays until then.
func (p *Path) Want(name string, want Want) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reservations.wants == nil {
		p.reservations.wants = map[string]*wanted{}
	}
	one := p.reservations.wants[name]
	if one == nil {
		one = &wanted{}
		p.reservations.wants[name] = one
	}
	one.Want, one.due, one.found.Looked = want, true, false
	p.wantsRoom.Store(true)
}

// StopLooking has no room be looked for any more. What is kept stays, and whoever comes in place of
// those that are missing may have it where it is on spares.
func (p *Path) StopLooking(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopLooking(name)
}

func (p *Path) stopLooking(name string) {
	delete(p.reservations.wants, name)
	p.wantsRoom.Store(len(p.reservations.wants) > 0)
}

// Unwant is StopLooking for a gang that lacks nobody any more, or gets nobody in their place:
// spares are not for it.
func (p *Path) Unwant(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopLooking(name)
	delete(p.reservations.replacing, name)
}

// Found returns what was found for a gang when somebody looked last.
func (p *Path) Found(name string) Found {
	p.mu.Lock()
	defer p.mu.Unlock()
	if one := p.reservations.wants[name]; one != nil {
		return one.found
	}
	return Found{}
}

// lookForRoom looks for room for gangs that lack members. The snapshot was just taken, and the
// index is as new.
func (p *Path) lookForRoom() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.reservations.wants) == 0 || p.unread || p.snapshot.NumNodesInPlacement() == 0 || !p.inStep() {
		return
	}
	looked := 0
	for _, name := range slices.Sorted(maps.Keys(p.reservations.wants)) {
		one := p.reservations.wants[name]
		if !one.due || len(one.Missing) == 0 {
			continue
		}
		if looked++; looked > mostLookedFor {
			return
		}
		one.due = false
		p.lookFor(name, one)
	}
}

// lookFor looks for room for a gang, and keeps it. Room that is kept for it already counts as
// free, and that of others does not. Spares are taken where there is no other room.
func (p *Path) lookFor(name string, one *wanted) {
	lent := p.reservations.lent
	p.reservations.lent = name
	p.rekeep()
	found := Found{Looked: true}
	one.onSpares = 0
	stages := p.stages(name, one.Queues)
	for _, stage := range stages {
		p.turn(stage)
		request, shapes, ok := p.missing(one)
		if found.Unjudged = !ok; !ok {
			break
		}
		result := p.planFound(one, p.plannerOf(one), &request, shapes)
		if len(result.Candidates) > 0 {
			found.Room, found.NoRoom, found.Why = p.reservationOf(result.Candidates[0], &request), false, ""
			for _, a := range result.Candidates[0].Assignments {
				if a.Node != plan.NoNode && p.index.Spares().Has(a.Node) {
					one.onSpares++
				}
			}
			break
		}
		found.NoRoom, found.Why = true, p.whyNoPlace(result.Reason, &request, shapes)
	}
	if found.NoRoom && one.Weigh {
		p.turn(stages[0])
		found.Elsewhere = p.elsewhere(one, p.plannerOf(one))
	}
	found.Spares = p.sparesIn(found.Room)
	one.found = found
	p.replaces(name, one)
	if delete(p.reservations.of, name); len(found.Room) > 0 {
		if p.reservations.of == nil {
			p.reservations.of = map[string]Reservation{}
		}
		p.reservations.of[name] = found.Room
	}
	if p.reservations.lent = lent; p.reservations.tried == name && len(found.Room) > 0 {
		p.reservations.lent = name
	}
	p.rekeep()
	p.turnFor(p.reservations.tried)
}

func (p *Path) plannerOf(one *wanted) plan.Planner {
	return plan.Planner{Index: p.index.Pack(), Fabric: p.index.Fabric(), Ranking: p.profiles[one.Missing[0].Spec.SchedulerName].ranking}
}

// sparesIn returns the spares of a room, by name.
func (p *Path) sparesIn(room Reservation) (names []string) {
	for node := range room {
		if id, known := p.index.ID(node); known && p.index.Spares().Has(id) {
			names = append(names, node)
		}
	}
	slices.Sort(names)
	return names
}

// planFound plans for those that a gang lacks. Nodes that its own pods are about to leave cannot
// be asked yet whether they take others.
func (p *Path) planFound(one *wanted, planner plan.Planner, request *plan.Request, shapes []*podshape.Shape) plan.Result {
	if len(one.Leaving) == 0 {
		return p.newVerifier(request, one.Missing, shapes).plan(planner)
	}
	p.openToVictims(request, shapes)
	defer p.withoutLeaving(one.Leaving)()
	return planner.Plan(*request)
}

// missing is the request of a gang for those that it lacks; false if the index cannot judge.
func (p *Path) missing(one *wanted) (plan.Request, []*podshape.Shape, bool) {
	return p.requestFor(one.Topology, one.Missing, one.Standing)
}

// requestFor translates pods that have to be placed all together; false if the index cannot judge
// them.
func (p *Path) requestFor(asked gang.Topology, pods, running []*corev1.Pod) (plan.Request, []*podshape.Shape, bool) {
	profile := p.profiles[pods[0].Spec.SchedulerName]
	if profile == nil {
		return plan.Request{}, nil, false
	}
	request, shapes, missing := p.requestOf(asked, pods, running, profile)
	if missing != "" || slices.Contains(shapes, nil) {
		return request, nil, false
	}
	request.Least, request.Candidates = len(pods), 1
	return request, shapes, true
}

// reservationOf returns the room of a candidate.
func (p *Path) reservationOf(candidate plan.Candidate, request *plan.Request) Reservation {
	room := Reservation{}
	for i, a := range candidate.Assignments {
		if a.Node != plan.NoNode {
			node := p.index.Info(a.Node).Node().Name
			room[node] = room[node].And(request.Pods[i].Request)
		}
	}
	return room
}

// elsewhere returns the domain that would hold the whole gang once it had left its places; ""
// if none would.
func (p *Path) elsewhere(one *wanted, planner plan.Planner) string {
	pods := slices.Clone(one.Missing)
	for _, pod := range one.Standing {
		pods = append(pods, Anew(pod))
	}
	request, shapes, ok := p.requestFor(one.Topology, pods, nil)
	if !ok || request.Required == fabric.NoLevel {
		return ""
	}
	defer p.withoutLeaving(one.Standing)()
	result := p.newVerifier(&request, pods, shapes).plan(planner)
	if len(result.Candidates) == 0 {
		return ""
	}
	return p.index.Fabric().Domain(result.Candidates[0].Domain).Name
}

// Anew returns a pod as its owner would make it again: without a place, and nobody's.
func Anew(pod *corev1.Pod) *corev1.Pod {
	again := &corev1.Pod{ObjectMeta: *pod.ObjectMeta.DeepCopy(), Spec: *pod.Spec.DeepCopy()}
	again.UID, again.DeletionTimestamp, again.Spec.NodeName = types.UID("again/"+string(pod.UID)), nil, ""
	return again
}
