package main

import (
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/klog/v2"

	"github.com/berth-dev/berth/bench/report"
	"github.com/berth-dev/berth/bench/rig"
	"github.com/berth-dev/berth/pkg/core/topology"
	"github.com/berth-dev/berth/pkg/engine/podgroups"
	"github.com/berth-dev/berth/pkg/plugins/devicetopology"
)

const help = `Measures what it is worth to know how the GPUs of a machine are linked: jobs of 1 to 4
GPUs come and go on a cluster of DGX-1V, whose NVLinks are uneven, and the bandwidth that
each job gets is compared with the best that there is for its size.

  upstream       kube-scheduler as it is shipped; the device plugin picks GPUs
  upstream-pack  kube-scheduler, scoring nodes by MostAllocated on GPUs; the device
                 plugin picks
  berth          Berth as it is shipped; the device plugin picks, and Berth predicts what
  berth-exact    Berth with the picker Scheduler: jobs get the GPUs that it takes for them

The schedulers are real, and place each job by a scheduling cycle. The device plugin is
simulated, and so is time: a run of the default size takes some minutes. Jobs are served
first come, first served: one that does not fit waits, and all that come after it wait
behind it. With --pass those that fit go first.

It prints, for each load and contestant, the mean over jobs of more than one GPU of their
bandwidth over the ideal, with the least and the greatest of the seeds; the part of these
jobs without a ring of NVLinks; and the part of the GPUs that were in use.`

// options are the flags.
type options struct {
	loads []int
	seeds int
	jobs  int
	nodes int
	sizes map[string]string
	pass  bool
	out   string
}

func main() {
	if err := command().Execute(); err != nil {
		os.Exit(1)
	}
}

func command() *cobra.Command {
	o := &options{}
	cmd := &cobra.Command{
		Use:          "topology",
		Short:        "Measure what it is worth to know how GPUs are linked",
		Long:         help,
		Args:         cobra.NoArgs,
		SilenceUsage: true,
		Example: `  go run ./bench/topology
  go run ./bench/topology --loads 70 --seeds 2 --jobs 2000

  # What other weights of the sizes do to Berth:
  go run ./bench/topology --sizes 2=30,3=5,4=30 --out bench/out/topology-sizes.json`,
		RunE: func(*cobra.Command, []string) error { return o.run() },
	}
	fs := cmd.Flags()
	fs.IntSliceVar(&o.loads, "loads", []int{50, 70, 90}, "GPUs that are asked for in the mean, in percent of all.")
	fs.IntVar(&o.seeds, "seeds", 5, "How many random streams of jobs are placed at each load.")
	fs.IntVar(&o.jobs, "jobs", 5000, "How many jobs a stream has.")
	fs.IntVar(&o.nodes, "nodes", 16, "How many machines the cluster has, of 8 GPUs each.")
	fs.StringToStringVar(&o.sizes, "sizes", nil, "Weights of the sizes of pods in the configuration of Berth, as size=weight; by default those that it is shipped with.")
	fs.BoolVar(&o.pass, "pass", false, "Let jobs that fit pass those that wait.")
	fs.StringVar(&o.out, "out", "bench/out/topology.json", "Where the results are written.")
	return cmd
}

func (o *options) validate() error {
	for _, load := range o.loads {
		if load < 1 || load > 100 {
			return fmt.Errorf("--loads=%d: a load is from 1 to 100 percent", load)
		}
	}
	if o.seeds < 1 || o.nodes < 1 {
		return fmt.Errorf("--seeds=%d, --nodes=%d: each must be at least 1", o.seeds, o.nodes)
	}
	for _, load := range o.loads {
		// At least as long as it takes to fill up, beyond that.
		if least := int(2 * fillsUp * float64(load*o.nodes*rig.GPUsPerNode) / (100 * meanSize())); o.jobs < least {
			return fmt.Errorf("--jobs=%d: at a load of %d %% on %d nodes, most of them would come while the cluster fills up; it must be at least %d", o.jobs, load, o.nodes, least)
		}
	}
	_, err := o.weights()
	return err
}

// weights returns the sizes as the configuration has them; nil for its defaults.
func (o *options) weights() (map[int32]int32, error) {
	if len(o.sizes) == 0 {
		return nil, nil
	}
	out := map[int32]int32{}
	for size, weight := range o.sizes {
		s, errSize := strconv.ParseInt(size, 10, 32)
		w, errWeight := strconv.ParseInt(weight, 10, 32)
		if errSize != nil || errWeight != nil || s < 1 || s > topology.MaxDevices || w < 0 || w > devicetopology.MaxWeight {
			return nil, fmt.Errorf("--sizes=%s=%s: it must be a size from 1 to %d and a weight from 0 to %d, such as 2=30", size, weight, topology.MaxDevices, devicetopology.MaxWeight)
		}
		out[int32(s)] = int32(w)
	}
	return out, nil
}

func (o *options) run() error {
	if err := o.validate(); err != nil {
		return err
	}
	// All schedulers run with the gates that Berth sets for itself.
	if err := podgroups.EnableGangEngine(); err != nil {
		return err
	}
	// Refusals are no news here.
	klog.SetSlogLogger(slog.New(slog.DiscardHandler))
	all := report.Report{Environment: report.Here()}
	if err := o.measure(&all); err != nil {
		return err
	}
	fmt.Println(report.TopologyTable(all.Topology))
	fmt.Println("written:", o.out)
	return nil
}

// measure runs every contestant on every stream. What was found is written after each
// load.
func (o *options) measure(all *report.Report) error {
	m, err := newMachine()
	if err != nil {
		return err
	}
	sizes, err := o.weights()
	if err != nil {
		return err
	}
	start, done, total := time.Now(), 0, len(o.loads)*o.seeds*len(contestants)
	for _, load := range o.loads {
		tallies := make([][]tally, len(contestants))
		for seed := range o.seeds {
			jobs := stream(uint64(seed), o.jobs, float64(load)/100, o.nodes*rig.GPUsPerNode)
			for i, c := range contestants {
				t, err := run(setup{contestant: c, nodes: o.nodes, seed: uint64(seed), sizes: sizes, pass: o.pass}, m, jobs)
				if err != nil {
					return fmt.Errorf("%s at a load of %d %%, seed %d: %w", c.name, load, seed, err)
				}
				tallies[i] = append(tallies[i], t)
				done++
				left := time.Since(start) * time.Duration(total-done) / time.Duration(done)
				fmt.Fprintf(os.Stderr, "%3d/%d  load %2d %%  seed %d  %-13s  %.3f of the ideal bandwidth  (%s, about %s left)\n", done, total, load, seed, c.name,
					t.ofIdeal/float64(t.jobs), time.Since(start).Round(time.Second), left.Round(time.Second))
			}
		}
		for i, c := range contestants {
			all.Topology = append(all.Topology, row(c, load, o.nodes, tallies[i]))
		}
		if err := all.Write(o.out); err != nil {
			return err
		}
	}
	return nil
}

// run places one stream by one contestant.
func run(s setup, m *machine, jobs []job) (tally, error) {
	w, err := newWorld(s, m)
	if err != nil {
		return tally{}, err
	}
	defer w.Stop()
	w.tally.last = jobs[len(jobs)-1].comes
	if err := w.live(slices.Clone(jobs)); err != nil {
		return tally{}, err
	}
	return w.tally, nil
}
