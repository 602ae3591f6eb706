package rig

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/berth-dev/berth/pkg/api/v1alpha1"
	"github.com/berth-dev/berth/pkg/core/topology"
	"github.com/berth-dev/berth/pkg/state/device"
)

// A NodeTopology says of the links what its model does.
func TestTopologyIsTheModel(t *testing.T) {
	for _, name := range Models() {
		m, err := ModelOf(name)
		if err != nil {
			t.Fatal(err)
		}
		m.Rates = &v1alpha1.Rates{NVLink: 3, PCIe: 2, System: 1}
		want := m.Matrix
		want.Rates = topology.Rates{NVLink: 3, PCIe: 2, System: 1}
		held := v1alpha1.Allocation{Namespace: Namespace, Pod: "pod", Container: Container, Devices: []string{UUID("node", 1), UUID("node", 6)}}
		got := device.ReadMachine(m.Topology("node", held))
		if diff := cmp.Diff(want, got.Matrix); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		for pod, set := range got.Held {
			if pod.Name != "pod" || set != 0b01000010 {
				t.Errorf("%s: pod %s holds %08b", name, pod, set)
			}
		}
		if len(got.Held) != 1 || got.Healthy != topology.All(GPUsPerNode) {
			t.Errorf("%s: %d pods hold devices, and %08b are healthy", name, len(got.Held), got.Healthy)
		}
	}
}

// The matrices are those that the core is tested with.
func TestMachinesAreThoseOfTheCore(t *testing.T) {
	for _, name := range Models() {
		mine, err := machines.ReadFile("machines/" + name + ".txt")
		if err != nil {
			t.Fatal(err)
		}
		core, err := os.ReadFile(filepath.Join("..", "..", "pkg", "core", "topology", "testdata", name+".txt"))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(core), string(mine)); diff != "" {
			t.Errorf("%s (-core +mine):\n%s", name, diff)
		}
	}
}

func TestModelThatIsNotThere(t *testing.T) {
	if _, err := ModelOf("dgx-2"); err == nil || !strings.Contains(err.Error(), "dgx1-v100, hgx-h100") {
		t.Errorf("error %v, want one that names those that are there", err)
	}
}
