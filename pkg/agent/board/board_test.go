package board

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/utils/clock"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/berth-dev/berth/pkg/agent/report"
	"github.com/berth-dev/berth/pkg/api/v1alpha1"
)

const bridged = `
        GPU0    GPU1    GPU3    NIC0    NUMA Affinity
GPU0    X       NV4     SYS     PIX     0
GPU1    NV4     X       SYS     NODE    0
GPU3    SYS     SYS     X       SYS     1
`

func newBoard(t *testing.T, text string) *Board {
	t.Helper()
	file := filepath.Join(t.TempDir(), "board.txt")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return &Board{File: file, Node: "n1", Product: "P", Clock: clock.RealClock{}}
}

func TestRead(t *testing.T) {
	zero, one := int32(0), int32(1)
	want := &report.Machine{
		Devices: []v1alpha1.Device{
			{UUID: UUID("n1", 0), Product: "P", PCIAddress: "0000:01:00.0", NUMANode: &zero, NIC: v1alpha1.PathPIX},
			{UUID: UUID("n1", 1), Product: "P", PCIAddress: "0000:02:00.0", NUMANode: &zero, NIC: v1alpha1.PathNODE},
			{UUID: UUID("n1", 3), Product: "P", PCIAddress: "0000:04:00.0", NUMANode: &one, NIC: v1alpha1.PathSYS},
		},
		Links: []v1alpha1.Link{
			{A: 0, B: 1, Path: v1alpha1.PathNODE, NVLinks: 4},
			{A: 0, B: 2, Path: v1alpha1.PathSYS},
			{A: 1, B: 2, Path: v1alpha1.PathSYS},
		},
	}
	b := newBoard(t, bridged)
	got, err := b.Read()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}

	// A device that is taken out of the file leaves the others as they are.
	without := "        GPU0    GPU3\nGPU0    X       SYS\nGPU3    SYS     X\n"
	if err := os.WriteFile(b.File, []byte(without), 0o644); err != nil {
		t.Fatal(err)
	}
	got, err = b.Read()
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Devices) != 2 || got.Devices[0].UUID != want.Devices[0].UUID || got.Devices[1].UUID != want.Devices[2].UUID {
		t.Errorf("got %v, want the first and the last of before", got.Devices)
	}
}

func TestReadFails(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"no matrix", "hello\n", "nvidia-smi topo -m"},
		{"a cell that is no link", strings.ReplaceAll(bridged, "NV4", "NVX"), `line 3: row GPU0, column GPU1: "NVX"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := newBoard(t, test.text).Read()
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want an error with %q", err, test.want)
			}
		})
	}
	if _, err := (&Board{File: "nowhere"}).Read(); err == nil || !strings.Contains(err.Error(), "nowhere") {
		t.Errorf("got %v, want an error that names the file", err)
	}
}

func TestUUIDs(t *testing.T) {
	seen := map[string]bool{}
	for _, node := range []string{"n1", "n2"} {
		for number := range v1alpha1.MaxDevices {
			seen[UUID(node, number)] = true
		}
	}
	if len(seen) != 2*v1alpha1.MaxDevices {
		t.Errorf("%d UUIDs are %d", 2*v1alpha1.MaxDevices, len(seen))
	}
	if got, want := UUID("n1", 0), UUID("n1", 0); got != want || !strings.HasPrefix(got, "GPU-") || len(got) != len("GPU-3a23c669-1f69-c64e-cf85-44e9b07e7a2a") {
		t.Errorf("got %q, then %q", got, want)
	}
}

func TestWait(t *testing.T) {
	fake := clocktesting.NewFakeClock(time.Unix(0, 0))
	b := &Board{Clock: fake}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if faults, err := b.Wait(t.Context(), time.Hour); faults != nil || err != nil {
			t.Errorf("got %v, %v, want nothing", faults, err)
		}
	}()
	for deadline := time.Now().Add(10 * time.Second); !fake.HasWaiters(); {
		if time.Now().After(deadline) {
			t.Fatal("nobody waits")
		}
	}
	fake.Step(time.Hour)
	<-done
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if faults, err := b.Wait(ctx, time.Hour); faults != nil || err != nil {
		t.Errorf("got %v, %v, want nothing", faults, err)
	}
}
