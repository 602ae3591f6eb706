package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/client-go/kubernetes"

	"github.com/berth-dev/berth/pkg/localcluster"
	"github.com/berth-dev/berth/pkg/localcluster/drill"
)

func newDrillCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "drill",
		Short: "Have something go wrong in a local cluster, and put it right again",
		Long: `drill does to a cluster that berth-local runs in another terminal what happens to
clusters, to see what schedulers and workloads make of it. What follows is the work of the
real controllers: a node whose kubelet is silent is not ready after five heartbeats (50 s
up to 250 nodes, longer in larger clusters, at most as long as up --heartbeat says), then
it gets its taints, and its pods are evicted once they have tolerated those for long enough
(tolerationSeconds, 300 s by default).

A drill lasts until it is undone: by itself after --duration, which tells meanwhile what
becomes of the nodes and their pods, by Ctrl-C during that, or by the same command with
--undo. "drill all" plays a course of them on a cluster of its own, and reports it.`,
		Example: `  # in one terminal
  berth-local up --nodes 64

  # in another
  berth-local drill darken rack rack-0001 --duration 3m`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	var dir string
	cmd.PersistentFlags().StringVar(&dir, "dir", "", "state directory of the cluster, as given to up --dir (default: that of the only cluster that runs with a temporary one)")
	cmd.AddCommand(newKillNodeCommand(&dir), newDarkenCommand(&dir), newDrainCommand(&dir), newCordonCommand(&dir), newFlapCommand(&dir),
		newIllGPUCommand(&dir), newRefusePodCommand(&dir), newRelabelCommand(&dir), newSlowAPICommand(&dir), newStopEtcdCommand(&dir),
		newDrillAllCommand(&dir))
	return cmd
}

// drillOptions are the flags that most drills have.
type drillOptions struct {
	dir      *string
	duration time.Duration
	undo     bool
}

// addTo gives a drill its flags. usual is its usual duration; 0 for until it is undone.
func (o *drillOptions) addTo(cmd *cobra.Command, usual time.Duration) {
	forever := ""
	if usual == 0 {
		forever = "; 0 for until --undo"
	}
	cmd.Flags().DurationVar(&o.duration, "duration", usual, "undo it after this time"+forever)
	cmd.Flags().BoolVar(&o.undo, "undo", false, "undo it now")
}

func (o *drillOptions) validate() error {
	switch {
	case o.duration < 0:
		return fmt.Errorf("--duration cannot be negative, got %s", o.duration)
	case o.duration > 0 && o.undo:
		return fmt.Errorf("--duration says when to undo it, and --undo does it now; leave one of them out")
	}
	return nil
}

// connect finds the cluster, and makes a client of it.
func (o *drillOptions) connect() (*localcluster.Running, kubernetes.Interface, error) {
	cluster, err := localcluster.FindRunning(*o.dir)
	if err != nil {
		return nil, nil, err
	}
	client, err := cluster.Client()
	return cluster, client, err
}

// nodes connects, and returns the nodes of some names.
func (o *drillOptions) nodes(cmd *cobra.Command, names []string) (kubernetes.Interface, []string, error) {
	if err := o.validate(); err != nil {
		return nil, nil, err
	}
	_, client, err := o.connect()
	if err != nil {
		return nil, nil, err
	}
	nodes, err := drill.NodesNamed(cmd.Context(), client, names)
	return client, nodes, err
}

// run applies a fault, undoes it, or both, as the flags say. what tells what is so then, as
// in "node-00001 is dark"; watch may be nil.
func (o *drillOptions) run(cmd *cobra.Command, f drill.Fault, what string, watch func(context.Context) (string, error)) error {
	say := func(line string) { fmt.Fprintln(cmd.ErrOrStderr(), line) }
	switch {
	case o.undo:
		if err := f.Undo(cmd.Context()); err != nil {
			return err
		}
		say("undone: " + what)
		return nil
	case o.duration == 0:
		if err := f.Apply(cmd.Context()); err != nil {
			return err
		}
		say(what + "\nthe same command with --undo puts it right")
		return nil
	}
	say(fmt.Sprintf("%s, for %s; Ctrl-C ends it now", what, o.duration))
	if err := drill.Hold(cmd.Context(), f, o.duration, watch, say); err != nil {
		return err
	}
	say("undone: " + what)
	return nil
}

// list names some nodes in a sentence.
func list(nodes []string, is, are string) string {
	const most = 4
	switch n := len(nodes); {
	case n == 1:
		return nodes[0] + " " + is
	case n <= most:
		return strings.Join(nodes, ", ") + " " + are
	default:
		return fmt.Sprintf("%d nodes, %s to %s, %s", n, nodes[0], nodes[n-1], are)
	}
}
