package main

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

const help = `Measures schedulers in kube-scheduler's own harness, scheduler_perf: a real API server
and etcd, 2,500 nodes of 8 GPUs, pods by the thousand.

The topics are

%s
The schedulers are

  upstream       kube-scheduler as it is shipped
  upstream-pack  the same, scoring nodes by MostAllocated on GPUs
  berth          Berth
  null           the next node, no plugin, no event: what the harness itself can do

Each round runs every scheduler of every topic once, each in a process of its own.
Medians of the rounds are reported, and the spread, which is (greatest - least) /
median. What was measured is written after each run, so nothing is lost if it is
stopped.

A round of everything takes about a quarter of an hour on two cores. The first one
builds etcd. Leave the machine alone meanwhile: API server, etcd and scheduler share
it.`

func main() {
	if err := command().Execute(); err != nil {
		os.Exit(1)
	}
}

func command() *cobra.Command {
	o := &options{}
	var list strings.Builder
	for _, t := range topics {
		fmt.Fprintf(&list, "  %-11s  %s\n", t.name, t.what)
	}
	cmd := &cobra.Command{
		Use:           "perf",
		Short:         "Measure schedulers in scheduler_perf",
		Long:          fmt.Sprintf(help, list.String()),
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: false,
		Example: `  go run ./bench/perf
  go run ./bench/perf --topics gpu-single --runs 1
  go run ./bench/perf --topics gangs-64 --schedulers berth --runs 1 --cpuprofile bench/out`,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context()) },
	}
	fs := cmd.Flags()
	fs.StringSliceVar(&o.topics, "topics", nil, "What is scheduled; all topics if none is named.")
	fs.StringSliceVar(&o.schedulers, "schedulers", everyone, "Who is measured.")
	fs.IntVar(&o.runs, "runs", 3, "Rounds; medians are taken over them.")
	fs.BoolVar(&o.small, "small", false, "Run the small variant of each topic, on 60 nodes. It tests the benchmark, and measures nothing.")
	fs.StringVar(&o.out, "out", "bench/out/perf.json", "Where the results are written.")
	fs.StringVar(&o.profiles, "cpuprofile", "", "Directory for a CPU profile of each run, of what is measured alone.")
	cmd.AddCommand(singleCommand())
	return cmd
}

// singleCommand is how this program calls itself.
func singleCommand() *cobra.Command {
	s := single{}
	cmd := &cobra.Command{
		Use:    "single",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE:   func(*cobra.Command, []string) error { return s.run() },
	}
	fs := cmd.Flags()
	fs.StringVar(&s.topic, "topic", "", "What is scheduled.")
	fs.StringVar(&s.scheduler, "scheduler", "", "Who is measured.")
	fs.BoolVar(&s.small, "small", false, "The small variant.")
	fs.StringVar(&s.out, "out", "", "Where the sample is written, in a folder for this run alone.")
	fs.StringVar(&s.profile, "cpuprofile", "", "Where a CPU profile is written.")
	return cmd
}

func (o *options) validate() error {
	if len(o.topics) == 0 {
		for _, t := range topics {
			o.topics = append(o.topics, t.name)
		}
	}
	for _, name := range o.topics {
		if _, err := find(name); err != nil {
			return fmt.Errorf("--topics: %w", err)
		}
	}
	for _, name := range o.schedulers {
		if !slices.Contains(everyone, name) {
			return fmt.Errorf("--schedulers: there is no scheduler %q; there are %s", name, strings.Join(everyone, ", "))
		}
	}
	if o.runs < 1 {
		return fmt.Errorf("--runs=%d: it must be at least 1", o.runs)
	}
	return nil
}
