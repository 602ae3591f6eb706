package drills

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// A pod is what a ledger knows of one.
type pod struct {
	uid, name, node string
	gang            string // "" if it is of none
	gpus            int64
	foreign         bool // another scheduler's
	devices         []string
	// running: its kubelet says so. leaving: it has been deleted, and is there. ended: it has
	// finished or failed, or is gone.
	running, leaving, ended bool
	began                   time.Time
}

// holds reports whether the pod has a place on a node.
func (p pod) holds() bool { return p.node != "" && !p.ended }

// waits reports whether the pod waits for a place.
func (p pod) waits() bool { return p.node == "" && !p.ended && !p.leaving }

// A node is what a ledger knows of one.
type node struct {
	rack, zone string
	gpus       int64
	ready      bool
}

// A ledger follows who holds what, by what the API says in the order in which it came to be, and
// checks the invariants.
type ledger struct {
	nodes  map[string]node
	pods   map[string]pod   // by UID; those that have not ended
	used   map[string]int64 // GPUs, by node
	others map[string]int   // pods of other schedulers, by node
	// conflicts counts how often a node was over with a pod of another scheduler on it.
	conflicts int
	holder    map[string]string   // pod by device
	ill       map[string]bool     // devices
	half      map[string]halfTime // by gang
	broken    []string            // invariants that did not hold, in sentences
}

// halfTime is since when a gang is half bound, zero if it is not, and the longest that it was.
type halfTime struct {
	since   time.Time
	longest time.Duration
}

func newLedger() *ledger {
	return &ledger{
		nodes: map[string]node{}, pods: map[string]pod{}, used: map[string]int64{}, others: map[string]int{}, holder: map[string]string{},
		ill: map[string]bool{}, half: map[string]halfTime{},
	}
}

// see takes in what a pod is like now.
func (l *ledger) see(p pod, now time.Time) {
	before := l.pods[p.uid]
	switch {
	case p.holds() && !before.holds():
		l.take(p)
	case !p.holds() && before.holds():
		l.give(before)
	}
	if p.ended {
		delete(l.pods, p.uid)
	} else {
		l.pods[p.uid] = p
	}
	l.count(p.gang, now)
}

// take books a pod on its node.
func (l *ledger) take(p pod) {
	l.used[p.node] += p.gpus
	if p.foreign {
		l.others[p.node]++
	}
	switch used, has := l.used[p.node], l.nodes[p.node].gpus; {
	case used <= has:
	case l.others[p.node] > 0:
		l.conflicts++ // two schedulers cannot know of each other: the kubelet refuses one
	default:
		l.breaks("node %s has %d GPUs, and gave out %d with pod %s", p.node, has, used, p.name)
	}
	for _, device := range p.devices {
		if other := l.holder[device]; other != "" {
			l.breaks("device %s of node %s has pod %s, and was given to pod %s", device, p.node, other, p.name)
		}
		if l.ill[device] {
			l.breaks("device %s of node %s is ill, and was given to pod %s", device, p.node, p.name)
		}
		l.holder[device] = p.name
	}
}

// give takes a pod off its node.
func (l *ledger) give(p pod) {
	l.used[p.node] -= p.gpus
	if p.foreign {
		l.others[p.node]--
	}
	for _, device := range p.devices {
		if l.holder[device] == p.name {
			delete(l.holder, device)
		}
	}
}

// count notes whether a gang is half bound.
func (l *ledger) count(gang string, now time.Time) {
	bound, waiting := 0, 0
	for _, p := range l.pods {
		switch {
		case p.gang != gang, p.gang == "", p.foreign:
		case p.waits():
			waiting++
		case p.holds() && !p.leaving:
			bound++
		}
	}
	h := l.half[gang]
	switch half := bound > 0 && waiting > 0; {
	case half && h.since.IsZero():
		h.since = now
	case !half && !h.since.IsZero():
		h.longest, h.since = max(h.longest, now.Sub(h.since)), time.Time{}
	}
	l.half[gang] = h
}

// halfBound returns for how long a gang was half bound at most, since it was last asked.
func (l *ledger) halfBound(now time.Time) (longest time.Duration, gang string) {
	for _, name := range sortedKeys(l.half) {
		h := l.half[name]
		d := h.longest
		if !h.since.IsZero() {
			d = max(d, now.Sub(h.since))
		}
		if d > longest {
			longest, gang = d, name
		}
		h.longest = 0
		l.half[name] = h
	}
	return longest, gang
}

func (l *ledger) breaks(format string, args ...any) {
	l.broken = append(l.broken, fmt.Sprintf(format, args...))
}

// of returns the pods of a gang that run and stay, but for those on some nodes, by name.
func (l *ledger) of(gang string, without map[string]bool) []pod {
	var out []pod
	for _, p := range l.pods {
		if p.gang == gang && p.running && !p.leaving && !without[p.node] {
			out = append(out, p)
		}
	}
	slices.SortFunc(out, func(a, b pod) int { return cmp.Or(strings.Compare(a.name, b.name), strings.Compare(a.uid, b.uid)) })
	return out
}

// inOneRack checks a gang that is whole.
func (l *ledger) inOneRack(gang string, pods []pod) {
	racks := map[string]bool{}
	for _, p := range pods {
		racks[l.nodes[p.node].rack] = true
	}
	if len(racks) != 1 {
		l.breaks("gang %s requires a rack, and is in %s", gang, strings.Join(sortedKeys(racks), ", "))
	}
}

// leaving reports whether a pod is leaving.
func (l *ledger) leaving() bool {
	for _, p := range l.pods {
		if p.leaving {
			return true
		}
	}
	return false
}

// unready returns the names of the nodes that are not ready.
func (l *ledger) unready() []string {
	var out []string
	for _, name := range sortedKeys(l.nodes) {
		if !l.nodes[name].ready {
			out = append(out, name)
		}
	}
	return out
}

func sortedKeys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for key := range m {
		out = append(out, key)
	}
	slices.Sort(out)
	return out
}
