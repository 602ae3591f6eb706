package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/berth-dev/berth/pkg/localcluster"
	"github.com/berth-dev/berth/pkg/localcluster/drill"
)

func newKillNodeCommand(dir *string) *cobra.Command {
	o := drillOptions{dir: dir}
	cmd := &cobra.Command{
		Use:   "kill-node NODE...",
		Short: "Have machines lose power; when they boot again, what ran on them has died",
		Long: `kill-node has machines lose power. Their kubelets are silent, and their pods are dead,
though the API says that they run until somebody notices. Undone, the machines boot: the
kubelets report that the containers have died, and start those again that are to be.

A machine that does not come back keeps its pods for ever, terminating, until its Node
object is deleted, as a cloud's controller does: kubectl delete node NODE.`,
		Example: `  # for ever
  berth-local drill kill-node node-00001
  berth-local drill kill-node node-00001 --undo

  # a reboot of two, which takes two minutes
  berth-local drill kill-node node-00001 node-00002 --duration 2m`,
		Args: needNodes,
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.onNodes(cmd, args, func(client kubernetes.Interface, nodes []string) (drill.Fault, string) {
				return drill.Kill(client, nodes), list(nodes, "has no power", "have no power")
			})
		},
	}
	o.addTo(cmd, 0)
	return cmd
}

func newDarkenCommand(dir *string) *cobra.Command {
	o := drillOptions{dir: dir}
	levels := strings.Join(drill.Levels(), "|")
	cmd := &cobra.Command{
		Use:   "darken " + levels + " NAME",
		Short: "Cut a rack, a block or a zone off from the network",
		Long: `darken cuts all machines of a rack, a block or a zone off from the network, as when a
switch fails. Their kubelets renew no lease, and start, end and remove no pod; what runs
there runs on. Undone, all is as before, unless it was noticed meanwhile.

If more than 55 % of the nodes of a zone are not ready, the node lifecycle controller evicts
more slowly there, and not at all if those of all zones are not.`,
		Example: `  # a switch that is replaced after five minutes
  berth-local drill darken rack rack-0001 --duration 5m

  # the zone of all nodes of berth-local up
  berth-local drill darken zone local-1
  berth-local drill darken zone local-1 --undo`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 2 {
				return fmt.Errorf("say what goes dark, as in: darken rack rack-0001")
			}
			if !slices.Contains(drill.Levels(), args[0]) {
				return fmt.Errorf("%q is none of %s; to cut off single nodes, see kill-node and flap", args[0], strings.Join(drill.Levels(), ", "))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.validate(); err != nil {
				return err
			}
			_, client, err := o.connect()
			if err != nil {
				return err
			}
			nodes, err := drill.NodesIn(cmd.Context(), client, args[0], args[1])
			if err != nil {
				return err
			}
			what := fmt.Sprintf("%s %s is dark, with %d nodes", args[0], args[1], len(nodes))
			return o.run(cmd, drill.Darken(client, nodes), what, drill.Watch(client, nodes))
		},
	}
	o.addTo(cmd, 0)
	return cmd
}

func newCordonCommand(dir *string) *cobra.Command {
	o := drillOptions{dir: dir}
	cmd := &cobra.Command{
		Use:   "cordon NODE...",
		Short: "Mark nodes as unschedulable",
		Long:  "cordon marks nodes as unschedulable, as kubectl cordon does: what runs there stays, and nothing else comes.",
		Example: `  berth-local drill cordon node-00001 node-00002
  berth-local drill cordon node-00001 node-00002 --undo`,
		Args: needNodes,
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.onNodes(cmd, args, func(client kubernetes.Interface, nodes []string) (drill.Fault, string) {
				return drill.Cordon(client, nodes), list(nodes, "is cordoned", "are cordoned")
			})
		},
	}
	o.addTo(cmd, 0)
	return cmd
}

func newDrainCommand(dir *string) *cobra.Command {
	o := drillOptions{dir: dir}
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "drain NODE...",
		Short: "Cordon nodes and evict all their pods",
		Long: `drain marks nodes as unschedulable and evicts their pods through the Eviction API, as
kubectl drain does, until none is left but those of DaemonSets. A pod that a disruption
budget keeps is asked for again, until --timeout. What was evicted comes back elsewhere if
its controller makes it again.

--undo makes the nodes schedulable again.`,
		Example: `  berth-local drill drain node-00001 --timeout 2m
  berth-local drill drain node-00001 --undo`,
		Args: needNodes,
		RunE: func(cmd *cobra.Command, args []string) error {
			if timeout <= 0 {
				return fmt.Errorf("--timeout must be more than 0, as in 5m, got %s", timeout)
			}
			client, nodes, err := o.nodes(cmd, args)
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), timeout)
			defer cancel()
			cmd.SetContext(ctx)
			fault := drill.Drain(client, nodes, func(line string) { fmt.Fprintln(cmd.ErrOrStderr(), line) })
			return o.run(cmd, fault, list(nodes, "is drained and cordoned", "are drained and cordoned"), nil)
		},
	}
	cmd.Flags().BoolVar(&o.undo, "undo", false, "make the nodes schedulable again")
	cmd.Flags().DurationVar(&timeout, "timeout", 10*time.Minute, "how long the pods may take to go")
	return cmd
}

func newFlapCommand(dir *string) *cobra.Command {
	o := drillOptions{dir: dir}
	var flaps drill.Flaps
	cmd := &cobra.Command{
		Use:   "flap NODE...",
		Short: "Have nodes come and go",
		Long: `flap cuts nodes off from the network until they are not ready, lets them be so for a
while, and has them come back until they are ready; and all that again. Ctrl-C leaves them
connected.`,
		Example: `  berth-local drill flap node-00001 --times 5 --down 30s --up 1m`,
		Args:    needNodes,
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case flaps.Times < 1:
				return fmt.Errorf("--times must be at least 1, got %d", flaps.Times)
			case flaps.Down < 0:
				return fmt.Errorf("--down cannot be negative, got %s", flaps.Down)
			case flaps.Up < 0:
				return fmt.Errorf("--up cannot be negative, got %s", flaps.Up)
			case flaps.Patience <= 0:
				return fmt.Errorf("--timeout must be more than 0, as in 10m, got %s", flaps.Patience)
			}
			client, nodes, err := o.nodes(cmd, args)
			if err != nil {
				return err
			}
			return drill.Flap(cmd.Context(), client, nodes, flaps, func(line string) { fmt.Fprintln(cmd.ErrOrStderr(), line) })
		},
	}
	flags := cmd.Flags()
	flags.IntVar(&flaps.Times, "times", 3, "how often they go")
	flags.DurationVar(&flaps.Down, "down", 30*time.Second, "how long they stay not ready")
	flags.DurationVar(&flaps.Up, "up", 30*time.Second, "how long they stay ready in between")
	flags.DurationVar(&flaps.Patience, "timeout", 15*time.Minute, "how long a node may take to be seen as not ready, or as ready")
	return cmd
}

func newIllGPUCommand(dir *string) *cobra.Command {
	o := drillOptions{dir: dir}
	var gpus int
	cmd := &cobra.Command{
		Use:   "ill-gpu NODE...",
		Short: "Have GPUs of nodes fall ill",
		Long: `ill-gpu has GPUs of each node fall ill, so that fewer of them are allocatable, as when
the device plugin reports them unhealthy. What runs on them runs on; if more GPUs are taken
than are left, the kubelet refuses the next pod with OutOf` + string(localcluster.GPUResource) + `.`,
		Example: `  berth-local drill ill-gpu node-00001
  berth-local drill ill-gpu node-00001 --gpus 8 --duration 1m
  berth-local drill ill-gpu node-00001 --undo`,
		Args: needNodes,
		RunE: func(cmd *cobra.Command, args []string) error {
			if gpus < 1 {
				return fmt.Errorf("--gpus must be at least 1, got %d", gpus)
			}
			client, nodes, err := o.nodes(cmd, args)
			if err != nil {
				return err
			}
			for _, name := range nodes {
				node, err := client.CoreV1().Nodes().Get(cmd.Context(), name, metav1.GetOptions{})
				if err != nil {
					return err
				}
				if has := node.Status.Capacity[localcluster.GPUResource]; has.Value() < int64(gpus) && !o.undo {
					return fmt.Errorf("--gpus %d: node %q has %d GPUs", gpus, name, has.Value())
				}
			}
			what := fmt.Sprintf("%s ill GPUs: %d", list(nodes, "has", "have each"), gpus)
			if o.undo {
				what = list(nodes, "has", "have") + " ill GPUs"
			}
			return o.run(cmd, drill.IllGPUs(client, nodes, gpus), what, drill.Watch(client, nodes))
		},
	}
	cmd.Flags().IntVar(&gpus, "gpus", 1, "how many of each node")
	o.addTo(cmd, 0)
	return cmd
}

func newRefusePodCommand(dir *string) *cobra.Command {
	o := drillOptions{dir: dir}
	var reason string
	cmd := &cobra.Command{
		Use:   "refuse-pod NODE...",
		Short: "Have kubelets refuse the pods that are bound to their nodes",
		Long: `refuse-pod has the kubelets of nodes refuse each pod that is bound there from now on, as
when a device cannot be handed out. The pod is Failed, with the reason, and keeps its node.
What runs there runs on.`,
		Example: `  berth-local drill refuse-pod node-00001 --duration 1m
  berth-local drill refuse-pod node-00001 --reason OutOfnvidia.com/gpu
  berth-local drill refuse-pod node-00001 --undo`,
		Args: needNodes,
		RunE: func(cmd *cobra.Command, args []string) error {
			if strings.TrimSpace(reason) == "" {
				return fmt.Errorf("--reason cannot be empty; a kubelet says %s, say", localcluster.ReasonUnexpectedAdmission)
			}
			return o.onNodes(cmd, args, func(client kubernetes.Interface, nodes []string) (drill.Fault, string) {
				return drill.Refuse(client, nodes, reason), list(nodes, "refuses", "refuse") + " every pod: " + reason
			})
		},
	}
	cmd.Flags().StringVar(&reason, "reason", localcluster.ReasonUnexpectedAdmission, "the reason in the status of the pods")
	o.addTo(cmd, 0)
	return cmd
}

func newRelabelCommand(dir *string) *cobra.Command {
	o := drillOptions{dir: dir}
	cmd := &cobra.Command{
		Use:   "relabel NODE... LABEL=VALUE...",
		Short: "Give nodes other labels, such as another rack",
		Long: `relabel gives nodes other labels, as when machines are moved to another rack, or somebody
makes a mistake. Undone, they have those again that they had before the first change.`,
		Example: `  berth-local drill relabel node-00001 topology.kubernetes.io/rack=rack-0002 --duration 1m
  berth-local drill relabel node-00001 nvidia.com/gpu.product=NVIDIA-L40S
  berth-local drill relabel node-00001 --undo`,
		Args: needNodes,
		RunE: func(cmd *cobra.Command, args []string) error {
			names, labels, err := splitLabels(args)
			switch {
			case err != nil:
				return err
			case len(labels) == 0 && !o.undo:
				return fmt.Errorf("say which label they get, as in %s=rack-0002", localcluster.RackLabel)
			case len(labels) > 0 && o.undo:
				return fmt.Errorf("--undo gives back all labels; leave out %s", args[len(args)-1])
			}
			return o.onNodes(cmd, names, func(client kubernetes.Interface, nodes []string) (drill.Fault, string) {
				return drill.Relabel(client, nodes, labels), list(nodes, "has", "have") + " other labels"
			})
		},
	}
	o.addTo(cmd, 0)
	return cmd
}

// splitLabels parts names of nodes from labels.
func splitLabels(args []string) (names []string, labels map[string]string, err error) {
	labels = map[string]string{}
	for _, arg := range args {
		key, value, isLabel := strings.Cut(arg, "=")
		switch {
		case !isLabel:
			names = append(names, arg)
		case key == "":
			return nil, nil, fmt.Errorf("%q has no label key", arg)
		default:
			labels[key] = value
		}
	}
	if len(names) == 0 {
		return nil, nil, fmt.Errorf("name a node, as in node-00001")
	}
	return names, labels, nil
}

// onNodes runs a fault of nodes of some names, and what is so then, and watches the nodes.
func (o *drillOptions) onNodes(cmd *cobra.Command, names []string, fault func(kubernetes.Interface, []string) (drill.Fault, string)) error {
	client, nodes, err := o.nodes(cmd, names)
	if err != nil {
		return err
	}
	f, what := fault(client, nodes)
	return o.run(cmd, f, what, drill.Watch(client, nodes))
}

// needNodes says that nodes have to be named.
func needNodes(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("name a node, as in: %s node-00001", cmd.Name())
	}
	return nil
}
