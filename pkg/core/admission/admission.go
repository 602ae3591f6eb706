package admission

import (
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/berth-dev/berth/pkg/core/quota"
)

// Admission is the gangs that wait in the queues of a tree, and what the queues use. It is
// not safe for concurrent use.
type Admission struct {
	tree     *quota.Tree
	config   Config
	capacity quota.Vector
	scale    *quota.Scale

	// used is what runs, and averages are of that; all is with what is admitted besides.
	used, all *quota.Usage
	averages  *quota.Averages

	byName map[string]*entry
	// gangs are those of each queue, by Tree.Own.
	gangs []gangs
	// waiters are the queues that have gangs for which there was no room.
	waiters  []quota.QueueID
	inFlight int
	made     uint64

	// queues are the places of queues in the lines of their parents, lines those of the
	// children of each queue.
	queues []node
	lines  []line
	// heads are the first gangs that each queue and those in it let through.
	heads []*entry
	// headrooms are for the search, by depth.
	headrooms []quota.Vector

	// keyed is the instant to which averages count in the order, and step how old it may
	// get; stale says that the order has to be made anew whatever the time is.
	keyed quota.Time
	step  time.Duration
	stale bool
}

// stepsInHalfLife is how often in a half-life the order is brought up to date with averages
// that have decayed. In between, what a queue lacks of its steady average changes by less
// than 0.3 %.
const stepsInHalfLife = 256

// New returns the admission for a tree, without gangs and with nothing used.
func New(tree *quota.Tree, capacity quota.Vector, config Config) *Admission {
	n := tree.Len()
	a := &Admission{
		tree:     tree,
		config:   config.sane(),
		used:     quota.NewUsage(tree),
		all:      quota.NewUsage(tree),
		averages: quota.NewAverages(tree),
		byName:   map[string]*entry{},
		gangs:    make([]gangs, n),
		queues:   make([]node, n),
		lines:    make([]line, n),
		heads:    make([]*entry, n),
	}
	for q := range quota.QueueID(n) {
		a.queues[q] = a.node(nil, q)
		a.queues[q].asks = a.vector()
		for len(a.headrooms) <= tree.Depth(q) {
			a.headrooms = append(a.headrooms, a.vector())
		}
		if h := tree.HalfLife(q); h > 0 && (a.step == 0 || h/stepsInHalfLife < a.step) {
			a.step = max(1, h/stepsInHalfLife)
		}
	}
	a.SetCapacity(capacity)
	return a
}

// vector returns one of zeros.
func (a *Admission) vector() quota.Vector { return make(quota.Vector, len(a.tree.Resources())) }

// node returns the node of a gang or a queue.
func (a *Admission) node(e *entry, q quota.QueueID) node {
	a.made++
	return node{gang: e, queue: q, random: scatter(a.made), least: a.vector()}
}

// Used returns what runs, as it was charged. It is read only.
func (a *Admission) Used() *quota.Usage { return a.used }

// Averages returns the decayed averages of what runs. Whoever sets some does so before the
// first call of Next.
func (a *Admission) Averages() *quota.Averages { return a.averages }

// SetCapacity says how much the cluster has of each resource, against which usage is
// measured. It does not say that there is room: see Retry.
func (a *Admission) SetCapacity(capacity quota.Vector) {
	a.capacity, a.scale, a.stale = capacity, quota.NewScale(a.tree, capacity), true
}

// Charge adds what runs to a queue, whatever the limits are. Errors are those of
// quota.Usage.Charge; nothing is charged then.
func (a *Admission) Charge(now quota.Time, q quota.QueueID, v quota.Vector) error {
	return a.change(now, q, v, (*quota.Usage).Charge)
}

// Release takes what ran from a queue. Errors are those of quota.Usage.Release; nothing is
// released then.
func (a *Admission) Release(now quota.Time, q quota.QueueID, v quota.Vector) error {
	return a.change(now, q, v, (*quota.Usage).Release)
}

// change changes what runs.
func (a *Admission) change(now quota.Time, q quota.QueueID, v quota.Vector, by func(*quota.Usage, quota.QueueID, quota.Vector) (quota.Undo, error)) error {
	// The sum of everything is the first that cannot be counted.
	undo, err := by(a.all, q, v)
	if err != nil {
		return err
	}
	leaf := a.tree.Own(q)
	a.averages.Advance(leaf, now, a.used)
	if _, err := by(a.used, q, v); err != nil {
		a.all.Revert(undo)
		return err
	}
	a.update(leaf)
	return nil
}

// Push adds a gang. It fails if there is one of that name, or if what it asks for is not a
// vector of the tree.
func (a *Admission) Push(g Gang) error {
	switch {
	case a.byName[g.Name] != nil:
		return fmt.Errorf("queueing gang %q: there is one of that name", g.Name)
	case g.Queue < 0 || int(g.Queue) >= a.tree.Len():
		return fmt.Errorf("queueing gang %q: there is no queue %d", g.Name, g.Queue)
	case len(g.Asks) != len(a.tree.Resources()):
		return fmt.Errorf("queueing gang %q: %d amounts for %d resources", g.Name, len(g.Asks), len(a.tree.Resources()))
	}
	for r, asked := range g.Asks {
		if asked < 0 {
			return fmt.Errorf("queueing gang %q: %s of %s is below 0", g.Name, asked, a.tree.Resources()[r])
		}
	}
	e := &entry{gang: g, leaf: a.tree.Own(g.Queue)}
	e.node = a.node(e, quota.NoQueue)
	e.node.key, e.node.asks, e.node.overtaken = keyOf(&g, a.tree.Order(g.Queue)), g.Asks, g.Overtaken
	if _, never := a.exceeds(e); never {
		e.stage = beyond
	}
	queue := &a.gangs[e.leaf]
	// Those that were admitted and come after it may be placed while it waits.
	before, _ := slices.BinarySearchFunc(queue.admitted, e, compareEntries)
	e.node.overtaken += len(queue.admitted) - before
	a.byName[g.Name] = e
	queue.put(e)
	a.update(e.leaf)
	return nil
}

// exceeds returns the limit that a gang would pass if nothing else were there.
func (a *Admission) exceeds(e *entry) (quota.Refusal, bool) {
	for q := e.leaf; q != quota.NoQueue; q = a.tree.Parent(q) {
		for r, limit := range a.tree.Limit(q) {
			if asked := e.gang.Asks[r]; asked > 0 && asked > limit {
				return quota.Refusal{Queue: q, Resource: r, Limit: limit, Asked: asked}, true
			}
		}
	}
	return quota.Refusal{}, false
}

// Pending yields the gangs that are not placed, queue by queue.
func (a *Admission) Pending() iter.Seq[Gang] {
	return func(yield func(Gang) bool) {
		for q := range a.gangs {
			if !a.gangs[q].all(func(e *entry) bool {
				g := e.gang
				g.Overtaken = e.node.overtaken
				return yield(g)
			}) {
				return
			}
		}
	}
}
