package quota

import (
	"cmp"
	"math/bits"
	"slices"
)

// settle works out what each queue is guaranteed, its limit and its weight, from what the
// specs say, so that all later arithmetic can rely on them; and what has a fault.
func (t *Tree) settle(all *faults) {
	n := len(t.queues) * len(t.resources)
	t.wanted, t.guaranteed, t.limit, t.weight = make([]Amount, n), make([]Amount, n), make([]Amount, n), make([]Amount, n)
	t.shared = make([]bool, n)
	// What is wanted, children before parents.
	for id := QueueID(len(t.queues)) - 1; id >= 0; id-- {
		t.want(id)
	}
	// What can be had, parents before children.
	copy(t.Guaranteed(RootID), t.row(t.wanted, RootID))
	for id := range t.queues {
		q := &t.queues[id]
		if q.parent != NoQueue && q.fault == nil {
			q.fault = t.queues[q.parent].fault
		}
		t.open(QueueID(id))
		if q.children > 0 {
			t.cut(QueueID(id), all)
			t.weigh(QueueID(id))
		}
	}
}

// want takes amounts from the spec. Those below 0 count as 0.
func (t *Tree) want(id QueueID) {
	q := &t.queues[id]
	wanted, limit := t.row(t.wanted, id), t.Limit(id)
	for r, resource := range t.resources {
		quota := t.said[id].resources[resource]
		limit[r] = Unlimited
		if id == RootID {
			// No more than that can be charged.
			limit[r] = Most
		}
		if quota.Limit != nil {
			limit[r] = max(0, *quota.Limit)
		}
		wanted[r] = 0
		if quota.Guaranteed != nil {
			wanted[r] = sane(*quota.Guaranteed)
		} else {
			for child := q.first; child < q.first+q.children; child++ {
				wanted[r] = wanted[r].Plus(t.row(t.wanted, child)[r])
			}
		}
		wanted[r] = min(wanted[r], limit[r])
	}
}

// sane returns an amount that can be guaranteed or be a weight: 0 for others, which are
// faults.
func sane(a Amount) Amount {
	if a < 0 || a == Unlimited {
		return 0
	}
	return a
}

// cut guarantees the children of a queue what they want, but for all that is above what the
// queue is guaranteed. Children without a fault come first, and then those whose specs do. A queue
// that is guaranteed what its children are has no fault for it: they have.
func (t *Tree) cut(id QueueID, all *faults) {
	q := &t.queues[id]
	own := t.Guaranteed(q.own)
	copy(own, t.Guaranteed(id))
	children := make([]QueueID, 0, q.children-1)
	for child := q.first + 1; child < q.first+q.children; child++ {
		children = append(children, child)
	}
	faulty := func(child QueueID) int {
		if t.queues[child].fault != nil {
			return 1
		}
		return 0
	}
	slices.SortStableFunc(children, func(a, b QueueID) int {
		return cmp.Or(cmp.Compare(faulty(a), faulty(b)), cmp.Compare(t.said[a].rank, t.said[b].rank))
	})
	for _, child := range children {
		guaranteed := t.Guaranteed(child)
		copy(guaranteed, t.row(t.wanted, child))
		for r, resource := range t.resources {
			stated := t.said[child].resources[resource].Guaranteed != nil
			if guaranteed[r] > own[r] && stated && t.queues[child].fault == nil {
				t.queues[child].fault = all.add(OverGuaranteed, t.queues[child].name, "resources["+resource+"].guaranteed",
					"%s of %s are guaranteed, and of the %s of %s only %s are left: lower it, or have more guaranteed to %s",
					guaranteed[r], resource, t.Guaranteed(id)[r], t.called(id), own[r], t.called(id))
			}
			guaranteed[r] = min(guaranteed[r], own[r])
			own[r] = own[r].Minus(guaranteed[r])
		}
	}
}

// mostWeightLen is how many binary digits the sum of the weights of siblings has at most.
const mostWeightLen = 62

// weigh gives the children of a queue their weights, scaled down where the sum would be
// too long, and notes which resources they share.
func (t *Tree) weigh(id QueueID) {
	q, shared := &t.queues[id], t.sharedBy(id)
	clear(shared)
	for r, resource := range t.resources {
		var high, low, carry uint64
		for child := q.first; child < q.first+q.children; child++ {
			weight := t.Guaranteed(child)[r]
			if stated := t.said[child].resources[resource].Weight; stated != nil {
				weight = sane(*stated)
			}
			t.Weight(child)[r] = weight
			low, carry = bits.Add64(low, uint64(weight), 0)
			high += carry
			if weight > 0 || t.Guaranteed(child)[r] > 0 {
				shared[r] = true
			}
		}
		length := bits.Len64(low)
		if high > 0 {
			length = 64 + bits.Len64(high)
		}
		if length <= mostWeightLen {
			continue
		}
		// One bit more than the sum needs makes up for weights that are kept at 1.
		shift := length - mostWeightLen + 1
		for child := q.first; child < q.first+q.children; child++ {
			if weight := t.Weight(child); weight[r] > 0 {
				weight[r] = max(1, weight[r]>>shift)
			}
		}
	}
	if !slices.Contains(shared, true) {
		for r := range shared {
			shared[r] = true
		}
	}
}
