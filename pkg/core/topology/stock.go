package topology

// The device plugin of NVIDIA divides the free devices into sets as large as what is
// asked for, in all ways there are, with the rest in one set of its own. It takes the
// way in which the scores of all sets have the highest sum, and gives out the set with
// the highest score among those of that way. Of several ways, or sets, that are equally
// good it takes the first it meets; the devices come to it in an order of their own, so
// that is any of them. For one device all ways have the score 0. The model is of its
// policy as of version 0.17, from its documented behaviour and its source.

// wholeModel is the most free devices of which all ways are looked at; there are 105
// with 8 and two million with 16. Of more, any set with the highest score is taken.
const wholeModel = 8

// mostPluginLinks is the most NVLinks of a pair that the plugin knows.
const mostPluginLinks = 12

// pairScore is what the plugin gives for the link of a pair: the nearer the PCIe path,
// the more, and 100 for each direct NVLink. It sees none that end at a switch.
func pairScore(link Link) int32 {
	var score int32
	switch link.Path {
	case System:
		score = 10
	case Node:
		score = 20
	case HostBridge:
		score = 30
	case Bridges:
		score = 40
	case Bridge:
		score = 50
	}
	if !link.Switched && link.NVLinks <= mostPluginLinks {
		score += 100 * int32(link.NVLinks)
	}
	return score
}

// predict returns what the device plugin will pick: the first of the sets that it may
// take, with the mean of what they are worth. There is none if one of them lacks the
// level.
func (c *Class) predict(level Level, k int, free Mask) Choice {
	var all Choice
	var quality, cost, ratio, n int64
	for _, set := range c.stockSets(k, free) {
		if c.level[set] < level {
			return Choice{known: noSet}
		}
		one := c.choice(set, free)
		if n == 0 || set.before(all.Set) {
			all.Set = set
		}
		quality, cost, ratio = quality+int64(one.Quality), cost+int64(one.Cost), ratio+int64(one.Ratio)
		n++
	}
	if n == 0 {
		return Choice{known: noSet}
	}
	all.Quality, all.Cost, all.Ratio, all.known = int32(quality/n), uint16(cost/n), uint16(ratio/n), hasSet
	return all
}

// stockSets returns the sets that the device plugin may pick, each once.
func (c *Class) stockSets(k int, free Mask) []Mask {
	var sets []Mask
	if k == 1 || k == free.Len() || free.Len() > wholeModel {
		highest := int32(-1)
		for set := range subsets(free, k) {
			if c.scores[set] > highest {
				highest, sets = c.scores[set], sets[:0]
			}
			if c.scores[set] == highest {
				sets = append(sets, set)
			}
		}
		return sets
	}
	d := division{class: c, size: k, highest: -1, picked: map[Mask]bool{}}
	d.divide(free, free.Len()%k, 0)
	for set := range subsets(free, k) {
		if d.picked[set] {
			sets = append(sets, set)
		}
	}
	return sets
}

// division goes through the ways to divide devices into sets.
type division struct {
	class *Class
	size  int
	// sets are those of the way so far, without the rest.
	sets [MaxDevices]Mask
	n    int
	// highest is the highest sum so far, picked the sets that are picked with it.
	highest int32
	picked  map[Mask]bool
}

// divide divides what is left, of which so many are the rest, 0 if it is set apart.
func (d *division) divide(left Mask, rest int, sum int32) {
	if left == 0 {
		d.end(sum)
		return
	}
	// The set with the lowest device comes next, so that each way is met once.
	first := left & -left
	if d.size <= left.Len() {
		for others := range subsets(left&^first, d.size-1) {
			set := first | others
			d.sets[d.n] = set
			d.n++
			d.divide(left&^set, rest, sum+d.class.scores[set])
			d.n--
		}
	}
	switch {
	case rest == 1:
		d.divide(left&^first, 0, sum)
	case rest > 1:
		for others := range subsets(left&^first, rest-1) {
			set := first | others
			d.divide(left&^set, 0, sum+d.class.scores[set])
		}
	}
}

// end takes in a way with its sum.
func (d *division) end(sum int32) {
	if sum < d.highest {
		return
	}
	if sum > d.highest {
		d.highest = sum
		clear(d.picked)
	}
	best := int32(-1)
	for _, set := range d.sets[:d.n] {
		best = max(best, d.class.scores[set])
	}
	for _, set := range d.sets[:d.n] {
		if d.class.scores[set] == best {
			d.picked[set] = true
		}
	}
}
