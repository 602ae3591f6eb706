package engine

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/berth-dev/berth/pkg/engine/waitreason"
)

var batchSteps = flag.Int("batch-steps", 10000, "Steps of TestNoGangIsPartlyEvicted.")

// mostPartial is for how many steps a gang that a budget cut a batch into may lack pods that its
// owner has made again: until it is tried, with time between tries.
const mostPartial = 40

// TestNoGangIsPartlyEvicted lets gangs come and end in a queue that borrows and in one that
// takes its guarantee back, and budgets over them come, change and go, at random. The model of
// a budget is the plain one: the API server lets no more pods go than it allows.
//
// No gang is ever evicted in part, but for one whose budget nobody knew of when it was chosen,
// or did not count for it yet, for its pods had not begun to run; and that one is whole again
// before long, with the pods that its owner makes again.
func TestNoGangIsPartlyEvicted(t *testing.T) {
	w := &budgetWorld{
		testCluster: newTestCluster(t, rackNodes(8, 2), testQueue{name: "owner", guaranteed: 32}, testQueue{name: "borrower", weight: 1}),
		r:           rand.New(rand.NewPCG(11, 37)), hidden: map[string]bool{}, partial: map[string]int{}, whole: map[string]bool{}, seen: map[string]int{},
	}
	w.controllers = w.replace
	for range *batchSteps {
		w.step()
		w.check()
		if t.Failed() {
			t.Fatal(w.describe())
		}
	}
	t.Logf("%d steps: %v", *batchSteps, w.seen)
	for _, what := range []string{"evicted whole", "cut short", "made whole", "kept by budgets"} {
		if w.seen[what] == 0 {
			t.Errorf("no gang was %s in %d steps", what, *batchSteps)
		}
	}
}

// budgetWorld is gangs of two queues, and budgets.
type budgetWorld struct {
	*testCluster
	r         *rand.Rand
	workloads []*testJob
	made      int
	// hidden are gangs with a budget that Berth was not told of.
	hidden map[string]bool
	// partial is for how many steps a gang has lacked pods that were evicted.
	partial map[string]int
	// whole are gangs that had all their pods when last looked at.
	whole map[string]bool
	seen  map[string]int
}

// step does one thing, and lets a little time pass.
func (w *budgetWorld) step() {
	switch w.r.IntN(8) {
	case 0, 1:
		if len(w.waiting("borrower")) < 2 {
			w.start("borrower", 1+w.r.IntN(3))
		}
	case 2:
		if len(w.waiting("owner")) < 2 {
			w.start("owner", 1+w.r.IntN(2))
		}
	case 3:
		if len(w.workloads) > 0 {
			i := w.r.IntN(len(w.workloads))
			if c := w.workloads[i]; w.partial[c.name] == 0 {
				w.end(c.uids...)
				w.dropBudget(c.name)
				w.workloads = slices.Delete(w.workloads, i, i+1)
			}
		}
	case 4, 5:
		w.changeBudget()
	}
	w.pass(1, time.Duration(1+w.r.IntN(4))*time.Second)
}

func (w *budgetWorld) start(queue string, size int) {
	w.made++
	c := w.submit(testJob{name: fmt.Sprintf("%s-%d", queue, w.made), queue: queue, size: size, gpus: 8, grace: int64(w.r.IntN(8))})
	w.workloads = append(w.workloads, c)
}

// changeBudget makes a budget over a gang, or changes or deletes it. Two in three that are made
// are told to Berth only later, as one is that comes in the middle of a batch.
func (w *budgetWorld) changeBudget() {
	if len(w.workloads) == 0 {
		return
	}
	c := w.workloads[w.r.IntN(len(w.workloads))]
	if w.partial[c.name] > 0 {
		return
	}
	w.mu.Lock()
	known := w.budgets[c.name] != nil
	w.mu.Unlock()
	switch {
	case known && w.r.IntN(2) == 0:
		w.dropBudget(c.name)
	default:
		pdb := w.protect(c.name, int32(w.r.IntN(c.size+1)))
		w.version++
		pdb.ResourceVersion = strconv.Itoa(w.version)
		if hidden := !known && w.r.IntN(3) > 0; hidden || w.hidden[c.name] {
			w.hidden[c.name] = true
			return
		}
		w.reclaimer.SetBudget(pdb)
	}
}

func (w *budgetWorld) dropBudget(name string) {
	w.mu.Lock()
	delete(w.budgets, name)
	w.mu.Unlock()
	delete(w.hidden, name)
	w.reclaimer.DeleteBudget(types.NamespacedName{Namespace: "ns", Name: name})
}

// replace makes pods again that were evicted.
func (w *budgetWorld) replace() {
	for _, c := range w.workloads {
		w.makeAgain(c, nil)
	}
}

func (w *budgetWorld) waiting(queue string) []*testJob {
	return slices.DeleteFunc(slices.Clone(w.workloads), func(c *testJob) bool { return c.queue != queue || len(w.boundNodes(c)) > 0 })
}

// check fails the test if a gang has lost some of its pods and not all, but to a budget that
// nobody knew of, and not for long.
func (w *budgetWorld) check() {
	w.t.Helper()
	underWay := w.reclaimer.Batches() > 0
	for _, c := range w.workloads {
		staying := len(w.boundNodes(c))
		switch {
		case staying == c.size:
			if w.partial[c.name] > 0 {
				w.seen["made whole"]++
			}
			delete(w.partial, c.name)
		case staying == 0:
			if w.evictedOf(c) {
				w.seen["evicted whole"]++
			}
			delete(w.partial, c.name)
		case w.partial[c.name] > 0:
			if w.partial[c.name]++; w.partial[c.name] > mostPartial {
				w.t.Errorf("gang %s has had %d of its %d pods for %d steps", c.name, staying, c.size, w.partial[c.name])
			}
		case w.hidden[c.name], !w.whole[c.name] && w.has(c.name):
			w.seen["cut short"]++
			w.partial[c.name] = 1
			// It is known from now on.
			if pdb, err := w.budget(c.name); err == nil {
				w.reclaimer.SetBudget(pdb)
			}
			delete(w.hidden, c.name)
		case !underWay:
			// The batch may have ended before its evictions have: whoever it was for found a place.
			w.await(fmt.Sprintf("gang %s, which has %d of its %d pods though no budget stopped anybody, has all or none", c.name, staying, c.size), func() bool {
				n := len(w.boundNodes(c))
				return n == 0 || n == c.size
			})
		}
		w.whole[c.name] = staying == c.size
		if why := w.explainer.Why(w.told[c.uids[0]]); staying == 0 && why.Code == waitreason.VictimsProtected {
			w.seen["kept by budgets"]++
		}
	}
}

// has reports whether there is a budget over a gang.
func (w *budgetWorld) has(name string) bool {
	_, err := w.budget(name)
	return err == nil
}

// evictedOf reports whether pods of a gang were evicted since it was asked last.
func (w *budgetWorld) evictedOf(c *testJob) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	of := func(name string) bool { return strings.HasPrefix(name, c.name+"-") }
	found := slices.ContainsFunc(w.evicted, of)
	w.evicted = slices.DeleteFunc(w.evicted, of)
	return found
}

func (w *budgetWorld) describe() string {
	var out strings.Builder
	for _, c := range w.workloads {
		allowed := "none"
		if pdb, err := w.budget(c.name); err == nil {
			allowed = fmt.Sprint(pdb.Status.DisruptionsAllowed)
		}
		fmt.Fprintf(&out, "%s: %d of %d pods, budget %s, hidden %v\n", c.name, len(w.boundNodes(c)), c.size, allowed, w.hidden[c.name])
	}
	return out.String()
}
