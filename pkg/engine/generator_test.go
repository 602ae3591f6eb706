package engine

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/berth-dev/berth/pkg/state/workload"
)

// generator makes workloads that come and go at random, with a controller that makes each pod anew that
// is gone before its workload has ended.
type generator struct {
	*testCluster
	rand      *rand.Rand
	made      int
	workloads []*testJob
	// claims are those of workloads for which others were evicted, until they get a place.
	claims map[string]*claimed
}

// claimed is what was done for a workload while it had no more pods with a place than has.
type claimed struct {
	has     int
	batches int
	victims map[string]bool
}

func newGenerator(t testing.TB, seed uint64, nodes []*corev1.Node, queues ...testQueue) *generator {
	f := &generator{testCluster: newTestCluster(t, nodes, queues...), rand: rand.New(rand.NewPCG(seed, 7)), claims: map[string]*claimed{}}
	f.controllers, f.onEvictions, f.onCycle = f.replace, f.judgeEvictions, f.close
	return f
}

// close ends the claims of workloads that got a place since, or lost one.
func (f *generator) close() {
	for _, c := range f.workloads {
		if claim := f.claims[c.name]; claim != nil && claim.has != len(f.boundNodes(c)) {
			delete(f.claims, c.name)
		}
	}
}

func pick[T any](f *generator, of ...T) T { return of[f.rand.IntN(len(of))] }

// check compares the ledger once, where that is not done in every cycle.
func (f *generator) check() {
	f.t.Helper()
	f.unchecked = false
	if diff := f.ledgerDiff(); diff != "" {
		f.t.Fatalf("what queues use (-pods +queues):\n%s", diff)
	}
	f.unchecked = true
}

// come makes a workload for a queue.
func (f *generator) come(queue string) {
	f.made++
	c := testJob{
		name: fmt.Sprintf("c%d", f.made), queue: queue, size: 1 + f.rand.IntN(4), gpus: pick[int64](f, 1, 2, 4, 8, 8, 8),
		rack: f.rand.IntN(3) == 0, priority: pick[int32](f, 0, 0, 0, 10), grace: pick[int64](f, 0, 5, 20),
	}
	switch f.rand.IntN(8) {
	case 0:
		c.size, c.pods, c.rack = 0, 1, false
	case 1:
		c.pods = c.size + 1 + f.rand.IntN(2)
	case 2:
		c.graces = []int64{0, 3, 12}
	}
	f.workloads = append(f.workloads, f.submit(c))
	f.counts["came"]++
}

// leave ends a workload.
func (f *generator) leave(i int) {
	f.end(f.workloads[i].uids...)
	delete(f.claims, f.workloads[i].name)
	f.workloads = slices.Delete(f.workloads, i, i+1)
	f.counts["ended"]++
}

// replace makes each pod anew that is gone, under its name.
func (f *generator) replace() {
	for _, c := range f.workloads {
		f.counts["came again"] += f.makeAgain(c, nil)
	}
}

// whole reports whether as many pods of a workload have a place and stay as it needs.
func (f *generator) whole(c *testJob) bool { return len(f.boundNodes(c)) >= max(1, c.size) }

// workloadNamed returns the workload that users are told of as a gang or plain pod of this name.
func (f *generator) workloadNamed(name string) *testJob {
	for _, c := range f.workloads {
		for _, uid := range c.uids {
			if pod := f.told[uid]; pod != nil && workload.Called(workload.NameOf(pod), "") == name {
				return c
			}
		}
	}
	return nil
}

// staying are the pods that have a node and are not leaving.
func (f *generator) staying() map[types.UID]*corev1.Pod {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := map[types.UID]*corev1.Pod{}
	for uid, pod := range f.pods {
		if pod.Spec.NodeName != "" && pod.DeletionTimestamp == nil {
			out[uid] = pod
		}
	}
	return out
}

// judgeEvictions looks at one batch of evictions, once all are asked for.
func (f *generator) judgeEvictions(notes []recordedEviction) {
	f.t.Helper()
	claimant := f.workloadNamed(notes[0].claimant)
	if claimant == nil {
		f.t.Fatalf("gangs are evicted for %q, which is not there", notes[0].claimant)
	}
	c := f.claims[claimant.name]
	if has := len(f.boundNodes(claimant)); c == nil || c.has != has {
		c = &claimed{has: has, victims: map[string]bool{}}
		f.claims[claimant.name] = c
		f.counts["claims"]++
	}
	c.batches++
	if c.batches > 1 {
		f.t.Errorf("there is batch %d of evictions for %q, of %v after %v:\n%s", c.batches, claimant.name, notes, c.victims, f.describe())
	}
	after := f.recount(f.staying())
	lost := map[string][]int64{}
	for _, n := range notes {
		victim := f.workloadNamed(n.gang)
		switch {
		case n.claimant != notes[0].claimant:
			f.t.Errorf("gangs are evicted at once for %q and for %q", n.claimant, notes[0].claimant)
		case victim == nil:
			f.t.Fatalf("gang %q is evicted, which is not there", n.gang)
		case c.victims[victim.name]:
			f.t.Errorf("gang %q is evicted twice for %q", victim.name, claimant.name)
		}
		c.victims[victim.name] = true
		if left := len(f.boundNodes(victim)); left > 0 && left < max(1, victim.size) {
			f.t.Errorf("gang %q of %d is evicted in part for %q: %d pods are left", victim.name, victim.size, claimant.name, left)
		} else if left > 0 {
			f.counts["evicted down to the least"]++
		}
		mine := f.pathOf(victim.podOf(0))
		theirs := f.pathOf(claimant.podOf(0))
		for _, q := range mine {
			if !slices.Contains(theirs, q) {
				lost[q] = append(lost[q], int64(n.pods)*victim.gpus)
			}
		}
		if len(mine) > 0 && len(theirs) > 0 && mine[0] == theirs[0] {
			f.counts["evicted in the queue"]++
		}
	}
	for q, all := range lost {
		due := f.guaranteed(q)
		if after[q].GPUs >= due {
			continue
		}
		// It had more than it is guaranteed, but not in whole gangs.
		if f.counts["straddling"]++; after[q].GPUs+slices.Max(all) <= due {
			f.t.Errorf("queue %q is left with %d, and is guaranteed %d; gangs of %v went for %q", q, after[q].GPUs, due, all, claimant.name)
		}
	}
}

func (f *generator) guaranteed(queue string) int64 {
	return f.fakeAPI.queues[queue].Spec.Resources[0].Guaranteed.Value()
}

// describe says who is where.
func (f *generator) describe() string {
	var out strings.Builder
	used := f.recount(f.staying())
	for _, q := range f.engine.queues.Report() {
		fmt.Fprintf(&out, "queue %s uses %d of %d\n", q.Name, used[q.Name].GPUs, f.guaranteed(q.Name))
		if q.Head != nil {
			fmt.Fprintf(&out, "  %s: %s %s\n", q.Head.Gang, q.Head.Code, q.Head.Text)
		}
	}
	for _, c := range f.workloads {
		fmt.Fprintf(&out, "%s of %q: %d of %d pods of %d GPUs, rack %t, priority %d: %v\n", c.name, c.queue, c.size, c.pods, c.gpus, c.rack, c.priority, f.boundNodes(c))
	}
	return out.String()
}

// neglected returns a workload that waits within what its queue is guaranteed, and whom room could
// be made for by evicting whole workloads that their queues have beyond what those are guaranteed;
// nil if there is none. It tries all sets of workloads.
func (f *generator) neglected() (*testJob, []*testJob) {
	used := f.recount(f.staying())
	var running []*testJob
	for _, c := range f.workloads {
		if len(f.boundNodes(c)) > 0 {
			running = append(running, c)
		}
	}
	for _, c := range f.workloads {
		if len(f.boundNodes(c)) > 0 || f.spare(c, used) < 0 {
			continue
		}
		f.counts["waiting within the guarantee"]++
		theirs := f.pathOf(c.podOf(0))
		var may []*testJob
		for _, v := range running {
			mine := f.pathOf(v.podOf(0))
			if mine[0] != theirs[0] && used[mine[0]].GPUs > f.guaranteed(mine[0]) {
				may = append(may, v)
			}
		}
		for set := range 1 << len(may) {
			var gone []*testJob
			for i, v := range may {
				if set&(1<<i) != 0 {
					gone = append(gone, v)
				}
			}
			if f.permitted(c, gone, used) && f.fits(c, gone) {
				return c, gone
			}
		}
	}
	return nil, nil
}

// spare returns how much the queues of a workload that waits are guaranteed beyond what
// they would use with it, the least of them; below 0 if it is not entitled.
func (f *generator) spare(c *testJob, used map[string]amounts) int64 {
	least := int64(1) << 40
	for _, q := range f.pathOf(c.podOf(0)) {
		least = min(least, f.guaranteed(q)-used[q].GPUs-int64(max(1, c.size))*c.gpus)
	}
	return least
}

// permitted reports whether all queues of those that go keep what they are guaranteed.
func (f *generator) permitted(c *testJob, gone []*testJob, used map[string]amounts) bool {
	left, theirs := map[string]int64{}, f.pathOf(c.podOf(0))
	for _, v := range gone {
		for _, q := range f.pathOf(v.podOf(0)) {
			if slices.Contains(theirs, q) {
				continue
			}
			if _, known := left[q]; !known {
				left[q] = used[q].GPUs
			}
			left[q] -= int64(len(f.boundNodes(v))) * v.gpus
			if left[q] < f.guaranteed(q) {
				return false
			}
		}
	}
	return true
}

// fits reports whether a workload has room in one domain once others are gone.
func (f *generator) fits(c *testJob, gone []*testJob) bool {
	free := map[string]int64{}
	for _, node := range f.nodes {
		free[node.Name] = 8
	}
	without := map[string]bool{}
	for _, v := range gone {
		without[v.name] = true
	}
	for _, pod := range f.staying() {
		if !without[workloadOf(pod)] {
			free[pod.Spec.NodeName] -= usesOf(pod).GPUs
		}
	}
	pods := map[string]int64{}
	for _, node := range f.nodes {
		domain := ""
		if c.rack {
			domain = node.Labels[rackLabel]
		}
		pods[domain] += free[node.Name] / c.gpus
	}
	for _, n := range pods {
		if n >= int64(max(1, c.size)) {
			return true
		}
	}
	return false
}

// calm lets time pass in which nobody comes or ends, and fails the test if gangs go on to be
// evicted, or if one is neglected at the end.
func (f *generator) calm() {
	f.t.Helper()
	waiting := 0
	for _, c := range f.workloads {
		if !f.whole(c) {
			waiting++
		}
	}
	before := f.counts["batches"]
	f.pass(60, 15*time.Second)
	if n := f.counts["batches"] - before; n > 2*waiting+len(f.workloads) {
		f.t.Errorf("%d batches followed where %d of %d gangs waited and nobody came:\n%s", n, waiting, len(f.workloads), f.describe())
	}
	before = f.counts["batches"]
	f.pass(60, 15*time.Second)
	if n := f.counts["batches"] - before; n > 0 {
		f.t.Errorf("%d batches followed after a quarter of an hour in which nobody came:\n%s", n, f.describe())
	}
	if c, gone := f.neglected(); c != nil {
		var names []string
		for _, v := range gone {
			names = append(names, v.name)
		}
		f.t.Errorf("%s waits within what its queue is guaranteed, and could have the place of %v:\n%s", c.name, names, f.describe())
	}
	f.counts["calms"]++
}
