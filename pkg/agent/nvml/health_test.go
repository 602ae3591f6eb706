//go:build cgo

package nvml

import (
	"context"
	"testing"
	"time"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
	"github.com/NVIDIA/go-nvml/pkg/nvml/mock"
	"github.com/google/go-cmp/cmp"

	"github.com/berth-dev/berth/pkg/agent/report"
	"github.com/berth-dev/berth/pkg/api/v1alpha1"
)

func TestXid(t *testing.T) {
	b := newBoard(t, fixtures(t)["hgx-h100"])
	s := open(t, b.source())
	mustRead(t, s)
	tests := []struct {
		name  string
		event nvml.EventData
		want  string // the reason; "" for no fault
	}{
		{"fell off the bus", nvml.EventData{Device: b.Devices[3], EventType: nvml.EventTypeXidCriticalError, EventData: 79}, v1alpha1.ReasonXid},
		{"an application's", nvml.EventData{Device: b.Devices[3], EventType: nvml.EventTypeXidCriticalError, EventData: 31}, ""},
		{"another event", nvml.EventData{Device: b.Devices[3], EventType: nvml.EventTypeSingleBitEccError, EventData: 79}, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b.events <- test.event
			faults, err := s.Wait(t.Context(), time.Second)
			if err != nil {
				t.Fatal(err)
			}
			if test.want == "" {
				if len(faults) > 0 {
					t.Errorf("got %v, want none", faults)
				}
				return
			}
			if len(faults) != 1 || faults[0].UUID != b.gpu(3).UUID || faults[0].Reason != test.want {
				t.Errorf("got %v, want one of %s with reason %s", faults, b.gpu(3).UUID, test.want)
			}
		})
	}
	t.Run("none", func(t *testing.T) {
		if faults, err := s.Wait(t.Context(), time.Second); err != nil || faults != nil {
			t.Errorf("got %v, %v, want nothing", faults, err)
		}
	})
	t.Run("of a device that is lost", func(t *testing.T) {
		b.gpu(3).GetUUIDFunc = func() (string, nvml.Return) { return "", nvml.ERROR_GPU_IS_LOST }
		b.events <- tests[0].event
		if _, err := s.Wait(t.Context(), time.Second); err == nil {
			t.Error("got no error")
		}
	})
}

// The bound of a wait goes to the driver, in milliseconds, and a driver that fails
// while it is waited for is an error.
func TestWait(t *testing.T) {
	b := newBoard(t, fixtures(t)["hgx-h100"])
	var bound uint32
	b.EventSetCreateFunc = func() (nvml.EventSet, nvml.Return) {
		return &mock.EventSet{
			WaitFunc: func(ms uint32) (nvml.EventData, nvml.Return) {
				bound = ms
				return nvml.EventData{}, nvml.ERROR_GPU_IS_LOST
			},
			FreeFunc: func() nvml.Return { return nvml.SUCCESS },
		}, nvml.SUCCESS
	}
	s := open(t, b.source())
	mustRead(t, s)
	if _, err := s.Wait(t.Context(), 1500*time.Millisecond); err == nil {
		t.Error("got no error")
	}
	if bound != 1500 {
		t.Errorf("waited for %d ms, want 1500", bound)
	}
}

// A source without events waits for the context.
func TestWaitWithoutEvents(t *testing.T) {
	b := newBoard(t, fixtures(t)["hgx-h100"])
	b.EventSetCreateFunc = func() (nvml.EventSet, nvml.Return) { return nil, nvml.ERROR_NOT_SUPPORTED }
	s := open(t, b.source())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if faults, err := s.Wait(ctx, time.Hour); err != nil || faults != nil {
		t.Errorf("got %v, %v, want nothing", faults, err)
	}
}

func TestRemappedRows(t *testing.T) {
	for _, test := range []struct {
		name            string
		pending, failed bool
		ret             nvml.Return
		want            string
	}{
		{"none", false, false, nvml.SUCCESS, ""},
		{"pending", true, false, nvml.SUCCESS, v1alpha1.ReasonRemapPending},
		{"failed", false, true, nvml.SUCCESS, v1alpha1.ReasonRemapFailed},
		{"both", true, true, nvml.SUCCESS, v1alpha1.ReasonRemapFailed},
		{"not supported", true, true, nvml.ERROR_NOT_SUPPORTED, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := newBoard(t, fixtures(t)["hgx-h100"])
			b.gpu(5).GetRemappedRowsFunc = func() (int, int, bool, bool, nvml.Return) {
				return 1, 1, test.pending, test.failed, test.ret
			}
			faults := mustRead(t, open(t, b.source())).Faults
			switch {
			case test.want == "" && len(faults) > 0:
				t.Errorf("got %v, want none", faults)
			case test.want != "" && (len(faults) != 1 || faults[0].UUID != b.gpu(5).UUID || faults[0].Reason != test.want):
				t.Errorf("got %v, want one with reason %s", faults, test.want)
			}
		})
	}
}

func TestFabric(t *testing.T) {
	complete := nvml.GpuFabricInfo{
		ClusterUuid: [16]uint8{0x8f, 0x2a, 0x11, 0x20, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12},
		CliqueId:    32766, Status: uint32(nvml.SUCCESS), State: nvml.GPU_FABRIC_STATE_COMPLETED,
	}
	with := func(change func(*nvml.GpuFabricInfo)) nvml.GpuFabricInfo {
		info := complete
		change(&info)
		return info
	}
	want := &v1alpha1.Fabric{ClusterUUID: "8f2a1120-0102-0304-0506-0708090a0b0c", CliqueID: 32766}
	for _, test := range []struct {
		name  string
		last  nvml.GpuFabricInfo // of the last device; the others are complete
		ret   nvml.Return
		want  *v1alpha1.Fabric
		notes int
	}{
		{"complete", complete, nvml.SUCCESS, want, 0},
		{"in progress", with(func(i *nvml.GpuFabricInfo) { i.State = nvml.GPU_FABRIC_STATE_IN_PROGRESS }), nvml.SUCCESS, nil, 0},
		{"failed", with(func(i *nvml.GpuFabricInfo) { i.Status = uint32(nvml.ERROR_UNKNOWN) }), nvml.SUCCESS, nil, 0},
		{"no cluster", with(func(i *nvml.GpuFabricInfo) { i.ClusterUuid = [16]uint8{} }), nvml.SUCCESS, nil, 0},
		{"another clique", with(func(i *nvml.GpuFabricInfo) { i.CliqueId = 1 }), nvml.SUCCESS, nil, 1},
		{"not supported", complete, nvml.ERROR_NOT_SUPPORTED, nil, 0},
		{"fails", complete, nvml.ERROR_UNKNOWN, nil, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := newBoard(t, fixtures(t)["gb200-tray"])
			for i := range b.Devices {
				info, ret := complete, nvml.SUCCESS
				if i == len(b.Devices)-1 {
					info, ret = test.last, test.ret
				}
				b.gpu(i).GetGpuFabricInfoFunc = func() (nvml.GpuFabricInfo, nvml.Return) { return info, ret }
			}
			machine := mustRead(t, open(t, b.source()))
			if diff := cmp.Diff(test.want, machine.Fabric); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if len(machine.Notes) != test.notes {
				t.Errorf("got the notes %q, want %d", machine.Notes, test.notes)
			}
		})
	}
}

func TestMIG(t *testing.T) {
	b := newBoard(t, fixtures(t)["hgx-h100"])
	d := b.gpu(1)
	d.MigMode = nvml.DEVICE_MIG_ENABLE
	d.GetMaxMigDeviceCountFunc = func() (int, nvml.Return) { return 7, nvml.SUCCESS }
	d.GetMigDeviceHandleByIndexFunc = func(i int) (nvml.Device, nvml.Return) {
		switch i {
		case 0, 2:
			return &mock.Device{GetUUIDFunc: func() (string, nvml.Return) { return "MIG-" + string(rune('a'+i)), nvml.SUCCESS }}, nvml.SUCCESS
		case 3:
			return nil, nvml.ERROR_UNKNOWN
		}
		return nil, nvml.ERROR_NOT_FOUND
	}
	machine := mustRead(t, open(t, b.source()))
	for i, device := range machine.Devices {
		if device.Divided != (i == 1) {
			t.Errorf("device %d: divided is %t", i, device.Divided)
		}
	}
	if diff := cmp.Diff(map[string]string{"MIG-a": d.UUID, "MIG-c": d.UUID}, machine.Parts); diff != "" {
		t.Errorf("parts (-want +got):\n%s", diff)
	}
	if len(machine.Notes) != 1 {
		t.Errorf("got the notes %q, want one about the fourth instance", machine.Notes)
	}
	if uuid, known := report.Parent("MIG-c::1", machine.Parts); !known || uuid != d.UUID {
		t.Errorf("a replica of a part is of %q, %t", uuid, known)
	}
}

// Events are asked for once for each device, and anew after the driver was closed.
func TestRegistersOnce(t *testing.T) {
	b := newBoard(t, fixtures(t)["pcie-l40s-4"])
	registered := 0
	for i := range b.Devices {
		b.gpu(i).RegisterEventsFunc = func(uint64, nvml.EventSet) nvml.Return { registered++; return nvml.SUCCESS }
	}
	s := b.source()
	for range 2 {
		if err := s.Open(); err != nil {
			t.Fatal(err)
		}
		mustRead(t, s)
		mustRead(t, s)
		s.Close()
	}
	if registered != 8 {
		t.Errorf("asked %d times for the events of 4 devices, opened twice; want 8", registered)
	}
}
