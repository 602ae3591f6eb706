//go:build cgo

package nvml

import (
	"fmt"

	"github.com/NVIDIA/go-nvml/pkg/nvml"

	"github.com/berth-dev/berth/pkg/agent/report"
)

// readHealth reads remapped rows, and asks for the events of devices that are new.
func (r *read) readHealth() {
	remaps := r.has("nvmlDeviceGetRemappedRows")
	for _, g := range r.gpus {
		if remaps {
			if _, _, pending, failed, ret := g.GetRemappedRows(); ret == nvml.SUCCESS {
				if fault, ok := report.RemapFault(g.uuid, pending, failed); ok {
					r.machine.Faults = append(r.machine.Faults, fault)
				}
			} else {
				r.note("remapped rows", g.uuid, ret)
			}
		}
		r.watch(g)
	}
}

// watch asks for the Xid events of a device, once.
func (r *read) watch(g gpu) {
	if r.events == nil || r.watched[g.uuid] {
		return
	}
	supported, ret := g.GetSupportedEventTypes()
	if ret != nvml.SUCCESS {
		r.note("events", g.uuid, ret)
		return
	}
	if supported&nvml.EventTypeXidCriticalError == 0 {
		return
	}
	if ret := g.RegisterEvents(nvml.EventTypeXidCriticalError, r.events); ret != nvml.SUCCESS {
		r.note("events", g.uuid, ret)
		return
	}
	r.watched[g.uuid] = true
}

// faults returns the fault that an event is; none if it is the application's.
func (s *Source) faults(event nvml.EventData) ([]report.Fault, error) {
	if event.EventType != nvml.EventTypeXidCriticalError {
		return nil, nil
	}
	uuid, ret := event.Device.GetUUID()
	if ret != nvml.SUCCESS {
		// The next read tells which device it is, if it is lost.
		return nil, fmt.Errorf("reading the UUID of a device with Xid %d: %w", event.EventData, ret)
	}
	fault, ok := report.XidFault(uuid, event.EventData)
	if !ok {
		return nil, nil
	}
	return []report.Fault{fault}, nil
}
