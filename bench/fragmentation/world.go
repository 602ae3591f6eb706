package main

import (
	"cmp"
	"container/heap"
	"fmt"
	"time"
)

// placement is where a gang is, and since when.
type placement struct {
	// Begin is when the gang began to run, in mean run times.
	Begin float64 `json:"begin"`
	// Nodes are the numbers of the nodes of its pods, in their order.
	Nodes []int `json:"nodes"`
	// Took is how long the search for the nodes took; 0 without a scheduler.
	Took time.Duration `json:"took_ns,omitempty"`
}

// world is a cluster, and the gangs on it.
type world struct {
	*occupancy
	contestant contestant
	placer     placer
	now        float64
	// running are the gangs on nodes, the next to end first.
	running ends
	// history has all gangs that were placed, which are the first that came, in order.
	history []placement
}

func newWorld(c contestant, p params) (*world, error) {
	placer, err := c.newPlacer(p)
	if err != nil {
		return nil, fmt.Errorf("making %s: %w", c.name, err)
	}
	return &world{occupancy: newOccupancy(p), contestant: c, placer: placer}, nil
}

// replay has gangs come that were placed before, and puts each where it was.
func (w *world) replay(gangs []gang, history []placement) error {
	if len(history) > len(gangs) {
		return fmt.Errorf("%d gangs were placed, and %d come", len(history), len(gangs))
	}
	for i, was := range history {
		err := w.next(gangs[i], func(g gang) (placement, error) { return was, w.placer.put(g, was.Nodes) })
		if err != nil {
			return err
		}
		if got := w.history[i].Begin; got != was.Begin {
			return fmt.Errorf("%s began at %v, and may begin at %v", gangs[i].name(), was.Begin, got)
		}
	}
	return nil
}

// live has the gangs come that were not placed yet, until all are placed or more says no:
// it is asked after each.
func (w *world) live(gangs []gang, more func() (bool, error)) error {
	for len(w.history) < len(gangs) {
		if err := w.next(gangs[len(w.history)], w.placer.place); err != nil {
			return err
		}
		if on, err := more(); err != nil || !on {
			return err
		}
	}
	return nil
}

// next has one more gang come, lets time pass until there is a place for it, and has it
// placed. Those before it are placed, and those after it wait behind it.
func (w *world) next(g gang, place func(gang) (placement, error)) error {
	w.now = max(w.now, g.comes)
	for len(w.running) > 0 && w.running[0].ends <= w.now {
		if err := w.endNext(); err != nil {
			return err
		}
	}
	required := w.contestant.required(w.params, g.size)
	for !w.holds(g.size, required) {
		if len(w.running) == 0 {
			return fmt.Errorf("%s of %d pods has no room on an empty cluster", g.name(), g.size)
		}
		w.now = w.running[0].ends
		if err := w.endNext(); err != nil {
			return err
		}
	}
	p, err := place(g)
	if err != nil {
		return fmt.Errorf("placing %s: %w", g.name(), err)
	}
	if len(p.Nodes) == 0 {
		return fmt.Errorf("%s of %d pods was refused, and there is room for it", g.name(), g.size)
	}
	if err := w.take(g, p.Nodes, required); err != nil {
		return err
	}
	p.Begin = w.now
	w.history = append(w.history, p)
	heap.Push(&w.running, stay{gang: g, ends: w.now + g.runs})
	return nil
}

// endNext ends the gang that is the next to end.
func (w *world) endNext() error {
	s := heap.Pop(&w.running).(stay)
	w.give(w.history[s.gang.number].Nodes)
	if err := w.placer.end(s.gang); err != nil {
		return fmt.Errorf("ending %s: %w", s.gang.name(), err)
	}
	return nil
}

// stay is a gang that runs until it ends.
type stay struct {
	gang gang
	ends float64
}

// ends are gangs that run, a heap: the next to end is the first.
type ends []stay

func (e ends) Len() int      { return len(e) }
func (e ends) Swap(i, j int) { e[i], e[j] = e[j], e[i] }
func (e ends) Less(i, j int) bool {
	return cmp.Or(cmp.Compare(e[i].ends, e[j].ends), cmp.Compare(e[i].gang.number, e[j].gang.number)) < 0
}
func (e *ends) Push(x any) { *e = append(*e, x.(stay)) }
func (e *ends) Pop() any {
	last := len(*e) - 1
	x := (*e)[last]
	*e = (*e)[:last]
	return x
}
