// Package gangtest is a model of a gang whose pods come and go, for tests.
//
// A [Model] has the pods of one gang and reads the table of states of package gang in
// the plainest way: one pod after another, with nothing remembered but whether the gang
// was placed. [Walk] applies all sequences of events up to a length to it. Whoever
// implements membership is compared with the model after each event.
package gangtest

import (
	"fmt"
	"slices"

	"github.com/berth-dev/berth/pkg/core/gang"
)

// Event is what happens to a gang. It happens to the oldest pod that it can happen to.
type Event uint8

// The events.
const (
	// Create makes a pod, CreateGated one with a scheduling gate. It gets the lowest
	// rank that nobody else has.
	Create Event = iota
	CreateGated
	// Ungate takes the gate off a pod.
	Ungate
	// DeleteWaiting, DeleteGated and DeletePlaced begin to delete a pod that waits, is
	// gated, or has a place. Vanish ends the deletion of a pod.
	DeleteWaiting
	DeleteGated
	DeletePlaced
	Vanish
	// Succeed and Fail end a pod that has a place. Collect deletes one that succeeded.
	Succeed
	Fail
	Collect
	// Again deletes all pods that have not ended, and has pods made by another
	// controller of the same name from then on.
	Again
	// Raise and Lower change the size of the gang by one.
	Raise
	Lower
	events
)

var eventNames = [...]string{"create", "create-gated", "ungate", "delete-waiting", "delete-gated", "delete-placed",
	"vanish", "succeed", "fail", "collect", "again", "raise", "lower"}

// String returns the name of the event.
func (e Event) String() string { return eventNames[e] }

// Pod is a pod of the model. It waits, is gated, runs, leaves, or has succeeded; one that
// failed or is gone is not there.
type Pod struct {
	Name           string
	State          gang.State
	Rank           int64
	Controller     int
	Created, Bound int64
}

// Model is a gang and its pods. The zero value with a size is a gang without pods.
type Model struct {
	// Size is the least number of members that run together.
	Size int
	// Pods are in the order in which they were made.
	Pods []Pod
	// placed says that it is remembered that the gang was placed.
	placed     bool
	controller int
	made       int
	now        int64
}

// most is how many pods beyond its size a gang has at most.
const most = 1

// largest is the largest size.
const largest = 4

// Clone returns a copy.
func (m *Model) Clone() *Model {
	out := *m
	out.Pods = slices.Clone(m.Pods)
	return &out
}

// Apply has an event happen; false if there is no pod that it can happen to. Two seconds
// pass with each event, so that the order of events can be told from timestamps.
func (m *Model) Apply(e Event) bool {
	m.now += 2
	switch e {
	case Create:
		return m.create(gang.Waiting)
	case CreateGated:
		return m.create(gang.Gated)
	case Ungate:
		return m.turn(gang.Gated, gang.Waiting)
	case DeleteWaiting:
		return m.turn(gang.Waiting, gang.Leaving)
	case DeleteGated:
		return m.turn(gang.Gated, gang.Leaving)
	case DeletePlaced:
		return m.turn(gang.Running, gang.Leaving)
	case Vanish:
		return m.drop(gang.Leaving)
	case Succeed:
		return m.turn(gang.Running, gang.Succeeded)
	case Fail:
		return m.drop(gang.Running)
	case Collect:
		return m.drop(gang.Succeeded)
	case Again:
		return m.again()
	case Raise:
		m.Size++
		return m.Size <= largest
	case Lower:
		m.Size--
		return m.Size >= 1
	}
	panic(fmt.Sprintf("no such event: %d", e))
}

func (m *Model) create(state gang.State) bool {
	present := 0
	ranks := map[int64]bool{}
	for _, p := range m.Pods {
		if p.State != gang.Leaving && p.State != gang.Succeeded {
			present++
		}
		if p.Controller == m.controller && p.State.Effect().Ranked {
			ranks[p.Rank] = true
		}
	}
	rank := int64(0)
	for ranks[rank] {
		rank++
	}
	m.Pods = append(m.Pods, Pod{Name: fmt.Sprint("p", m.made), State: state, Rank: rank, Controller: m.controller, Created: m.now})
	m.made++
	return present < m.Size+most
}

func (m *Model) turn(from, to gang.State) bool {
	for i := range m.Pods {
		if m.Pods[i].State == from {
			m.Pods[i].State = to
			return true
		}
	}
	return false
}

func (m *Model) drop(state gang.State) bool {
	i := slices.IndexFunc(m.Pods, func(p Pod) bool { return p.State == state })
	if i < 0 {
		return false
	}
	m.Pods = slices.Delete(m.Pods, i, i+1)
	return true
}

func (m *Model) again() bool {
	any := false
	for i := range m.Pods {
		p := &m.Pods[i]
		any = any || p.Controller == m.controller
		if p.State != gang.Succeeded {
			p.State = gang.Leaving
		}
	}
	m.controller++
	return any
}

// Now returns the second that it is for the model.
func (m *Model) Now() int64 { return m.now }

// Forget has nobody remember that the gang was placed, as after a restart.
func (m *Model) Forget() { m.placed = false }

// Settle places those that can be placed, with room for all, by the table.
func (m *Model) Settle() {
	var waiting, standing, done, staying int
	var bound, made int64
	leftOver := false
	for _, p := range m.Pods {
		if p.State == gang.Succeeded {
			bound = max(bound, p.Bound)
		}
	}
	for _, p := range m.Pods {
		if p.State == gang.Waiting {
			leftOver, made = leftOver || p.Created <= bound, max(made, p.Created)
		}
	}
	for _, p := range m.Pods {
		state := p.State
		if state == gang.Succeeded && m.replaced(p) {
			state = gang.Replaced
		}
		if p.State != gang.Leaving {
			staying++
		}
		switch effect := state.Effect(); {
		case state == gang.Succeeded:
			done++
		case state == gang.Waiting:
			waiting++
		case effect.Counts:
			standing++
		}
	}
	if staying == 0 || standing+done == 0 {
		m.placed = false
	}
	before := m.placed || standing+done > 0 && !m.cutShort()
	m.placed = m.placed || standing+done >= m.Size
	if waiting == 0 || !before && standing+waiting < max(1, m.Size-done) {
		return
	}
	if standing == 0 && done >= m.Size && waiting < m.Size && !leftOver && m.now < made+gang.NextPatience {
		// All have succeeded, and more may come of those after them.
		return
	}
	for i := range m.Pods {
		if m.Pods[i].State == gang.Waiting {
			m.Pods[i].State, m.Pods[i].Bound = gang.Running, m.now
		}
	}
	m.placed = m.placed || standing+waiting+done >= m.Size
}

// replaced reports whether another pod stands for one that has succeeded.
func (m *Model) replaced(done Pod) bool {
	return slices.ContainsFunc(m.Pods, func(p Pod) bool {
		return p.State != gang.Leaving && p.State != gang.Succeeded && p.Created >= done.Created &&
			(p.Rank == done.Rank || p.Controller != done.Controller)
	})
}

// cutShort reports whether the gang looks as if its binding had been cut short: fewer
// than its size have had a place, and a pod waits that is older than the last bind.
func (m *Model) cutShort() bool {
	had, last := 0, int64(-1)
	for _, p := range m.Pods {
		if p.Bound > 0 {
			had, last = had+1, max(last, p.Bound)
		}
	}
	return had < m.Size && slices.ContainsFunc(m.Pods, func(p Pod) bool { return p.State == gang.Waiting && p.Created <= last })
}

// Members returns the pods as members of a gang of that scheduler.
func (m *Model) Members(scheduler string) []gang.Member {
	var out []gang.Member
	for _, p := range m.Pods {
		one := gang.Member{
			Name: p.Name, Scheduler: scheduler, Rank: p.Rank, Created: p.Created, Bound: p.Bound,
			Controller: gang.Controller{Name: "Job/job", UID: fmt.Sprint(p.Controller)},
			Running:    p.State == gang.Running, Leaving: p.State == gang.Leaving, Succeeded: p.State == gang.Succeeded,
		}
		if p.Bound > 0 {
			one.Node = "node"
		}
		if p.State == gang.Gated {
			one.Gate = "example.com/hold"
		}
		out = append(out, one)
	}
	return out
}

// Placed returns the names of the pods that have a place and are not leaving, in order.
func (m *Model) Placed() []string {
	out := []string{}
	for _, p := range m.Pods {
		if p.State == gang.Running {
			out = append(out, p.Name)
		}
	}
	slices.Sort(out)
	return out
}

// New returns a gang of a size without pods.
func New(size int) *Model { return &Model{Size: size} }

// NewPlaced returns a gang of a size that was just placed.
func NewPlaced(size int) *Model {
	m := New(size)
	for range size {
		m.Apply(Create)
	}
	m.Settle()
	return m
}

// Walk has all sequences of that many events happen that can happen, one after another,
// to a gang that starts like that one. It calls visit once for each event of each way
// there: with the events so far, which are only valid during the call, the gang before
// and after it settles, and what visit returned for the events before. It returns the
// number of sequences.
func Walk[T any](start *Model, length int, known T, visit func(sequence []Event, before, after *Model, known T) T) int {
	var walk func(m *Model, sequence []Event, known T) int
	walk = func(m *Model, sequence []Event, known T) int {
		if len(sequence) == length {
			return 1
		}
		n := 0
		for e := range events {
			before := m.Clone()
			if !before.Apply(e) {
				continue
			}
			after := before.Clone()
			after.Settle()
			way := append(sequence, e)
			n += walk(after, way, visit(way, before, after, known))
		}
		return n
	}
	return walk(start, make([]Event, 0, length), known)
}
