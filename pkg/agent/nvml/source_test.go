//go:build cgo

package nvml

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
	"github.com/NVIDIA/go-nvml/pkg/nvml/mock/dgxa100"
	"github.com/NVIDIA/go-nvml/pkg/nvml/mock/dgxb200"
	"github.com/NVIDIA/go-nvml/pkg/nvml/mock/dgxh100"
	"github.com/NVIDIA/go-nvml/pkg/nvml/mock/dgxh200"
	"github.com/NVIDIA/go-nvml/pkg/nvml/mock/server"
	"github.com/google/go-cmp/cmp"

	"github.com/berth-dev/berth/pkg/agent/report"
	"github.com/berth-dev/berth/pkg/api/v1alpha1"
	"github.com/berth-dev/berth/pkg/core/topology"
)

// open opens a source and closes it with the test.
func open(t *testing.T, s *Source) *Source {
	t.Helper()
	if err := s.Open(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func mustRead(t *testing.T, s *Source) *report.Machine {
	t.Helper()
	machine, err := s.Read()
	if err != nil {
		t.Fatal(err)
	}
	return machine
}

// TestRoundTrip plays each matrix of the core's tests as a board, and reads it back.
func TestRoundTrip(t *testing.T) {
	tables := fixtures(t)
	for _, name := range slices.Sorted(maps.Keys(tables)) {
		t.Run(name, func(t *testing.T) {
			table := tables[name]
			machine := mustRead(t, open(t, newBoard(t, table).source()))
			if len(machine.Notes) > 0 {
				t.Errorf("notes: %q", machine.Notes)
			}
			if diff := cmp.Diff(table.Matrix, matrixOf(t, machine)); diff != "" {
				t.Errorf("links read back (-want +got):\n%s", diff)
			}
		})
	}
}

// matrixOf returns the matrix that a machine is.
func matrixOf(t *testing.T, machine *report.Machine) topology.Matrix {
	t.Helper()
	m := topology.Matrix{Devices: len(machine.Devices)}
	for i, d := range machine.Devices {
		m.NUMA[i] = topology.UnknownNUMA
		if d.NUMANode != nil {
			m.NUMA[i] = int16(*d.NUMANode)
		}
	}
	for _, link := range machine.Links {
		path, ok := topology.ParsePath(string(link.Path))
		if !ok && link.Path != "" {
			t.Errorf("link %+v has no such path", link)
		}
		m.Join(int(link.A), int(link.B), topology.Link{Path: path, NVLinks: uint8(link.NVLinks), Switched: link.Switched})
	}
	return m
}

// Identity comes from the mocks as they are.
func TestIdentity(t *testing.T) {
	h100 := fixtures(t)["hgx-h100"]
	for name, s := range map[string]*server.Server{
		"DGX A100": dgxa100.New(), "DGX H100": dgxh100.New(), "DGX H200": dgxh200.New(), "DGX B200": dgxb200.New(),
	} {
		t.Run(name, func(t *testing.T) {
			b := newBoard(t, h100)
			for i := range b.Devices {
				b.Devices[i] = s.Devices[i]
				b.link(i, h100)
			}
			machine := mustRead(t, open(t, b.source()))
			for i, got := range machine.Devices {
				d := s.Devices[i].(*server.Device)
				numa := int32(i / 4)
				want := v1alpha1.Device{
					UUID: d.UUID, Product: d.Config.Name, MemoryMiB: int64(d.Config.MemoryMB),
					PCIAddress: fmt.Sprintf("0000:%02x:00.0", 0xa0+i), NUMANode: &numa,
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("device %d (-want +got):\n%s", i, diff)
				}
			}
		})
	}
}

func TestNoLibrary(t *testing.T) {
	s := newSource(nvml.New(nvml.WithLibraryPath(filepath.Join(t.TempDir(), "libnvidia-ml.so.1"))), "/sys")
	if err := s.Open(); !errors.Is(err, report.ErrNoDriver) {
		t.Errorf("got %v, want ErrNoDriver", err)
	}
}

func TestDriverNotLoaded(t *testing.T) {
	b := newBoard(t, fixtures(t)["pcie-l40s-4"])
	b.InitFunc = func() nvml.Return { return nvml.ERROR_DRIVER_NOT_LOADED }
	if err := b.source().Open(); err == nil || errors.Is(err, report.ErrNoDriver) {
		t.Errorf("got %v, want an error that is not ErrNoDriver", err)
	}
}

// TestDegraded lets single calls fail: the fact is lost, and nothing else.
func TestDegraded(t *testing.T) {
	unknown := nvml.ERROR_UNKNOWN
	tests := []struct {
		name  string
		spoil func(*testing.T, *mockBoard)
		want  func(*report.Machine) // what is lost, applied to the whole machine
		note  string                // in one of the notes; "" for none
	}{
		{"name", func(_ *testing.T, b *mockBoard) {
			b.gpu(1).GetNameFunc = func() (string, nvml.Return) { return "", unknown }
		}, func(m *report.Machine) { m.Devices[1].Product = "" }, "the product of GPU-"},
		{"memory", func(_ *testing.T, b *mockBoard) {
			b.gpu(1).GetMemoryInfoFunc = func() (nvml.Memory, nvml.Return) { return nvml.Memory{}, unknown }
		}, func(m *report.Machine) { m.Devices[1].MemoryMiB = 0 }, "the memory of GPU-"},
		{"PCI address", func(_ *testing.T, b *mockBoard) {
			b.gpu(1).GetPciInfoFunc = func() (nvml.PciInfo, nvml.Return) { return nvml.PciInfo{}, unknown }
		}, func(m *report.Machine) {
			m.Devices[1].PCIAddress, m.Devices[1].NUMANode = "", nil
			for i := range m.Links { // whoever is linked to it directly cannot be told
				if link := &m.Links[i]; link.A == 1 || link.B == 1 {
					link.NVLinks = 0
				}
			}
		}, "the PCI address of GPU-"},
		{"sysfs", func(t *testing.T, b *mockBoard) {
			if err := os.RemoveAll(filepath.Join(b.sysfs, "bus/pci/devices/0000:a1:00.0")); err != nil {
				t.Fatal(err)
			}
		}, func(m *report.Machine) { m.Devices[1].NUMANode = nil }, `the NUMA node of "0000:a1:00.0"`},
		{"one NUMA node", func(t *testing.T, b *mockBoard) {
			file := filepath.Join(b.sysfs, "bus/pci/devices/0000:a1:00.0/numa_node")
			if err := os.WriteFile(file, []byte("-1\n"), 0o644); err != nil {
				t.Fatal(err)
			}
		}, func(m *report.Machine) { m.Devices[1].NUMANode = nil }, ""},
		{"no MIG", func(_ *testing.T, b *mockBoard) {
			b.gpu(1).GetMigModeFunc = func() (int, int, nvml.Return) { return 0, 0, nvml.ERROR_NOT_SUPPORTED }
		}, func(*report.Machine) {}, ""},
		{"path", func(_ *testing.T, b *mockBoard) {
			b.gpu(0).GetTopologyCommonAncestorFunc = func(nvml.Device) (nvml.GpuTopologyLevel, nvml.Return) { return 0, unknown }
		}, func(m *report.Machine) {
			for i := range m.Links {
				if m.Links[i].A == 0 {
					m.Links[i].Path = ""
				}
			}
			m.Links = slices.DeleteFunc(m.Links, func(l v1alpha1.Link) bool { return l.Path == "" && l.NVLinks == 0 })
		}, "the path to GPU-"},
		{"NVLinks that are not supported", func(_ *testing.T, b *mockBoard) {
			b.gpu(0).GetNvLinkStateFunc = func(int) (nvml.EnableState, nvml.Return) { return 0, nvml.ERROR_NOT_SUPPORTED }
		}, func(m *report.Machine) {
			for i := range m.Links {
				if m.Links[i].A == 0 {
					m.Links[i].NVLinks = 0
				}
			}
		}, ""},
		{"one NVLink whose other end is not told", func(_ *testing.T, b *mockBoard) {
			d := b.gpu(0)
			told := d.GetNvLinkRemotePciInfoFunc
			d.GetNvLinkRemotePciInfoFunc = func(link int) (nvml.PciInfo, nvml.Return) {
				if link == 0 { // the only one to device 1
					return nvml.PciInfo{}, unknown
				}
				return told(link)
			}
		}, func(m *report.Machine) { m.Links[0].NVLinks = 0 }, "the other end of NVLink 0"},
		{"types of other ends", func(_ *testing.T, b *mockBoard) {
			for i := range b.Devices {
				b.gpu(i).GetNvLinkRemoteDeviceTypeFunc = func(int) (nvml.IntNvLinkDeviceType, nvml.Return) {
					return nvml.NVLINK_DEVICE_TYPE_UNKNOWN, unknown
				}
			}
		}, func(*report.Machine) {}, "the other end of NVLink"},
		{"an old driver", func(_ *testing.T, b *mockBoard) {
			b.LookupSymbolFunc = func(string) error { return errors.New("no such symbol") }
			for i := range b.Devices { // a call would panic
				b.gpu(i).GetNvLinkRemoteDeviceTypeFunc, b.gpu(i).GetGpuFabricInfoFunc, b.gpu(i).GetRemappedRowsFunc = nil, nil, nil
			}
		}, func(*report.Machine) {}, ""},
		{"no events", func(_ *testing.T, b *mockBoard) {
			b.EventSetCreateFunc = func() (nvml.EventSet, nvml.Return) { return nil, nvml.ERROR_NOT_SUPPORTED }
		}, func(*report.Machine) {}, ""},
		{"events that cannot be asked for", func(_ *testing.T, b *mockBoard) {
			b.gpu(0).RegisterEventsFunc = func(uint64, nvml.EventSet) nvml.Return { return unknown }
		}, func(*report.Machine) {}, "the events of GPU-"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b := newBoard(t, fixtures(t)["dgx1-v100"])
			want := mustRead(t, open(t, b.source()))
			test.want(want)
			test.spoil(t, b)
			got := mustRead(t, open(t, b.source()))
			notes := strings.Join(got.Notes, " ")
			if test.note == "" && notes != "" || !strings.Contains(notes, test.note) {
				t.Errorf("got the notes %q, want %q", notes, test.note)
			}
			got.Notes = nil
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestLost checks that a device that cannot be had leaves the others.
func TestLost(t *testing.T) {
	for name, spoil := range map[string]func(*mockBoard){
		"no handle": func(b *mockBoard) {
			handles := b.DeviceGetHandleByIndexFunc
			b.DeviceGetHandleByIndexFunc = func(i int) (nvml.Device, nvml.Return) {
				if i == 2 {
					return nil, nvml.ERROR_GPU_IS_LOST
				}
				return handles(i)
			}
		},
		"no UUID": func(b *mockBoard) {
			b.gpu(2).GetUUIDFunc = func() (string, nvml.Return) { return "", nvml.ERROR_GPU_IS_LOST }
		},
		"no memory": func(b *mockBoard) {
			b.gpu(2).GetMemoryInfoFunc = func() (nvml.Memory, nvml.Return) { return nvml.Memory{}, nvml.ERROR_GPU_IS_LOST }
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBoard(t, fixtures(t)["dgx1-v100"])
			s := open(t, b.source())
			before := mustRead(t, s)
			spoil(b)
			after := mustRead(t, s)
			if diff := cmp.Diff(slices.Delete(before.Devices, 2, 3), after.Devices); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if link := after.Links[slices.IndexFunc(after.Links, func(l v1alpha1.Link) bool { return l.A == 0 && l.B == 2 })]; link.NVLinks != 2 {
				t.Errorf("devices 0 and 3 of before have %d NVLinks, want 2", link.NVLinks)
			}
		})
	}
	t.Run("all", func(t *testing.T) {
		b := newBoard(t, fixtures(t)["dgx1-v100"])
		s := open(t, b.source())
		b.DeviceGetHandleByIndexFunc = func(int) (nvml.Device, nvml.Return) { return nil, nvml.ERROR_GPU_IS_LOST }
		if machine := mustRead(t, s); len(machine.Devices) != 0 {
			t.Errorf("got %d devices, want none", len(machine.Devices))
		}
	})
}

// TestDriverDies lets the driver fail after the first read.
func TestDriverDies(t *testing.T) {
	for name, spoil := range map[string]func(*mockBoard){
		"no count": func(b *mockBoard) {
			b.DeviceGetCountFunc = func() (int, nvml.Return) { return 0, nvml.ERROR_UNINITIALIZED }
		},
		"no device": func(b *mockBoard) {
			b.DeviceGetHandleByIndexFunc = func(int) (nvml.Device, nvml.Return) { return nil, nvml.ERROR_UNKNOWN }
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBoard(t, fixtures(t)["hgx-h100"])
			s := open(t, b.source())
			mustRead(t, s)
			spoil(b)
			if _, err := s.Read(); err == nil {
				t.Error("got no error")
			}
		})
	}
}
