package quota

// Shares divides a capacity among the queues by what they ask for, and returns the fair
// share of each, by number. Demand is what the own gangs of each queue use and wait for, by
// number of the queue; nil is none.
//
// The children of a queue divide its share so, resource by resource:
//
//  1. Each child gets what it is guaranteed, if it asks for as much. If there is less than
//     that in sum, it is divided in proportion to what they are guaranteed.
//  2. The rest is divided in proportion to their weights.
//  3. What is left by those with a weight is divided equally among those without.
//
// No child gets more than it asks for or than its limit, and what it does not take goes to
// the others. A child asks for what its own gangs and its children ask for, up to its limit.
// Gangs of a queue with children are a child of it: Tree.Own. All units are whole, and
// their sum is exact; the odd ones go to the largest remainders, and of equal ones to the
// first name.
//
// The cost is queues x resources x log(siblings).
func (t *Tree) Shares(capacity Vector, demand []Vector) []Vector {
	total := t.demands(demand)
	shares := make([]Amount, len(total))
	copy(t.row(shares, RootID), capacity)
	var s sharer
	for q := range QueueID(t.Len()) {
		if t.queues[q].children == 0 {
			continue
		}
		for r, amount := range t.row(shares, q) {
			s.children(t, q, r, amount, total, shares)
		}
	}
	out := make([]Vector, t.Len())
	for q := range out {
		out[q] = t.row(shares, QueueID(q))
	}
	return out
}

// demands returns what each queue asks for, up to its limit, by queue and resource.
func (t *Tree) demands(demand []Vector) []Amount {
	total := make([]Amount, len(t.limit))
	for q := QueueID(t.Len()) - 1; q >= 0; q-- {
		asked, limit := t.row(total, q), t.Limit(q)
		if t.queues[q].own == q {
			// The demand of own gangs is given at their queue.
			from := q
			if up := t.queues[q].parent; up != NoQueue && t.queues[up].own == q {
				from = up
			}
			copy(asked, demand[from])
		}
		parent := t.queues[q].parent
		for r := range asked {
			asked[r] = min(asked[r], limit[r])
			if parent != NoQueue {
				up := t.row(total, parent)
				up[r] = up[r].Plus(asked[r])
			}
		}
	}
	return total
}

// sharer keeps room for the division of one amount.
type sharer struct {
	filler
	parts []part
}

// children divides the share of a queue, of one resource, among its children.
func (s *sharer) children(t *Tree, q QueueID, r int, amount Amount, total, shares []Amount) {
	first, n := t.Children(q)
	if cap(s.parts) < n {
		s.parts = make([]part, n)
	}
	s.parts = s.parts[:n]
	entitled := Amount(0)
	for i := range s.parts {
		child := first + QueueID(i)
		due := min(t.Guaranteed(child)[r], t.row(total, child)[r])
		t.row(shares, child)[r] = due
		s.parts[i] = part{weight: t.Guaranteed(child)[r], cap: due}
		entitled = entitled.Plus(due)
	}
	give := func() {
		for i := range s.parts {
			t.row(shares, first+QueueID(i))[r] += s.parts[i].got
		}
	}
	if entitled > amount {
		s.fill(amount, s.parts)
		for i := range s.parts {
			t.row(shares, first+QueueID(i))[r] = s.parts[i].got
		}
		return
	}
	rest := amount.Minus(entitled)
	for i := range s.parts {
		child := first + QueueID(i)
		s.parts[i] = part{weight: t.Weight(child)[r], cap: t.row(total, child)[r] - s.parts[i].cap}
	}
	rest = s.fill(rest, s.parts)
	give()
	if rest == 0 {
		return
	}
	for i := range s.parts {
		p := &s.parts[i]
		p.weight = 1 - min(1, p.weight)
	}
	s.fill(rest, s.parts)
	give()
}
