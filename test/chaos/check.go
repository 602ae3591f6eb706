package chaos

import (
	"fmt"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Limits are what Check goes by.
type Limits struct {
	// GPUs is the room of each node.
	GPUs map[string]int64
	// HalfBound is how long a gang may be bound by half, Silent how long a pod may wait
	// without a condition that says why.
	HalfBound, Silent time.Duration
	// Queues is how many GPUs the pods of a queue have at most, in all.
	Queues map[string]int64
}

// Violation is a rule that a history breaks.
type Violation struct {
	// Rule is one of a closed set, for counting.
	Rule string
	Text string
}

// The rules.
const (
	RuleRoom    = "node over its room"
	RuleDevice  = "device given twice"
	RuleTwice   = "pod bound twice"
	RuleLies    = "bound pod says that it waits"
	RuleHalf    = "gang bound by half"
	RuleSilence = "pod waits in silence"
	RuleLost    = "pod has not run"
	RuleLimit   = "queue over its limit"
	RuleDeleted = "pod deleted, and not evicted"
)

// Check judges a history that begins with an empty cluster, and whose pods all had time to
// run. One that is evicted is made again under its name. Check returns each node, pod and gang at most once for each rule.
func Check(history []Record, limits Limits) []Violation {
	c := &checker{
		limits: limits, pods: map[types.UID]Record{}, used: map[string]int64{}, charged: map[string]int64{}, devices: map[string]types.UID{},
		since: map[types.UID]time.Time{}, gangs: map[string]*gangState{}, said: map[string]bool{},
	}
	for i := range history {
		c.step(&history[i])
	}
	return c.end()
}

type checker struct {
	limits Limits
	pods   map[types.UID]Record
	// used is what the pods on a node, or of a queue, hold.
	used, charged map[string]int64
	// devices are those held, by node and device.
	devices map[string]types.UID
	// since is since when pods wait in silence.
	since map[types.UID]time.Time
	gangs map[string]*gangState
	found []Violation
	said  map[string]bool
}

type gangState struct {
	// bound are the members that have got a place and were not evicted, and held those of
	// them that have it still.
	bound, held map[types.UID]bool
	size        int
	// evicted says that members were. Once the rest has ended, the gang is not by half where
	// it was: those that are made again wait for room as any gang does.
	evicted bool
	since   time.Time
}

func (c *checker) report(rule, object, text string, args ...any) {
	if key := rule + "\x00" + object; !c.said[key] {
		c.said[key] = true
		c.found = append(c.found, Violation{rule, object + ": " + fmt.Sprintf(text, args...)})
	}
}

// step takes in the next state of a pod.
func (c *checker) step(r *Record) {
	before, known := c.pods[r.UID]
	c.pods[r.UID] = *r
	if known && before.Node != "" && r.Node != before.Node {
		c.report(RuleTwice, r.Name, "was on %s, and is on %q", before.Node, r.Node)
	}
	if r.Node != "" && r.Waits != "" && !r.Ended() {
		c.report(RuleLies, r.Name, "is on %s, and says %s", r.Node, r.Waits)
	}
	c.hold(&before, r)
	c.gang(r)
	c.silence(r)
}

func (c *checker) hold(before, r *Record) {
	held, holds := before.Node != "" && !before.Ended(), r.Node != "" && !r.Ended()
	switch {
	case held && !holds:
		c.used[before.Node] -= before.GPUs
		c.charged[before.Queue] -= before.GPUs
		for _, device := range before.Devices {
			if key := before.Node + "/" + device; c.devices[key] == r.UID {
				delete(c.devices, key)
			}
		}
	case holds && !held:
		c.used[r.Node] += r.GPUs
		if room, known := c.limits.GPUs[r.Node]; c.used[r.Node] > room {
			c.report(RuleRoom, r.Node, "pod %s makes it %d GPUs of %d (known %t) at version %d", r.Name, c.used[r.Node], room, known, r.Version)
		}
		c.charged[r.Queue] += r.GPUs
		if most, limited := c.limits.Queues[r.Queue]; limited && c.charged[r.Queue] > most {
			c.report(RuleLimit, r.Queue, "pod %s makes it %d GPUs of %d at version %d", r.Name, c.charged[r.Queue], most, r.Version)
		}
		for _, device := range r.Devices {
			key := r.Node + "/" + device
			if other, taken := c.devices[key]; taken && other != r.UID {
				c.report(RuleDevice, key, "pods %s and %s have it", c.pods[other].Name, r.Name)
			}
			c.devices[key] = r.UID
		}
	}
}

func (c *checker) gang(r *Record) {
	if r.Gang == "" {
		return
	}
	g := c.gangs[r.Gang]
	if g == nil {
		g = &gangState{bound: map[types.UID]bool{}, held: map[types.UID]bool{}, size: r.Size}
		c.gangs[r.Gang] = g
	}
	if r.Node != "" {
		g.bound[r.UID], g.held[r.UID] = true, true
	}
	if r.Ended() {
		delete(g.held, r.UID)
	}
	if r.Gone && r.Evicted && r.Phase != corev1.PodSucceeded {
		delete(g.bound, r.UID)
		g.evicted = true
	}
	half := len(g.bound) > 0 && len(g.bound) < g.size && (len(g.held) > 0 || !g.evicted)
	switch {
	case half && g.since.IsZero():
		g.since = r.At
	case !half && !g.since.IsZero():
		if took := r.At.Sub(g.since); took > c.limits.HalfBound {
			c.report(RuleHalf, r.Gang, "for %s", took.Round(time.Millisecond))
		}
		g.since = time.Time{}
	}
}

func (c *checker) silence(r *Record) {
	if r.Node == "" && r.Waits == "" && !r.Ended() {
		if c.since[r.UID].IsZero() {
			c.since[r.UID] = r.At
		}
		return
	}
	if began := c.since[r.UID]; !began.IsZero() {
		if took := r.At.Sub(began); took > c.limits.Silent {
			c.report(RuleSilence, r.Name, "for %s", took.Round(time.Millisecond))
		}
		delete(c.since, r.UID)
	}
}

func (c *checker) end() []Violation {
	ran := map[string]bool{}
	for _, r := range c.pods {
		ran[r.Name] = ran[r.Name] || r.Phase == corev1.PodSucceeded
	}
	for _, uid := range slices.Sorted(maps.Keys(c.pods)) {
		switch r := c.pods[uid]; {
		case r.Gone && !r.Evicted && r.Phase != corev1.PodSucceeded:
			c.report(RuleDeleted, r.Name, "was %s on %q", r.Phase, r.Node)
		case !ran[r.Name]:
			c.report(RuleLost, r.Name, "is %s on %q, gone %t", r.Phase, r.Node, r.Gone)
		}
	}
	return c.found
}
