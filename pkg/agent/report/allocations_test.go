package report

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/berth-dev/berth/pkg/api/v1alpha1"
)

func TestAllocations(t *testing.T) {
	const uuid = "GPU-3a23c669-1f69-c64e-cf85-44e9b07e7a2a"
	m := &Machine{Devices: []v1alpha1.Device{{UUID: "g0"}, {UUID: "g1"}, {UUID: "g2"}, {UUID: uuid}}}
	parts := map[string]string{"MIG-a": "g2", "MIG-b": "g2"}
	of := func(pod, container string, devices ...string) v1alpha1.Allocation {
		return v1alpha1.Allocation{Namespace: "ns", Pod: pod, Container: container, Devices: devices}
	}
	for _, test := range []struct {
		name  string
		held  []Held
		want  []v1alpha1.Allocation
		notes int
	}{
		{"none", nil, nil, 0},
		{"in the order of the devices", []Held{{"ns", "p", "c", "nvidia.com/gpu", []string{"g2", "g0"}}}, []v1alpha1.Allocation{of("p", "c", "g0", "g2")}, 0},
		{"another resource", []Held{{"ns", "p", "c", "nvidia.com/nic", []string{"g0"}}}, nil, 0},
		{"no id", []Held{{"ns", "p", "c", "nvidia.com/gpu", nil}}, nil, 0},
		{"replicas", []Held{{"ns", "p", "c", "nvidia.com/gpu.shared", []string{"g0::3", "g0::7", "g1::0"}}}, []v1alpha1.Allocation{of("p", "c", "g0", "g1")}, 0},
		{"replicas under the plain name", []Held{{"ns", "p", "c", "nvidia.com/gpu", []string{"g0::3"}}}, []v1alpha1.Allocation{of("p", "c", "g0")}, 0},
		{"parts", []Held{{"ns", "p", "c", "nvidia.com/mig-1g.10gb", []string{"MIG-a", "MIG-b"}}}, []v1alpha1.Allocation{of("p", "c", "g2")}, 0},
		{"a replica of a part", []Held{{"ns", "p", "c", "nvidia.com/mig-1g.10gb.shared", []string{"MIG-a::1"}}}, []v1alpha1.Allocation{of("p", "c", "g2")}, 0},
		{"a part as the resource itself", []Held{{"ns", "p", "c", "nvidia.com/gpu", []string{"MIG-a"}}}, []v1alpha1.Allocation{of("p", "c", "g2")}, 0},
		{"a part, as it was named once", []Held{{"ns", "p", "c", "nvidia.com/mig-1g.10gb", []string{"MIG-" + uuid + "/1/0"}}}, []v1alpha1.Allocation{of("p", "c", uuid)}, 0},
		{"a part that is not known", []Held{{"ns", "p", "c", "nvidia.com/mig-1g.10gb", []string{"MIG-x", "MIG-a"}}}, []v1alpha1.Allocation{of("p", "c", "g2")}, 1},
		{"a device that is not known", []Held{{"ns", "p", "c", "nvidia.com/gpu", []string{"g9"}}}, nil, 1},
		{"two resources of one container", []Held{
			{"ns", "p", "c", "nvidia.com/gpu", []string{"g1"}},
			{"ns", "p", "c", "nvidia.com/mig-1g.10gb", []string{"MIG-a"}},
		}, []v1alpha1.Allocation{of("p", "c", "g1", "g2")}, 0},
		{"in order", []Held{
			{"ns", "q", "a", "nvidia.com/gpu", []string{"g0"}},
			{"ns", "p", "b", "nvidia.com/gpu", []string{"g1"}},
			{"ns", "p", "a", "nvidia.com/gpu", []string{"g2"}},
		}, []v1alpha1.Allocation{of("p", "a", "g2"), of("p", "b", "g1"), of("q", "a", "g0")}, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := found(m)
			f.Held, f.Parts = test.held, parts
			report, notes := Next(testNode, nil, f)
			if diff := cmp.Diff(test.want, report.Status.Allocations); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if len(notes) != test.notes {
				t.Errorf("got the notes %q, want %d", notes, test.notes)
			}
		})
	}
}

func TestTooManyAllocations(t *testing.T) {
	f := found(machine(0))
	for i := range maxAllocations + 1 {
		f.Held = append(f.Held, Held{"ns", fmt.Sprintf("p%03d", i), "c", "nvidia.com/gpu.shared", []string{fmt.Sprintf("g0::%d", i)}})
	}
	report, notes := Next(testNode, nil, f)
	if n := len(report.Status.Allocations); n != maxAllocations || len(notes) != 1 || !strings.Contains(notes[0], "513") {
		t.Errorf("got %d allocations and the notes %q", n, notes)
	}
}

func TestUnknownParts(t *testing.T) {
	held := []Held{
		{"ns", "p", "c", "nvidia.com/mig-1g.10gb", []string{"MIG-y", "MIG-a", "MIG-x::2"}},
		{"ns", "p", "c", "nvidia.com/gpu", []string{"g0"}},
		{"ns", "p", "c", "amd.com/gpu", []string{"MIG-z"}},
	}
	if diff := cmp.Diff([]string{"MIG-x::2", "MIG-y"}, UnknownParts("nvidia.com/gpu", map[string]string{"MIG-a": "g0"}, held)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
