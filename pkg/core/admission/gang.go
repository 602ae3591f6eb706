package admission

import (
	"slices"

	"github.com/berth-dev/berth/pkg/core/quota"
)

// Gang is a gang that waits.
type Gang struct {
	// Name is its own in all queues.
	Name  string
	Queue quota.QueueID
	// Priority is higher for gangs that go first.
	Priority int32
	// Arrived is when it came to the queue.
	Arrived quota.Time
	// Asks is what the whole gang asks for.
	Asks quota.Vector
	// Overtaken is how often a gang of its queue that comes after it was placed while it
	// waited, or NeverBars.
	Overtaken int
}

// NeverBars, as Gang.Overtaken, is so low that nobody comes to wait for the gang, however often it
// is overtaken. It is for one that waits for room at one place, which those that wait for it would
// not take.
const NeverBars = -1 << 40

// stage is where a gang is.
type stage uint8

const (
	// waiting: in the line of its queue.
	waiting stage = iota
	// refused: there was no room for it.
	refused
	// admitted: it is being placed.
	admitted
	// held: others leave for it, and what it asks for is held for it meanwhile.
	held
	// beyond: it asks for more than a limit of its path, whatever else is there.
	beyond
)

// entry is a gang and where it is.
type entry struct {
	gang  Gang
	stage stage
	// leaf is where its own gangs' queue has them: Tree.Own of its queue.
	leaf quota.QueueID
	// node is its place in the line. It has the key and the count of overtaking, whatever
	// the stage is.
	node node
}

// keyOf returns the place of a gang among those of its queue.
func keyOf(g *Gang, order quota.Order) key {
	k := key{second: ascending(int64(g.Arrived)), name: g.Name}
	if order != quota.FIFO {
		k.first = descending(int64(g.Priority))
	}
	return k
}

// gangs are those of one queue.
type gangs struct {
	line line
	// refused, admitted, held and beyond are in the order of the queue.
	refused, admitted, held, beyond []*entry
}

// list returns the gangs of a stage other than waiting.
func (g *gangs) list(s stage) *[]*entry {
	switch s {
	case refused:
		return &g.refused
	case admitted:
		return &g.admitted
	case held:
		return &g.held
	}
	return &g.beyond
}

// put puts a gang where its stage says.
func (g *gangs) put(e *entry) {
	if e.stage == waiting {
		g.line.insert(&e.node)
		return
	}
	list := g.list(e.stage)
	at, _ := slices.BinarySearchFunc(*list, e, compareEntries)
	*list = slices.Insert(*list, at, e)
}

// take takes a gang out.
func (g *gangs) take(e *entry) {
	if e.stage == waiting {
		g.line.remove(&e.node)
		return
	}
	list := g.list(e.stage)
	at, _ := slices.BinarySearchFunc(*list, e, compareEntries)
	*list = slices.Delete(*list, at, at+1)
}

func compareEntries(a, b *entry) int { return a.node.key.compare(&b.node.key) }

// overtake adds to how often the gangs that come before one were overtaken.
func (g *gangs) overtake(e *entry, by int) {
	g.line.overtake(&e.node.key, by)
	for _, list := range [...][]*entry{g.refused, g.admitted, g.held} {
		for _, other := range list {
			if compareEntries(other, e) >= 0 {
				break
			}
			other.node.overtaken += by
		}
	}
}

// bar returns the gang that those behind it wait for; nil if there is none. It is the first
// that was overtaken too often, or the last of too many that there was no room for.
func (g *gangs) bar(c Config) *entry {
	var bar *entry
	nearer := func(e *entry) {
		if bar == nil || compareEntries(e, bar) < 0 {
			bar = e
		}
	}
	if n := g.line.aged(c.Overtaking); n != nil {
		nearer(n.gang)
	}
	for _, list := range [...][]*entry{g.refused, g.admitted, g.held} {
		for _, e := range list {
			if e.node.overtaken >= c.Overtaking {
				nearer(e)
			}
		}
	}
	if len(g.refused) >= c.Backlog {
		nearer(g.refused[c.Backlog-1])
	}
	return bar
}

// last returns the key up to which gangs may be admitted; nil if all may.
func (g *gangs) last(c Config) *key {
	if bar := g.bar(c); bar != nil {
		return &bar.node.key
	}
	return nil
}

// position returns how many gangs of its queue come before one and are not placed.
func (g *gangs) position(e *entry) int {
	n := g.line.before(&e.node.key)
	for _, list := range [...][]*entry{g.refused, g.admitted, g.held} {
		at, _ := slices.BinarySearchFunc(list, e, compareEntries)
		n += at
	}
	return n
}

// all yields every gang, in the order of the queue within each stage.
func (g *gangs) all(yield func(*entry) bool) bool {
	if !g.line.each(func(n *node) bool { return yield(n.gang) }) {
		return false
	}
	for _, list := range [...][]*entry{g.refused, g.admitted, g.held, g.beyond} {
		for _, e := range list {
			if !yield(e) {
				return false
			}
		}
	}
	return true
}

// Config bounds what is admitted.
type Config struct {
	// Window is how many gangs are admitted at a time, at least 1.
	Window int
	// Overtaking is how often a gang may be overtaken by later ones of its queue, before
	// those wait for it. With 0, each gang waits for the one before it.
	Overtaking int
	// Backlog is how many gangs of one queue may wait for room before later ones are no
	// longer tried, at least 1.
	Backlog int
}

// sane returns the configuration with what makes no sense raised to the least.
func (c Config) sane() Config {
	return Config{Window: max(1, c.Window), Overtaking: max(0, c.Overtaking), Backlog: max(1, c.Backlog)}
}
