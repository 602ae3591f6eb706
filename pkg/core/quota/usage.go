package quota

import (
	"fmt"
	"slices"
)

// Usage is what the queues of a tree use. What is charged to a queue counts there and in
// every queue around it, so that
//
//	usage of a queue = charged to its own gangs + sum of the usage of its children
//
// holds always. It is not safe for concurrent use.
type Usage struct {
	tree *Tree
	used []Amount
}

// NewUsage returns that of a tree of which nothing is used.
func NewUsage(t *Tree) *Usage {
	return &Usage{tree: t, used: make([]Amount, len(t.guaranteed))}
}

// Clone returns a copy, to simulate on.
func (u *Usage) Clone() *Usage { return &Usage{tree: u.tree, used: slices.Clone(u.used)} }

// Tree returns the tree.
func (u *Usage) Tree() *Tree { return u.tree }

// SetTree goes on with a tree that With made of this one.
func (u *Usage) SetTree(t *Tree) { u.tree = t }

// Of returns what a queue uses, own gangs and children. The vector is read only, and
// changes with the next charge.
func (u *Usage) Of(q QueueID) Vector { return u.tree.row(u.used, q) }

// Undo takes back one charge or release.
type Undo struct {
	queue QueueID
	by    Vector
	sign  Amount
}

// Charge adds to what the own gangs of a queue use, whatever the limits are: what runs is
// charged in any case. It keeps v. It fails, and charges nothing, if v is not a vector of
// the tree or has an amount below 0, or if the sum over all queues would pass Most.
func (u *Usage) Charge(q QueueID, v Vector) (Undo, error) {
	if err := u.check("charging", q, v); err != nil {
		return Undo{}, err
	}
	for r, used := range u.Of(RootID) {
		if v[r] > Most-used {
			return Undo{}, fmt.Errorf("charging %q: %s of %s on top of %s is more than can be counted", u.tree.Name(q), v[r], u.tree.resources[r], used)
		}
	}
	undo := Undo{queue: u.tree.Own(q), by: v, sign: -1}
	u.add(undo.queue, v, 1)
	return undo, nil
}

// Release takes from what the own gangs of a queue use. It keeps v. It fails, and releases
// nothing, if v is not a vector of the tree or has an amount below 0, or if it is more than
// is charged.
func (u *Usage) Release(q QueueID, v Vector) (Undo, error) {
	if err := u.check("releasing", q, v); err != nil {
		return Undo{}, err
	}
	own := u.tree.Own(q)
	for r, used := range u.Of(own) {
		if v[r] > used {
			return Undo{}, fmt.Errorf("releasing %q: %s of %s is more than the %s that are charged", u.tree.Name(q), v[r], u.tree.resources[r], used)
		}
	}
	u.add(own, v, -1)
	return Undo{queue: own, by: v, sign: 1}, nil
}

// Revert takes back a charge or release. All are reverted last first.
func (u *Usage) Revert(undo Undo) {
	if undo.by != nil {
		u.add(undo.queue, undo.by, undo.sign)
	}
}

// check finds what is wrong with a call.
func (u *Usage) check(doing string, q QueueID, v Vector) error {
	switch {
	case q < 0 || int(q) >= u.tree.Len():
		return fmt.Errorf("%s queue %d: there is no such queue", doing, q)
	case len(v) != len(u.tree.resources):
		return fmt.Errorf("%s %q: %d amounts for %d resources", doing, u.tree.Name(q), len(v), len(u.tree.resources))
	}
	for r, amount := range v {
		if amount < 0 {
			return fmt.Errorf("%s %q: %s of %s is below 0", doing, u.tree.Name(q), amount, u.tree.resources[r])
		}
	}
	return nil
}

// add adds a vector, times 1 or -1, to a queue and all around it.
func (u *Usage) add(q QueueID, v Vector, sign Amount) {
	for ; q != NoQueue; q = u.tree.Parent(q) {
		used := u.Of(q)
		for r := range v {
			used[r] += sign * v[r]
		}
	}
}

// Refusal says why a queue cannot take a charge.
type Refusal struct {
	// Queue is the first of the path, from the queue up, that refuses.
	Queue QueueID
	// Fault is set if it has one; all else is 0 then.
	Fault *Fault
	// Resource is the number of the resource that it would have too much of.
	Resource           int
	Used, Limit, Asked Amount
}

// CanCharge reports whether a charge would keep every queue of the path within its limits
// in what is asked for, and none of them has a fault; and the refusal if not.
func (u *Usage) CanCharge(q QueueID, v Vector) (Refusal, bool) {
	if fault := u.tree.Fault(q); fault != nil {
		return Refusal{Queue: q, Fault: fault}, false
	}
	for q = u.tree.Own(q); q != NoQueue; q = u.tree.Parent(q) {
		if r := u.beyond(q, v); r >= 0 {
			return Refusal{Queue: q, Resource: r, Used: u.Of(q)[r], Limit: u.tree.Limit(q)[r], Asked: v[r]}, false
		}
	}
	return Refusal{}, true
}

// beyond returns the first resource that a queue would have too much of; -1 if none.
func (u *Usage) beyond(q QueueID, v Vector) int {
	used, limit := u.Of(q), u.tree.Limit(q)
	for r, asked := range v {
		if asked > 0 && asked > limit[r].Minus(used[r]) {
			return r
		}
	}
	return -1
}

// Headroom sets room to what a queue has up to its limits, whatever is around it. It is
// below 0 where the queue was charged past a limit.
func (u *Usage) Headroom(q QueueID, room Vector) {
	used, limit := u.Of(q), u.tree.Limit(q)
	for r := range room {
		room[r] = limit[r].Minus(used[r])
	}
}

// Within reports whether a queue stays within what it is guaranteed if it gets what is
// asked on top of what it uses, in the resources that count for that: see Tree.Counted.
func (u *Usage) Within(q QueueID, asked Vector) bool {
	return u.WithinAmount(q, asked, u.tree.Guaranteed(q))
}

// WithinAmount is Within for another entitlement of the queue, such as its fair share.
func (u *Usage) WithinAmount(q QueueID, asked, entitled Vector) bool {
	used := u.Of(q)
	for r := range u.tree.Counted(q, asked) {
		if asked[r] > entitled[r].Minus(used[r]) {
			return false
		}
	}
	return true
}

// Sentence says it in words.
func (f Refusal) Sentence(t *Tree) string {
	if f.Fault != nil {
		return f.Fault.Text
	}
	return fmt.Sprintf("%s uses %s of %s, and with %s more it would pass its limit of %s", t.called(f.Queue), f.Used, t.resources[f.Resource], f.Asked, f.Limit)
}
