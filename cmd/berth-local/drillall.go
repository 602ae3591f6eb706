package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/berth-dev/berth/pkg/drills"
)

// drillAllOptions are the flags of "drill all", as they were given.
type drillAllOptions struct {
	report    string
	heartbeat time.Duration
	tolerates time.Duration
}

func newDrillAllCommand(dir *string) *cobra.Command {
	var o drillAllOptions
	cmd := &cobra.Command{
		Use:   "all [DRILL...]",
		Short: "Play the drills one after another on a cluster with gangs, and report what came of each",
		Long: `all starts a cluster of its own, of 96 simulated nodes in racks of 8 and three zones, with
the real controllers and two replicas of Berth, and submits six gangs of 7 pods that require a
rack. Then it plays these drills one after another, all of them or those that are named:

` + drillTable() + `
Each lasts until all gangs are whole again and what went wrong has been put right. The report
has for each when Berth told of it and when the gangs were whole, which pods and how much work
were lost, what was done and said when, and whether the invariants held: no node over, no
device given out twice, no gang half bound for long, each gang in one rack.

A lost machine is noticed after five heartbeats, and its pods leave once they have tolerated
that: with the heartbeat of real kubelets, 10s, all drills take about ten minutes.

drill all ends with status 1 if a gang did not get whole or an invariant did not hold. The
report is written all the same, and the scheduler's log is then kept beside it.`,
		Example: `  # all drills, and the page
  berth-local drill all --report out/drills.md

  # two of them, quickly
  berth-local drill all node-loss refused-pod --heartbeat 1s --tolerates 2s`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if *dir != "" {
				return errors.New("--dir: drill all starts a cluster of its own; leave it out")
			}
			return o.run(cmd.Context(), args, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.report, "report", "", "write the page, in Markdown, to this file (default: none)")
	flags.DurationVar(&o.heartbeat, "heartbeat", 10*time.Second, "how often each node renews its lease")
	flags.DurationVar(&o.tolerates, "tolerates", 30*time.Second, "how long pods stay on a node that is not ready, in whole seconds")
	return cmd
}

// drillTable lists the drills for the help text.
func drillTable() string {
	var b strings.Builder
	for _, d := range drills.All() {
		fmt.Fprintf(&b, "  %-12s %s\n", d.Name, d.Title)
	}
	return b.String()
}

func (o drillAllOptions) validate() error {
	switch {
	case o.heartbeat < time.Second:
		return fmt.Errorf("--heartbeat must be at least 1s, got %s", o.heartbeat)
	case o.tolerates < 0 || o.tolerates%time.Second != 0:
		return fmt.Errorf("--tolerates must be whole seconds, as in 30s, got %s", o.tolerates)
	}
	if o.report != "" {
		if info, err := os.Stat(o.report); err == nil && info.IsDir() {
			return fmt.Errorf("--report %s is a directory; name a file in it, as in %s", o.report, filepath.Join(o.report, "drills.md"))
		}
	}
	return nil
}

func (o drillAllOptions) run(ctx context.Context, names []string, out, log io.Writer) error {
	if err := o.validate(); err != nil {
		return err
	}
	chosen, err := drills.Named(names)
	if err != nil {
		return err
	}
	options := drills.Options{Drills: chosen, Heartbeat: o.heartbeat, Tolerates: o.tolerates, Log: log}
	if o.report != "" {
		if err := os.MkdirAll(filepath.Dir(o.report), 0o755); err != nil {
			return fmt.Errorf("--report: %w", err)
		}
		options.SchedulerLog = strings.TrimSuffix(o.report, filepath.Ext(o.report)) + "-scheduler.log"
	}
	report, err := drills.Play(ctx, options)
	if err != nil {
		return interrupted(ctx, err)
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "DRILL\tTOLD\tWHOLE\tPODS LOST\tHALF BOUND\t")
	for _, r := range report.Outcomes {
		fmt.Fprintf(table, "%s\t%.1fs\t%.1fs\t%d\t%.1fs\t\n", r.Name, r.Told.Seconds(), r.Whole.Seconds(), r.Lost, r.HalfBound.Seconds())
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if o.report != "" {
		var page strings.Builder
		if err := report.WritePage(&page); err != nil {
			return err
		}
		if err := os.WriteFile(o.report, []byte(page.String()), 0o644); err != nil {
			return fmt.Errorf("--report: %w", err)
		}
		fmt.Fprintf(log, "the page: %s\n", o.report)
	}
	return report.Err()
}
