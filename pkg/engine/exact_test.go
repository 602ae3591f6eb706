package engine

import (
	"fmt"
	"hash/fnv"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/types"
)

// TestBooksAreExact lets everything happen to pods that may, at random: gangs are tried, made
// room for and given up; bindings fail, or are done and seem to fail; pods end while they are
// bound, are resized while they run, and pass to other queues; queues change, come and go; the
// scheduler is started anew, and another takes over in the middle of what the last one did.
// What queues use is compared with what pods take after each step and at each reservation, at
// every level, and whoever is charged stays within all limits.
func TestLedgerIsExact(t *testing.T) {
	seeds, steps := uint64(4), 800
	if testing.Short() || raced {
		seeds, steps = 2, 300
	}
	counts := map[string]int{}
	for seed := range seeds {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			f := newGenerator(t, seed, rackNodes(9, 3), limited()...)
			f.onEvictions = nil
			for range steps {
				f.happen()
				f.settle()
				f.pass(f.rand.IntN(2), time.Second)
			}
			f.quiet()
			for len(f.workloads) > 0 {
				f.leave(0)
			}
			f.settle()
			for _, q := range f.engine.queues.Report() {
				for _, r := range q.Resources {
					if r.Used != 0 || r.Asked != 0 {
						t.Errorf("queue %q uses %s and asks for %s of %s, and nobody is there", q.Name, r.Used, r.Asked, r.Resource)
					}
				}
			}
			t.Log(f.counts)
			for what, n := range f.counts {
				counts[what] += n
			}
		})
	}
	expectCounts(t, counts, int(seeds)*steps, map[string]int{
		"ledgers": 30_000, "reservations": 8000, "batches": 100, "refused": 300, "lost answers": 200, "resized": 300, "moved": 200,
		"ended while bound": 30, "started anew": 100, "took over": 200, "queues changed": 200,
	})
}

// limited is queues at three levels with limits, of cores as well.
func limited() []testQueue {
	return []testQueue{
		{name: "all", limit: 68, guaranteed: 64, cpuLimit: 90_000},
		{name: "a", parent: "all", guaranteed: 24, limit: 40, weight: 1}, {name: "b", parent: "all", guaranteed: 24, cpuLimit: 40_000, weight: 1},
		{name: "b1", parent: "b", guaranteed: 16, limit: 24, weight: 1}, {name: "b2", parent: "b", guaranteed: 8},
	}
}

// chance decides by a pod, so that it does not matter in which order pods are asked about.
func (f *generator) chance(salt uint64, pod *corev1.Pod, of uint64) bool {
	h := fnv.New64a()
	fmt.Fprint(h, salt, pod.UID)
	return h.Sum64()%of == 0
}

// makeTrouble has bindings fail from now on, some of them, each once.
func (f *generator) makeTrouble() {
	salt, once := f.rand.Uint64(), map[types.UID]bool{}
	f.fakeAPI.fate = func(pod *corev1.Pod) fate {
		switch {
		case once[pod.UID]:
			return bound
		case f.chance(salt, pod, 3):
			once[pod.UID] = true
			f.counts["refused"]++
			return refusedBind
		case f.chance(salt+1, pod, 3):
			f.counts["lost answers"]++
			return lostAnswer
		}
		return bound
	}
}

// quiet ends all trouble.
func (f *generator) quiet() {
	f.fakeAPI.fate = func(*corev1.Pod) fate { return bound }
	f.holds = false
	f.releaseBindings()
	f.settle()
}

// happen lets one thing happen.
func (f *generator) happen() {
	f.t.Helper()
	var c *testJob
	if len(f.workloads) > 0 {
		c = pick(f, f.workloads...)
	}
	switch what := f.rand.IntN(100); {
	case what < 30 && len(f.workloads) < 20 || c == nil:
		f.come(pick(f, "a", "b", "b1", "b2", "b1", "gone", ""))
	case what < 36:
		f.leave(f.rand.IntN(len(f.workloads)))
	case what < 45:
		f.end(pick(f, c.uids...))
	case what < 57:
		f.resize(pick(f, c.uids...))
	case what < 63:
		to := pick(f, "a", "b1", "b2")
		f.mu.Lock()
		placed := slices.ContainsFunc(c.uids, func(uid types.UID) bool { return f.pods[uid] != nil && f.pods[uid].Spec.NodeName != "" })
		f.mu.Unlock()
		if placed {
			return // a policy keeps what has its place from changing its queue
		}
		for _, uid := range c.uids {
			f.edit(uid, func(pod *corev1.Pod) { pod.Labels["berth.dev/queue"] = to })
		}
		c.queue = to
		f.counts["moved"]++
	case what < 72:
		f.makeTrouble()
	case what < 76:
		f.quiet()
	case what < 86:
		f.whileBound()
	case what < 89:
		f.quiet()
		f.depose()
		f.lead()
		f.counts["started anew"]++
	case what < 94:
		f.takeOver()
	default:
		f.changeQueue()
	}
}

// resize changes the cores of a pod that runs, and is at one of the steps of that.
func (f *generator) resize(uid types.UID) {
	f.edit(uid, func(pod *corev1.Pod) {
		if pod.Spec.NodeName == "" {
			return
		}
		cores := func() corev1.ResourceList {
			list := pod.Spec.Containers[0].Resources.Requests.DeepCopy()
			list[corev1.ResourceCPU] = *resource.NewMilliQuantity(int64(500*(1+f.rand.IntN(12))), resource.DecimalSI)
			return list
		}
		pod.Status.Conditions = nil
		pod.Spec.Containers[0].Resources.Requests = cores()
		status := corev1.ContainerStatus{Name: "c", AllocatedResources: cores(), Resources: &corev1.ResourceRequirements{Requests: cores()}}
		switch f.rand.IntN(4) {
		case 0:
			status.Resources = nil
		case 1:
			pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodResizePending, Status: corev1.ConditionTrue, Reason: corev1.PodReasonInfeasible}}
		case 2:
			status.AllocatedResources, status.Resources.Requests = pod.Spec.Containers[0].Resources.Requests, pod.Spec.Containers[0].Resources.Requests
		}
		pod.Status.ContainerStatuses = []corev1.ContainerStatus{status}
		f.counts["resized"]++
	})
}

// whileBound has gangs tried while none is bound, and pods of them end meanwhile.
func (f *generator) whileBound() {
	f.holds = true
	f.come(pick(f, "a", "b1", "b2"))
	f.settle()
	for _, c := range f.workloads {
		for _, uid := range c.uids {
			f.observerPlugin.mu.Lock()
			flies := f.flying[uid]
			f.observerPlugin.mu.Unlock()
			if flies && f.rand.IntN(4) == 0 {
				f.end(uid)
				f.counts["ended while bound"]++
			}
		}
	}
	f.settle()
	f.holds = false
	f.releaseBindings()
}

// takeOver has the scheduler end while it binds: some pods are bound, and it does not hear of
// any. Another begins with what there is.
func (f *generator) takeOver() {
	f.holds = true
	f.come(pick(f, "a", "b1", "b2"))
	f.settle()
	f.makeTrouble()
	f.releaseBindings()
	f.depose()
	f.fakeAPI.fate = func(*corev1.Pod) fate { return bound }
	f.lead()
	f.counts["took over"]++
}

// changeQueue changes what a queue is entitled to, or has one go and come again.
func (f *generator) changeQueue() {
	rules := limited()
	r := pick(f, rules[1:]...)
	old := f.fakeAPI.queues[r.name]
	switch {
	case old == nil:
		f.fakeAPI.queues[r.name] = r.object(int64(f.counts["queues changed"] + 10))
	case f.rand.IntN(3) == 0 && r.name != "b":
		delete(f.fakeAPI.queues, r.name)
		f.engine.queues.DeleteQueue(r.name)
	default:
		if r.limit > 0 {
			r.limit += int64(f.rand.IntN(3)-1) * 8
		}
		f.fakeAPI.queues[r.name] = r.object(int64(f.counts["queues changed"] + 10))
	}
	if q := f.fakeAPI.queues[r.name]; q != nil {
		f.engine.queues.SetQueue(q)
	}
	f.counts["queues changed"]++
}
