package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/berth-dev/berth/pkg/core/cluster"
	"github.com/berth-dev/berth/pkg/core/pack"
	"github.com/berth-dev/berth/pkg/core/topology"
	"github.com/berth-dev/berth/pkg/state/device"
	"github.com/berth-dev/berth/pkg/state/nodeindex"
)

// settingsFlags are flags for what the configuration of a scheduler says.
type settingsFlags struct {
	policy string
	picker string
}

func (f *settingsFlags) addFlags(flags *pflag.FlagSet) {
	flags.StringVar(&f.policy, "policy", policyPack, "how a live cluster is packed: "+policyPack+" or "+policySpread)
	flags.StringVar(&f.picker, "picker", pickerDevicePlugin, "who picks GPUs in a live cluster: "+pickerDevicePlugin+" or "+pickerScheduler)
}

// The values of --policy.
const (
	policyPack   = "pack"
	policySpread = "spread"
)

// settings checks the flags. The rest of the settings are a scheduler's defaults.
func (f *settingsFlags) settings() (nodeindex.Settings, error) {
	s := nodeindex.Settings{Policy: pack.Policy{CPU: 1, Memory: 1}, Devices: device.DefaultNames(), Sizes: topology.DefaultSizes()}
	switch f.policy {
	case policyPack:
	case policySpread:
		s.Policy.Spread = true
	default:
		return s, fmt.Errorf("--policy must be %s or %s, got %q", policyPack, policySpread, f.policy)
	}
	switch f.picker {
	case pickerDevicePlugin:
	case pickerScheduler:
		s.Picker = topology.Scheduler
	default:
		return s, fmt.Errorf("--picker must be %s or %s, got %q", pickerDevicePlugin, pickerScheduler, f.picker)
	}
	return s, nil
}

// snapshotOptions are the flags of "snapshot".
type snapshotOptions struct {
	output     string
	synthetic  bool
	nodes      int
	racks      int
	fill       int
	seed       uint64
	levels     []string
	settings   settingsFlags
	connection connection
}

func newSnapshotCommand(dial dialer) *cobra.Command {
	var o snapshotOptions
	cmd := &cobra.Command{
		Use:   "snapshot [--synthetic --nodes N] [-o FILE]",
		Short: "Write the inputs of a decision as one file, from a live cluster or from nothing",
		Long: `snapshot writes every input of a decision as one JSON file: the nodes with what
they have free, in which rack and block each is, how its GPUs are linked and which
of them are free, and how nodes are ranked. berthctl plan decides by it, here or
on any other machine, and the same file and gang always give the same plan.

Without --synthetic it lists the nodes, the bound pods and the NodeTopologies of a
cluster, once each, and writes nothing there. It counts as Berth's scheduler does by
default; --policy and --picker say what its configuration has otherwise. Where the
scheduler itself can be reached, what it has in mind is at /debug/berth/snapshot.

With --synthetic it makes a cluster: nodes of 8 H100 on an NVSwitch, spread evenly
over racks, 8 racks a block, filled to a part with pods of 1, 2, 4 and 8 GPUs. The
same flags make the same file.

The file has a version and is the same, to the byte, for the same cluster. Amounts
are whole numbers: CPU in thousandths of a core, memory in bytes.`,
		Example: `  # 64 nodes in 4 racks, 70 % of the GPUs taken
  berthctl snapshot --synthetic --nodes 64 --racks 4 --fill 70 --seed 1 -o cluster.json

  # where would this gang go?
  berthctl plan -f cluster.json -f gang.yaml

  # the cluster of the current context
  berthctl snapshot -o now.json

  # with a level of your own, for gangs that ask for it
  berthctl snapshot --level example.com/row -o now.json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			for _, name := range []string{"nodes", "racks", "fill", "seed"} {
				if cmd.Flags().Changed(name) && !o.synthetic {
					return fmt.Errorf("--%s is for a cluster that is made up; give --synthetic as well, or leave it out", name)
				}
			}
			return o.run(cmd.Context(), dial, cmd.OutOrStdout())
		},
	}
	cmd.Flags().SortFlags = false
	flags := cmd.Flags()
	flags.StringVarP(&o.output, "output", "o", "", "file to write (default: standard output)")
	flags.BoolVar(&o.synthetic, "synthetic", false, "make a cluster up")
	flags.IntVar(&o.nodes, "nodes", 64, "how many nodes to make up")
	flags.IntVar(&o.racks, "racks", 0, "how many racks they are in (default: one for each 16 nodes)")
	flags.IntVar(&o.fill, "fill", 70, "how many percent of their GPUs are taken")
	flags.Uint64Var(&o.seed, "seed", 1, "another number makes another cluster")
	flags.StringArrayVar(&o.levels, "level", nil, "node label key that is a level of a live cluster beside those that Berth knows; may be given several times")
	o.settings.addFlags(flags)
	o.connection.addFlags(flags)
	return cmd
}

func (o snapshotOptions) run(ctx context.Context, dial dialer, out io.Writer) error {
	s, err := o.snapshot(ctx, dial)
	if err != nil {
		return err
	}
	var text bytes.Buffer
	if err := s.Write(&text); err != nil {
		return err
	}
	if o.output == "" || o.output == "-" {
		_, err := out.Write(text.Bytes())
		return err
	}
	return os.WriteFile(o.output, text.Bytes(), 0o644)
}

func (o snapshotOptions) snapshot(ctx context.Context, dial dialer) (*cluster.Snapshot, error) {
	settings, err := o.settings.settings()
	if err != nil {
		return nil, err
	}
	if !o.synthetic {
		settings.Levels = o.levels
		return readCluster(ctx, dial, o.connection, settings)
	}
	if len(o.levels) > 0 {
		return nil, errors.New("--level is for a live cluster; one that is made up has racks and blocks")
	}
	racks := o.racks
	if racks == 0 {
		racks = (o.nodes + 15) / 16
	}
	return cluster.Synthetic(o.nodes, cluster.Racks(racks), cluster.Percent(o.fill), o.seed)
}
