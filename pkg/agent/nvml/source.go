//go:build cgo

package nvml

import (
	"context"
	"fmt"
	"time"

	"github.com/NVIDIA/go-nvml/pkg/nvml"

	"github.com/berth-dev/berth/pkg/agent/report"
	"github.com/berth-dev/berth/pkg/api/v1alpha1"
)

// Source reads the GPUs of this machine. It is not safe for concurrent use.
type Source struct {
	library nvml.Interface
	sysfs   string
	// events is nil where the driver tells of none; watched are the devices that it
	// tells of events of, by UUID.
	events  nvml.EventSet
	watched map[string]bool
}

// New returns a source that reads the library of this machine, and NUMA nodes from
// sysfs, which is mounted at a path, as a rule /sys.
func New(sysfs string) (*Source, error) { return newSource(nvml.New(), sysfs), nil }

func newSource(library nvml.Interface, sysfs string) *Source {
	return &Source{library: library, sysfs: sysfs, watched: map[string]bool{}}
}

// Open loads and initialises the library.
func (s *Source) Open() error {
	switch ret := s.library.Init(); ret {
	case nvml.SUCCESS:
	case nvml.ERROR_LIBRARY_NOT_FOUND:
		return fmt.Errorf("loading NVML: %w", report.ErrNoDriver)
	default:
		return fmt.Errorf("initialising NVML: %w", ret)
	}
	if events, ret := s.library.EventSetCreate(); ret == nvml.SUCCESS {
		s.events = events
	}
	return nil
}

// Close ends what Open began.
func (s *Source) Close() {
	if s.events != nil {
		s.events.Free()
		s.events = nil
	}
	clear(s.watched)
	s.library.Shutdown()
}

// has reports whether the driver has a function.
func (s *Source) has(function string) bool {
	return s.library.Extensions().LookupSymbol(function) == nil
}

// gpu is a device while it is read.
type gpu struct {
	nvml.Device
	uuid, address string
	links         nvlinks
}

// read is one read of the machine.
type read struct {
	*Source
	machine report.Machine
	gpus    []gpu
}

// note says that a call failed, unless it says that there is no such thing.
func (r *read) note(what, uuid string, err error) {
	switch err {
	case nvml.SUCCESS, nvml.ERROR_NOT_SUPPORTED, nvml.ERROR_INVALID_ARGUMENT, nvml.ERROR_FUNCTION_NOT_FOUND:
	default:
		r.machine.Notes = append(r.machine.Notes, fmt.Sprintf("Reading the %s of %s failed: %v.", what, uuid, err))
	}
}

// Read returns the GPUs as they are now.
func (s *Source) Read() (*report.Machine, error) {
	count, ret := s.library.DeviceGetCount()
	if ret != nvml.SUCCESS {
		return nil, fmt.Errorf("counting devices: %w", ret)
	}
	r := &read{Source: s, machine: report.Machine{Parts: map[string]string{}}}
	var last nvml.Return
	lost := 0
	for index := range count {
		if last = r.device(index); last == nvml.ERROR_GPU_IS_LOST {
			lost++
		}
	}
	// Devices that are lost are told by what is missing; a driver that tells of none
	// that it counts has failed as a whole.
	if len(r.gpus) == 0 && count > lost {
		return nil, fmt.Errorf("reading %d devices: none can be read: %w", count, last)
	}
	r.readLinks()
	r.readFabric()
	r.readHealth()
	return &r.machine, nil
}

// device reads the device of an index. One of which a call says that it is lost counts
// as not there: what was known of it stays in the report.
func (r *read) device(index int) nvml.Return {
	d, ret := r.library.DeviceGetHandleByIndex(index)
	if ret != nvml.SUCCESS {
		r.note("handle", fmt.Sprintf("index %d", index), ret)
		return ret
	}
	uuid, ret := d.GetUUID()
	if ret != nvml.SUCCESS {
		r.note("UUID", fmt.Sprintf("index %d", index), ret)
		return ret
	}
	device := v1alpha1.Device{UUID: uuid}
	var memory nvml.Memory
	var pci nvml.PciInfo
	var mode int
	for _, fact := range []struct {
		what string
		read func() nvml.Return
	}{
		{"memory", func() nvml.Return { memory, ret = d.GetMemoryInfo(); return ret }},
		{"product", func() nvml.Return { device.Product, ret = d.GetName(); return ret }},
		{"PCI address", func() nvml.Return { pci, ret = d.GetPciInfo(); return ret }},
		{"MIG mode", func() nvml.Return { mode, _, ret = d.GetMigMode(); return ret }},
	} {
		ret := fact.read()
		r.note(fact.what, uuid, ret)
		if ret == nvml.ERROR_GPU_IS_LOST {
			return ret
		}
	}
	device.MemoryMiB = int64(memory.Total >> 20)
	device.PCIAddress = pciAddress(pci)
	device.Divided = mode == nvml.DEVICE_MIG_ENABLE
	if device.PCIAddress != "" {
		node, err := numaNode(r.sysfs, device.PCIAddress)
		if err != nil {
			r.machine.Notes = append(r.machine.Notes, err.Error()+".")
		}
		device.NUMANode = node
	}
	if device.Divided {
		r.parts(d, uuid)
	}
	r.gpus = append(r.gpus, gpu{Device: d, uuid: uuid, address: device.PCIAddress})
	r.machine.Devices = append(r.machine.Devices, device)
	return nvml.SUCCESS
}

// parts reads the UUIDs of the MIG instances of a device.
func (r *read) parts(d nvml.Device, uuid string) {
	most, ret := d.GetMaxMigDeviceCount()
	if ret != nvml.SUCCESS {
		r.note("number of instances", uuid, ret)
		return
	}
	for i := range most {
		part, ret := d.GetMigDeviceHandleByIndex(i)
		if ret == nvml.ERROR_NOT_FOUND {
			continue // a place without an instance
		}
		if ret != nvml.SUCCESS {
			r.note("instances", uuid, ret)
			continue
		}
		if id, ret := part.GetUUID(); ret == nvml.SUCCESS {
			r.machine.Parts[id] = uuid
		} else {
			r.note("instances", uuid, ret)
		}
	}
}

// pciAddress returns the address as sysfs has it.
func pciAddress(pci nvml.PciInfo) string {
	var text []byte
	for _, c := range pci.BusId {
		if c == 0 {
			break
		}
		text = append(text, byte(c))
	}
	return sysfsAddress(string(text))
}

// Wait returns Xid errors that are the device's.
func (s *Source) Wait(ctx context.Context, limit time.Duration) ([]report.Fault, error) {
	if s.events == nil || len(s.watched) == 0 {
		timer := time.NewTimer(limit)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
		return nil, nil
	}
	event, ret := s.events.Wait(uint32(max(limit.Milliseconds(), 1)))
	switch ret {
	case nvml.SUCCESS:
		return s.faults(event)
	case nvml.ERROR_TIMEOUT:
		return nil, nil
	}
	return nil, fmt.Errorf("waiting for events: %w", ret)
}
