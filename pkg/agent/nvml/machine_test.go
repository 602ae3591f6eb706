//go:build cgo

package nvml

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/berth-dev/berth/pkg/agent/report"
)

// TestThisMachine reads the machine that it runs on, if that has a driver: what the
// mocks cannot show is whether the real library is called as it should be.
func TestThisMachine(t *testing.T) {
	s, err := New("/sys")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Open(); errors.Is(err, report.ErrNoDriver) {
		t.Skip("there is no driver here")
	} else if err != nil {
		t.Skipf("the driver does not answer: %v", err)
	}
	machine := mustRead(t, s)
	for i, d := range machine.Devices {
		t.Logf("device %d: %+v", i, d)
		if !strings.HasPrefix(d.UUID, "GPU-") || d.Product == "" || d.MemoryMiB < 1024 {
			t.Errorf("device %d is %+v, want a UUID, a product and its memory", i, d)
		}
		if _, err := os.Stat(filepath.Join("/sys/bus/pci/devices", d.PCIAddress)); err != nil {
			t.Errorf("device %d: sysfs does not know its address: %v", i, err)
		}
	}
	t.Logf("links: %+v", machine.Links)
	t.Logf("fabric: %+v, faults: %+v, parts: %v", machine.Fabric, machine.Faults, machine.Parts)
	for _, note := range machine.Notes {
		t.Logf("note: %s", note)
	}
	if n := len(machine.Devices); len(machine.Links) != n*(n-1)/2 {
		t.Errorf("%d links of %d devices, want one for each pair", len(machine.Links), n)
	}
	if faults, err := s.Wait(t.Context(), 50*time.Millisecond); err != nil {
		t.Errorf("waiting for events: %v, %v", faults, err)
	}

	// What is opened again reads the same.
	s.Close()
	if err := s.Open(); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	again := mustRead(t, s)
	if diff := cmp.Diff(machine.Devices, again.Devices); diff != "" {
		t.Errorf("devices (-first +second):\n%s", diff)
	}
	if diff := cmp.Diff(machine.Links, again.Links); diff != "" {
		t.Errorf("links (-first +second):\n%s", diff)
	}
}
