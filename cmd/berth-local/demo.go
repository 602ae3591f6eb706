package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/berth-dev/berth/pkg/demo"
)

// demoOptions are the flags of "demo", as they were given.
type demoOptions struct {
	nodes   int
	seed    int64
	json    bool
	html    string
	timeout time.Duration
	keep    bool
}

func newDemoCommand() *cobra.Command {
	var o demoOptions
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Have Berth schedule a full cluster on this machine, and verify and show the outcome",
		Long: `demo starts a control plane with simulated nodes of 8 GPUs, builds Berth and
starts it as a process of its own with the rights of its manifests, and submits
gangs of 2 to 512 pods, in eight dialects, which require or prefer racks and
blocks, mixed with single pods: together 80 % of the cluster's GPUs, all of which
fits. A gang is an Indexed Job, a single pod a Deployment, and kube-controller-manager
makes their pods, those that were evicted again. Two queues pay for them, of which one borrows. When all of it is bound, a third
queue comes, and gangs that borrow are evicted for what it is guaranteed; when its
Jobs are complete, those run again. After each of the three stages demo asks the API
who sits where, and at the end it reports.

It prints a table, and as its last line one JSON object:

  nodes                    nodes of the cluster, 8 GPUs each
  gangs, pods              what was submitted; pods counts single ones too
  bound                    pods that have a node and have not failed
  partial_gangs            gangs with a pod bound and fewer than their size
  double_booked_gpus       GPUs requested beyond what their node has, or held twice
                           by the annotation berth.dev/devices
  oversubscribed_nodes     nodes with more requested of a resource than they have
  pods_per_second          pods bound / (last bind - request of the first creation);
                           this and the times below are of the first stage
  p50_ms, p99_ms           latency of a bound pod, from when it could be bound (a watch
                           saw the last pod of its gang, or it alone, made) until the
                           watch saw it bound
  scheduler_cpu_seconds    processor time of the scheduler until the last bind
  api_writes_by_scheduler  requests of the scheduler that write, from the audit log
  failed                   pods that should be bound and are not
  gangs_in_one_rack        gangs that require or prefer a rack and are in one, whole
  topology_violations      gangs in several domains of the level that they require
  queue_violations         queues above their limit, and gangs and single pods that wait
                           although their queue has less than it is guaranteed
  reclaims                 gangs and single pods for which others were evicted
  evicted_gangs            gangs and single pods that were evicted
  partial_evictions        of those, gangs of which not all pods were
  jobs, deployments        of each, how many were submitted
  pods_created_seconds     how long the controllers took to make the first stage's pods
  pods_made_again          pods that controllers made in place of others
  lost_gangs               gangs and single pods that were evicted and whose controller
                           did not make them again, or that wait and are not told why
  failed_jobs              Jobs that failed

A Job survives the eviction of its gang only if it is told to. The Jobs of the demo have
a podFailurePolicy that ignores the condition DisruptionTarget, so that evictions are not
counted, and a backoffLimitPerIndex, without which a Job waits twice as long for each pod
that was evicted before it makes them again: 10 minutes for seven.

The page of --html shows every GPU and who sits on it. It is one file and needs no
network.

demo ends with status 1 if a gang is partial or outside of the domain that it
requires, a GPU double-booked, a node oversubscribed, a queue has not what it is
entitled to, a gang was evicted in part or did not come back, a Job failed, or a pod is
unbound that should be bound. The JSON is printed all the same, and the scheduler's log is
then kept beside the page.`,
		Example: `  # 2,500 nodes, 20,000 GPUs: about a minute, once everything is built
  berth-local demo

  # a quick look
  berth-local demo --nodes 64

  # another workload, and figures for a script
  berth-local demo --nodes 300 --seed 7 --json | jq .pods_per_second

  # stay, to look around with kubectl
  berth-local demo --nodes 64 --keep`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.validate(); err != nil {
				return err
			}
			return o.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	flags := cmd.Flags()
	flags.IntVar(&o.nodes, "nodes", 2500, "number of simulated nodes of 8 GPUs")
	flags.Int64Var(&o.seed, "seed", 1, "which workload: the same seed and nodes give the same pods in the same order")
	flags.BoolVar(&o.json, "json", false, "print the line of JSON and nothing else to standard output")
	flags.StringVar(&o.html, "html", filepath.Join("out", "demo.html"), `write the page to this file ("" for no page)`)
	flags.DurationVar(&o.timeout, "timeout", 20*time.Minute, "how long the pods may take to be bound, from the first creation")
	flags.BoolVar(&o.keep, "keep", false, "keep the cluster and the scheduler until Ctrl-C")
	return cmd
}

// validate says which flag is wrong, and what it may be.
func (o demoOptions) validate() error {
	switch {
	case o.nodes < demo.MinNodes:
		return fmt.Errorf("--nodes must be at least %d, got %d", demo.MinNodes, o.nodes)
	case o.nodes > demo.MaxNodes:
		return fmt.Errorf("--nodes must be at most %d, got %d", demo.MaxNodes, o.nodes)
	case o.seed < 0:
		return fmt.Errorf("--seed must not be negative, got %d", o.seed)
	case o.timeout <= 0:
		return fmt.Errorf("--timeout must be more than 0, as in 10m, got %s", o.timeout)
	}
	if o.html != "" {
		if info, err := os.Stat(o.html); err == nil && info.IsDir() {
			return fmt.Errorf("--html %s is a directory; name a file in it, as in %s", o.html, filepath.Join(o.html, "demo.html"))
		}
	}
	return nil
}

// run does the demo. Progress goes to log, the report to out.
func (o demoOptions) run(ctx context.Context, out, log io.Writer) error {
	session, err := demo.Start(ctx, demo.Options{
		Nodes: o.nodes, Seed: uint64(o.seed), Timeout: o.timeout, Log: log, Terminal: isTerminal(log),
	})
	if err != nil {
		return interrupted(ctx, err)
	}
	defer session.Stop()
	result, err := session.Place(ctx)
	if err != nil {
		return interrupted(ctx, err)
	}

	if o.html != "" {
		if err := result.WritePage(o.html); err != nil {
			return fmt.Errorf("--html: %w", err)
		}
		fmt.Fprintf(log, "the page: %s\n", o.html)
	}
	wrong := result.Err()
	if wrong != nil && o.html != "" {
		path := strings.TrimSuffix(o.html, filepath.Ext(o.html)) + "-scheduler.log"
		if err := copyFile(path, session.SchedulerLog()); err != nil {
			return errors.Join(wrong, err)
		}
		fmt.Fprintf(log, "the scheduler's log: %s\n", path)
	}
	if !o.json {
		if err := result.WriteTable(out); err != nil {
			return err
		}
	}
	line, err := result.Figures.JSON()
	if err != nil {
		return err
	}
	fmt.Fprintln(out, line)
	if o.keep {
		fmt.Fprintf(log, "kubeconfig: %s\ntry: kubectl --kubeconfig %[1]s -n demo get jobs,deployments,pods -o wide\nCtrl-C stops it.\n", session.Kubeconfig())
		if err := session.Wait(ctx); err != nil {
			return errors.Join(wrong, err)
		}
	}
	return wrong
}

// interrupted is err, or that the user ended the demo, of which err then came.
func interrupted(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return errors.New("interrupted")
	}
	return err
}

// isTerminal reports whether lines written to w can be rewritten.
func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("TERM") != "dumb"
}

// copyFile copies the scheduler's log, which is gone once the cluster is.
func copyFile(to, from string) error {
	text, err := os.ReadFile(from)
	if err != nil {
		return fmt.Errorf("keeping the scheduler's log: %w", err)
	}
	if err := os.WriteFile(to, text, 0o644); err != nil {
		return fmt.Errorf("keeping the scheduler's log: %w", err)
	}
	return nil
}
