package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	fwk "k8s.io/kube-scheduler/framework"
	schedulerconfig "k8s.io/kubernetes/pkg/scheduler/apis/config"

	"github.com/berth-dev/berth/bench/report"
	"github.com/berth-dev/berth/bench/rig"
	"github.com/berth-dev/berth/bench/schedulers"
)

const (
	// qualityFill is how much of the GPUs is asked for while pods come and go.
	qualityFill = 0.7
	// qualityTurnover is how often each pod is replaced by another, in the mean.
	qualityTurnover = 2
)

// packers are compared by how they pack. upstream-pack scores a sample of the nodes,
// unless it is told to score every node.
var packers = []packer{
	{name: schedulers.UpstreamPack, scheduler: schedulers.UpstreamPack},
	{name: schedulers.UpstreamPack + ", every node", scheduler: schedulers.UpstreamPack, everyNode: true},
	{name: schedulers.Berth, scheduler: schedulers.Berth},
}

type packer struct {
	name, scheduler string
	everyNode       bool
}

// world is a random history of pods that come and go, the same for the same seed
// whoever schedules. Who finds no place for a pod goes without it.
type world struct {
	*loop
	random *rand.Rand
	// running are the pods that came and have not gone, whether placed or not.
	running []rig.Binding
	asked   int
	placed  int
	refused bool
}

// quality says how well each packs on so many seeds.
func quality(seeds, nodes int) ([]report.QualityRow, error) {
	free := map[string][]int{}
	placed := map[string]int{}
	start := time.Now()
	for seed := range seeds {
		for _, p := range packers {
			name := p.name
			w, err := newWorld(p, nodes, uint64(seed))
			if err != nil {
				return nil, err
			}
			if err := w.live(); err != nil {
				w.Stop()
				return nil, fmt.Errorf("packing with %s, seed %d: %w", name, seed, err)
			}
			free[name] = append(free[name], w.freeNodes())
			placed[name] += w.placed
			w.Stop()
		}
		fmt.Fprintf(os.Stderr, "packing %d/%d  %d nodes, wholly free at the end:", seed+1, seeds, nodes)
		for _, p := range packers {
			fmt.Fprintf(os.Stderr, "  %s %d", p.name, free[p.name][seed])
		}
		fmt.Fprintf(os.Stderr, "  (%s)\n", time.Since(start).Round(time.Second))
	}
	var rows []report.QualityRow
	for _, p := range packers {
		name := p.name
		row := report.QualityRow{Scheduler: name, Nodes: nodes, Seeds: seeds, Placed: float64(placed[name]) / float64(seeds)}
		for seed, n := range free[name] {
			row.FreeNodes += float64(n) / float64(seeds)
			if n >= free[schedulers.UpstreamPack][seed] {
				row.AtLeast++
			}
		}
		rows = append(rows, row)
	}
	return rows, nil
}

func newWorld(p packer, nodes int, seed uint64) (*world, error) {
	l, err := newLoop(setup{scheduler: p.scheduler, nodes: nodes}, func(profile *schedulerconfig.KubeSchedulerProfile) {
		if p.everyNode {
			all := int32(100)
			profile.PercentageOfNodesToScore = &all
		}
	})
	if err != nil {
		return nil, err
	}
	w := &world{loop: l, random: rand.New(rand.NewPCG(seed, 2))}
	l.OnFailure(func(pod *corev1.Pod, status *fwk.Status) {
		w.refused = true
		if !status.IsRejected() {
			l.failed = fmt.Errorf("scheduling pod %q: %w", pod.Name, status.AsError())
		}
	})
	return w, nil
}

// live fills the cluster, and then lets a random pod go for each that comes.
func (w *world) live() error {
	total := w.nodes * rig.GPUsPerNode
	for w.asked < int(qualityFill*float64(total)) {
		if err := w.come(); err != nil {
			return err
		}
	}
	for range qualityTurnover * len(w.running) {
		if err := w.leave(); err != nil {
			return err
		}
		for w.asked < int(qualityFill*float64(total)) {
			if err := w.come(); err != nil {
				return err
			}
		}
	}
	return nil
}

// come schedules one pod of 1, 2, 4 or 8 GPUs.
func (w *world) come() error {
	gpus := []int{1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 4, 4, 4, 4, 8, 8, 8}[w.random.IntN(20)]
	w.made++
	p := rig.Pod("pod-"+strconv.Itoa(w.made), gpus)
	w.asked += gpus
	w.refused = false
	w.Sched.SchedulingQueue.Add(w.Ctx, p)
	w.Sched.ScheduleOne(w.Ctx)
	if w.failed != nil {
		return w.failed
	}
	if w.refused {
		w.running = append(w.running, rig.Binding{Pod: p})
		return nil
	}
	w.placed++
	w.running = append(w.running, w.Bound(1)...)
	return nil
}

// leave lets a random pod go.
func (w *world) leave() error {
	at := w.random.IntN(len(w.running))
	gone := w.running[at]
	w.running = slices.Delete(w.running, at, at+1)
	w.asked -= rig.GPUs(gone.Pod)
	if gone.Node == "" {
		return nil
	}
	return w.Remove(gone)
}

// freeNodes counts the nodes without pods.
func (w *world) freeNodes() int {
	free := 0
	for _, node := range w.Sched.Cache.Dump().Nodes {
		if len(node.Pods) == 0 {
			free++
		}
	}
	return free
}
