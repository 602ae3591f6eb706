package quota

import "slices"

// Access says which namespaces may use a queue. The zero value says nothing: then the
// queues around it decide, and at last what it is guaranteed. See Tree.MayUse.
type Access struct {
	// Namespaces are those that may, by name.
	Namespaces []string
	// Selector says which others may; nil for none.
	Selector Selector
	// Invalid says what is wrong with the selector, "" if nothing is.
	Invalid string
}

// Selector selects namespaces by their labels.
type Selector interface {
	Selects(labels map[string]string) bool
}

// stated reports whether it says anything.
func (a *Access) stated() bool { return len(a.Namespaces) > 0 || a.Selector != nil }

// Namespace is where gangs are made, as far as it decides which queues they may use. Those
// who make gangs do not change it.
type Namespace struct {
	Name   string
	Labels map[string]string
	// Queue is the namespace's own queue: that of its gangs that name none.
	Queue string
}

// MayUse reports whether gangs of a namespace may use a queue. The first of these decides:
//
//   - what the queue says, or the nearest queue around it that says something;
//   - if the queue, or one around it, is guaranteed anything: whether it is the
//     namespace's own. Whoever may use a guarantee may have others evicted for it;
//   - everybody may use a queue without a guarantee.
//
// The root is everybody's: it is guaranteed nothing that is not one of its children's.
func (t *Tree) MayUse(q QueueID, n Namespace) bool {
	if by := t.AccessOf(q); by != NoQueue {
		a := &t.queues[by].access
		return slices.Contains(a.Namespaces, n.Name) || a.Selector != nil && a.Selector.Selects(n.Labels)
	}
	return !t.queues[q].closed || n.Queue == t.Name(q)
}

// AccessOf returns the queue that says who may use a queue: itself, or the nearest around
// it that says something; NoQueue if none does.
func (t *Tree) AccessOf(q QueueID) QueueID { return t.queues[q].accessOf }

// Closed reports whether a queue, or one around it, is guaranteed something, so that who may use it
// has to be said.
func (t *Tree) Closed(q QueueID) bool { return t.queues[q].closed }

// open works out of whose word it depends who may use a queue, parents before children,
// after what is guaranteed was settled.
func (t *Tree) open(id QueueID) {
	q := &t.queues[id]
	q.accessOf = NoQueue
	if q.parent == NoQueue {
		return
	}
	up := &t.queues[q.parent]
	q.accessOf, q.closed = up.accessOf, up.closed
	if up.own != id {
		q.closed = q.closed || slices.ContainsFunc(t.Guaranteed(id), func(a Amount) bool { return a > 0 })
	}
	if q.access.stated() {
		q.accessOf = id
	}
}

// In reports whether a queue is another, or in it.
func (t *Tree) In(q, of QueueID) bool {
	for ; q != NoQueue; q = t.queues[q].parent {
		if q == of {
			return true
		}
	}
	return false
}
