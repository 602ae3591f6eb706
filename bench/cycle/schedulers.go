package main

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler"
	schedulerconfig "k8s.io/kubernetes/pkg/scheduler/apis/config"
	"k8s.io/kubernetes/pkg/scheduler/apis/config/latest"
	"k8s.io/kubernetes/pkg/scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins/names"
	frameworkruntime "k8s.io/kubernetes/pkg/scheduler/framework/runtime"

	"github.com/berth-dev/berth/pkg/engine"
	"github.com/berth-dev/berth/pkg/engine/fastpath"
)

// contestant is one scheduler, for one cluster.
type contestant interface {
	name() string
	profile() (*schedulerconfig.KubeSchedulerProfile, error)
	plugins() frameworkruntime.Registry
	attach(sched *scheduler.Scheduler) error
	// removed is called when all pods that were placed are gone again.
	removed()
}

// The names of the schedulers.
const (
	upstreamPack = "upstream-pack"
	berth        = "berth"
	floor        = "floor"
	null         = "null"
)

var contestants = []string{upstreamPack, berth, floor, null}

// newContestant returns a scheduler for a new cluster of nodes that is filled to a
// part.
func newContestant(name string, nodes int, part float64) (contestant, error) {
	switch name {
	case upstreamPack:
		return upstreamPacking{}, nil
	case berth:
		return &packing{path: fastpath.New()}, nil
	case floor:
		return &blind{packing: packing{path: fastpath.New()}, counter: newCounter(nodes, part)}, nil
	case null:
		return &nothing{counter: newCounter(nodes, part)}, nil
	}
	return nil, fmt.Errorf("there is no scheduler %q; there are %v", name, contestants)
}

// upstreamPacking is kube-scheduler, told to fill nodes.
type upstreamPacking struct{}

func (upstreamPacking) name() string                       { return upstreamPack }
func (upstreamPacking) plugins() frameworkruntime.Registry { return nil }
func (upstreamPacking) attach(*scheduler.Scheduler) error  { return nil }
func (upstreamPacking) removed()                           {}

func (upstreamPacking) profile() (*schedulerconfig.KubeSchedulerProfile, error) {
	cfg, err := latest.Default()
	if err != nil {
		return nil, fmt.Errorf("defaulting the scheduler configuration: %w", err)
	}
	profile := bindNothing(&cfg.Profiles[0])
	for i := range profile.PluginConfig {
		if args, ok := profile.PluginConfig[i].Args.(*schedulerconfig.NodeResourcesFitArgs); ok {
			args.ScoringStrategy = &schedulerconfig.ScoringStrategy{
				Type: schedulerconfig.MostAllocated,
				Resources: []schedulerconfig.ResourceSpec{
					{Name: string(gpu), Weight: 10}, {Name: string(corev1.ResourceCPU), Weight: 1}, {Name: string(corev1.ResourceMemory), Weight: 1},
				},
			}
		}
	}
	return profile, nil
}

// packing is Berth.
type packing struct {
	path *fastpath.Path
}

func (*packing) name() string                              { return berth }
func (p *packing) plugins() frameworkruntime.Registry      { return p.path.Plugins() }
func (p *packing) attach(sched *scheduler.Scheduler) error { return p.path.Attach(sched) }
func (*packing) removed()                                  {}

func (*packing) profile() (*schedulerconfig.KubeSchedulerProfile, error) {
	profile, err := engine.BuiltinProfile()
	if err != nil {
		return nil, err
	}
	profile.SchedulerName = corev1.DefaultSchedulerName
	return bindNothing(profile), nil
}

// blind is Berth's profile without anybody who looks for a node.
type blind struct {
	packing
	*counter
}

func (*blind) name() string { return floor }
func (b *blind) removed()   { b.counter.removed() }

func (b *blind) attach(sched *scheduler.Scheduler) error {
	sched.SchedulePod = func(ctx context.Context, schedFramework framework.Framework, state fwk.CycleState, info *framework.QueuedPodInfo) (scheduler.ScheduleResult, error) {
		if _, status, _ := schedFramework.RunPreFilterPlugins(ctx, state, info.Pod); !status.IsSuccess() {
			return scheduler.ScheduleResult{}, status.AsError()
		}
		name, err := b.next(info.Pod)
		if err != nil {
			return scheduler.ScheduleResult{}, err
		}
		node, err := schedFramework.SnapshotSharedLister().NodeInfos().Get(name)
		if err != nil {
			return scheduler.ScheduleResult{}, fmt.Errorf("looking for node %q: %w", name, err)
		}
		if status := schedFramework.RunFilterPluginsWithNominatedPods(ctx, state, info.Pod, node); !status.IsSuccess() {
			return scheduler.ScheduleResult{}, fmt.Errorf("node %q refuses: %w", name, status.AsError())
		}
		return scheduler.ScheduleResult{SuggestedHost: name, EvaluatedNodes: 1, FeasibleNodes: 1}, nil
	}
	return nil
}

// nothing is no scheduler: the next node with room, and no plugins.
type nothing struct {
	*counter
}

func (*nothing) name() string                       { return null }
func (*nothing) plugins() frameworkruntime.Registry { return nil }

func (*nothing) profile() (*schedulerconfig.KubeSchedulerProfile, error) {
	cfg, err := latest.Default()
	if err != nil {
		return nil, fmt.Errorf("defaulting the scheduler configuration: %w", err)
	}
	profile := &cfg.Profiles[0]
	// GangScheduling has no part in a pod without a gang, and is needed for one with.
	profile.Plugins = &schedulerconfig.Plugins{MultiPoint: schedulerconfig.PluginSet{Enabled: []schedulerconfig.Plugin{
		{Name: names.PrioritySort}, {Name: names.GangScheduling}, {Name: names.DefaultBinder},
	}}}
	profile.PluginConfig = nil
	return bindNothing(profile), nil
}

func (n *nothing) attach(sched *scheduler.Scheduler) error {
	sched.SchedulePod = func(_ context.Context, _ framework.Framework, _ fwk.CycleState, info *framework.QueuedPodInfo) (scheduler.ScheduleResult, error) {
		name, err := n.next(info.Pod)
		return scheduler.ScheduleResult{SuggestedHost: name, EvaluatedNodes: 1, FeasibleNodes: 1}, err
	}
	return nil
}

// bindNothing puts NoBind into the place of DefaultBinder.
func bindNothing(profile *schedulerconfig.KubeSchedulerProfile) *schedulerconfig.KubeSchedulerProfile {
	profile.Plugins.Bind.Disabled = append(profile.Plugins.Bind.Disabled, schedulerconfig.Plugin{Name: names.DefaultBinder})
	profile.Plugins.Bind.Enabled = append(profile.Plugins.Bind.Enabled, schedulerconfig.Plugin{Name: noBindName})
	return profile
}

// counter gives out nodes by counting GPUs: one until it is full, then the next.
type counter struct {
	names []string
	free  []int
	at    int
	given []gift
}

type gift struct{ node, gpus int }

func newCounter(nodes int, part float64) *counter {
	c := &counter{names: make([]string, nodes), free: make([]int, nodes)}
	for i := range nodes {
		c.names[i], c.free[i] = nodeName(i), gpusPerNode
	}
	prefill(nodes, part, func(p *corev1.Pod, node int) { c.free[node] -= gpusOf(p) })
	return c
}

var errFull = errors.New("no node has room")

// next returns a node with room, and takes it.
func (c *counter) next(p *corev1.Pod) (string, error) {
	k := gpusOf(p)
	for range c.names {
		if c.free[c.at] >= k {
			c.free[c.at] -= k
			c.given = append(c.given, gift{c.at, k})
			return c.names[c.at], nil
		}
		c.at = (c.at + 1) % len(c.names)
	}
	return "", errFull
}

// removed takes back what was given out.
func (c *counter) removed() {
	for _, g := range c.given {
		c.free[g.node] += g.gpus
	}
	c.given = c.given[:0]
}

func gpusOf(p *corev1.Pod) int {
	q := p.Spec.Containers[0].Resources.Requests[gpu]
	return int(q.Value())
}
