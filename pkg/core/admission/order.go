package admission

import (
	"time"

	"github.com/berth-dev/berth/pkg/core/quota"
)

// The classes of queues, in the order in which they are served.
const (
	within uint64 = iota
	borrowing
	weightless
)

// update works out the order anew after a change in a queue: on the path from it to the
// root, which of its gangs is first and where it stands among its siblings.
func (a *Admission) update(q quota.QueueID) {
	for ; q != quota.RootID; q = a.tree.Parent(q) {
		n := &a.queues[q]
		parent := &a.lines[a.tree.Parent(q)]
		if n.in {
			parent.remove(n)
		}
		if a.head(q) {
			n.key = a.key(q)
			parent.insert(n)
		}
	}
	a.head(quota.RootID)
}

// head finds the first gang of a queue that the limits of the queue, and of those in it,
// let through, and the least that is asked for in the queue. It reports whether there is
// one.
func (a *Admission) head(q quota.QueueID) bool {
	a.heads[q] = nil
	if a.tree.Fault(q) != nil {
		return false
	}
	a.heads[q] = a.find(q, nil)
	if a.heads[q] == nil {
		return false
	}
	least := a.queues[q].asks
	for r := range least {
		least[r] = quota.Unlimited
	}
	if a.tree.Own(q) == q {
		queue := &a.gangs[q]
		queue.line.leastUpTo(queue.last(a.config), least)
	} else {
		a.lines[q].leastUpTo(nil, least)
	}
	return true
}

// find returns the first gang of a queue that asks for no more than the room around the
// queue, all of it if nil, and its own limits leave; nil if there is none.
func (a *Admission) find(q quota.QueueID, around quota.Vector) *entry {
	room := a.headrooms[a.tree.Depth(q)]
	a.all.Headroom(q, room)
	if around != nil {
		lower(room, around)
	}
	if a.tree.Own(q) == q {
		queue := &a.gangs[q]
		n := queue.line.first(room, queue.last(a.config), func(*node) bool { return true })
		if n == nil {
			return nil
		}
		return n.gang
	}
	var found *entry
	a.lines[q].first(room, nil, func(n *node) bool {
		found = a.find(n.queue, room)
		return found != nil
	})
	return found
}

// key returns the place of a queue among its siblings.
func (a *Admission) key(q quota.QueueID) key {
	g, used := &a.heads[q].gang, a.all.Of(q)
	k := key{first: borrowing, name: a.tree.Name(q)}
	if parent := a.tree.Parent(q); a.tree.Own(parent) == q {
		// Own gangs have no name of their own among the children.
		k.name = ""
	}
	switch {
	case a.all.Within(q, g.Asks):
		k.first = within
	case a.scale.Weightless(q, used, g.Asks):
		k.first = weightless
	}
	order := a.tree.Order(a.tree.Parent(q))
	if order == quota.FIFO {
		k.second = ascending(int64(g.Arrived))
		return k
	}
	ratio := uint64(a.scale.Ratio(q, used, g.Asks, a.used, a.averages, a.keyed))
	if order == quota.Priority {
		k.second, k.third = descending(int64(g.Priority)), ratio
	} else {
		k.second = ratio
	}
	return k
}

// refresh makes the whole order anew if it is stale, or older than averages allow.
func (a *Admission) refresh(now quota.Time) {
	if !a.stale && (a.step == 0 || now < a.keyed || time.Duration(now-a.keyed) < a.step) {
		return
	}
	a.keyed, a.stale = now, false
	for q := range a.lines {
		a.lines[q], a.queues[q].in = line{}, false
	}
	// Children before their parents. In a queue without children, nothing changes with time.
	for q := quota.QueueID(a.tree.Len()) - 1; q > quota.RootID; q-- {
		if a.tree.Own(q) == q && a.heads[q] != nil || a.tree.Own(q) != q && a.head(q) {
			n := &a.queues[q]
			n.key = a.key(q)
			a.lines[a.tree.Parent(q)].insert(n)
		}
	}
	a.head(quota.RootID)
}
