package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/klog/v2"

	"github.com/berth-dev/berth/bench/report"
	"github.com/berth-dev/berth/bench/rig"
	"github.com/berth-dev/berth/pkg/engine/podgroups"
)

const help = `Measures over how many racks gangs are spread: gangs of 2 to 64 nodes come and go on a
cluster of 2,496 nodes in racks of 32, and each contestant places the same stream.

  berth           Berth as it is shipped; gangs require one block, and prefer one rack
  berth-required  Berth; gangs that a rack can hold require one rack, others one block
  first-fit       no scheduler: the first nodes by name that are free
  upstream        kube-scheduler with its native gangs, which ask for no topology
  upstream-tas    kube-scheduler; gangs that a rack can hold require one rack, others one
                  block

The schedulers are real, and place each gang by a pod-group cycle. Time is simulated. Gangs
are served first come, first served: one that does not fit waits, and all that come after
it wait behind it.

Each contestant has a run of its own. All of 20,000 gangs take Berth a few minutes, and
upstream hours: it tries every rack. What was placed so far is written every few minutes,
and runs can be stopped and continued, or be made one by one. A contestant that is run anew
replaces what it had in --out; what the others have there stays, if it is of the same
parameters. The table compares all contestants over the gangs that all of them have placed,
and adds rows for those that have placed more.`

// options are the flags.
type options struct {
	params      params
	contestants []string
	arrivals    int
	limit       time.Duration
	every       time.Duration
	resume      bool
	out         string
	cpuProfile  string
}

func main() {
	if err := command().Execute(); err != nil {
		os.Exit(1)
	}
}

func command() *cobra.Command {
	o := &options{}
	cmd := &cobra.Command{
		Use:          "fragmentation",
		Short:        "Measure over how many racks gangs are spread",
		Long:         help,
		Args:         cobra.NoArgs,
		SilenceUsage: true,
		Example: `  go run ./bench/fragmentation --contestants berth,berth-required,first-fit
  go run ./bench/fragmentation --contestants upstream-tas --time 30m

  # Goes on where that has stopped:
  go run ./bench/fragmentation --contestants upstream-tas --continue

  # A smaller cluster, with all of them:
  go run ./bench/fragmentation --racks 16 --block-racks 8 --arrivals 2000 --out bench/out/small.json`,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd.OutOrStdout(), cmd.ErrOrStderr()) },
	}
	fs := cmd.Flags()
	fs.StringSliceVar(&o.contestants, "contestants", names(), "Who places gangs, in this order.")
	fs.IntVar(&o.arrivals, "arrivals", 20_000, "How many gangs come.")
	fs.IntVar(&o.params.Load, "load", 85, "Nodes that are asked for in the mean, in percent of all.")
	fs.Uint64Var(&o.params.Seed, "seed", 1, "Seed of the stream of gangs.")
	fs.IntVar(&o.params.Racks, "racks", 78, "How many racks the cluster has.")
	fs.IntVar(&o.params.NodesInRack, "rack-nodes", 32, "How many nodes a rack has.")
	fs.IntVar(&o.params.RacksInBlock, "block-racks", 32, "How many racks a block has; the last has what is left.")
	fs.IntVar(&o.params.Smallest, "smallest", 2, "Size of the smallest gangs.")
	fs.IntVar(&o.params.Largest, "largest", 64, "Size of the largest gangs.")
	fs.DurationVar(&o.limit, "time", 0, "How long each contestant may take; 0 for as long as it does.")
	fs.DurationVar(&o.every, "every", 2*time.Minute, "How often what was placed is written.")
	fs.BoolVar(&o.resume, "continue", false, "Go on where the contestants have stopped, and not anew.")
	fs.StringVar(&o.out, "out", "bench/out/fragmentation.json", "Where the rows are written. What each contestant has placed is in a directory of that name, without the ending.")
	fs.StringVar(&o.cpuProfile, "cpuprofile", "", "Where a CPU profile of everything is written.")
	return cmd
}

func (o *options) validate() error {
	p := o.params
	for _, name := range o.contestants {
		if _, err := find(name); err != nil {
			return fmt.Errorf("--contestants: %w", err)
		}
	}
	switch {
	case len(o.contestants) == 0:
		return fmt.Errorf("--contestants: there must be one")
	case p.Load < 1 || p.Load > 100:
		return fmt.Errorf("--load=%d: it must be from 1 to 100 percent", p.Load)
	case p.Racks < 1 || p.NodesInRack < 1 || p.RacksInBlock < 1:
		return fmt.Errorf("--racks=%d, --rack-nodes=%d, --block-racks=%d: each must be at least 1", p.Racks, p.NodesInRack, p.RacksInBlock)
	case p.Smallest < 1 || p.Largest < p.Smallest:
		return fmt.Errorf("--smallest=%d, --largest=%d: sizes are from 1 on, and the largest is not below the smallest", p.Smallest, p.Largest)
	case p.Largest > min(p.Racks, p.RacksInBlock)*p.NodesInRack:
		return fmt.Errorf("--largest=%d: the largest block has %d nodes", p.Largest, min(p.Racks, p.RacksInBlock)*p.NodesInRack)
	case o.limit < 0 || o.every <= 0:
		return fmt.Errorf("--time=%s, --every=%s: the first must not be negative, and the second must be positive", o.limit, o.every)
	}
	// At least as long as it takes to fill up, beyond that.
	if least := int(2 * fillsUp * p.rate()); o.arrivals < least {
		return fmt.Errorf("--arrivals=%d: most of them would come while the cluster fills up; it must be at least %d", o.arrivals, least)
	}
	return nil
}

func (o *options) run(out, log io.Writer) error {
	if err := o.validate(); err != nil {
		return err
	}
	if err := o.prepare(); err != nil {
		return err
	}
	// All schedulers run with the gates that Berth sets for itself.
	if err := podgroups.EnableGangEngine(); err != nil {
		return err
	}
	// Refusals are no news here.
	klog.SetSlogLogger(slog.New(slog.DiscardHandler))
	stop, err := rig.StartProfile(o.cpuProfile)
	if err != nil {
		return err
	}
	defer stop()
	environment := report.Here()
	for _, name := range o.contestants {
		c, err := find(name)
		if err != nil {
			return err
		}
		if err := o.measure(c, environment, log); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	all, err := report.Read(o.out)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, report.FragmentationTable(all.Fragmentation))
	fmt.Fprintln(out, "written:", o.out)
	return nil
}
