// Command render makes a report of what the benchmarks wrote, and the tables of a
// README of a report. It measures nothing; package bench/report says how a report looks.
//
// Files: main.go (flags), combine.go (results to a report), readme.go (a report to the
// tables of a README).
package main

import (
	"errors"
	"os"

	"github.com/spf13/cobra"
)

const help = `Makes a report of what the benchmarks wrote: report.json with all rows, and report.html
with plots, which opens in any browser and needs no other file.

It reads, from the directory --in,

  perf.json           what bench/perf writes: whole runs against an API server
  cycle.json          what bench/cycle writes: scheduling cycles without one, and plans
                      of gangs
  plans.json          the same, of plans alone: they come before those of cycle.json
  queues.json         the same, of queues alone
  topology.json       what bench/topology writes: what it is worth to know how GPUs are
                      linked
  fragmentation.json  what bench/fragmentation writes: over how many racks gangs are spread
  scale.json          what bench/scale writes: schedulers as processes of their own

Any may be missing: a report of a part is a report.

With --readme it fills the tables of a README from a report instead, and writes nothing
else. They stand between the lines <!-- tables: NAME --> and <!-- /tables -->, for the
names perf, cycle, gangs, links, quality, plans, admissions, queues, queue-pairs,
topology, fragmentation and scale. With --check as well it writes nothing at all, and fails if the tables
are not those of the report.`

// options are the flags.
type options struct {
	in, out        string
	report, readme string
	check          bool
}

func main() {
	if err := command().Execute(); err != nil {
		os.Exit(1)
	}
}

func command() *cobra.Command {
	o := &options{}
	cmd := &cobra.Command{
		Use:          "render",
		Short:        "Make a report of the results of benchmarks",
		Long:         help,
		Args:         cobra.NoArgs,
		SilenceUsage: true,
		Example: `  # The report of the latest runs:
  go run ./bench/render --in bench/out --out bench/out

  # The tables of the README, from the report that is checked in:
  go run ./bench/render --report bench/results/report.json --readme bench/README.md

  # Whether they are stale:
  go run ./bench/render --report bench/results/report.json --readme bench/README.md --check`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.validate(cmd); err != nil {
				return err
			}
			if o.readme != "" {
				return o.fill(cmd.OutOrStdout())
			}
			return o.combine(cmd.OutOrStdout())
		},
	}
	fs := cmd.Flags()
	fs.StringVar(&o.in, "in", "bench/out", "Directory with the results, perf.json, cycle.json, plans.json, queues.json, topology.json, fragmentation.json and scale.json.")
	fs.StringVar(&o.out, "out", "bench/out", "Directory where report.json and report.html are written.")
	fs.StringVar(&o.report, "report", "", "Report that the tables of --readme are from.")
	fs.StringVar(&o.readme, "readme", "", "README whose tables are filled.")
	fs.BoolVar(&o.check, "check", false, "Only say whether the tables of --readme are those of --report.")
	return cmd
}

func (o *options) validate(cmd *cobra.Command) error {
	fs := cmd.Flags()
	switch {
	case o.readme == "" && o.report == "" && o.check:
		return errors.New("--check: it needs the --readme that is checked, and the --report that its tables are from")
	case o.readme == "" && o.report != "":
		return errors.New("--report: it needs the --readme whose tables are filled from it")
	case o.readme != "" && o.report == "":
		return errors.New("--readme: it needs the --report that its tables are from")
	case o.readme != "" && (fs.Changed("in") || fs.Changed("out")):
		return errors.New("--in, --out: they make a report, --readme fills tables from one: do one after the other")
	}
	return nil
}
