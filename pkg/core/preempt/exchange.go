package preempt

import "slices"

// exchange looks for less damage: for each victim in turn, the most damaging first, it asks
// what would have to go instead, until nothing is less or so many steps were taken. The draft
// is a choice that will do, and stays one.
func (d *draft) exchange(limit int) {
	by := d.terms
	for improved := true; improved; {
		improved = false
		now := d.picks()
		order := slices.Clone(now)
		slices.SortFunc(order, func(a, b pick) int { return b.holding - a.holding })
		for _, victim := range order {
			if d.steps > limit {
				break
			}
			others := slices.DeleteFunc(slices.Clone(now), func(p pick) bool { return p.holding == victim.holding })
			if !d.start(others, terms{upTo: by.upTo, banned: victim.holding, limit: limit}) || !d.grow() {
				continue
			}
			d.prune(d.holds)
			if picks := d.picks(); d.damage(picks).Compare(d.damage(now)) < 0 && d.works(picks) {
				now, improved = picks, true
				break
			}
		}
		d.start(now, by)
	}
}
