package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
)

const help = `Measures schedulers from outside: etcd, kube-apiserver and the scheduler are processes of
their own.

The scenarios are

%s
The contenders are

  upstream  kube-scheduler as it is released, but for its client's rate limit, which is
            out of the way
  berth     Berth, built from this repository
  null      binds each pod to the next node and looks at nothing: what the API server
            lets anyone bind
  NAME      another build of Berth: --build NAME=PATH

What was measured is written after each run. A run that is stopped goes on where it was:
start it again with the same flags. --fresh begins anew.

With 2,500 nodes a round of everything takes about a quarter of an hour on two cores, and
the cluster some five minutes before that. With 10,000 it takes an hour. Leave the machine
alone meanwhile.`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := command().ExecuteContext(ctx); err != nil {
		os.Exit(1)
	}
}

func command() *cobra.Command {
	o := &options{}
	var list strings.Builder
	for _, s := range scenarios {
		fmt.Fprintf(&list, "  %-9s %s\n", s.name, s.what)
	}
	cmd := &cobra.Command{
		Use:          "scale",
		Short:        "Measure schedulers as processes of their own, at scale",
		Long:         fmt.Sprintf(help, list.String()),
		Args:         cobra.NoArgs,
		SilenceUsage: true,
		Example: `  go run ./bench/scale
  go run ./bench/scale --scenarios start,events --nodes 10000 --pods-per-node 10 --rounds 3

  # What telling why gangs wait is made of:
  go run ./bench/scale --scenarios reasons --rounds 1 --reasons-for 3m --profiles bench/out
  go tool pprof -top -cum bench/out/berth-1.cpu

  # Beside another build of Berth:
  go run ./bench/scale --scenarios gangs --build before=/tmp/berth-before`,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context()) },
	}
	fs := cmd.Flags()
	fs.StringSliceVar(&o.scenarios, "scenarios", nil, "What is measured; everything if none is named.")
	fs.StringSliceVar(&o.contenders, "contenders", nil, "Who is measured; everybody if none is named.")
	fs.StringToStringVar(&o.builds, "build", nil, "Further builds of Berth, as NAME=PATH of the program.")
	fs.IntSliceVar(&o.nodes, "nodes", []int{2500}, "Sizes of the cluster.")
	fs.IntVar(&o.podsPerNode, "pods-per-node", 10, "Pods on each node of the filled cluster.")
	fs.IntVar(&o.rounds, "rounds", 3, "How often everybody is measured; medians are taken over the rounds.")
	fs.DurationVar(&o.reasonsFor, "reasons-for", 10*time.Minute, "How long gangs wait in the scenario reasons.")
	fs.BoolVar(&o.small, "small", false, "A few pods in each scenario. It tests the benchmark, and measures nothing.")
	fs.BoolVar(&o.fresh, "fresh", false, "Begin anew, and forget what was measured before.")
	fs.StringVar(&o.profiles, "profiles", "", "Keep the CPU profiles of the scenario reasons in this folder.")
	fs.StringVar(&o.out, "out", "bench/out/scale.json", "Where the results are written.")
	cmd.AddCommand(nullCommand())
	return cmd
}

func (o *options) validate() error {
	if len(o.scenarios) == 0 {
		for _, s := range scenarios {
			o.scenarios = append(o.scenarios, s.name)
		}
	}
	for _, name := range o.scenarios {
		if !slices.ContainsFunc(scenarios, func(s scenario) bool { return s.name == name }) {
			return fmt.Errorf("--scenarios: there is no scenario %q; see --help", name)
		}
	}
	known := slices.Concat([]string{upstream, berth, null}, sortedKeys(o.builds))
	if len(o.contenders) == 0 {
		o.contenders = known
	}
	for _, name := range o.contenders {
		if !slices.Contains(known, name) {
			return fmt.Errorf("--contenders: there is no %q; there are %s", name, strings.Join(known, ", "))
		}
	}
	for name, path := range o.builds {
		if name == upstream || name == berth || name == null || name == "" {
			return fmt.Errorf("--build: %q is taken; give the build another name", name)
		}
		if _, err := os.Stat(path); err != nil {
			return fmt.Errorf("--build %s: %w", name, err)
		}
	}
	for _, n := range o.nodes {
		if n < 1 {
			return fmt.Errorf("--nodes=%d: it must be at least 1", n)
		}
	}
	if o.rounds < 1 || o.podsPerNode < 1 {
		return fmt.Errorf("--rounds=%d and --pods-per-node=%d must be at least 1", o.rounds, o.podsPerNode)
	}
	return nil
}
