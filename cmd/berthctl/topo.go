package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/berth-dev/berth/pkg/core/topology"
)

// topoOptions are the flags of "topo", as they were given.
type topoOptions struct {
	k          int
	free       []string
	freeGiven  bool
	gpu        string
	link       string
	picker     string
	output     string
	connection connection
}

func newTopoCommand(dial dialer) *cobra.Command {
	var o topoOptions
	unknown, _ := topology.RatesOf("")
	cmd := &cobra.Command{
		Use:   "topo FILE|NODE -k K",
		Short: "Show how the GPUs of a machine are linked, and which K of them a pod should get",
		Long: `topo shows how the GPUs of a machine are linked, which K of them a pod gets, how
good these are, and what is left for pods to come. It decides as the scheduler does.

FILE is the output of nvidia-smi topo -m, or - for standard input. If there is no
such file, NODE is the node whose NodeTopology is read from the cluster; then the
devices are numbered in the order of its spec, and those are free that are whole,
healthy, and held by no container.

Quality is ring bandwidth. An all-reduce over K GPUs sends its data around rings,
and each passes through all K: it can count on what the rings carry, each way, and
a ring carries what its slowest hop does. So the quality of a set is

  links x rate                for two GPUs with NVLinks
  fewest links x rate         if all of them are on an NVSwitch
  disjoint rings x rate       if rings of direct NVLinks pass through all of them
  slowest hop of the best     in every other case: one pair that only PCIe links
  ring                        slows all of them

The ideal is the quality of the best K of the machine when all of it is free, and
the ratio is the one over the other. Of sets of the same quality the one is best
that leaves the most: of what it leaves, how good are the best 2, 4, 8 and 16?

Without --gpu the rates of a FILE are those of an unknown machine, each way:
` + ratesText(unknown) + `.
For a NODE they are those of its spec, or of the product of its first device.

Status: 0 if there is a set, 1 if there is none (the output says why), 2 if a flag
is wrong or the machine cannot be read. JSON is one line, bandwidths in GB/s:

  {"k":4,"free":[0,1,..],"best":[0,1,2,3],"quality":50,"ideal":50,"ratio":1,
   "left":{"2":1,"4":1,"8":0},"link":"any","picker":"scheduler",
   "rates":{"nvlink":25,"pcie":12,"system":10}}

left is the ratio of the best 2, 4, .. of what is left, 0 if there are too few.
A node has "uuids" of the best devices and "remarks" on those that are not free,
and an answer without a set has "reason".`,
		Example: `  # on a GPU machine: which 4?
  nvidia-smi topo -m | berthctl topo - -k 4

  # which 2, when GPUs 0, 1 and 6 are taken, with the rates of its product
  berthctl topo dgx1.txt -k 2 --free 2,3,4,5,7 --gpu V100

  # every pair must have NVLink
  berthctl topo dgx1.txt -k 4 --link nvlink

  # what the stock device plugin would pick, and what that costs
  berthctl topo dgx1.txt -k 5 --picker device-plugin

  # a node of the cluster, as it is now
  berthctl topo gpu-node-17 -k 4 -o json | jq .best`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return fmt.Errorf("want one FILE or NODE, got %d; as in nvidia-smi topo -m | berthctl topo - -k 4", len(args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			o.freeGiven = cmd.Flags().Changed("free")
			return o.run(cmd.Context(), dial, args[0], cmd.InOrStdin(), cmd.OutOrStdout())
		},
	}
	cmd.Flags().SortFlags = false
	flags := cmd.Flags()
	flags.IntVarP(&o.k, "count", "k", 0, "how many devices the pod asks for (required)")
	flags.StringSliceVar(&o.free, "free", nil, "numbers of the devices that are free (default: all of a FILE, those that nobody holds of a NODE)")
	flags.StringVar(&o.gpu, "gpu", "", "product whose rates links count with, such as "+productExamples+" (default: an unknown machine for a FILE, the node's own for a NODE)")
	flags.StringVar(&o.link, "link", topology.AnyLink.String(), "what every pair must have at least: any, numa (no path between NUMA nodes), pcie (PCIe bridges only), nvlink")
	flags.StringVar(&o.picker, "picker", pickerScheduler, "who picks: "+pickerScheduler+" (the best set), "+pickerDevicePlugin+" (what NVIDIA's device plugin gives out by itself)")
	flags.StringVarP(&o.output, "output", "o", outputText, "text or json")
	o.connection.addFlags(flags)
	return cmd
}

// The values of --picker and of --output.
const (
	pickerScheduler    = "scheduler"
	pickerDevicePlugin = "device-plugin"
	outputText         = "text"
	outputJSON         = "json"
)

// productExamples are products that topology.RatesOf knows.
const productExamples = "H100, A100, V100, MI300X or L40S"

// run reads the machine, chooses, and prints.
func (o topoOptions) run(ctx context.Context, dial dialer, name string, in io.Reader, out io.Writer) error {
	q, err := o.query()
	if err != nil {
		return err
	}
	m, err := readMachine(ctx, name, in, dial, o.connection)
	if err != nil {
		return err
	}
	if o.gpu != "" {
		rates, known := topology.RatesOf(o.gpu)
		if !known {
			return fmt.Errorf("--gpu: the rates of %q are not known; it may be a name such as %s, and without --gpu the rates are %s", o.gpu, productExamples, m.ratesFrom)
		}
		m.matrix.Rates, m.ratesFrom = rates, "those of --gpu "+o.gpu
	}
	q.free = m.available
	if o.freeGiven {
		if q.free, err = m.devices(o.free); err != nil {
			return fmt.Errorf("--free: %w", err)
		}
	}

	result := choose(m, q)
	if o.output == outputJSON {
		err = writeJSON(out, m, q, result)
	} else {
		err = writePicture(out, styleOf(out), m, q, result)
	}
	if err == nil && result.set == 0 {
		return errNone
	}
	return err
}

// query checks the flags that need no machine.
func (o topoOptions) query() (query, error) {
	q := query{k: o.k, picker: topology.Scheduler}
	switch {
	case o.k == 0:
		return query{}, errors.New("-k is missing or 0; say how many devices the pod asks for, as in -k 4")
	case o.k < 0:
		return query{}, fmt.Errorf("-k must be at least 1, got %d", o.k)
	case o.output != outputText && o.output != outputJSON:
		return query{}, fmt.Errorf("--output must be %s or %s, got %q", outputText, outputJSON, o.output)
	}
	switch o.picker {
	case pickerScheduler:
	case pickerDevicePlugin:
		q.picker = topology.DevicePlugin
	default:
		return query{}, fmt.Errorf("--picker must be %s or %s, got %q", pickerScheduler, pickerDevicePlugin, o.picker)
	}
	level, ok := topology.ParseLevel(o.link)
	if !ok {
		return query{}, fmt.Errorf("--link must be any, numa, pcie or nvlink, got %q", o.link)
	}
	q.level = level
	return q, nil
}

// pickerName returns a picker as --picker has it.
func pickerName(picker topology.Picker) string {
	if picker == topology.DevicePlugin {
		return pickerDevicePlugin
	}
	return pickerScheduler
}

// devices returns the set of the devices with these numbers.
func (m machine) devices(numbers []string) (topology.Mask, error) {
	var set topology.Mask
	for _, text := range numbers {
		number, err := strconv.Atoi(strings.TrimSpace(text))
		if err != nil {
			return 0, fmt.Errorf("%q is no number of a device; %s has %s", text, m.name, list(m.numbers))
		}
		device := slices.Index(m.numbers, number)
		switch {
		case device < 0:
			return 0, fmt.Errorf("there is no device %d; %s has %s", number, m.name, list(m.numbers))
		case set.Has(device):
			return 0, fmt.Errorf("device %d is there twice; %s has %s", number, m.name, list(m.numbers))
		}
		set |= 1 << device
	}
	return set, nil
}

// list writes numbers as --free takes them.
func list(numbers []int) string {
	words := make([]string, len(numbers))
	for i, number := range numbers {
		words[i] = strconv.Itoa(number)
	}
	return strings.Join(words, ",")
}

// ratesText says rates in words.
func ratesText(r topology.Rates) string {
	return fmt.Sprintf("%s GB/s an NVLink, %s PCIe, %s between sockets", gigabytes(r.NVLink), gigabytes(r.PCIe), gigabytes(r.System))
}

// gigabytes writes MB/s in GB/s.
func gigabytes(megabytes int32) string {
	return strconv.FormatFloat(float64(megabytes)/1000, 'f', -1, 64)
}

// styleOf is how to print to out: with colours if it is a terminal that has them, and
// NO_COLOR is not set.
func styleOf(out io.Writer) style {
	file, ok := out.(*os.File)
	if !ok || os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		return plain
	}
	if info, err := file.Stat(); err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return plain
	}
	return coloured
}
