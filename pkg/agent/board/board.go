// Package board plays a machine from a file, in the form in which nvidia-smi topo -m
// prints a link matrix, so that the agent can be tried without hardware.
//
// The file is read at each read of the hardware: a change of it is a change of the
// machine, and a device whose row and column are taken out is lost.
package board

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"time"

	"k8s.io/utils/clock"

	"github.com/berth-dev/berth/pkg/agent/report"
	"github.com/berth-dev/berth/pkg/api/v1alpha1"
	"github.com/berth-dev/berth/pkg/core/topology"
)

// Board is a machine in a file.
type Board struct {
	// File holds the matrix.
	File string
	// Node is the name of the node: two nodes with one file have different devices.
	Node string
	// Product is the name of each device.
	Product string
	Clock   clock.Clock
}

// Open does nothing.
func (b *Board) Open() error { return nil }

// Close does nothing.
func (b *Board) Close() {}

// Read reads the file.
func (b *Board) Read() (*report.Machine, error) {
	text, err := os.ReadFile(b.File)
	if err != nil {
		return nil, fmt.Errorf("reading the board: %w", err)
	}
	table, err := topology.Parse(string(text))
	if err != nil {
		return nil, fmt.Errorf("reading the board %q: %w", b.File, err)
	}
	machine := &report.Machine{}
	for d := range table.Devices {
		device := v1alpha1.Device{
			UUID:       UUID(b.Node, table.Numbers[d]),
			Product:    b.Product,
			PCIAddress: fmt.Sprintf("0000:%02x:00.0", table.Numbers[d]+1),
			NIC:        path(table.NIC[d]),
		}
		if node := int32(table.NUMA[d]); node != topology.UnknownNUMA {
			device.NUMANode = &node
		}
		machine.Devices = append(machine.Devices, device)
		for peer := range d {
			link := table.Links[peer][d]
			if link == (topology.Link{}) {
				continue
			}
			machine.Links = append(machine.Links, v1alpha1.Link{
				A: int32(peer), B: int32(d), Path: path(link.Path), NVLinks: int32(link.NVLinks), Switched: link.Switched,
			})
		}
	}
	return machine, nil
}

// path returns the word of the API for a path; "" if it is not known.
func path(p topology.Path) v1alpha1.Path {
	if p == topology.UnknownPath {
		return ""
	}
	return v1alpha1.Path(p.String())
}

// Wait waits: a board has no faults but devices that are taken out.
func (b *Board) Wait(ctx context.Context, limit time.Duration) ([]report.Fault, error) {
	timer := b.Clock.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-timer.C():
	case <-ctx.Done():
	}
	return nil, nil
}

// UUID returns the UUID of a device by its node and its number in the file: the same
// each time, and no other's.
func UUID(node string, number int) string {
	h := sha256.Sum256(fmt.Appendf(nil, "%s/%d", node, number))
	return fmt.Sprintf("GPU-%x-%x-%x-%x-%x", h[0:4], h[4:6], h[6:8], h[8:10], h[10:16])
}
