package window

import "iter"

// Entity is a gang or a plain pod that would be tried.
type Entity struct {
	// ID is its own among all entities.
	ID string
	// Namespace is whose it is.
	Namespace string
	// Priority puts it before others of its namespace.
	Priority int32
}

// Stage is where an entity is.
type Stage uint8

const (
	// Unknown: it was never entered, or is gone.
	Unknown Stage = iota
	// Trying: it may be tried, and its try has not ended.
	Trying
	// Open: it was refused, and may be tried when the scheduling queue has it.
	Open
	// Waiting: it is tried once its namespace may have more tried.
	Waiting
	// Resting: it was refused, and is tried once room may have come free.
	Resting
	// Impossible: no room would do; it is tried once nodes have changed.
	Impossible
)

// Window says who may be tried. It is not safe for concurrent use.
type Window struct {
	size       int
	entries    map[string]*entry
	namespaces map[string]*namespace
	// order are the namespaces in the order of their coming.
	order []*namespace
	// came counts entities, opened are those that may be tried who were held.
	came   uint64
	opened []*entry
	// trying counts those that are, and fresh those that wait and were never tried.
	trying, fresh int
}

// namespace has the entities of one.
//
// Invariant: trying + failed <= size; waiting is empty, or trying + failed = size; open <= size.
type namespace struct {
	name string
	// all counts entities; trying, open and failed are what the rule counts.
	all, trying, open, failed int
	waiting                   line
	// resting are in the order in which they were refused, impossible in any.
	resting    []*entry
	impossible map[*entry]struct{}
	// freed says that room may have come free since those that rest were refused.
	freed bool
}

type entry struct {
	Entity
	of    *namespace
	stage Stage
	came  uint64
	// at is its place in the line, while it waits.
	at int
	// tried says that it was refused at some time.
	tried bool
}

// New returns a window through which so many tries of each namespace go in a round.
func New(size int) *Window {
	return &Window{size: max(1, size), entries: map[string]*entry{}, namespaces: map[string]*namespace{}}
}

// Enter reports whether an entity may be tried now. If not, Next returns it once it may.
func (w *Window) Enter(e Entity) bool {
	known := w.entries[e.ID]
	if known == nil {
		w.came++
		known = &entry{Entity: e, of: w.namespace(e.Namespace), came: w.came}
		known.of.all++
		w.entries[e.ID] = known
		w.wait(known)
		return w.enters(known)
	}
	switch known.stage {
	case Trying:
		return true
	case Open:
		known.of.open--
		w.wait(known)
		return w.enters(known)
	}
	return false
}

// enters lets the next of a namespace go, and reports whether that is the one that asks: it
// needs not be told.
func (w *Window) enters(e *entry) bool {
	w.advance(e.of)
	if e.stage != Trying {
		return false
	}
	w.opened = w.opened[:len(w.opened)-1]
	return true
}

// Refused says that the try of an entity has ended without a place. If it is to rest, or too
// many of its namespace are open, it rests.
func (w *Window) Refused(id string, rest bool) {
	e := w.entries[id]
	if e == nil || e.stage != Trying {
		return
	}
	ns := e.of
	ns.trying--
	w.trying--
	ns.failed++
	e.tried = true
	if rest || ns.open >= w.size {
		e.stage = Resting
		ns.resting = append(ns.resting, e)
		return
	}
	e.stage = Open
	ns.open++
}

// Held says that something else keeps an entity from its try, which does not count: it rests.
func (w *Window) Held(id string) {
	e := w.entries[id]
	if e == nil || e.stage != Trying {
		return
	}
	w.take(e)
	e.stage = Resting
	e.of.resting = append(e.of.resting, e)
	w.advance(e.of)
}

// Impossible says that no room would do for an entity that was refused.
func (w *Window) Impossible(id string) {
	e := w.entries[id]
	if e == nil || e.stage != Open && e.stage != Resting {
		return
	}
	w.take(e)
	e.stage = Impossible
	e.of.impossible[e] = struct{}{}
}

// Again says that an entity that was refused is not what it was: it waits for a try like one
// that has just come, at the place that it had.
func (w *Window) Again(id string) {
	e := w.entries[id]
	if e == nil || e.stage != Open && e.stage != Resting && e.stage != Impossible {
		return
	}
	w.take(e)
	w.wait(e)
	w.advance(e.of)
}

// MayFit says that nodes have changed: those for which no room would have done are like
// others that were refused.
func (w *Window) MayFit() {
	for _, ns := range w.order {
		back := make(line, 0, len(ns.impossible))
		for e := range ns.impossible {
			back.put(e)
		}
		for len(back) > 0 {
			e := back.first()
			e.stage = Resting
			ns.resting = append(ns.resting, e)
			ns.freed = true
		}
		clear(ns.impossible)
	}
}

// Gone forgets an entity: it has its place, or is no more.
func (w *Window) Gone(id string) {
	e := w.entries[id]
	if e == nil {
		return
	}
	delete(w.entries, id)
	w.take(e)
	e.stage = Unknown
	e.of.all--
	w.advance(e.of)
}

// Round begins a round: each namespace may have as many tried as in the last one. freed says
// that room may have come free.
func (w *Window) Round(freed bool) {
	kept := w.order[:0]
	for _, ns := range w.order {
		if ns.all == 0 {
			delete(w.namespaces, ns.name)
			continue
		}
		kept = append(kept, ns)
		ns.failed = 0
		// Whoever is being tried may not have seen what has come free.
		ns.freed = (ns.freed || freed) && len(ns.resting)+ns.trying > 0
		w.advance(ns)
		if ns.freed && len(ns.waiting) == 0 {
			ns.freed = false
			again := ns.resting
			ns.resting = nil
			for _, e := range again {
				w.wait(e)
			}
			w.advance(ns)
		}
	}
	clear(w.order[len(kept):])
	w.order = kept
}

// Next returns an entity that may be tried and that was held, and forgets that; false if there
// is none.
func (w *Window) Next() (id string, ok bool) {
	for len(w.opened) > 0 {
		e := w.opened[0]
		w.opened = w.opened[1:]
		if e.stage == Trying {
			return e.ID, true
		}
	}
	w.opened = nil
	return "", false
}

// Stage returns where an entity is, and whether it was refused at some time.
func (w *Window) Stage(id string) (stage Stage, tried bool) {
	if e := w.entries[id]; e != nil {
		return e.stage, e.tried
	}
	return Unknown, false
}

// Impossibles yields the entities that no room would do for, in no order.
func (w *Window) Impossibles() iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, ns := range w.order {
			for e := range ns.impossible {
				if !yield(e.ID) {
					return
				}
			}
		}
	}
}

// Idle reports whether a round would change nothing, unless room has come free.
func (w *Window) Idle() bool {
	for _, ns := range w.order {
		if ns.failed > 0 || len(ns.waiting) > 0 || ns.freed && len(ns.resting) > 0 || ns.all == 0 {
			return false
		}
	}
	return true
}

// Fresh reports whether a round would have somebody tried for the first time, while nobody is
// being tried: it holds nobody up.
func (w *Window) Fresh() bool { return w.trying == 0 && w.fresh > 0 }

// Len returns how many entities there are.
func (w *Window) Len() int { return len(w.entries) }

// namespace returns the namespace of a name.
func (w *Window) namespace(name string) *namespace {
	ns := w.namespaces[name]
	if ns == nil {
		ns = &namespace{name: name, impossible: map[*entry]struct{}{}}
		w.namespaces[name] = ns
		w.order = append(w.order, ns)
	}
	return ns
}

// wait puts an entity into the line of its namespace.
func (w *Window) wait(e *entry) {
	e.stage = Waiting
	e.of.waiting.put(e)
	if !e.tried {
		w.fresh++
	}
}

// advance has the first of a namespace be tried, as many as may be.
func (w *Window) advance(ns *namespace) {
	for len(ns.waiting) > 0 && ns.trying+ns.failed < w.size {
		e := ns.waiting.first()
		e.stage = Trying
		ns.trying++
		w.trying++
		if !e.tried {
			w.fresh--
		}
		w.opened = append(w.opened, e)
	}
}

// take takes an entity from where it is.
func (w *Window) take(e *entry) {
	ns := e.of
	switch e.stage {
	case Trying:
		ns.trying--
		w.trying--
	case Open:
		ns.open--
	case Waiting:
		ns.waiting.take(e)
		if !e.tried {
			w.fresh--
		}
	case Resting:
		for i := range ns.resting {
			if ns.resting[i] == e {
				ns.resting = append(ns.resting[:i], ns.resting[i+1:]...)
				break
			}
		}
	case Impossible:
		delete(ns.impossible, e)
	}
}
