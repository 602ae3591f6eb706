package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	fwk "k8s.io/kube-scheduler/framework"
	schedulerconfig "k8s.io/kubernetes/pkg/scheduler/apis/config"
	"k8s.io/kubernetes/pkg/scheduler/apis/config/latest"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins/defaultbinder"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins/names"
	frameworkruntime "k8s.io/kubernetes/pkg/scheduler/framework/runtime"

	"github.com/berth-dev/berth/pkg/plugins/boundedbinder"
	"github.com/berth-dev/berth/pkg/plugins/devicetopology"
	"github.com/berth-dev/berth/pkg/plugins/fabricplacement"
	"github.com/berth-dev/berth/pkg/plugins/nodepacking"
	"github.com/berth-dev/berth/pkg/plugins/queueadmission"
	"github.com/berth-dev/berth/pkg/plugins/queueorder"
	"github.com/berth-dev/berth/pkg/plugins/queuereclaim"
)

const (
	// SchedulerName is the schedulerName of the built-in profile.
	SchedulerName = "berth"
	// LeaseName is the name of the leader's lease. It is in kube-system unless a
	// configuration says otherwise: a namespace that every cluster has, so that two
	// schedulers of one cluster never disagree on where to look.
	LeaseName = "berth"

	// The lease that kube-scheduler holds, and that defaulting names if a
	// configuration names none.
	upstreamLeaseName = "kube-scheduler"
)

// builtinConfiguration is what runs without --config: upstream's defaults with the
// built-in profile.
func builtinConfiguration() (*schedulerconfig.KubeSchedulerConfiguration, error) {
	cfg, err := latest.Default()
	if err != nil {
		return nil, fmt.Errorf("defaulting the scheduler configuration: %w", err)
	}
	profile, err := BuiltinProfile()
	if err != nil {
		return nil, err
	}
	cfg.Profiles = []schedulerconfig.KubeSchedulerProfile{*profile}
	cfg.ClientConnection.QPS, cfg.ClientConnection.Burst = 1000, 2000
	nameLease(cfg)
	return cfg, nil
}

// BuiltinProfile is upstream's default profile under the name berth, packing nodes
// instead of spreading pods over them.
func BuiltinProfile() (*schedulerconfig.KubeSchedulerProfile, error) {
	cfg, err := latest.Default()
	if err != nil {
		return nil, fmt.Errorf("defaulting the scheduler configuration: %w", err)
	}
	profile := &cfg.Profiles[0]
	profile.SchedulerName = SchedulerName
	// Packing decides before everything else but preferences that a pod or a taint
	// expresses. What pulls against it, or knows only a part of it, is off.
	plugins := profile.Plugins
	plugins.MultiPoint.Enabled = append(plugins.MultiPoint.Enabled,
		schedulerconfig.Plugin{Name: nodepacking.Name, Weight: 10}, schedulerconfig.Plugin{Name: devicetopology.Name},
		// Only one plugin generates placements.
		schedulerconfig.Plugin{Name: fabricplacement.Name})
	plugins.PlacementGenerate.Disabled = append(plugins.PlacementGenerate.Disabled, schedulerconfig.Plugin{Name: names.TopologyPlacementGenerator})
	for _, name := range []string{names.NodeResourcesFit, names.NodeResourcesBalancedAllocation, names.ImageLocality} {
		plugins.Score.Disabled = append(plugins.Score.Disabled, schedulerconfig.Plugin{Name: name})
	}
	plugins.Bind.Enabled = append(plugins.Bind.Enabled, schedulerconfig.Plugin{Name: boundedbinder.Name})
	plugins.Bind.Disabled = append(plugins.Bind.Disabled, schedulerconfig.Plugin{Name: names.DefaultBinder})
	for i := range profile.PluginConfig {
		if args, ok := profile.PluginConfig[i].Args.(*schedulerconfig.PodTopologySpreadArgs); ok {
			// No spreading that the pod does not ask for.
			args.DefaultingType, args.DefaultConstraints = schedulerconfig.ListDefaulting, []corev1.TopologySpreadConstraint{}
		}
	}
	// The few pods that are not placed by the index see every node, as it does.
	everyNode := int32(100)
	profile.PercentageOfNodesToScore = &everyNode
	return profile, nil
}

// checkProfiles refuses a configuration that would take pods from kube-scheduler.
func checkProfiles(cfg *schedulerconfig.KubeSchedulerConfiguration, replaceDefault bool) error {
	for i := range cfg.Profiles {
		if cfg.Profiles[i].SchedulerName == corev1.DefaultSchedulerName && !replaceDefault {
			return errors.New(`the configuration has a profile for schedulerName "default-scheduler" (a configuration without profiles has one): ` +
				`Berth would take the pods of kube-scheduler; set profiles[0].schedulerName to "berth", or pass --replace-default-scheduler if no kube-scheduler runs`)
		}
	}
	return nil
}

// nameLease keeps a configuration that names no lease off kube-scheduler's.
func nameLease(cfg *schedulerconfig.KubeSchedulerConfiguration) {
	if cfg.LeaderElection.ResourceName == upstreamLeaseName {
		cfg.LeaderElection.ResourceName = LeaseName
	}
}

// BindingPlugin builds the plugin that binds pods, so many at a time, each with the
// devices that it was given and the queue that is charged. ledger may be nil.
func BindingPlugin(atATime int, takings devicetopology.Takings, ledger devicetopology.Ledger) frameworkruntime.PluginFactory {
	slots := boundedbinder.NewSlots(atATime)
	return func(ctx context.Context, _ runtime.Object, handle fwk.Handle) (fwk.Plugin, error) {
		next, err := defaultbinder.New(ctx, nil, handle)
		if err != nil {
			return nil, fmt.Errorf("building %s: %w", boundedbinder.Name, err)
		}
		return boundedbinder.New(devicetopology.NewBinder(next.(fwk.BindPlugin), handle, takings, ledger), slots), nil
	}
}

// admitByQueue puts the plugins of queues into a profile, whatever a user's configuration
// says: without them, limits do not hold. QueueReclaim comes first, and so before
// other plugins that preempt. The order of the active queue is ours where it
// would be upstream's own.
func admitByQueue(profile *schedulerconfig.KubeSchedulerProfile) {
	plugins := profile.Plugins
	for _, set := range []*schedulerconfig.PluginSet{&plugins.PreEnqueue, &plugins.PreFilter, &plugins.Reserve} {
		enable(set, queueadmission.Name)
	}
	enableFirst(&plugins.MultiPoint, queuereclaim.Name)
	// Those that a profile names for a point come before all that are for every point.
	for _, set := range []*schedulerconfig.PluginSet{&plugins.PostFilter, &plugins.PodGroupPostFilter} {
		if len(set.Enabled) > 0 {
			enableFirst(set, queuereclaim.Name)
		}
	}
	sorts := func(p schedulerconfig.Plugin) bool { return p.Name != names.PrioritySort }
	if !slices.ContainsFunc(plugins.QueueSort.Enabled, sorts) {
		plugins.QueueSort = schedulerconfig.PluginSet{
			Enabled:  []schedulerconfig.Plugin{{Name: queueorder.Name}},
			Disabled: []schedulerconfig.Plugin{{Name: "*"}},
		}
	}
}

// enable puts a plugin into a set, once, and enableFirst before all others.
func enable(set *schedulerconfig.PluginSet, name string) {
	if !enabled(set, name) {
		set.Enabled = append(set.Enabled, schedulerconfig.Plugin{Name: name})
	}
}

func enableFirst(set *schedulerconfig.PluginSet, name string) {
	if !enabled(set, name) {
		set.Enabled = append([]schedulerconfig.Plugin{{Name: name}}, set.Enabled...)
	}
}

func enabled(set *schedulerconfig.PluginSet, name string) bool {
	return slices.ContainsFunc(set.Enabled, func(p schedulerconfig.Plugin) bool { return p.Name == name })
}
