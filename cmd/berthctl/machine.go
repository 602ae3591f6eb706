package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/berth-dev/berth/pkg/core/topology"
)

// machine is one machine with what is known of its devices.
type machine struct {
	// name is how it is called in a sentence.
	name   string
	matrix topology.Matrix
	// numbers are what the user calls the devices, in their order.
	numbers []int
	// available are those that are free, unless the user says otherwise.
	available topology.Mask
	// ratesFrom says whose the rates of the matrix are.
	ratesFrom string
	// uuids are those of the devices, in their order; none if they are not known.
	uuids []string
	// remarks are sentences about devices that are not free, or may not be.
	remarks []string
}

// named returns the numbers of devices.
func (m machine) named(set topology.Mask) []int {
	numbers := []int{}
	for d := range set.Each() {
		numbers = append(numbers, m.numbers[d])
	}
	return numbers
}

// readMachine reads a file if there is one of that name, else the node of the cluster.
func readMachine(ctx context.Context, name string, in io.Reader, dial dialer, at connection) (machine, error) {
	if name == "-" {
		text, err := io.ReadAll(in)
		if err != nil {
			return machine{}, fmt.Errorf("reading standard input: %w", err)
		}
		return parseMachine("standard input", string(text))
	}
	switch info, err := os.Stat(name); {
	case err == nil && !info.IsDir():
		text, err := os.ReadFile(name)
		if err != nil {
			return machine{}, err
		}
		return parseMachine(name, string(text))
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return machine{}, err
	}
	return readNode(ctx, name, dial, at)
}

// parseMachine reads a text in the form of nvidia-smi topo -m.
func parseMachine(name, text string) (machine, error) {
	table, err := topology.Parse(text)
	if err != nil {
		return machine{}, fmt.Errorf("reading %q, which should be the output of nvidia-smi topo -m: %w", name, err)
	}
	m := machine{name: name, matrix: table.Matrix, numbers: table.Numbers, available: topology.All(table.Devices)}
	m.matrix.Rates, _ = topology.RatesOf("")
	m.ratesFrom = "those of an unknown machine"
	return m, nil
}
