package main

import (
	"github.com/berth-dev/berth/bench/rig"
	"github.com/berth-dev/berth/pkg/api/v1alpha1"
	"github.com/berth-dev/berth/pkg/core/topology"
)

const (
	// machineName is the model of every node.
	machineName = "dgx1-v100"
	// linkRate is the bandwidth of an NVLink, and so of the slowest ring of NVLinks, in
	// MB/s; otherRate is that of every other path.
	linkRate  = 25_000
	otherRate = 10_000
)

// machine is the model, and what sets of its devices are worth.
type machine struct {
	*rig.Model
	class *topology.Class
}

func newMachine() (*machine, error) {
	model, err := rig.ModelOf(machineName)
	if err != nil {
		return nil, err
	}
	model.Rates = &v1alpha1.Rates{NVLink: linkRate, PCIe: otherRate, System: otherRate}
	matrix := model.Matrix
	matrix.Rates = topology.Rates{NVLink: linkRate, PCIe: otherRate, System: otherRate}
	return &machine{Model: model, class: topology.NewClass(matrix, topology.Scheduler, topology.DefaultSizes())}, nil
}

// ofIdeal returns the bandwidth of a set over the best of its size.
func (m *machine) ofIdeal(set topology.Mask) float64 {
	return float64(m.class.Quality(set)) / float64(m.class.Ideal(set.Len()))
}

// ringless reports whether a set has no ring of NVLinks.
func (m *machine) ringless(set topology.Mask) bool { return m.class.Quality(set) < linkRate }
