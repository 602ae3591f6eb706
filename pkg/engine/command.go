package engine

import (
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"
	genericapiserver "k8s.io/apiserver/pkg/server"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	"k8s.io/client-go/tools/cache"
	cliflag "k8s.io/component-base/cli/flag"
	"k8s.io/component-base/cli/globalflag"
	basecompatibility "k8s.io/component-base/compatibility"
	"k8s.io/component-base/featuregate"
	"k8s.io/component-base/logs"
	logsapi "k8s.io/component-base/logs/api/v1"
	"k8s.io/component-base/term"
	"k8s.io/component-base/version/verflag"
	"k8s.io/klog/v2"
	"k8s.io/kubernetes/cmd/kube-scheduler/app"
	"k8s.io/kubernetes/cmd/kube-scheduler/app/options"
	"k8s.io/kubernetes/pkg/scheduler"
	schedulerconfig "k8s.io/kubernetes/pkg/scheduler/apis/config"

	"github.com/berth-dev/berth/pkg/engine/podgroups"
	"github.com/berth-dev/berth/pkg/release"
)

const help = `Berth schedules gangs of GPU pods: whole, or not at all.

It runs beside kube-scheduler and takes the pods that ask for it by
spec.schedulerName: berth. Gangs may be declared in the words of any of these:
scheduling.k8s.io PodGroups, scheduler-plugins, Kueue pod groups, KAI, Volcano,
YuniKorn, Koordinator, JobSet, LeaderWorkerSet, or Berth's own labels:

  metadata:
    labels:      {berth.dev/gang: train}
    annotations: {berth.dev/gang-size: "64"}
  spec:
    schedulerName: berth

The API server needs no feature gate, and no custom resource definition has to be
installed. Without --config, a built-in profile named berth packs GPUs; with it, a
KubeSchedulerConfiguration is read as kube-scheduler reads it.`

const examples = `  # in the cluster, with the built-in profile
  berth

  # from outside of it; then, in another terminal:
  #   berthctl gangs --server https://127.0.0.1:10259 --insecure-skip-tls-verify
  berth --kubeconfig ~/.kube/config

  # with profiles and plugins of your own
  berth --config /etc/berth/config.yaml`

// NewCommand returns the scheduler's command.
func NewCommand() (*cobra.Command, error) {
	if err := podgroups.EnableGangEngine(); err != nil {
		return nil, err
	}
	upstream := options.NewOptions()
	own := DefaultOptions()
	cmd := &cobra.Command{
		Use:          "berth",
		Short:        "A second Kubernetes scheduler for GPU clusters",
		Long:         help + "\n\nExamples:\n" + examples,
		SilenceUsage: true,
		Args:         cobra.NoArgs,
		PersistentPreRunE: func(*cobra.Command, []string) error {
			// The gates must be set before the configuration is defaulted.
			return upstream.ComponentGlobalsRegistry.Set()
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			if f := cmd.Flags().Lookup("version"); f.Value.String() == "true" {
				fmt.Fprintln(cmd.OutOrStdout(), "berth", release.Version())
				return nil
			}
			verflag.PrintAndExitIfRequested()
			return run(cmd, upstream, own)
		},
	}

	sets := upstream.Flags
	fs := sets.FlagSet("gangs")
	fs.DurationVar(&own.GangGracePeriod, "gang-grace-period", own.GangGracePeriod,
		"How long a gang that is bound by half, as after the death of a leader, may make no progress before its bound pods are evicted.")
	fs.DurationVar(&own.RepairWindow, "repair-window", own.RepairWindow,
		"How long room is kept for the pods of a gang that were lost (refused by a kubelet, deleted, or with their node), after the last of them was, until their owner has made them again; 0 for none. The annotation berth.dev/on-loss says what is done for a gang: replace, restart or ignore.")
	fs.StringVar(&own.OwnNodes, "own-nodes", own.OwnNodes,
		"Label selector of nodes that are Berth's own, such as pool=berth. Its pods go to no others, and it warns, with an event on the node, of pods of other schedulers that have devices there. A taint on the nodes keeps those away.")
	fs.IntVar(&own.Bindings, "bindings-in-flight", own.Bindings,
		"How many bindings are under way at once. One connection to the API server carries 100 requests; beyond that each opens another, at the cost of a TLS handshake.")
	fs.IntVar(&own.QueueWindow, "queue-window", own.QueueWindow,
		"How many gangs and plain pods the queues admit at a time. Those in it are tried in the order in which they were admitted; more of them, and the order is less that of fair shares.")
	fs.IntVar(&own.QueueOvertaking, "queue-overtaking", own.QueueOvertaking,
		"How often a gang for which there was no room may be overtaken by later ones of its queue. After that they wait for it; with 0, from the start.")
	fs.IntVar(&own.NamespaceWindow, "namespace-window", own.NamespaceWindow,
		"Where there are no Queues: how many gangs and plain pods of one namespace may stand before those of others and find no place. The rest of the namespace waits until those were tried, and for a moment after that, as failed tries take no more than a quarter of the scheduler's time: --namespace-window=64 has nobody wait for more than 64 hopeless tries of another team. More of them, and a team with thousands holds the others up for longer; those that find a place do not count.")
	fs.StringVar(&own.QueueAccess, "queue-access", own.QueueAccess,
		"Who may use queues. restricted: the namespaces that a queue names or selects; without either, a queue with a guarantee is open to namespaces labelled berth.dev/queue with its name, and any other queue to all. open: every namespace uses every queue, for clusters in which all trust each other.")
	fs.IntVar(&own.ScheduledEventsPerSecond, "scheduled-events-per-second", own.ScheduledEventsPerSecond,
		"How many events a second may say that a pod without a gang was placed, ten times as many in a moment; 0 for none. An event costs the API server as much as the bind, and the pod says where it is.")
	fs.BoolVar(&own.WebPage, "web-page", own.WebPage,
		"Serve a read-only page on /berth/ui/ that shows racks, queues, gangs that wait and decisions as they are taken. It needs the same authentication and authorization as /metrics, for the paths /berth/ui/*; who may get them sees names of all namespaces.")
	fs.BoolVar(&own.ReplaceDefault, "replace-default-scheduler", own.ReplaceDefault,
		"Allow a profile named default-scheduler. Only for clusters in which no kube-scheduler runs.")
	verflag.AddFlags(sets.FlagSet("global"))
	globalflag.AddGlobalFlags(sets.FlagSet("global"), cmd.Name(), logs.SkipLoggingConfigurationFlags())
	lease := sets.FlagSet("leader election").Lookup("leader-elect-resource-name")
	lease.DefValue = LeaseName
	if err := lease.Value.Set(LeaseName); err != nil {
		return nil, fmt.Errorf("setting the default of --%s: %w", lease.Name, err)
	}
	for _, set := range sets.FlagSets {
		cmd.Flags().AddFlagSet(set)
	}
	// What is Berth's own comes first in the help.
	sets.Order = append([]string{"gangs"}, slices.DeleteFunc(sets.Order, func(name string) bool { return name == "gangs" })...)
	columns, _, _ := term.TerminalSize(cmd.OutOrStdout())
	cliflag.SetUsageAndHelpFunc(cmd, *sets, columns)
	if err := cmd.MarkFlagFilename("config", "yaml", "yml", "json"); err != nil {
		return nil, fmt.Errorf("marking --config: %w", err)
	}
	return cmd, nil
}

func run(cmd *cobra.Command, upstream *options.Options, own *Options) error {
	gates := upstream.ComponentGlobalsRegistry.FeatureGateFor(basecompatibility.DefaultKubeComponent)
	if err := logsapi.ValidateAndApply(upstream.Logs, gates); err != nil {
		return err
	}
	cliflag.PrintFlags(cmd.Flags())
	if err := own.Validate(); err != nil {
		return err
	}
	if err := podgroups.CheckGangEngine(); err != nil {
		return err
	}

	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	signalled := genericapiserver.SetupSignalHandler()
	go func() {
		<-signalled
		cancel()
	}()

	name, err := cache.NewInformerName("berth")
	if err != nil {
		return fmt.Errorf("naming the informers: %w", err)
	}
	if upstream.ComponentConfig, err = builtinConfiguration(); err != nil {
		return err
	}
	if file := upstream.ConfigFile; file != "" {
		if upstream.ComponentConfig, err = options.LoadConfigFromFile(klog.Background(), file); err != nil {
			return fmt.Errorf("reading --config %q: %w", file, err)
		}
		if err := checkProfiles(upstream.ComponentConfig, own.ReplaceDefault); err != nil {
			return fmt.Errorf("checking --config %q: %w", file, err)
		}
		// Read it is: with a file of its own, upstream would ignore --kubeconfig.
		upstream.ConfigFile = ""
	}
	nameLease(upstream.ComponentConfig)
	judgeByKubeconfig(upstream)
	for _, err := range upstream.Validate() {
		return err
	}
	config, err := upstream.Config(ctx)
	if err != nil {
		return err
	}
	pages, err := listen(ctx, config)
	if err != nil {
		return err
	}
	absent, err := podgroups.AwaitAPIs(ctx, config.Client.Discovery(), utilfeature.DefaultMutableFeatureGate)
	if ctx.Err() != nil {
		return nil
	}
	if err != nil {
		return err
	}
	e, recorders, err := install(config, name, own)
	if err != nil {
		return err
	}
	absent.MakeEmpty(config.InformerFactory)
	completed := config.Complete()
	profiles := []schedulerconfig.KubeSchedulerProfile{}
	sched, err := scheduler.New(ctx, completed.Client, completed.InformerFactory, completed.DynInformerFactory, recorders,
		scheduler.WithComponentConfigVersion(completed.ComponentConfig.TypeMeta.APIVersion),
		scheduler.WithKubeConfig(completed.KubeConfig),
		scheduler.WithProfiles(completed.ComponentConfig.Profiles...),
		scheduler.WithFrameworkOutOfTreeRegistry(e.plugins()),
		scheduler.WithPercentageOfNodesToScore(completed.ComponentConfig.PercentageOfNodesToScore),
		scheduler.WithPodMaxBackoffSeconds(completed.ComponentConfig.PodMaxBackoffSeconds),
		scheduler.WithPodInitialBackoffSeconds(completed.ComponentConfig.PodInitialBackoffSeconds),
		scheduler.WithPodMaxInUnschedulablePodsDuration(completed.PodMaxInUnschedulablePodsDuration),
		scheduler.WithExtenders(completed.ComponentConfig.Extenders...),
		scheduler.WithParallelism(completed.ComponentConfig.Parallelism),
		scheduler.WithBuildFrameworkCapturer(func(p schedulerconfig.KubeSchedulerProfile) { profiles = append(profiles, p) }),
	)
	if err != nil {
		return fmt.Errorf("making the scheduler: %w", err)
	}
	if err := options.LogOrWriteConfig(klog.FromContext(ctx), upstream.WriteConfigTo, &completed.ComponentConfig, profiles); err != nil {
		return err
	}
	if mutable, ok := gates.(featuregate.MutableFeatureGate); ok {
		mutable.AddMetrics()
	}
	upstream.ComponentGlobalsRegistry.AddMetrics()
	if err := e.attach(ctx, sched); err != nil {
		return err
	}
	pages.serve(e.pages(ctx, &completed, handled(ctx, sched)))
	e.start(ctx)
	if err := app.Run(ctx, &completed, sched); ctx.Err() == nil {
		return err
	}
	// It was asked to end, and has: upstream calls that an error without an election.
	return nil
}

// judgeByKubeconfig has the secure port ask the API server of the scheduler's kubeconfig who asks
// and whether he may, unless flags name another. Outside of a cluster upstream would ask none, and
// refuse everybody.
func judgeByKubeconfig(o *options.Options) {
	kubeconfig := o.ComponentConfig.ClientConnection.Kubeconfig
	if o.Deprecated.Kubeconfig != "" {
		kubeconfig = o.Deprecated.Kubeconfig
	}
	if o.Authentication.RemoteKubeConfigFile == "" {
		o.Authentication.RemoteKubeConfigFile = kubeconfig
	}
	if o.Authorization.RemoteKubeConfigFile == "" {
		o.Authorization.RemoteKubeConfigFile = kubeconfig
	}
}
