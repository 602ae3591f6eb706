package fastpath

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/berth-dev/berth/pkg/core/gang"
)

// one returns one of some values at random.
func one[T any](y *cycleRig, of ...T) T { return of[y.rand.IntN(len(of))] }

// chance is true once in so many times.
func (y *cycleRig) chance(of int) bool { return y.rand.IntN(of) == 0 }

// grow adds a node.
func (y *cycleRig) grow() {
	y.made++
	node := testNode(fmt.Sprintf("n%04d", y.made), one[int64](y, 4, 8, 8, 8, 8), 64, 512)
	y.place(node)
	y.taint(node)
	y.names = append(y.names, node.Name)
	y.objects[node.Name] = node
	y.addNode(node)
}

// place puts a node into a rack, of which blocks have a different number, of any size. One
// in some has not the label of a level.
func (y *cycleRig) place(node *corev1.Node) {
	block := y.rand.IntN(3)
	for level, value := range map[string]string{
		testBlock: fmt.Sprint("b", block), testRack: fmt.Sprint("r", y.rand.IntN(block+1)), testClique: fmt.Sprint("c", y.rand.IntN(4)), testRow: fmt.Sprint("w", y.rand.IntN(2)),
	} {
		node.Labels[level] = value
	}
	for _, level := range []string{testBlock, testRack, testClique, testRow} {
		switch y.rand.IntN(24) {
		case 0, 1:
			delete(node.Labels, level)
		case 2:
			node.Labels[level] = ""
		}
	}
}

func (y *cycleRig) taint(node *corev1.Node) {
	node.Spec.Taints = nil
	if y.rand.IntN(6) < y.tainted {
		node.Spec.Taints = []corev1.Taint{{Key: "team", Effect: corev1.TaintEffectNoSchedule}}
	}
}

// shrink removes a node; the pods on it are removed later.
func (y *cycleRig) shrink() {
	i := y.rand.IntN(len(y.names))
	node := y.objects[y.names[i]]
	y.names = slices.Delete(y.names, i, i+1)
	delete(y.objects, node.Name)
	y.removeNode(node)
}

// reap removes the pods of nodes that are gone.
func (y *cycleRig) reap() {
	for _, c := range y.gangs {
		for _, m := range c.placed() {
			if y.objects[m.node] == nil && !m.held {
				y.leave(c, m)
			}
		}
	}
	y.strays = slices.DeleteFunc(y.strays, func(pod *corev1.Pod) bool {
		if y.objects[pod.Spec.NodeName] != nil {
			return false
		}
		y.remove(pod)
		return true
	})
}

// relabel moves a node, or changes its taints.
func (y *cycleRig) relabel() {
	node := y.objects[one(y, y.names...)].DeepCopy()
	if y.chance(2) {
		y.taint(node)
	} else {
		y.place(node)
		for _, c := range y.gangs {
			c.moved = c.moved || slices.ContainsFunc(c.members, func(m *member) bool { return m.node == node.Name })
		}
	}
	y.objects[node.Name] = node
	y.addNode(node)
}

// stray binds a pod of no gang somewhere, or ends one.
func (y *cycleRig) stray() {
	if len(y.strays) > 0 && y.chance(2) {
		i := y.rand.IntN(len(y.strays))
		y.remove(y.strays[i])
		y.strays = slices.Delete(y.strays, i, i+1)
		return
	}
	node := y.objects[one(y, y.names...)]
	gpus := one[int64](y, 1, 2, 4)
	if y.free(node) < gpus {
		return
	}
	y.made++
	y.strays = append(y.strays, y.bind(testPod(fmt.Sprint("stray-", y.made), gpus, 1, 1), node.Name))
}

// recruit makes a gang.
func (y *cycleRig) recruit() {
	asked := gang.Topology{
		Required: one(y, "", "", "", testBlock, testBlock, testRack, testRack, testClique, testRow), Preferred: one(y, "", "", testBlock, testRack, testRack, testClique, testRow),
	}
	if y.chance(3) {
		asked.SegmentSize, asked.SegmentLevel = int64(1+y.rand.IntN(3)), one(y, testRack, testRack, testClique, testBlock)
	}
	size := 1 + y.rand.IntN(6)
	pods := size
	if y.chance(3) {
		pods += 1 + y.rand.IntN(3)
	}
	y.newGang(asked, size, pods, one[int64](y, 1, 2, 4, 8, 8, 8, 8), func(c *testGang) { c.ranked, c.tolerant, c.mixed = y.chance(2), y.chance(4), y.chance(6) })
	y.counts["recruited"]++
}

// lose has members of a gang die, and come again, each under its name.
func (y *cycleRig) lose(c *testGang) {
	var gone []int
	for _, m := range slices.Clone(c.members) {
		if !m.held && y.chance(3) {
			gone = append(gone, int(m.pod.Name[len(m.pod.Name)-1]-'0'))
			y.leave(c, m)
		}
	}
	for _, at := range gone {
		y.join(c, at)
	}
	y.counts["came again"] += len(gone)
}

// enlist adds a pod to a gang.
func (y *cycleRig) enlist(c *testGang) {
	for at := range 10 {
		if !slices.ContainsFunc(c.members, func(m *member) bool { return m.pod.Name == fmt.Sprintf("%s-%d", c.name, at) }) {
			y.join(c, at)
			return
		}
	}
}

// makeTrouble has the next cycle of a gang go wrong, or not.
func (y *cycleRig) makeTrouble(c *testGang) {
	waiting := c.waiting()
	some := waiting[y.rand.IntN(len(waiting))].pod.UID
	switch y.rand.IntN(5) {
	case 0:
		for _, name := range y.names {
			y.closed[name] = y.chance(3)
		}
	case 1:
		y.unreserved[some] = true
	case 2:
		y.spoilt[some] = true
	case 3:
		for _, m := range waiting {
			y.unbound[m.pod.UID] = y.chance(3)
		}
	case 4:
		for _, m := range waiting {
			y.unbound[m.pod.UID] = true
		}
	}
}

// try tries a gang, with trouble or without, and checks what comes of it.
func (y *cycleRig) try(c *testGang) {
	y.t.Helper()
	if len(c.members) < c.size || len(c.waiting()) == 0 {
		return
	}
	can, ranks, beside, before := y.where(c), y.ranks(c), y.running(c), y.describe(c)
	placed := len(c.placed())
	trouble := y.chance(4)
	if trouble {
		y.makeTrouble(c)
	}
	// Where pods of two shapes can be is more than a count.
	trouble = trouble || c.mixed
	spoils := len(y.spoilt)
	chosen := y.attempt(c)
	y.end()
	y.counts["tried"]++

	fail := func(format string, args ...any) {
		y.t.Helper()
		y.t.Fatalf("%s\n%s\nchosen: %v", before, fmt.Sprintf(format, args...), chosen)
	}
	switch {
	case len(chosen) > 0 && len(chosen)+placed+spoils < c.size:
		fail("%d pods were placed, beside %d", len(chosen), placed)
	case trouble:
		y.counts["tried with trouble"]++
	case can.places == 0 && len(chosen) > 0:
		fail("%d pods were placed, and there is no place", len(chosen))
	case can.places == 0:
		y.counts["without a place"]++
	case len(chosen) < can.places:
		fail("%d pods were placed, and there is a place for %d at level %q in %v", len(chosen), can.places, can.level, can.rooms)
	default:
		y.counts["placed"]++
		if len(y.names) > 0 && can.level == c.asked.Preferred && can.level != "" {
			y.counts["placed as preferred"]++
		}
	}
	if len(chosen) == 0 {
		return
	}
	in := map[string]map[string]bool{"": {}, c.asked.Required: {}, can.level: {}}
	segments := map[int]map[string]bool{}
	note := func(rank int, node string) {
		for level, domains := range in {
			domains[domainOf(y.objects[node], level)] = true
		}
		if s := c.asked.SegmentSize; s > 0 {
			if segments[rank/int(s)] == nil {
				segments[rank/int(s)] = map[string]bool{}
			}
			segments[rank/int(s)][domainOf(y.objects[node], c.asked.SegmentLevel)] = true
		}
	}
	for m, rank := range ranks {
		if node := chosen[m.pod.UID]; node != "" {
			note(rank, node)
			if m.rank >= 0 && m.rank != rank {
				fail("pod %q was placed with rank %d, want %d", m.pod.Name, m.rank, rank)
			}
		}
	}
	touched := slices.Collect(maps.Keys(segments))
	for _, m := range beside {
		if s := c.asked.SegmentSize; s == 0 || slices.Contains(touched, ranks[m]/int(s)) {
			note(ranks[m], m.node)
		}
	}
	if domains := in[c.asked.Required]; len(domains) != 1 || domains[""] {
		fail("pods are in the domains %v of the level that is required", domains)
	}
	for s, domains := range segments {
		if len(domains) != 1 || domains[""] {
			fail("segment %d is in the domains %v", s, domains)
		}
	}
	if trouble {
		return
	}
	domain := slices.Collect(maps.Keys(in[can.level]))
	if room, ok := can.rooms[domain[0]]; len(domain) != 1 || !ok {
		fail("pods are in the domains %q of level %q, and there is a place in %v", domain, can.level, can.rooms)
	} else if all := len(ranks) - placed; c.asked.SegmentSize == 0 && len(chosen) != min(all, room) {
		fail("%d of %d pods were placed in %q, which holds %d", len(chosen), all, domain, room)
	}
}

// describe says how things are with a gang.
func (y *cycleRig) describe(c *testGang) string {
	out := fmt.Sprintf("gang %q of %d, %d GPUs each, asks for %+v; tolerant %t\n", c.name, c.size, c.gpus, c.asked, c.tolerant)
	ranks := y.ranks(c)
	for _, m := range c.members {
		out += fmt.Sprintf("  %s, rank %d, on %q, held %t\n", m.pod.Name, ranks[m], m.node, m.held)
	}
	for _, name := range y.names {
		node := y.objects[name]
		out += fmt.Sprintf("  %s: %d free, %d taints, block %q, rack %q, clique %q, row %q\n", name, y.free(node), len(node.Spec.Taints),
			domainOf(node, testBlock), domainOf(node, testRack), domainOf(node, testClique), domainOf(node, testRow))
	}
	return out
}

// check fails the test if a gang is where it must not be, though no label has changed.
func (y *cycleRig) check() {
	y.t.Helper()
	for _, c := range y.gangs {
		running := y.running(c)
		if len(running) == 0 {
			c.moved = false
		}
		if c.moved {
			continue
		}
		required, segments := "", map[int]string{}
		for _, m := range running {
			d := domainOf(y.objects[m.node], c.asked.Required)
			if d == "" || required != "" && d != required {
				y.t.Fatalf("%s\npods run in %q and in %q", y.describe(c), required, d)
			}
			required = d
			if s := int(c.asked.SegmentSize); s > 0 && m.rank >= 0 {
				d := domainOf(y.objects[m.node], c.asked.SegmentLevel)
				if was := segments[m.rank/s]; d == "" || was != "" && was != d {
					y.t.Fatalf("%s\nsegment %d runs in %q and in %q", y.describe(c), m.rank/s, was, d)
				}
				segments[m.rank/s] = d
			}
		}
	}
	for _, name := range y.names {
		if free := y.free(y.objects[name]); free < 0 {
			y.t.Fatalf("node %q has %d GPUs free", name, free)
		}
	}
}

// step lets something happen.
func (y *cycleRig) step() {
	y.t.Helper()
	some := func(do func(*testGang)) {
		if len(y.gangs) > 0 {
			do(one(y, y.gangs...))
		}
	}
	switch what := y.rand.IntN(100); {
	case what < 12 && len(y.gangs) < 6:
		y.recruit()
		y.try(y.gangs[len(y.gangs)-1])
	case what < 55:
		some(y.try)
	case what < 66:
		some(y.lose)
	case what < 72:
		some(y.enlist)
	case what < 76:
		some(y.giveUp)
	case what < 82:
		some(y.disband)
	case what < 87:
		y.relabel()
	case what < 90:
		y.reap()
	case what < 91 && len(y.names) > 6:
		y.shrink()
	case what < 92 && len(y.names) < 24:
		y.grow()
	case what < 99:
		y.stray()
	case y.chance(3):
		y.restart()
		y.counts["restarted"]++
	}
}

// TestGangsInTheFabric lets gangs come, fail, die in part and go, on clusters that change, and
// checks after every step that each is where it may be, whole, and placed if it can be.
func TestGangsInTheFabric(t *testing.T) {
	const seeds, steps = 40, 700
	counts := map[string]int{}
	for seed := range uint64(seeds) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			y := newCycleRig(t, seed)
			y.tainted = []int{1, 1, 4}[seed%3]
			for range 14 {
				y.grow()
			}
			for range steps {
				y.step()
				y.check()
			}
			for _, c := range y.gangs {
				y.giveUp(c)
			}
			y.reap()
			y.checkDrift()
			for what, n := range y.counts {
				counts[what] += n
			}
		})
	}
	t.Log(counts)
	for what, least := range map[string]int{
		"recruited": 1000, "tried": 5000, "tried with trouble": 1500, "placed": 1000, "placed as preferred": 300, "without a place": 1500, "came again": 2000, "restarted": 30,
	} {
		if counts[what] < least {
			t.Errorf("%q came %d times of at least %d: the test is too easy", what, counts[what], least)
		}
	}
}
