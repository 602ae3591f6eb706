package gang

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Action is what to do with a gang.
type Action string

const (
	// Admit: the gang can be scheduled as Verdict.Group says.
	Admit Action = "Admit"
	// Hold: none of its pods may be scheduled until Verdict.Code is cured.
	Hold Action = "Hold"
)

// Verdict is the answer of [Resolve].
type Verdict struct {
	Action Action
	// Group is set if the action is Admit, and if only members are missing: the
	// reason is then Incomplete or GatedMember.
	Group Group
	// Code and Text say why the gang is held; Text names the pod or object, the
	// field and the cure.
	Code Code
	Text string
	// Placed says that the gang is known to have been placed, and that a member is left
	// of it: to be passed to the next call.
	Placed bool
	// Until is set if all earlier members of a gang that is admitted have succeeded, and fewer
	// than its size have come after them: the second, since the epoch, until which the gang is
	// to wait for others.
	Until int64
}

// Resolve decides what gang the members form. declared is nil if no object
// declares it. ours says whether a scheduler name is one that we answer for.
// placed says that the gang is known to have been placed: it then takes members that
// come instead of others, however few there are. Without it, members that have a place
// or are done show the same, unless the binding was cut short (see [Interrupted]).
//
// The cost is O(n log n) in members; the members are not modified.
func Resolve(key Key, declared *Declaration, members []Member, ours func(string) bool, placed bool) Verdict {
	counts := tallyOf(members)
	had := counts.standing + counts.done
	verdict := resolve(key, declared, members, ours, placed && had > 0, counts)
	size := int(verdict.Group.Size) - counts.extra
	verdict.Placed = had > 0 && (placed || size > 0 && counts.placed() >= size)
	return verdict
}

func resolve(key Key, declared *Declaration, members []Member, ours func(string) bool, placed bool, counts tally) Verdict {
	all := members
	members = slices.Clone(members)
	slices.SortFunc(members, func(a, b Member) int { return strings.Compare(a.Name, b.Name) })
	// What those said that leave or are done binds nobody.
	members = slices.DeleteFunc(members, func(m Member) bool { return m.Leaving || m.Succeeded })

	for i := range members {
		if f := members[i].Fault; f != nil {
			return hold(f.Code, "pod %q: %s", members[i].Name, f.Text)
		}
	}
	speakers := speakersOf(members)
	if v, bad := disagreement(speakers, ours); bad {
		return v
	}

	group := Group{Key: key}
	if len(speakers) > 0 {
		group.Priority = speakers[0].Priority
		group.Preemption = speakers[0].Preemption
	}
	var object Claims
	if declared != nil {
		object = declared.Claims
		group.Source = declared.Source
	}

	size, a, b := claimed(object.Size != nil, object, speakers,
		func(c Claims) bool { return c.Size != nil },
		func(x, y Claims) bool { return *x.Size == *y.Size })
	if b != nil {
		return hold(SizesDisagree, "gang %s: pod %q says size %d and pod %q says size %d; make them equal",
			key, a.Name, *a.Claims.Size, b.Name, *b.Claims.Size)
	}
	topology, a, b := claimed(object.Topology != Topology{}, object, speakers,
		func(c Claims) bool { return c.Topology != Topology{} },
		func(x, y Claims) bool { return x.Topology == y.Topology })
	if b != nil {
		return hold(TopologiesDisagree, "gang %s: pods %q and %q ask for different topologies (%s; %s); make them equal",
			key, a.Name, b.Name, a.Claims.Topology, b.Claims.Topology)
	}
	queue, a, b := claimed(object.Queue != "", object, speakers,
		func(c Claims) bool { return c.Queue != "" },
		func(x, y Claims) bool { return x.Queue == y.Queue })
	if b != nil {
		return hold(QueuesDisagree, "gang %s: pod %q names queue %q and pod %q names queue %q; make them equal",
			key, a.Name, a.Claims.Queue, b.Name, b.Claims.Queue)
	}
	onLoss, _, _ := claimed(object.OnLoss != "", object, speakers,
		func(c Claims) bool { return c.OnLoss != "" },
		func(Claims, Claims) bool { return true })
	group.Topology = topology.Topology
	group.OnLoss = onLoss.OnLoss
	group.Queue = queue.Queue

	speaker := "its pods"
	if group.Source != "" {
		speaker = "its " + group.Source
	}
	switch {
	case size.Size == nil && declared != nil:
		return hold(NotDeclared, "gang %s: %s states no size; set its least number of members", key, speaker)
	case size.Size == nil:
		return hold(NotDeclared, "gang %s is declared by nothing: create the object that its pods name, or state its size on the pods with annotation berth.dev/gang-size", key)
	case *size.Size < 1 || *size.Size > math.MaxInt32:
		if object.Size == nil {
			speaker = "its pods"
		}
		return hold(SizeInvalid, "gang %s: size %d in %s is out of range; a gang has from 1 to %d members", key, *size.Size, speaker, math.MaxInt32)
	}
	group.Size = int32(min(*size.Size+int64(counts.extra), math.MaxInt32))
	group.Need = int32(max(1, int(group.Size)-counts.done))
	until := int64(0)
	if come, last, all := nextOf(int(group.Size), counts, all); all {
		group.Need = int32(min(int(group.Size), come))
		if come < int(group.Size) {
			until = last + NextPatience
		}
	}
	can := counts.standing + counts.waiting
	if placed || counts.standing+counts.done > 0 && !interrupted(int(*size.Size), all) {
		if counts.waiting > 0 {
			group.Need = min(group.Need, int32(can))
		}
		if can > 0 || counts.gated == 0 {
			return Verdict{Action: Admit, Group: group, Until: until}
		}
	}
	switch {
	case can >= int(group.Need):
		return Verdict{Action: Admit, Group: group}
	case can+counts.gated >= int(group.Need) || can == 0 && counts.gated > 0:
		return group.hold(GatedMember, "gang %s has %d of %d pods, and %s; it waits for whoever set the gate to remove it",
			key, counts.done+can+counts.gated, group.Size, gatedMembers(members, counts.gated))
	case counts.gated > 0:
		return group.hold(Incomplete, "gang %s has %d of %d pods; waiting for the others to be created, and %s",
			key, counts.done+can+counts.gated, group.Size, gatedMembers(members, counts.gated))
	}
	return group.hold(Incomplete, "gang %s has %d of %d pods; waiting for the others to be created", key, counts.done+can, group.Size)
}

// speakersOf returns the members that have to agree with each other: those that the size
// includes, or all if it includes none. The slice of members is not modified.
func speakersOf(members []Member) []Member {
	extra := func(m Member) bool { return m.Extra }
	if !slices.ContainsFunc(members, extra) {
		return members
	}
	if included := slices.DeleteFunc(slices.Clone(members), extra); len(included) > 0 {
		return included
	}
	return members
}

// gatedMembers names the first member that has a scheduling gate.
func gatedMembers(members []Member, gated int) string {
	first := slices.IndexFunc(members, func(m Member) bool { return m.State() == Gated })
	others := ""
	switch {
	case gated == 2:
		others = " and 1 other"
	case gated > 2:
		others = fmt.Sprintf(" and %d others", gated-1)
	}
	verb := "has"
	if gated > 1 {
		verb = "have"
	}
	return fmt.Sprintf("pod %q%s %s scheduling gate %q", members[first].Name, others, verb, members[first].Gate)
}

// String returns the topology as a person writes it.
func (t Topology) String() string {
	var parts []string
	if t.Required != "" {
		parts = append(parts, "required "+t.Required)
	}
	if t.Preferred != "" {
		parts = append(parts, "preferred "+t.Preferred)
	}
	if t.SegmentSize != 0 {
		parts = append(parts, fmt.Sprintf("segments of %d in %s", t.SegmentSize, t.SegmentLevel))
	}
	if len(parts) == 0 {
		return "none"
	}
	return strings.Join(parts, ", ")
}

// disagreement reports two members that can never be in one gang.
func disagreement(members []Member, ours func(string) bool) (Verdict, bool) {
	for i := 1; i < len(members); i++ {
		a, b := &members[0], &members[i]
		switch {
		case a.Scheduler != b.Scheduler:
			if ours(b.Scheduler) && !ours(a.Scheduler) {
				a, b = b, a
			}
			return hold(SchedulersDisagree, "pod %q has schedulerName %q and pod %q has %q; give all pods of the gang one",
				a.Name, a.Scheduler, b.Name, b.Scheduler), true
		case a.Priority != b.Priority:
			return hold(PrioritiesDisagree, "pod %q has priority %d and pod %q has %d; give all pods of the gang one priorityClassName",
				a.Name, a.Priority, b.Name, b.Priority), true
		case a.Preemption != b.Preemption:
			return hold(PreemptionDisagrees, "pod %q has preemptionPolicy %q and pod %q has %q; give all pods of the gang one",
				a.Name, a.Preemption, b.Name, b.Preemption), true
		}
	}
	return Verdict{}, false
}

// claimed returns the claims that decide one field: the object's if it speaks,
// else those of the pods that speak. Two pods that differ are returned as a, b.
func claimed(objectSpeaks bool, object Claims, members []Member, speaks func(Claims) bool, equal func(x, y Claims) bool) (decided Claims, a, b *Member) {
	if objectSpeaks {
		return object, nil, nil
	}
	for i := range members {
		m := &members[i]
		switch {
		case !speaks(m.Claims):
		case a == nil:
			a = m
		case !equal(a.Claims, m.Claims):
			return Claims{}, a, m
		}
	}
	if a == nil {
		return Claims{}, nil, nil
	}
	return a.Claims, a, nil
}

// hold is the verdict on a gang of which everything is known but enough members.
func (g Group) hold(code Code, format string, args ...any) Verdict {
	v := hold(code, format, args...)
	v.Group = g
	return v
}

func hold(code Code, format string, args ...any) Verdict {
	return Verdict{Action: Hold, Code: code, Text: fmt.Sprintf(format, args...)}
}
