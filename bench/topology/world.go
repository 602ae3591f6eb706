package main

import (
	"cmp"
	"container/heap"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"

	"github.com/berth-dev/berth/bench/rig"
	"github.com/berth-dev/berth/bench/schedulers"
	"github.com/berth-dev/berth/pkg/api/v1alpha1"
	"github.com/berth-dev/berth/pkg/core/topology"
	"github.com/berth-dev/berth/pkg/state/device"
)

// setup says what a world is made of.
type setup struct {
	contestant contestant
	nodes      int
	seed       uint64
	sizes      map[int32]int32
	// pass lets jobs that fit pass those that wait.
	pass bool
}

// world is a cluster with a scheduler, and the jobs on it.
type world struct {
	*rig.Rig
	setup
	machine *machine
	plugin  *devicePlugin
	// held is what jobs hold on each node, by its name.
	held map[string]map[int]topology.Mask
	// running are the jobs on nodes, the next to end first; waiting those that have
	// come and do not fit, in the order in which they came.
	running ends
	waiting []job
	now     float64
	// history has all jobs that were placed, in that order.
	history []*placed
	tally   tally

	// refused says that the last cycle found no place, failed that it is broken.
	refused bool
	failed  error
	// foreseen says how the last report on a job compares with what the scheduler had
	// expected; "" if there was none.
	foreseen device.Prediction
}

// placed is a job on a node.
type placed struct {
	rig.Binding
	job job
	set topology.Mask
	// begin and end are when it runs.
	begin, end float64
}

func newWorld(s setup, m *machine) (*world, error) {
	who, err := schedulers.New(s.contestant.scheduler, nil)
	if err != nil {
		return nil, err
	}
	configure, err := s.contestant.configure(s.sizes)
	if err != nil {
		return nil, err
	}
	r, err := rig.New(who, configure)
	if err != nil {
		return nil, err
	}
	w := &world{Rig: r, setup: s, machine: m, plugin: newDevicePlugin(&m.Matrix), held: map[string]map[int]topology.Mask{}}
	w.OnFailure(func(pod *corev1.Pod, status *fwk.Status) {
		w.refused = true
		if !status.IsRejected() {
			w.failed = fmt.Errorf("scheduling pod %q: %w", pod.Name, status.AsError())
		}
	})
	if s.contestant.told() && !s.contestant.exact() {
		who.Path().Inventory().OnPrediction(func(p device.Prediction) { w.foreseen = p })
	}
	for i := range s.nodes {
		w.held[rig.NodeName(i)] = map[int]topology.Mask{}
		r.Sched.Cache.AddNode(klog.Background(), rig.Node(i))
		w.report(rig.NodeName(i))
	}
	return w, nil
}

// live has all jobs come, and run to their end.
func (w *world) live(jobs []job) error {
	for len(jobs) > 0 || len(w.running) > 0 {
		if len(jobs) > 0 && (len(w.running) == 0 || jobs[0].comes <= w.running[0].end) {
			w.advance(jobs[0].comes)
			w.waiting, jobs = append(w.waiting, jobs[0]), jobs[1:]
			// Those that waited before have not fitted since the last job ended.
			if len(w.waiting) == 1 || w.pass {
				if err := w.serve(len(w.waiting) - 1); err != nil {
					return err
				}
			}
			continue
		}
		w.advance(w.running[0].end)
		if err := w.end(heap.Pop(&w.running).(*placed)); err != nil {
			return err
		}
		if err := w.serve(0); err != nil {
			return err
		}
	}
	if len(w.waiting) > 0 {
		return fmt.Errorf("%s and %d others wait on an empty cluster", w.waiting[0].name(), len(w.waiting)-1)
	}
	return nil
}

// advance lets time pass.
func (w *world) advance(to float64) {
	w.tally.pass(w.now, to, w.inUse())
	w.now = to
}

// inUse returns how many GPUs are held.
func (w *world) inUse() (n int) {
	for _, p := range w.running {
		n += p.set.Len()
	}
	return n
}

// serve tries the jobs that wait, from a place on, until one does not fit; with pass, all
// of them.
func (w *world) serve(from int) error {
	for at := from; at < len(w.waiting); {
		ok, err := w.try(w.waiting[at])
		switch {
		case err != nil:
			return err
		case ok:
			w.waiting = slices.Delete(w.waiting, at, at+1)
		case w.pass:
			at++
		default:
			return nil
		}
	}
	return nil
}

// try has the scheduler look for a place for a job, in one cycle.
func (w *world) try(j job) (bool, error) {
	w.refused = false
	w.Sched.SchedulingQueue.Add(w.Ctx, rig.Pod(j.name(), j.gpus))
	w.Sched.ScheduleOne(w.Ctx)
	if w.failed != nil {
		return false, w.failed
	}
	if w.refused {
		for node := range w.held {
			if w.free(node).Len() >= j.gpus {
				return false, fmt.Errorf("%s of %d GPUs was refused, and node %q has %d free", j.name(), j.gpus, node, w.free(node).Len())
			}
		}
		return false, nil
	}
	p := &placed{Binding: w.Bound(1)[0], job: j, begin: w.now, end: w.now + j.runs}
	free := w.free(p.Node)
	if free.Len() < j.gpus {
		return false, fmt.Errorf("%s of %d GPUs was placed on node %q, which has %d free", j.name(), j.gpus, p.Node, free.Len())
	}
	if w.contestant.exact() {
		p.set = w.taken(p)
	} else {
		// The order of the devices depends on the job, so that it is the same for all.
		random := rand.New(rand.NewPCG(w.seed, uint64(j.number)<<8|4))
		p.set = w.plugin.pick(j.gpus, free, random)
	}
	if p.set.Len() != j.gpus || p.set&^free != 0 {
		return false, fmt.Errorf("%s of %d GPUs got %08b of node %q, which has %08b free", j.name(), j.gpus, p.set, p.Node, free)
	}
	w.held[p.Node][j.number] = p.set
	heap.Push(&w.running, p)
	w.history = append(w.history, p)
	w.foreseen = ""
	w.report(p.Node)
	w.tally.start(w.machine, p, w.foreseen)
	return true, nil
}

// end ends a job.
func (w *world) end(p *placed) error {
	delete(w.held[p.Node], p.job.number)
	if err := w.Remove(p.Binding); err != nil {
		return err
	}
	w.report(p.Node)
	return nil
}

// free returns the devices of a node that nobody holds.
func (w *world) free(node string) topology.Mask {
	free := topology.All(w.machine.Devices)
	for _, set := range w.held[node] {
		free &^= set
	}
	return free
}

// taken returns the devices that the scheduler has taken for a job.
func (w *world) taken(p *placed) (set topology.Mask) {
	taken := w.Who.Path().Inventory().TakenBy(p.Pod.UID)
	if taken == nil {
		return 0
	}
	for d := range w.machine.Devices {
		if slices.Contains(taken.Devices[rig.Container], rig.UUID(p.Node, d)) {
			set |= 1 << d
		}
	}
	return set
}

// report plays back what the agent of a node reports, to a scheduler that is told.
func (w *world) report(node string) {
	if !w.contestant.told() {
		return
	}
	var held []v1alpha1.Allocation
	for number, set := range w.held[node] {
		a := v1alpha1.Allocation{Namespace: rig.Namespace, Pod: job{number: number}.name(), Container: rig.Container}
		for d := range set.Each() {
			a.Devices = append(a.Devices, rig.UUID(node, d))
		}
		held = append(held, a)
	}
	slices.SortFunc(held, func(a, b v1alpha1.Allocation) int { return strings.Compare(a.Pod, b.Pod) })
	w.Who.Path().SetTopology(w.machine.Topology(node, held...), nil)
}

// ends are jobs that run, a heap: the next to end is the first.
type ends []*placed

func (e ends) Len() int           { return len(e) }
func (e ends) Less(i, j int) bool { return e[i].before(e[j]) }
func (e ends) Swap(i, j int)      { e[i], e[j] = e[j], e[i] }
func (e *ends) Push(x any)        { *e = append(*e, x.(*placed)) }
func (e *ends) Pop() any {
	last := len(*e) - 1
	x := (*e)[last]
	*e = (*e)[:last]
	return x
}

// before reports whether a job ends before another.
func (p *placed) before(other *placed) bool {
	return cmp.Or(cmp.Compare(p.end, other.end), cmp.Compare(p.job.number, other.job.number)) < 0
}
