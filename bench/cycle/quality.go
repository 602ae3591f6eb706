package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"time"

	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
	schedulerconfig "k8s.io/kubernetes/pkg/scheduler/apis/config"
	"k8s.io/kubernetes/pkg/scheduler/framework"

	"github.com/berth-dev/berth/bench/report"
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
	*rig
	random *rand.Rand
	// running are the pods that came and have not gone, whether placed or not.
	running []binding
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
				w.stop()
				return nil, fmt.Errorf("packing with %s, seed %d: %w", name, seed, err)
			}
			free[name] = append(free[name], w.freeNodes())
			placed[name] += w.placed
			w.stop()
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
	r, err := newRig(p.scheduler, nodes, 0, func(profile *schedulerconfig.KubeSchedulerProfile) {
		if p.everyNode {
			all := int32(100)
			profile.PercentageOfNodesToScore = &all
		}
	})
	if err != nil {
		return nil, err
	}
	w := &world{rig: r, random: rand.New(rand.NewPCG(seed, 2))}
	r.sched.FailureHandler = func(_ context.Context, _ framework.Framework, info *framework.QueuedPodInfo, status *fwk.Status, _ *fwk.NominatingInfo, _ time.Time) {
		r.sched.SchedulingQueue.Done(info.Pod.UID)
		w.refused = true
		if !status.IsRejected() {
			r.failed = fmt.Errorf("scheduling pod %q: %w", info.Pod.Name, status.AsError())
		}
	}
	return w, nil
}

// live fills the cluster, and then lets a random pod go for each that comes.
func (w *world) live() error {
	total := w.nodes * gpusPerNode
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
	p := pod("pod-"+strconv.Itoa(w.made), gpus)
	w.asked += gpus
	w.refused = false
	w.sched.SchedulingQueue.Add(w.ctx, p)
	w.sched.ScheduleOne(w.ctx)
	if w.failed != nil {
		return w.failed
	}
	if w.refused {
		w.running = append(w.running, binding{pod: p})
		return nil
	}
	w.placed++
	w.running = append(w.running, w.binder.wait(1)...)
	return nil
}

// leave lets a random pod go.
func (w *world) leave() error {
	at := w.random.IntN(len(w.running))
	gone := w.running[at]
	w.running = slices.Delete(w.running, at, at+1)
	w.asked -= gpusOf(gone.pod)
	if gone.node == "" {
		return nil
	}
	if err := w.sched.Cache.RemoveAssumedPod(klog.Background(), gone.pod); err != nil {
		return fmt.Errorf("removing pod %q: %w", gone.pod.Name, err)
	}
	return nil
}

// freeNodes counts the nodes without pods.
func (w *world) freeNodes() int {
	free := 0
	for _, node := range w.sched.Cache.Dump().Nodes {
		if len(node.Pods) == 0 {
			free++
		}
	}
	return free
}
