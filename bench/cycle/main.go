package main

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/component-base/logs"
	"k8s.io/klog/v2"

	"github.com/berth-dev/berth/bench/report"
	"github.com/berth-dev/berth/bench/rig"
	"github.com/berth-dev/berth/bench/schedulers"
	"github.com/berth-dev/berth/pkg/engine/podgroups"
)

const help = `Measures scheduling cycles without an API server: from the scheduling queue to a pod
that is assumed on a node. Nothing is bound.

The schedulers are

  upstream-pack   kube-scheduler, scoring nodes by MostAllocated on GPUs
  berth           Berth
  berth-topology  Berth, told of every node how its GPUs are linked
  floor           Berth's plugins on one node, without looking for it: what
                  the framework itself costs
  null            no plugins at all

Each round measures every one of them on every cluster, one after another; medians of
the rounds are reported, and the spread, which is (greatest - least) / median. On an
empty cluster a gang is placed as well. Then berth and berth-topology are measured in
turn, batch by batch, to tell what it costs to know how GPUs are linked. Then
upstream-pack and berth pack random histories of pods that come and go, and the nodes are
counted that are left free. Then gangs of 512 are planned on the smallest and on the
largest cluster, without a scheduler. At last, gangs of many queues are admitted and placed
by the whole of Berth on the smallest cluster, which an API server in memory tells of them:
first it is timed how fast the scheduling loop admits them, and then how fast they come and
go with all that follows.

All of it takes about ten minutes. A cluster of 25,000 nodes needs half a gigabyte of
memory. Leave the machine alone meanwhile.`

// contestants are the schedulers that are measured, in this order.
var contestants = []string{schedulers.UpstreamPack, schedulers.Berth, schedulers.BerthTopology, schedulers.Floor, schedulers.Null}

// defaultMachine is the model of every node.
const defaultMachine = "hgx-h100"

// options are the flags.
type options struct {
	nodes      []int
	fills      []string
	schedulers []string
	machine    string
	runs       int
	time       time.Duration
	pods       int
	gang       int
	seeds      int
	pairs      int
	packed     int
	plans      int
	queues     int
	pending    int
	queueTime  time.Duration
	queuePairs int
	out        string
	cpuProfile string
}

func main() {
	if err := command().Execute(); err != nil {
		os.Exit(1)
	}
}

func command() *cobra.Command {
	o := &options{}
	cmd := &cobra.Command{
		Use:          "cycle",
		Short:        "Measure scheduling cycles without an API server",
		Long:         help,
		Args:         cobra.NoArgs,
		SilenceUsage: true,
		Example: `  go run ./bench/cycle
  go run ./bench/cycle --schedulers berth,floor --nodes 2500 --fill half --gang 0

  # What it costs to know how the GPUs of every node are linked:
  go run ./bench/cycle --nodes 2500 --runs 0 --seeds 0 --pairs 1000 --machine dgx1-v100

  # What it costs to plan a gang, alone:
  go run ./bench/cycle --runs 0 --seeds 0 --pairs 0 --plans 300 --out bench/out/plans.json

  # What queues cost, alone:
  go run ./bench/cycle --nodes 2500 --runs 0 --seeds 0 --pairs 0 --plans 0 --queues 1000 --out bench/out/queues.json

  # Where the time goes, without that of making clusters:
  go run ./bench/cycle --schedulers floor --nodes 2500 --runs 1 --cpuprofile cpu.out
  go tool pprof -top -cum -tagfocus scheduler=floor cpu.out`,
		RunE: func(*cobra.Command, []string) error { return o.run() },
	}
	cmd.AddCommand(refusalsCommand())
	fs := cmd.Flags()
	fs.IntSliceVar(&o.nodes, "nodes", []int{2500, 5000, 10_000, 25_000}, "Sizes of the cluster.")
	fs.StringSliceVar(&o.fills, "fill", []string{"empty", "half", "full"}, "How full the cluster is: empty, half, or full (95 % of the GPUs).")
	fs.StringSliceVar(&o.schedulers, "schedulers", contestants, "Who is measured.")
	fs.StringVar(&o.machine, "machine", defaultMachine, "Model of every node, whose links berth-topology is told: "+strings.Join(rig.Models(), ", ")+".")
	fs.IntVar(&o.runs, "runs", 3, "Rounds; medians are taken over them. 0 for none.")
	fs.DurationVar(&o.time, "time", 2*time.Second, "How long one measurement may take.")
	fs.IntVar(&o.pods, "pods", 50_000, "How many pods one measurement places at most.")
	fs.IntVar(&o.gang, "gang", 1000, "Size of the gang of 8-GPU pods that is measured on empty clusters; 0 for none.")
	fs.IntVar(&o.pairs, "pairs", 300, "How many pairs of batches are measured to compare berth with berth-topology on each cluster; 0 for none.")
	fs.IntVar(&o.seeds, "seeds", 20, "How many random histories of pods are packed to compare the nodes left free; 0 for none.")
	fs.IntVar(&o.packed, "packed-nodes", 500, "Size of the cluster that they are packed onto.")
	fs.IntVar(&o.plans, "plans", 300, "How many times each gang is planned on each cluster; 0 for none.")
	fs.IntVar(&o.queues, "queues", 1000, "How many queues gangs wait in to be admitted; 0 for none.")
	fs.IntVar(&o.pending, "pending", 10_000, "How many gangs wait in them at every time.")
	fs.DurationVar(&o.queueTime, "queue-time", 20*time.Second, "How long gangs are admitted and placed; 0 for none.")
	fs.IntVar(&o.queuePairs, "queue-pairs", 300, "How many pairs of batches of pods are measured to compare a cycle with those queues with one without any; 0 for none.")
	fs.StringVar(&o.out, "out", "bench/out/cycle.json", "Where the results are written.")
	profileFlag(cmd, &o.cpuProfile)
	return cmd
}

// profileFlag gives a command the flag --cpuprofile.
func profileFlag(cmd *cobra.Command, path *string) {
	cmd.Flags().StringVar(path, "cpuprofile", "", "Where a CPU profile of everything is written.")
}

func (o *options) validate() error {
	for _, f := range o.fills {
		if _, ok := fills[f]; !ok {
			return fmt.Errorf("--fill=%s: it must be empty, half or full", f)
		}
	}
	for _, s := range o.schedulers {
		if !slices.Contains(contestants, s) {
			return fmt.Errorf("--schedulers=%s: it must be among %s", s, strings.Join(contestants, ", "))
		}
	}
	if !slices.Contains(rig.Models(), o.machine) {
		return fmt.Errorf("--machine=%s: it must be among %s", o.machine, strings.Join(rig.Models(), ", "))
	}
	if len(o.nodes) == 0 || slices.Min(o.nodes) < 1 {
		return fmt.Errorf("--nodes=%v: each must be at least 1", o.nodes)
	}
	if o.runs < 0 || o.pairs < 0 || o.plans < 0 {
		return fmt.Errorf("--runs=%d, --pairs=%d, --plans=%d: none may be negative", o.runs, o.pairs, o.plans)
	}
	if o.queues < 0 || o.queues == 1 || o.pending < 1 || o.queueTime < 0 || o.queuePairs < 0 {
		return fmt.Errorf("--queues=%d must be 0, for none, or at least 2, --pending=%d at least 1, and neither --queue-time=%s nor --queue-pairs=%d negative", o.queues, o.pending, o.queueTime, o.queuePairs)
	}
	if o.pods < 1 || o.time <= 0 {
		return fmt.Errorf("--pods=%d, --time=%s: each must be positive", o.pods, o.time)
	}
	if o.seeds < 0 || o.packed < 1 {
		return fmt.Errorf("--seeds=%d must not be negative, and --packed-nodes=%d must be at least 1", o.seeds, o.packed)
	}
	if o.gang > slices.Min(o.nodes) {
		return fmt.Errorf("--gang=%d: its pods take a node each, and the smallest cluster has %d", o.gang, slices.Min(o.nodes))
	}
	return nil
}

func (o *options) run() error {
	if err := o.validate(); err != nil {
		return err
	}
	// All schedulers run with the gates that Berth sets for itself.
	if err := podgroups.EnableGangEngine(); err != nil {
		return err
	}
	logs.InitLogs()
	klog.SetOutput(discard{})
	klog.LogToStderr(false)
	stop, err := rig.StartProfile(o.cpuProfile)
	if err != nil {
		return err
	}
	defer stop()
	all := report.Report{Environment: report.Here()}
	if err := o.measure(&all); err != nil {
		return err
	}
	if o.pairs > 0 {
		if err := o.links(&all); err != nil {
			return err
		}
	}
	if o.seeds > 0 {
		rows, err := quality(o.seeds, o.packed)
		if err != nil {
			return err
		}
		all.Quality = rows
	}
	if o.plans > 0 {
		rows, err := plans(o.nodes, o.plans)
		if err != nil {
			return err
		}
		all.Plans = rows
	}
	if o.queues > 0 && o.queuePairs > 0 {
		rows, err := o.queueCosts()
		if err != nil {
			return err
		}
		all.QueuePairs = rows
	}
	if o.queues > 0 && o.queueTime > 0 {
		rows, err := o.admissions()
		if err != nil {
			return err
		}
		all.Admissions = rows
		if all.Queues, err = o.crowds(); err != nil {
			return err
		}
	}
	if err := all.Write(o.out); err != nil {
		return err
	}
	for _, table := range []string{report.CycleTable(all.Cycles), report.GangTable(all.Gangs), report.LinkTable(all.Links), report.QualityTable(all.Quality), report.PlanTable(all.Plans), report.QueuePairTable(all.QueuePairs), report.AdmissionTable(all.Admissions), report.QueueTable(all.Queues)} {
		fmt.Println(table)
	}
	fmt.Println("written:", o.out)
	return nil
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

// measure runs all rounds. What was found is written after each, so that nothing is
// lost if the program is stopped.
func (o *options) measure(all *report.Report) error {
	found := newResults()
	start := time.Now()
	total := o.runs * len(o.nodes) * len(o.fills) * len(o.schedulers)
	done := 0
	for round := range o.runs {
		for _, nodes := range o.nodes {
			for _, fill := range o.fills {
				for _, name := range o.schedulers {
					p := place{name, nodes, fill}
					if err := o.one(found, p); err != nil {
						return fmt.Errorf("round %d, %s on %d nodes, %s: %w", round+1, name, nodes, fill, err)
					}
					done++
					elapsed := time.Since(start)
					left := elapsed * time.Duration(total-done) / time.Duration(done)
					fmt.Fprintf(os.Stderr, "%3d/%d  %-13s %6d nodes  %-5s  %8.1f µs a pod  (%s, about %s left)\n", done, total, name, nodes, fill,
						last(found.pods[p]), elapsed.Round(time.Second), left.Round(time.Second))
				}
			}
		}
		all.Cycles, all.Gangs = found.cycles(), found.gangRows(o.gang)
		if err := all.Write(o.out); err != nil {
			return err
		}
	}
	return nil
}

func last(samples []sample) float64 {
	s := samples[len(samples)-1]
	return float64(s.took.Microseconds()) / float64(s.pods)
}

// one measures one scheduler on one cluster once.
func (o *options) one(found *results, p place) error {
	machine, err := rig.ModelOf(o.machine)
	if err != nil {
		return err
	}
	part := fills[p.fill]
	l, err := newLoop(setup{scheduler: p.scheduler, nodes: p.nodes, part: part, machine: machine})
	if err != nil {
		return err
	}
	defer l.Stop()
	found.note(p)
	// The garbage of the cluster before this one is not its own.
	runtime.GC()
	s, err := measurePods(l, budget{time: o.time, pods: o.pods})
	if err != nil {
		return err
	}
	found.pods[p] = append(found.pods[p], s)
	if o.gang > 0 && part == 0 {
		g, err := measureGang(l, o.gang)
		if err != nil {
			return fmt.Errorf("gang of %d: %w", o.gang, err)
		}
		found.gangs[p] = append(found.gangs[p], g)
		fmt.Fprintf(os.Stderr, "         %-13s %6d nodes  gang of %d: algorithm %s, cycle %s\n", p.scheduler, p.nodes, o.gang, g.algorithm.Round(time.Microsecond), g.cycle.Round(time.Microsecond))
	}
	return nil
}
