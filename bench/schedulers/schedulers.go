// Package schedulers has the schedulers that the benchmarks compare, each as a
// profile of kube-scheduler's framework and what replaces its hooks:
//
//	upstream       kube-scheduler as it is shipped
//	upstream-pack  the same, scoring nodes by MostAllocated on GPUs: what a user
//	               would pick who wants full nodes
//	berth          Berth's built-in profile with its fast path
//	berth-topology the same, told of every node how its GPUs are linked: who makes the
//	               cluster tells it
//	berth-engine   all of Berth, with gangs and queues: see NewEngine
//	floor          the same profile with a node that is picked without looking: what
//	               the framework itself costs to run its plugins on one node
//	null           the next node, no plugins but those that a profile must have, and
//	               Berth's binder and activations: what there is to reach
//
// All go by the name default-scheduler, which takes the pods that name none.
package schedulers

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/events"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler"
	schedulerconfig "k8s.io/kubernetes/pkg/scheduler/apis/config"
	"k8s.io/kubernetes/pkg/scheduler/apis/config/latest"
	"k8s.io/kubernetes/pkg/scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins/names"
	frameworkruntime "k8s.io/kubernetes/pkg/scheduler/framework/runtime"

	"github.com/berth-dev/berth/pkg/engine"
	"github.com/berth-dev/berth/pkg/engine/attempts"
	"github.com/berth-dev/berth/pkg/engine/fastpath"
	"github.com/berth-dev/berth/pkg/plugins/boundedbinder"
	"github.com/berth-dev/berth/pkg/state/device"
)

// The names of the schedulers.
const (
	Upstream      = "upstream"
	UpstreamPack  = "upstream-pack"
	Berth         = "berth"
	BerthTopology = "berth-topology"
	BerthEngine   = "berth-engine"
	Floor         = "floor"
	Null          = "null"
)

// GPU is the resource that upstream-pack fills nodes by.
const GPU corev1.ResourceName = "nvidia.com/gpu"

// Scheduler is one of them, for one scheduler.New.
type Scheduler struct {
	Name string
	// Plugins are those that the profile has beyond upstream's.
	Plugins frameworkruntime.Registry

	profile func() (*schedulerconfig.KubeSchedulerProfile, error)
	attach  func(*scheduler.Scheduler) error
	path    *fastpath.Path
}

// Path returns the fast path of berth; nil for the others.
func (s *Scheduler) Path() *fastpath.Path { return s.path }

// Places says where a pod goes by a scheduler that does not look: floor and null.
type Places interface {
	Next(pod *corev1.Pod) (node string, err error)
}

// New returns a scheduler by its name. The places are asked by floor and null alone.
func New(name string, places Places) (*Scheduler, error) {
	s := &Scheduler{Name: name, attach: func(*scheduler.Scheduler) error { return nil }}
	switch name {
	case Upstream:
		s.profile = defaultProfile
	case UpstreamPack:
		s.profile = packingProfile
	case Berth, BerthTopology:
		s.path = fastpath.New()
		path := s.path
		s.Plugins, s.profile = path.Plugins(), engine.BuiltinProfile
		s.attach = func(sched *scheduler.Scheduler) error {
			attempts.SpareActivations(sched)
			return path.Attach(sched)
		}
	case Floor:
		s.Plugins, s.profile, s.attach = fastpath.New().Plugins(), engine.BuiltinProfile, verified(places)
	case Null:
		s.Plugins, s.profile, s.attach = frameworkruntime.Registry{}, emptyProfile, blind(places)
	default:
		return nil, fmt.Errorf("there is no scheduler %q", name)
	}
	if s.Plugins != nil {
		inventory := device.NewInventory()
		if s.path != nil {
			inventory = s.path.Inventory()
		}
		s.Plugins[boundedbinder.Name] = engine.BindingPlugin(engine.DefaultBindings, inventory, nil)
	}
	return s, nil
}

// NewEngine returns a scheduler with the whole of Berth's engine around it, which reads and
// writes by clients, from when it is attached until the context is done.
func NewEngine(ctx context.Context, clients engine.Clients) (*Scheduler, *engine.Embedded, error) {
	profile, err := engine.BuiltinProfile()
	if err != nil {
		return nil, nil, err
	}
	profile.SchedulerName = corev1.DefaultSchedulerName
	embedded, err := engine.Embed(clients, profile, &events.FakeRecorder{}, engine.DefaultOptions())
	if err != nil {
		return nil, nil, err
	}
	return &Scheduler{
		Name: BerthEngine, Plugins: embedded.Plugins(),
		profile: func() (*schedulerconfig.KubeSchedulerProfile, error) { return embedded.Profile(), nil },
		attach:  func(sched *scheduler.Scheduler) error { return embedded.Attach(ctx, sched) },
	}, embedded, nil
}

// Profile returns the configuration that the scheduler is made with.
func (s *Scheduler) Profile() (*schedulerconfig.KubeSchedulerProfile, error) {
	profile, err := s.profile()
	if err != nil {
		return nil, fmt.Errorf("making the profile of %s: %w", s.Name, err)
	}
	profile.SchedulerName = corev1.DefaultSchedulerName
	return profile, nil
}

// Attach gives what scheduler.New has made the hooks of this one.
func (s *Scheduler) Attach(sched *scheduler.Scheduler) error {
	if err := s.attach(sched); err != nil {
		return fmt.Errorf("making a scheduler into %s: %w", s.Name, err)
	}
	return nil
}

func defaultProfile() (*schedulerconfig.KubeSchedulerProfile, error) {
	cfg, err := latest.Default()
	if err != nil {
		return nil, fmt.Errorf("defaulting the scheduler configuration: %w", err)
	}
	return &cfg.Profiles[0], nil
}

func packingProfile() (*schedulerconfig.KubeSchedulerProfile, error) {
	profile, err := defaultProfile()
	if err != nil {
		return nil, err
	}
	for i := range profile.PluginConfig {
		if args, ok := profile.PluginConfig[i].Args.(*schedulerconfig.NodeResourcesFitArgs); ok {
			args.ScoringStrategy = &schedulerconfig.ScoringStrategy{
				Type: schedulerconfig.MostAllocated,
				Resources: []schedulerconfig.ResourceSpec{
					{Name: string(GPU), Weight: 10}, {Name: string(corev1.ResourceCPU), Weight: 1}, {Name: string(corev1.ResourceMemory), Weight: 1},
				},
			}
		}
	}
	return profile, nil
}

// emptyProfile has the plugins without which nothing runs. GangScheduling has no part
// in a pod without a gang, and is needed for one with.
func emptyProfile() (*schedulerconfig.KubeSchedulerProfile, error) {
	profile, err := defaultProfile()
	if err != nil {
		return nil, err
	}
	profile.Plugins = &schedulerconfig.Plugins{MultiPoint: schedulerconfig.PluginSet{
		Enabled:  []schedulerconfig.Plugin{{Name: names.PrioritySort}, {Name: names.GangScheduling}, {Name: boundedbinder.Name}},
		Disabled: []schedulerconfig.Plugin{{Name: "*"}},
	}}
	profile.PluginConfig = slices.DeleteFunc(profile.PluginConfig, func(c schedulerconfig.PluginConfig) bool {
		return c.Name != names.GangScheduling
	})
	return profile, nil
}

// verified places a pod where places says, once all plugins agree.
func verified(places Places) func(*scheduler.Scheduler) error {
	return func(sched *scheduler.Scheduler) error {
		sched.SchedulePod = func(ctx context.Context, schedFramework framework.Framework, state fwk.CycleState, info *framework.QueuedPodInfo) (scheduler.ScheduleResult, error) {
			if _, status, _ := schedFramework.RunPreFilterPlugins(ctx, state, info.Pod); !status.IsSuccess() {
				return scheduler.ScheduleResult{}, status.AsError()
			}
			name, err := places.Next(info.Pod)
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
}

// blind places a pod where places says.
func blind(places Places) func(*scheduler.Scheduler) error {
	return func(sched *scheduler.Scheduler) error {
		attempts.SpareActivations(sched)
		sched.SchedulePod = func(_ context.Context, _ framework.Framework, _ fwk.CycleState, info *framework.QueuedPodInfo) (scheduler.ScheduleResult, error) {
			name, err := places.Next(info.Pod)
			return scheduler.ScheduleResult{SuggestedHost: name, EvaluatedNodes: 1, FeasibleNodes: 1}, err
		}
		return nil
	}
}
