//go:build cgo

package nvml

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
	"github.com/NVIDIA/go-nvml/pkg/nvml/mock"
	"github.com/NVIDIA/go-nvml/pkg/nvml/mock/gpus"
	"github.com/NVIDIA/go-nvml/pkg/nvml/mock/server"

	"github.com/berth-dev/berth/pkg/core/topology"
)

// A mockBoard is a server of go-nvml whose devices are linked as a matrix says. The
// tests change it to make it fail.
type mockBoard struct {
	*server.Server
	sysfs  string
	events chan nvml.EventData
}

// gpu returns a device of the board.
func (b *mockBoard) gpu(i int) *server.Device { return b.Devices[i].(*server.Device) }

func (b *mockBoard) source() *Source { return newSource(b, b.sysfs) }

// fixtures are the matrices of the core's tests, by name.
func fixtures(t *testing.T) map[string]topology.Table {
	t.Helper()
	files, err := filepath.Glob("../../core/topology/testdata/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	tables := map[string]topology.Table{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		table, err := topology.Parse(string(text))
		if err != nil {
			continue // something else is kept there too
		}
		tables[strings.TrimSuffix(filepath.Base(file), ".txt")] = table
	}
	if len(tables) < 8 {
		t.Fatalf("found only %d matrices", len(tables))
	}
	return tables
}

// newBoard plays a matrix.
func newBoard(t *testing.T, table topology.Table) *mockBoard {
	t.Helper()
	configs := make([]gpus.Config, table.Devices)
	for i := range configs {
		configs[i] = gpus.H100_SXM5_80GB
	}
	s, err := server.New(server.WithGPUs(configs...))
	if err != nil {
		t.Fatal(err)
	}
	b := &mockBoard{Server: s, sysfs: t.TempDir(), events: make(chan nvml.EventData, 10)}
	b.EventSetCreateFunc = func() (nvml.EventSet, nvml.Return) {
		return &mock.EventSet{
			WaitFunc: func(uint32) (nvml.EventData, nvml.Return) {
				select {
				case e := <-b.events:
					return e, nvml.SUCCESS
				default:
					return nvml.EventData{}, nvml.ERROR_TIMEOUT
				}
			},
			FreeFunc: func() nvml.Return { return nvml.SUCCESS },
		}, nvml.SUCCESS
	}
	for i := range b.Devices {
		b.mount(t, i, table)
		b.link(i, table)
	}
	return b
}

// busID is the PCI address of a device as NVML tells it: 8 digits of domain, and
// upper case.
func busID(i int) string { return fmt.Sprintf("00000000:%02X:00.0", 0xA0+i) }

func pciInfo(busID string) nvml.PciInfo {
	var info nvml.PciInfo
	for i := range busID {
		info.BusId[i] = int8(busID[i])
	}
	return info
}

// mount puts a device into sysfs.
func (b *mockBoard) mount(t *testing.T, i int, table topology.Table) {
	t.Helper()
	dir := filepath.Join(b.sysfs, "bus/pci/devices", fmt.Sprintf("0000:%02x:00.0", 0xA0+i))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "numa_node"), fmt.Appendln(nil, table.NUMA[i]), 0o644); err != nil {
		t.Fatal(err)
	}
}

// link sets what the mocks leave out: links, and health.
func (b *mockBoard) link(i int, table topology.Table) {
	d := b.gpu(i)
	d.GetPciInfoFunc = func() (nvml.PciInfo, nvml.Return) { return pciInfo(busID(i)), nvml.SUCCESS }
	d.GetTopologyCommonAncestorFunc = func(peer nvml.Device) (nvml.GpuTopologyLevel, nvml.Return) {
		level, known := ancestors[table.Links[i][peer.(*server.Device).Index].Path]
		if !known {
			return 0, nvml.ERROR_NOT_SUPPORTED
		}
		return level, nvml.SUCCESS
	}

	// ends are the peers at which the device's NVLinks end; -1 is a switch.
	var ends []int
	onSwitch := 0
	for peer := range table.Devices {
		link := table.Links[i][peer]
		if link.Switched {
			onSwitch = max(onSwitch, int(link.NVLinks))
			continue
		}
		for range link.NVLinks {
			ends = append(ends, peer)
		}
	}
	for range onSwitch {
		ends = append(ends, -1)
	}
	d.GetNvLinkStateFunc = func(link int) (nvml.EnableState, nvml.Return) {
		switch {
		case link < len(ends):
			return nvml.FEATURE_ENABLED, nvml.SUCCESS
		case link < 18:
			return nvml.FEATURE_DISABLED, nvml.SUCCESS
		}
		return 0, nvml.ERROR_INVALID_ARGUMENT
	}
	d.GetNvLinkRemoteDeviceTypeFunc = func(link int) (nvml.IntNvLinkDeviceType, nvml.Return) {
		if ends[link] < 0 {
			return nvml.NVLINK_DEVICE_TYPE_SWITCH, nvml.SUCCESS
		}
		return nvml.NVLINK_DEVICE_TYPE_GPU, nvml.SUCCESS
	}
	d.GetNvLinkRemotePciInfoFunc = func(link int) (nvml.PciInfo, nvml.Return) {
		if ends[link] < 0 {
			return pciInfo(fmt.Sprintf("00000000:%02X:00.0", 0x10+link)), nvml.SUCCESS
		}
		return pciInfo(busID(ends[link])), nvml.SUCCESS
	}

	d.GetGpuFabricInfoFunc = func() (nvml.GpuFabricInfo, nvml.Return) {
		return nvml.GpuFabricInfo{}, nvml.ERROR_NOT_SUPPORTED
	}
	d.GetRemappedRowsFunc = func() (int, int, bool, bool, nvml.Return) { return 0, 0, false, false, nvml.SUCCESS }
	d.GetSupportedEventTypesFunc = func() (uint64, nvml.Return) { return nvml.EventTypeXidCriticalError, nvml.SUCCESS }
	d.RegisterEventsFunc = func(uint64, nvml.EventSet) nvml.Return { return nvml.SUCCESS }
}

var ancestors = map[topology.Path]nvml.GpuTopologyLevel{
	topology.Bridge:     nvml.TOPOLOGY_SINGLE,
	topology.Bridges:    nvml.TOPOLOGY_MULTIPLE,
	topology.HostBridge: nvml.TOPOLOGY_HOSTBRIDGE,
	topology.Node:       nvml.TOPOLOGY_NODE,
	topology.System:     nvml.TOPOLOGY_SYSTEM,
}
