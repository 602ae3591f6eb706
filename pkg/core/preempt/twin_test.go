package preempt

import (
	"cmp"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/berth-dev/berth/pkg/core/fabric"
	"github.com/berth-dev/berth/pkg/core/pack"
	"github.com/berth-dev/berth/pkg/core/plan"
	"github.com/berth-dev/berth/pkg/core/topology"
)

// options are all ways in which a gang may be evicted, none at all included.
func options(g *Gang) []Eviction {
	spare := max(len(g.Members)-g.Least, 0)
	out := []Eviction{{}}
	for set := 1; set < 1<<len(g.Members); set++ {
		e := Eviction{Gang: g}
		for i, m := range g.Members {
			if set>>i&1 == 1 {
				e.Members = append(e.Members, m)
			}
		}
		e.Whole = len(e.Members) == len(g.Members)
		if e.Whole || len(e.Members) <= spare {
			out = append(out, e)
		}
	}
	return out
}

// damage adds up what evictions cost.
func damage(evict []Eviction) (d Damage) {
	for i, e := range evict {
		if i == 0 || e.Gang.Priority > d.Priority {
			d.Priority = e.Gang.Priority
		}
		if d.Gangs++; len(e.Members) == len(e.Gang.Members) {
			d.Ended += e.Gang.Ended
		}
		for _, m := range e.Members {
			d.Pods++
			d.Lost += m.Lost
		}
	}
	return d
}

// most is how many sets of victims the twin tries.
const most = 1 << 12

// sets are all sets of victims, those with the least damage first; false if they are too many.
func (w *world) sets() ([][]Eviction, bool) {
	order := make([]*Gang, len(w.running))
	for i := range order {
		order[i] = &w.running[i]
	}
	lost := func(g *Gang) (sum int64) {
		for _, m := range g.Members {
			sum += m.Lost
		}
		return sum
	}
	// The order in which a permit is asked.
	slices.SortFunc(order, func(a, b *Gang) int {
		return cmp.Or(cmp.Compare(a.Priority, b.Priority), cmp.Compare(a.Ended, b.Ended), cmp.Compare(lost(a), lost(b)), cmp.Compare(len(a.Members), len(b.Members)), cmp.Compare(a.Name, b.Name))
	})
	sets := [][]Eviction{nil}
	for _, g := range order {
		var more [][]Eviction
		for _, one := range options(g) {
			for _, set := range sets {
				if one.Gang != nil {
					set = append(slices.Clone(set), one)
				}
				more = append(more, set)
			}
		}
		if sets = more; len(sets) > most {
			return nil, false
		}
	}
	slices.SortStableFunc(sets, func(a, b []Eviction) int { return damage(a).Compare(damage(b)) })
	return sets, true
}

// naive returns the least damage of all permitted sets with which the gang has a plan, in
// a cluster in which they are gone.
func (w *world) naive(r plan.Request, permit *rules, sets [][]Eviction) (Damage, bool) {
	for _, set := range sets {
		if permit.permitsSomehow(set) && w.plans(r, set, nil) {
			return damage(set), true
		}
	}
	return Damage{}, false
}

// check fails the test if a choice breaks a promise.
func (w *world) check(t *testing.T, r plan.Request, permit *rules, c Choice) {
	t.Helper()
	if got := damage(c.Evict); got != c.Damage {
		t.Fatalf("the damage is %+v, and said to be %+v", got, c.Damage)
	}
	if !permit.permits(c.Evict) {
		t.Fatalf("the victims are not permitted: %+v", c.Evict)
	}
	for _, e := range c.Evict {
		if left := len(e.Gang.Members) - len(e.Members); left > 0 && left < e.Gang.Least {
			t.Fatalf("%s needs %d, and %d are left", e.Gang.Name, e.Gang.Least, left)
		} else if e.Whole != (left == 0) {
			t.Fatalf("%s is evicted whole: %v, and %d are left", e.Gang.Name, e.Whole, left)
		}
	}
	domain := w.Fabric.Domain(c.Candidate.Domain)
	w.checkPlaces(t, r, c, domain)
	if again, ok := w.gone(c.Evict, nil).Trial(r).In(c.Candidate.Level, c.Candidate.Domain); !ok || !reflect.DeepEqual(again, c.Candidate) {
		t.Fatalf("once the victims have gone, the plan is %+v, and not %+v", again, c.Candidate)
	}
	// Each victim is needed.
	if !w.plans(r, c.Evict, domain) {
		t.Fatalf("in its domain the gang has no plan after all")
	}
	for i, e := range c.Evict {
		spared := slices.Delete(slices.Clone(c.Evict), i, i+1)
		if permit.permitsSomehow(spared) && w.plans(r, spared, domain) {
			t.Fatalf("%s need not go: %+v", e.Gang.Name, c.Evict)
		}
		for m := range e.Members {
			if e.Whole && len(e.Members)-1 > max(len(e.Members)-e.Gang.Least, 0) {
				break
			}
			fewer := slices.Clone(c.Evict)
			fewer[i].Members = slices.Delete(slices.Clone(e.Members), m, m+1)
			if len(fewer[i].Members) > 0 && permit.permitsSomehow(fewer) && w.plans(r, fewer, domain) {
				t.Fatalf("%s need not go: %+v", e.Members[m].Name, c.Evict)
			}
		}
	}
}

// plans reports whether the gang has a plan, in a domain if there is one, if some go.
func (w *world) plans(r plan.Request, evict []Eviction, domain *fabric.Domain) bool {
	return len(w.gone(evict, domain).Plan(r).Candidates) > 0
}

// checkPlaces fails the test if pods have places that are not theirs.
func (w *world) checkPlaces(t *testing.T, r plan.Request, c Choice, domain *fabric.Domain) {
	t.Helper()
	p := w.gone(c.Evict, nil)
	placed := 0
	for i, a := range c.Candidate.Assignments {
		if a.Node == plan.NoNode {
			continue
		}
		placed++
		pod := &r.Pods[i]
		free, _ := p.Index.Free(a.Node)
		if !domain.Nodes.Has(a.Node) || pod.Open != nil && !pod.Open.Has(a.Node) || !free.Fits(pod.Request) {
			t.Fatalf("pod %d is on node %d of domain %q, which has %+v", i, a.Node, domain.Path, free)
		}
		if free.Class != pack.NoClass && free.Kind != pack.NoDevice {
			if a.Devices.Len() != int(pod.Request.Devices) || a.Devices&^free.Mask != 0 {
				t.Fatalf("pod %d has devices %b of node %d, on which %b are free", i, a.Devices, a.Node, free.Mask)
			}
		}
		// Takes of one node are in any order here, so the devices are taken by hand.
		free.Devices, free.CPU, free.Pods = free.Devices-pod.Request.Devices, free.CPU-pod.Request.CPU, free.Pods-1
		free.Mask &^= a.Devices
		p.Index.Set(a.Node, pack.Node{Free: free})
	}
	if placed < r.Least {
		t.Fatalf("%d pods are placed of %d", placed, r.Least)
	}
}

// TestVictimsAgainstNaive compares choices with what trying all sets of victims finds.
func TestVictimsAgainstNaive(t *testing.T) {
	const instances = 4000
	seen := map[string]int{}
	for seed := range uint64(instances) {
		random := rand.New(rand.NewPCG(seed, 5))
		w := randomWorld(random)
		r := randomRequest(random, w)
		permit := randomRules(random, w)
		sets, ok := w.sets()
		if !ok {
			continue
		}
		got, why := Victims(w.Planner, r, w.running, permit, Bounds{})
		if permit.wrong != "" || len(permit.open) > 0 {
			t.Fatalf("seed %d: %s, %d answers were not undone", seed, permit.wrong, len(permit.open))
		}
		for id, before := range w.free {
			if now, _ := w.Index.Free(pack.NodeID(id)); now != before {
				t.Fatalf("seed %d: node %d had %+v and has %+v", seed, id, before, now)
			}
		}
		want, possible := w.naive(r, permit, sets)
		// The first choice may be permitted in an order that is not the one of the twin.
		if possible != (why == nil) && !(permit.before && why == nil) {
			t.Fatalf("seed %d: choice %+v, reason %+v; by trying all sets %+v, %v", seed, got, why, want, possible)
		}
		// The search of all sets for itself, without a first choice.
		if all, ok := searched(w, r, permit); ok != possible || ok && all.Damage != want {
			t.Fatalf("seed %d: searching all sets finds damage %+v, %v, and %+v, %v would do", seed, all.Damage, ok, want, possible)
		} else if ok {
			w.check(t, r, permit, all)
		}
		if why != nil {
			seen["none"]++
			continue
		}
		w.check(t, r, permit, got)
		if possible && (got.Damage.Priority > want.Priority || got.Damage.Priority == want.Priority &&
			(got.Damage.Ended*10 > want.Ended*11 || got.Damage.Ended == want.Ended && got.Damage.Lost*10 > want.Lost*11)) {
			t.Fatalf("seed %d: damage %+v, exact %v, and %+v would do; rules %+v\nrunning %+v\nrequest %+v", seed, got.Damage, got.Exact, want, permit, w.running, r)
		}
		if possible && got.Exact && got.Damage.Compare(want) > 0 {
			t.Fatalf("seed %d: damage %+v is said to be the least, and %+v would do", seed, got.Damage, want)
		}
		for what, is := range map[string]bool{
			"choice":   true,
			"victims":  got.Damage.Gangs > 0,
			"exact":    got.Exact,
			"ended":    got.Damage.Ended > 0,
			"spared":   got.Damage.Gangs > 0 && got.Damage.Ended == 0 && slices.ContainsFunc(w.running, func(g Gang) bool { return g.Ended > 0 }),
			"elastic":  slices.ContainsFunc(got.Evict, func(e Eviction) bool { return !e.Whole }),
			"limited":  got.Damage.Gangs > 0 && !permit.permits(everything(w)),
			"links":    got.Damage.Gangs > 0 && r.Pods[0].Request.Link != topology.AnyLink,
			"segments": got.Damage.Gangs > 0 && r.SegmentSize > 0,
			"shapes":   got.Damage.Gangs > 0 && len(w.Trial(r).Wanted()) > 1,
			"pinned":   got.Damage.Gangs > 0 && len(r.Running) > 0,
			"binding":  got.Damage.Gangs > 0 && permit.over+permit.above > 0,
		} {
			if is {
				seen[what]++
			}
		}
	}
	t.Logf("of %d instances: %v", instances, seen)
	for what, least := range map[string]int{
		"none": 1000, "victims": 1000, "ended": 150, "spared": 300, "elastic": 100, "limited": 300, "links": 50, "segments": 100, "shapes": 50, "pinned": 50, "binding": 100,
	} {
		if seen[what] < least {
			t.Errorf("%d instances have %s: the test is too easy", seen[what], what)
		}
	}
	if seen["exact"] < seen["choice"]*99/100 {
		t.Errorf("%d of %d choices are known to be the least", seen["exact"], seen["choice"])
	}
}

// searched is a choice of all sets of victims, without a first one.
func searched(w *world, r plan.Request, permit Permit) (Choice, bool) {
	s := newSearch(w.Planner, r, w.running, permit, 10*DefaultSteps)
	if s.better(); s.best == nil {
		return Choice{}, false
	}
	return s.choice(), true
}

func everything(w *world) (all []Eviction) {
	for i := range w.running {
		all = append(all, Eviction{Gang: &w.running[i], Members: w.running[i].Members})
	}
	return all
}

// TestOrderOfGangsIsNothing has the same gangs in other orders.
func TestOrderOfGangsIsNothing(t *testing.T) {
	for seed := range uint64(500) {
		random := rand.New(rand.NewPCG(seed, 6))
		w := randomWorld(random)
		r := randomRequest(random, w)
		permit := randomRules(random, w)
		want, why := Victims(w.Planner, r, w.running, permit, Bounds{})
		for range 3 {
			other := slices.Clone(w.running)
			random.Shuffle(len(other), func(a, b int) { other[a], other[b] = other[b], other[a] })
			for i := range other {
				other[i].Members = slices.Clone(other[i].Members)
				random.Shuffle(len(other[i].Members), func(a, b int) {
					m := other[i].Members
					m[a], m[b] = m[b], m[a]
				})
			}
			got, reason := Victims(w.Planner, r, other, permit, Bounds{})
			if !reflect.DeepEqual(reason, why) || !reflect.DeepEqual(named(got), named(want)) {
				t.Fatalf("seed %d: %+v, %+v; in another order %+v, %+v", seed, want, why, got, reason)
			}
		}
	}
}

// named is a choice with the names of its gangs instead of the gangs.
func named(c Choice) any {
	type eviction struct {
		Gang    string
		Members []Member
	}
	out := struct {
		Choice
		Evict []eviction
	}{Choice: c}
	out.Choice.Evict = nil
	for _, e := range c.Evict {
		out.Evict = append(out.Evict, eviction{e.Gang.Name, e.Members})
	}
	return out
}
