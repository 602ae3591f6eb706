package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/berth-dev/berth/pkg/localcluster"
)

// upOptions are the flags of "up", as they were given.
type upOptions struct {
	nodes         int
	model         string
	rackSize      int
	blockSize     int
	kubeconfig    string
	dir           string
	featureGates  []string
	runtimeConfig []string
	auditLog      bool
	controllers   []string
	heartbeat     time.Duration
}

func newUpCommand() *cobra.Command {
	var o upOptions
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Start a local cluster and keep it until Ctrl-C",
		Long: `up starts a control plane with simulated nodes and keeps it until Ctrl-C.
Nothing is left behind then, unless --dir says where to keep it.

Nodes carry the labels topology.kubernetes.io/rack, topology.kubernetes.io/block,
nvidia.com/gpu.product and the usual ones. No scheduler runs: start Berth, or
any other, with the kubeconfig.

kube-controller-manager runs the controllers of Jobs, Deployments, StatefulSets and the
like, of nodes, disruption budgets, and garbage; --controllers narrows them.

The kubelets are simulated, and do to pods and nodes what real ones do: they renew
leases, take a pod that was bound to their node or refuse it, give a deleted pod its
grace period and then a terminal phase. These annotations of a pod say what its
containers do:

  berth.dev/simulate-run-for: 90s       they exit after that; else they run until deleted
  berth.dev/simulate-exit-code: "1"     with that code; 0 if unsaid
  berth.dev/simulate-ready-after: 5s    they are ready after that
  berth.dev/simulate-exit-after: 20s    how long they take to exit once the pod is deleted
  berth.dev/simulate-init-for: 3s       how long each init container runs

and these of a node what its kubelet does:

  berth.dev/simulate-dark: ""              nothing: no lease, no pod starts or ends
  berth.dev/simulate-refusal: REASON       it refuses each pod that comes
  berth.dev/simulate-rebooted: TIME        what ran there before that time has died
  berth.dev/simulate-ill-gpus: "2"         so many GPUs are not allocatable

"berth-local drill", in another terminal, sets these, and makes other things go wrong.

Machine models:
` + modelTable(),
		Example: `  # 64 HGX H100 nodes in racks of 32
  berth-local up --nodes 64

  # 2,500 nodes, the kubeconfig where the next command can find it
  berth-local up --nodes 2500 --rack-size 16 --kubeconfig /tmp/berth.kubeconfig

  # with the native gang API of Kubernetes 1.37
  berth-local up --nodes 64 --feature-gates GenericWorkload=true --runtime-config scheduling.k8s.io/v1beta1=true

  # in another terminal
  kubectl --kubeconfig /tmp/berth.kubeconfig get nodes -L topology.kubernetes.io/rack
  berth --kubeconfig /tmp/berth.kubeconfig
  berth-local drill kill-node node-00001`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.run(cmd.Context(), cmd.ErrOrStderr())
		},
	}
	flags := cmd.Flags()
	flags.IntVar(&o.nodes, "nodes", 16, "number of simulated nodes")
	flags.StringVar(&o.model, "model", localcluster.Machines()[0].Name, "machine model of the nodes")
	flags.IntVar(&o.rackSize, "rack-size", localcluster.DefaultRackSize, "nodes in a rack")
	flags.IntVar(&o.blockSize, "block-size", localcluster.DefaultBlockSize, "racks in a block")
	flags.StringVar(&o.kubeconfig, "kubeconfig", "", "write the administrator's kubeconfig to this file (default: a file in the state directory)")
	flags.StringVar(&o.dir, "dir", "", "state directory, new or empty, kept afterwards (default: a temporary one)")
	flags.StringSliceVar(&o.featureGates, "feature-gates", nil, "feature gates of kube-apiserver, as Name=true,Name=false (default: stock)")
	flags.StringSliceVar(&o.runtimeConfig, "runtime-config", nil, "API versions to turn on or off, as group/version=true")
	flags.StringSliceVar(&o.controllers, "controllers", localcluster.Controllers(), "controllers of kube-controller-manager to run, by their full names; \"\" for none")
	flags.DurationVar(&o.heartbeat, "heartbeat", 0, "how often each node renews its lease (default: every 10s, less often above 250 nodes, so that there are 25 a second at most)")
	flags.BoolVar(&o.auditLog, "audit-log", false, "have kube-apiserver log each request to audit.log in the state directory")
	return cmd
}

// cluster turns the flags into what to start, or says which flag is wrong.
func (o upOptions) cluster() (localcluster.Options, localcluster.Nodes, error) {
	fail := func(err error) (localcluster.Options, localcluster.Nodes, error) {
		return localcluster.Options{}, localcluster.Nodes{}, err
	}
	if o.nodes < 0 {
		return fail(fmt.Errorf("--nodes cannot be negative, got %d", o.nodes))
	}
	if o.rackSize < 1 {
		return fail(fmt.Errorf("--rack-size must be at least 1, got %d", o.rackSize))
	}
	if o.blockSize < 1 {
		return fail(fmt.Errorf("--block-size must be at least 1, got %d", o.blockSize))
	}
	if o.heartbeat < 0 {
		return fail(fmt.Errorf("--heartbeat cannot be negative, got %s", o.heartbeat))
	}
	heartbeat := o.heartbeat
	if heartbeat == 0 {
		heartbeat = localcluster.HeartbeatFor(o.nodes)
	}
	model, err := localcluster.MachineNamed(o.model)
	if err != nil {
		return fail(fmt.Errorf("--model: %w", err))
	}
	gates, err := parseFeatureGates(o.featureGates)
	if err != nil {
		return fail(fmt.Errorf("--feature-gates: %w", err))
	}
	return localcluster.Options{
			Dir:           o.dir,
			FeatureGates:  gates,
			RuntimeConfig: o.runtimeConfig,
			AuditLog:      o.auditLog,
			Controllers:   o.controllers,
			Heartbeat:     heartbeat,
		}, localcluster.Nodes{
			Count:     o.nodes,
			RackSize:  o.rackSize,
			BlockSize: o.blockSize,
			Model:     model,
		}, nil
}

// parseFeatureGates reads "Name=true" items.
func parseFeatureGates(items []string) (map[string]bool, error) {
	gates := map[string]bool{}
	for _, item := range items {
		name, value, found := strings.Cut(item, "=")
		on, err := strconv.ParseBool(value)
		if !found || name == "" || err != nil {
			return nil, fmt.Errorf("%q is not of the form Name=true or Name=false", item)
		}
		gates[name] = on
	}
	return gates, nil
}

// run keeps a cluster until ctx ends, and tells out about it.
func (o upOptions) run(ctx context.Context, out io.Writer) error {
	options, pool, err := o.cluster()
	if err != nil {
		return err
	}
	options.Progress = func(sentence string) { fmt.Fprintln(out, sentence) }
	err = o.keep(ctx, options, pool, out)
	if ctx.Err() != nil && (err == nil || errors.Is(err, context.Canceled)) {
		return nil // Ctrl-C, also while starting
	}
	return err
}

func (o upOptions) keep(ctx context.Context, options localcluster.Options, pool localcluster.Nodes, out io.Writer) error {
	cluster, err := localcluster.Start(ctx, options)
	if err != nil {
		return err
	}
	defer cluster.Stop()
	if err := cluster.StartKubelets(ctx); err != nil {
		return err
	}
	if err := cluster.AddNodes(ctx, pool); err != nil {
		return err
	}
	kubeconfig := cluster.Kubeconfig()
	if o.kubeconfig != "" {
		kubeconfig = o.kubeconfig
		if err := cluster.WriteAdminKubeconfig(kubeconfig); err != nil {
			return err
		}
	}
	fmt.Fprintf(out, `ready: %d nodes of model %s
kubeconfig: %s
try: kubectl --kubeconfig %[3]s get nodes -L %s
run Berth on it, in another terminal: berth --kubeconfig %[3]s
have something go wrong: berth-local drill --help
Ctrl-C stops it.
`, pool.Count, pool.Model.Name, kubeconfig, localcluster.RackLabel)
	if err := cluster.Wait(ctx); err != nil {
		return err
	}
	fmt.Fprintln(out, "stopping")
	return nil
}

// modelTable lists the machine models for the help text.
func modelTable() string {
	var b strings.Builder
	for _, m := range localcluster.Machines() {
		gpus := "no GPU"
		if m.GPUs > 0 {
			gpus = fmt.Sprintf("%d x %s", m.GPUs, m.GPU)
		}
		fmt.Fprintf(&b, "  %-10s %-26s %4d CPUs  %5d GiB\n", m.Name, gpus, m.CPUs, m.Memory)
	}
	return strings.TrimRight(b.String(), "\n")
}
