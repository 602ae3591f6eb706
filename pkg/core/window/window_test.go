package window

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// drive has whoever may be tried be tried, and returns who was in the order of their tries.
// fits says who gets a place.
func drive(w *Window, ready *[]string, fits func(id string) bool) (tried []string) {
	for {
		for id, ok := w.Next(); ok; id, ok = w.Next() {
			*ready = append(*ready, id)
		}
		if len(*ready) == 0 {
			return tried
		}
		id := (*ready)[0]
		*ready = (*ready)[1:]
		tried = append(tried, id)
		if fits(id) {
			w.Gone(id)
		} else {
			w.Refused(id, true)
		}
	}
}

func TestOneNamespaceDoesNotHoldOthersUp(t *testing.T) {
	w := New(3)
	var ready []string
	enter := func(namespace string, priority int32, ids ...string) {
		for _, id := range ids {
			if w.Enter(Entity{ID: id, Namespace: namespace, Priority: priority}) {
				ready = append(ready, id)
			}
		}
	}
	none := func(string) bool { return false }
	fits := func(id string) bool { return id[0] == 'i' }

	enter("bad", 0, "h1", "h2", "h3", "h4", "h5")
	enter("bad", 9, "high")
	enter("good", 0, "i1", "i2", "i3", "i4")
	got := [][]string{drive(w, &ready, fits)}
	for range 3 {
		w.Round(false)
		got = append(got, drive(w, &ready, fits))
	}
	// Room has come free: those that rest are tried again, three in a round.
	w.Round(true)
	got = append(got, drive(w, &ready, none))
	enter("bad", 0, "new")
	for range 3 {
		w.Round(false)
		got = append(got, drive(w, &ready, none))
	}
	want := [][]string{
		{"h1", "h2", "h3", "i1", "i2", "i3", "i4"},
		{"high", "h4", "h5"},
		nil, nil,
		{"high", "h1", "h2"},
		{"new", "h3", "h4"},
		{"h5"},
		nil,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("who is tried in each round (-want +got):\n%s", diff)
	}
}

func TestImpossibleWaitsForNodes(t *testing.T) {
	w := New(2)
	ready := []string{}
	for _, id := range []string{"a", "b"} {
		w.Enter(Entity{ID: id, Namespace: "ns"})
		w.Refused(id, true)
		w.Impossible(id)
	}
	w.Round(true)
	if got := drive(w, &ready, func(string) bool { return false }); got != nil || !w.Idle() {
		t.Errorf("%q are tried though no node has changed; idle: %t", got, w.Idle())
	}
	w.MayFit()
	w.Round(false)
	if got := drive(w, &ready, func(string) bool { return true }); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("after nodes have changed, %q are tried", got)
	}
	w.Round(false)
	if w.Len() != 0 || len(w.namespaces) != 0 || len(w.order) != 0 {
		t.Errorf("%d entities and %d namespaces are kept, and there are none", w.Len(), len(w.namespaces))
	}
}

// Those that the scheduling queue tries again by itself are no more than a window of each
// namespace, and a try of theirs counts like any other.
func TestOpen(t *testing.T) {
	w := New(1)
	if !w.Enter(Entity{ID: "a", Namespace: "ns"}) || w.Enter(Entity{ID: "b", Namespace: "ns"}) {
		t.Fatal("the window of 1 does not let one in")
	}
	w.Refused("a", false)
	if stage, _ := w.Stage("a"); stage != Open {
		t.Errorf("the first that was refused is %d", stage)
	}
	if w.Enter(Entity{ID: "a"}) {
		t.Error("it is tried again though one try has failed in this round")
	}
	w.Round(false)
	if id, ok := w.Next(); id != "b" || !ok {
		t.Errorf("%q is next, and not the one that was never tried", id)
	}
}

// twin decides the same by looking at everybody each time.
type twin struct {
	size int
	all  []*twinEntry
	of   map[string]*twinNamespace
	came int
	told []string
}

type twinNamespace struct {
	failed int
	freed  bool
}

type twinEntry struct {
	Entity
	stage    Stage
	tried    bool
	came, at int
}

func (t *twin) ns(name string) *twinNamespace {
	if t.of[name] == nil {
		t.of[name] = &twinNamespace{}
	}
	return t.of[name]
}

func (t *twin) find(id string) *twinEntry {
	for _, e := range t.all {
		if e.ID == id {
			return e
		}
	}
	return nil
}

func (t *twin) in(namespace string, stage Stage) []*twinEntry {
	var out []*twinEntry
	for _, e := range t.all {
		if e.Namespace == namespace && e.stage == stage {
			out = append(out, e)
		}
	}
	slices.SortFunc(out, func(a, b *twinEntry) int { return a.at - b.at })
	return out
}

func (t *twin) advance(namespace string) {
	for {
		waiting := t.in(namespace, Waiting)
		if len(waiting) == 0 || len(t.in(namespace, Trying))+t.ns(namespace).failed >= t.size {
			return
		}
		best := waiting[0]
		for _, e := range waiting[1:] {
			switch {
			case e.Priority != best.Priority:
				if e.Priority > best.Priority {
					best = e
				}
			case e.tried != best.tried:
				if best.tried {
					best = e
				}
			case e.came < best.came:
				best = e
			}
		}
		best.stage = Trying
		t.told = append(t.told, best.ID)
	}
}

func (t *twin) enter(e Entity) bool {
	known := t.find(e.ID)
	if known == nil {
		t.came++
		known = &twinEntry{Entity: e, came: t.came, stage: Waiting}
		t.all = append(t.all, known)
	} else if known.stage == Open {
		known.stage = Waiting
	} else {
		return known.stage == Trying
	}
	before := len(t.told)
	t.advance(known.Namespace)
	t.told = t.told[:before]
	return known.stage == Trying
}

func (t *twin) refused(id string, rest bool) {
	e := t.find(id)
	if e == nil || e.stage != Trying {
		return
	}
	t.ns(e.Namespace).failed++
	e.tried, e.stage = true, Open
	if rest || len(t.in(e.Namespace, Open)) > t.size {
		t.came++
		e.stage, e.at = Resting, t.came
	}
}

func (t *twin) gone(id string) {
	if e := t.find(id); e != nil {
		t.all = slices.DeleteFunc(t.all, func(o *twinEntry) bool { return o == e })
		t.advance(e.Namespace)
	}
}

func (t *twin) mayFit(namespaces []string) {
	for _, name := range namespaces {
		back := t.in(name, Impossible)
		slices.SortFunc(back, func(a, b *twinEntry) int {
			if a.Priority != b.Priority {
				return int(b.Priority - a.Priority)
			}
			return a.came - b.came
		})
		for _, e := range back {
			t.came++
			e.stage, e.at = Resting, t.came
			t.ns(name).freed = true
		}
	}
}

func (t *twin) round(namespaces []string, freed bool) {
	for _, name := range namespaces {
		ns := t.ns(name)
		ns.failed = 0
		ns.freed = (ns.freed || freed) && len(t.in(name, Resting))+len(t.in(name, Trying)) > 0
		t.advance(name)
		if ns.freed && len(t.in(name, Waiting)) == 0 {
			ns.freed = false
			for _, e := range t.in(name, Resting) {
				e.stage = Waiting
			}
			t.advance(name)
		}
	}
}

func TestTwin(t *testing.T) {
	rounds := 3000
	if testing.Short() {
		rounds = 300
	}
	for seed := range uint64(rounds) {
		r := rand.New(rand.NewPCG(seed, 1))
		names := []string{"a", "b", "c"}[:1+r.IntN(3)]
		size := 1 + r.IntN(4)
		w, tw := New(size), &twin{size: size, of: map[string]*twinNamespace{}}
		var history []string
		for step := range 60 {
			namespace := names[r.IntN(len(names))]
			id := fmt.Sprintf("%s%d", namespace, r.IntN(9))
			e := Entity{ID: id, Namespace: namespace, Priority: int32(r.IntN(2))}
			if known := tw.find(id); known != nil {
				e = known.Entity
			}
			var got, want any
			switch what := r.IntN(14); {
			case what == 13:
				history = append(history, "held "+id)
				w.Held(id)
				if e := tw.find(id); e != nil && e.stage == Trying {
					tw.came++
					e.stage, e.at = Resting, tw.came
					tw.advance(namespace)
				}
			case what == 12:
				history = append(history, "again "+id)
				w.Again(id)
				if e := tw.find(id); e != nil && e.stage != Waiting && e.stage != Trying {
					e.stage = Waiting
					tw.advance(namespace)
				}
			case what < 5:
				history = append(history, "enter "+id)
				got, want = w.Enter(e), tw.enter(e)
			case what < 8:
				rest := r.IntN(2) == 0
				history = append(history, fmt.Sprint("refused ", id, rest))
				w.Refused(id, rest)
				tw.refused(id, rest)
			case what < 9:
				history = append(history, "impossible "+id)
				w.Impossible(id)
				if e := tw.find(id); e != nil && (e.stage == Open || e.stage == Resting) {
					e.stage = Impossible
				}
			case what < 10:
				history = append(history, "gone "+id)
				w.Gone(id)
				tw.gone(id)
			case r.IntN(4) == 0:
				history = append(history, "nodes")
				w.MayFit()
				tw.mayFit(names)
			default:
				freed := r.IntN(2) == 0
				history = append(history, fmt.Sprint("round ", freed))
				w.Round(freed)
				tw.round(names, freed)
			}
			var told []string
			for id, ok := w.Next(); ok; id, ok = w.Next() {
				told = append(told, id)
			}
			// Rounds go through namespaces in their own order.
			slices.Sort(told)
			slices.Sort(tw.told)
			if got != want || !slices.Equal(told, tw.told) {
				t.Fatalf("seed %d, size %d, step %d, %v: %v, and not %v; told %v, and not %v", seed, size, step, history, got, want, told, tw.told)
			}
			tw.told = nil
			for _, e := range tw.all {
				if stage, tried := w.Stage(e.ID); stage != e.stage || tried != e.tried {
					t.Fatalf("seed %d, size %d, %v: %s is at stage %d, and not %d", seed, size, history, e.ID, stage, e.stage)
				}
			}
			for _, ns := range w.order {
				if ns.trying+ns.failed > size || len(ns.waiting) > 0 && ns.trying+ns.failed < size || ns.open > size {
					t.Fatalf("seed %d, size %d, %v: namespace %s breaks its invariant: %+v", seed, size, history, ns.name, ns)
				}
			}
			trying, fresh := 0, 0
			for _, e := range tw.all {
				if e.stage == Trying {
					trying++
				} else if e.stage == Waiting && !e.tried {
					fresh++
				}
			}
			if got, want := w.Fresh(), trying == 0 && fresh > 0; got != want {
				t.Fatalf("seed %d, %v: fresh %t with %d that are tried and %d that never were", seed, history, got, trying, fresh)
			}
			if w.Len() != len(tw.all) {
				t.Fatalf("seed %d, %v: %d entities, and not %d", seed, history, w.Len(), len(tw.all))
			}
		}
	}
}
