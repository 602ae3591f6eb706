package preempt

// ledger counts what a domain holds of the gang when some of the parts are out: a bound from
// above, and exact for pods of one shape without links and segments.
type ledger struct {
	*domain
	out []bool
	// copies are how many pods of each class fit on each site, room what else can be used
	// there of the amount that the gang is measured by.
	copies []int64
	room   []int64
	// slots, measure and segments are the sums over the domain. inRegion has the slots of
	// each region.
	slots    []int64
	measure  int64
	inRegion []int64
	segments int64
	// touch are the sites to recount, those that are touched.
	touch   []int32
	touched []bool
	// steps counts sites that were looked at.
	steps int
}

func newLedger(d *domain) *ledger {
	l := &ledger{
		domain: d, out: make([]bool, len(d.parts)),
		copies: make([]int64, len(d.sites)*len(d.wanted)), room: make([]int64, len(d.sites)), touched: make([]bool, len(d.sites)),
		slots: append([]int64(nil), d.slots...), measure: d.measure, inRegion: append([]int64(nil), d.inRegion...),
	}
	for _, n := range l.inRegion {
		l.segments += l.wholeSegments(n)
	}
	for s := range d.sites {
		l.recount(int32(s))
	}
	return l
}

// change puts parts out, or back in.
func (l *ledger) change(parts []int32, out bool) {
	l.mark(parts, out)
	l.count()
}

// mark puts parts out, or back in. Their sites are counted anew by count: once, however many of
// their parts are marked.
func (l *ledger) mark(parts []int32, out bool) {
	for _, p := range parts {
		if s := l.parts[p].site; l.out[p] != out {
			l.out[p] = out
			if s >= 0 && !l.touched[s] {
				l.touched[s] = true
				l.touch = append(l.touch, s)
			}
		}
	}
}

// count counts the sites anew of which parts were marked.
func (l *ledger) count() {
	for _, s := range l.touch {
		l.touched[s] = false
		l.recount(s)
	}
	l.touch = l.touch[:0]
}

// recount counts a site anew.
func (l *ledger) recount(s int32) {
	l.steps++
	one := &l.sites[s]
	free := one.base
	for i := range one.guests {
		if g := &one.guests[i]; l.out[g.part] {
			free = l.give(free, g)
		}
	}
	all := int64(0)
	for c := range l.wanted {
		at := int(s)*len(l.wanted) + c
		copies := l.fit(one, free, c)
		all += copies - l.copies[at]
		l.slots[c] += copies - l.copies[at]
		l.copies[at] = copies
	}
	room := l.by.of(free)
	l.measure += room - l.room[s]
	l.room[s] = room
	if l.segmentSize > 0 {
		before := l.inRegion[one.region]
		l.inRegion[one.region] += all
		l.segments += l.wholeSegments(before+all) - l.wholeSegments(before)
	}
}

// wholeSegments returns how many of the largest segments so many slots make.
func (l *ledger) wholeSegments(slots int64) int64 {
	if l.segmentSize == 0 {
		return 0
	}
	return slots / int64(l.segmentSize)
}

// holds reports whether the domain may hold the gang.
func (l *ledger) holds() bool {
	for c := range l.wanted {
		if l.slots[c] < int64(l.wanted[c].Wanted) {
			return false
		}
	}
	return l.measure >= l.need && l.segments >= int64(l.segmentsWanted)
}

// placed returns how many of the wanted pods have a slot, each class for itself.
func (l *ledger) placed() (sum int64) {
	for c := range l.wanted {
		sum += min(l.slots[c], int64(l.wanted[c].Wanted))
	}
	return sum
}
