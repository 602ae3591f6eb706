package quota

import (
	"maps"
	"reflect"
	"slices"
)

// With returns the tree in which a queue has another spec. Its place among the specs stays, and
// so do all numbers: whatever was made for this tree goes with that one.
//
// It fails if the change is one of structure, for which a tree has to be made anew: if there
// is no queue of that name, the parent, the order, the half-life or the names of the resources are
// others, or if there is a fault, before or after, on which the change may bear.
//
// The cost is a copy of the amounts, and work for the queue, the path to the root and their
// siblings; and for those below whose guarantees change with it.
func (t *Tree) With(spec Spec) (*Tree, bool) {
	id, known := t.byName[spec.Name]
	if !known {
		return nil, false
	}
	q := &t.queues[id]
	sameResources := maps.EqualFunc(t.said[id].resources, spec.Resources, func(Quota, Quota) bool { return true })
	var all faults
	all.checkSpec(&spec, t.resources)
	sameQueue := t.queues[q.parent].name == spec.Parent && q.order == spec.Order && t.said[id].halfLife == spec.HalfLife
	if q.fault != nil || len(all) > 0 || !sameQueue || !sameResources {
		return nil, false
	}
	out := *t
	out.queues = slices.Clone(t.queues)
	changed := &out.queues[id]
	changed.access, changed.preemption = spec.Access, spec.Preemption
	out.queues[changed.own].preemption = spec.Preemption
	opened := id
	if !reflect.DeepEqual(t.said[id].resources, spec.Resources) {
		least, ok := out.reset(t, id, spec.Resources)
		if !ok {
			return nil, false
		}
		opened = min(opened, least)
	}
	// Those in a queue have higher numbers.
	for at := opened; int(at) < len(out.queues); at++ {
		out.open(at)
	}
	return &out, true
}

// reset has a copy of a tree say something else of the amounts of a queue. It returns the first
// queue whose guarantee is another; false if there is a fault on which the change may bear.
func (t *Tree) reset(was *Tree, id QueueID, resources map[string]Quota) (first QueueID, ok bool) {
	t.said, t.wanted = slices.Clone(t.said), slices.Clone(t.wanted)
	t.guaranteed, t.limit, t.weight, t.shared = slices.Clone(t.guaranteed), slices.Clone(t.limit), slices.Clone(t.weight), slices.Clone(t.shared)
	t.said[id].resources = resources
	// divide are the queues whose children have to be looked at.
	divide := make([]bool, len(t.queues))
	divide[id] = t.queues[id].children > 0
	for at := id; ; at = t.queues[at].parent {
		t.want(at)
		up := t.queues[at].parent
		if up == NoQueue {
			copy(t.Guaranteed(at), t.row(t.wanted, at))
			break
		}
		divide[up] = true
		if slices.Equal(t.row(t.wanted, at), was.row(was.wanted, at)) {
			break
		}
	}
	first = id
	for at := range t.queues {
		if !divide[at] {
			continue
		}
		at := QueueID(at)
		var all faults
		if t.queues[at].fault != nil || t.overGuaranteed(at) {
			return 0, false
		}
		if t.cut(at, &all); len(all) > 0 {
			return 0, false
		}
		t.weigh(at)
		for child := t.queues[at].first; child < t.queues[at].first+t.queues[at].children; child++ {
			if !slices.Equal(t.Guaranteed(child), was.Guaranteed(child)) {
				first = min(first, child)
				divide[child] = divide[child] || t.queues[child].children > 0
			}
		}
	}
	return first, true
}

// overGuaranteed reports whether a child of a queue has a fault for what the others leave.
func (t *Tree) overGuaranteed(id QueueID) bool {
	q := &t.queues[id]
	return slices.ContainsFunc(t.queues[q.first:q.first+q.children], func(c queue) bool { return c.fault != nil && c.fault.Code == OverGuaranteed })
}

// SameShares reports whether all queues are guaranteed as much and weigh as much as in the tree of
// which With made this one.
func (t *Tree) SameShares(before *Tree) bool {
	return slices.Equal(t.guaranteed, before.guaranteed) && slices.Equal(t.weight, before.weight)
}

// SameClosed reports whether the same queues are closed as in the tree of which With made this one.
func (t *Tree) SameClosed(before *Tree) bool {
	return slices.EqualFunc(t.queues, before.queues, func(a, b queue) bool { return a.closed == b.closed })
}
