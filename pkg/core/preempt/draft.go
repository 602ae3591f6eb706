package preempt

import "slices"

// standing is what becomes of a holding.
type standing uint8

const (
	stays standing = iota
	// goesInPart: some of its parts go, goesWhole: all its members do.
	goesInPart
	goesWhole
)

// pick is what goes of a holding: all, or some parts.
type pick struct {
	holding int
	whole   bool
	parts   []int32
}

// terms say how a draft is made.
type terms struct {
	// upTo is how many of the holdings may go, but for the banned one; noneBanned for all.
	upTo, banned int
	// few counts pods that go in place of their device-seconds: so quota lasts longest.
	few bool
	// limit is how many steps the draft may have taken to grow; 0 for any number.
	limit int
}

const noneBanned = -1

// draft is a set of victims in the making.
type draft struct {
	*ledger
	permits permits
	terms   terms
	// went are those that go, in the order in which they were permitted.
	went     []int
	standing []standing
	// gone is how many parts of each holding go.
	gone []int
	// refused are those of which nothing more was permitted to go, blocked the sites on which
	// others may, and not together.
	refused []bool
	blocked []bool
	// fresh says that something was permitted since what was refused was forgotten last.
	fresh bool
	// stairs are what the next slots of each site cost; stale are those to be made anew.
	stairs [][]stair
	stale  []bool
	// costs are what a segment more costs in each region, where known.
	costs []regionCost
	// weights are what a slot of each class counts.
	weights []int64
}

func newDraft(d *domain, permit Permit) *draft {
	n := len(d.holdings)
	return &draft{
		ledger: newLedger(d), permits: permits{permit: permit}, terms: terms{banned: noneBanned},
		standing: make([]standing, n), gone: make([]int, n), refused: make([]bool, n), blocked: make([]bool, len(d.sites)),
		stairs: make([][]stair, len(d.sites)), stale: make([]bool, len(d.sites)),
		costs: make([]regionCost, len(d.inRegion)),
	}
}

// start makes the draft consist of some picks, to go on by other terms, and forgets what
// was refused. It is false if a pick is not permitted.
func (d *draft) start(picks []pick, by terms) bool {
	if by.upTo != d.terms.upTo || by.few != d.terms.few {
		for s := range d.stale {
			d.stale[s] = true
		}
	}
	for h := range d.holdings {
		if (h == by.banned) != (h == d.terms.banned) {
			d.spoil(h)
		}
	}
	d.forget()
	d.terms = by
	for _, h := range d.went {
		if !slices.ContainsFunc(picks, func(p pick) bool { return p.holding == h }) {
			d.set(h, stays, nil)
		}
	}
	d.went = d.went[:0]
	for _, p := range picks {
		d.restore(p.posture())
		d.went = append(d.went, p.holding)
	}
	return d.ask()
}

// forget forgets what was refused.
func (d *draft) forget() {
	d.steps += len(d.refused)
	for h, refused := range d.refused {
		if refused {
			d.refused[h] = false
			d.spoil(h)
		}
	}
	for s, blocked := range d.blocked {
		if blocked {
			d.blocked[s], d.stale[s] = false, true
		}
	}
	d.fresh = false
}

// posture is what becomes of a holding, and which of its parts go.
type posture struct {
	holding  int
	standing standing
	out      []int32
}

func (p pick) posture() posture {
	if p.whole {
		return posture{p.holding, goesWhole, nil}
	}
	return posture{p.holding, goesInPart, p.parts}
}

func (d *draft) posture(h int) posture { return posture{h, d.standing[h], d.outOf(h)} }

// restore makes of a holding what it was.
func (d *draft) restore(p posture) {
	if now := d.posture(p.holding); now.standing != p.standing || p.standing == goesInPart && !slices.Equal(now.out, p.out) {
		d.set(p.holding, p.standing, p.out)
	}
}

// spoil has the sites of a holding looked at anew.
func (d *draft) spoil(h int) {
	for _, p := range d.holdings[h].parts {
		if s := d.parts[p].site; s >= 0 {
			d.stale[s] = true
		}
	}
}

// set says what becomes of a holding, and which of its parts go.
func (d *draft) set(h int, to standing, out []int32) {
	one := &d.holdings[h]
	d.spoil(h)
	d.standing[h], d.gone[h] = to, len(out)
	switch to {
	case stays:
		d.change(one.parts, false)
	case goesWhole:
		d.gone[h] = len(one.parts)
		d.change(one.parts, true)
	case goesInPart:
		for i, p := range one.parts {
			d.change(one.parts[i:i+1], slices.Contains(out, p))
		}
	}
}

// outOf returns the parts of a holding that go.
func (d *draft) outOf(h int) []int32 {
	var out []int32
	for _, p := range d.holdings[h].parts {
		if d.out[p] {
			out = append(out, p)
		}
	}
	return out
}

// ask asks the permit for all that goes.
func (d *draft) ask() bool {
	d.steps += len(d.went)
	d.permits.clear()
	for _, h := range d.went {
		if d.standing[h] != stays && !d.permits.push(d.holdings[h].gang, d.goes(h)) {
			return false
		}
	}
	return true
}

// enough reports whether all that goes is permitted, and the gang may come then. Only a
// binding permit is asked: others let go what they did before, and the gang come.
func (d *draft) enough() bool {
	return !d.binding || d.ask() && d.permits.permit.Enough()
}

// goes returns the members of a holding that go.
func (d *draft) goes(h int) []Member {
	if d.standing[h] == goesWhole {
		return d.holdings[h].members
	}
	return d.domain.members(h, d.outOf(h))
}

// members returns the members of some parts of a holding.
func (d *domain) members(h int, parts []int32) []Member {
	out := make([]Member, len(parts))
	for i, p := range parts {
		out[i] = d.holdings[h].members[d.parts[p].member]
	}
	return out
}

// put lets a part go, alone if it can, or else its whole gang. It is false if it may not.
func (d *draft) put(p int32) bool {
	h := int(d.parts[p].holding)
	before := d.posture(h)
	if d.mayAlone(p) {
		d.set(h, goesInPart, append(slices.Clone(before.out), p))
	} else {
		d.set(h, goesWhole, nil)
	}
	if before.standing == stays {
		d.went = append(d.went, h)
		if d.permits.push(d.holdings[h].gang, d.goes(h)) {
			d.fresh = true
			return true
		}
		d.went = d.went[:len(d.went)-1]
	} else if d.ask() {
		d.fresh = true
		return true
	}
	d.restore(before)
	d.refused[h] = true
	if before.standing != stays {
		d.ask()
	}
	return false
}

// putAll lets parts of one site go, or none of them; false if they may not. If the first may,
// others may block the site together, and be permitted elsewhere.
func (d *draft) putAll(parts []int32) bool {
	went := len(d.went)
	var before []posture
	for _, p := range parts {
		h := int(d.parts[p].holding)
		if d.out[p] {
			continue
		}
		before = append(before, d.posture(h))
		if d.put(p) {
			continue
		}
		if len(before) == 1 {
			return false
		}
		d.refused[h] = false
		d.spoil(h)
		d.blocked[d.parts[p].site] = true
		for _, one := range slices.Backward(before) {
			d.restore(one)
		}
		d.went = d.went[:went]
		d.ask()
		return false
	}
	return true
}

// mayAlone reports whether a part that stays so far may go alone.
func (d *draft) mayAlone(p int32) bool {
	one := &d.parts[p]
	h := &d.holdings[one.holding]
	return d.gone[one.holding] < h.spare && h.alone[one.member]
}

// picks returns what the draft consists of.
func (d *draft) picks() []pick {
	out := make([]pick, 0, len(d.went))
	for _, h := range d.went {
		one := pick{holding: h, whole: d.standing[h] == goesWhole}
		if !one.whole {
			one.parts = d.outOf(h)
		}
		out = append(out, one)
	}
	return out
}
