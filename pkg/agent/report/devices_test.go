package report

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/berth-dev/berth/pkg/api/v1alpha1"
)

// uuids joins the UUIDs of devices, those that are lost in brackets.
func uuids(report *v1alpha1.NodeTopology) string {
	lost := map[string]bool{}
	for _, u := range report.Status.Unhealthy {
		lost[u.UUID] = u.Reason == v1alpha1.ReasonLost
	}
	var words []string
	for _, d := range report.Spec.Devices {
		if lost[d.UUID] {
			words = append(words, "("+d.UUID+")")
		} else {
			words = append(words, d.UUID)
		}
	}
	return strings.Join(words, " ")
}

func TestLost(t *testing.T) {
	replaced := machine(0, 1, 2, 3)
	replaced.Devices[2].UUID = "new"
	unplaced := machine(0, 1)
	unplaced.Devices[0].PCIAddress = ""
	for _, test := range []struct {
		name string
		all  []*Machine
		want string
	}{
		{"none", []*Machine{machine(0, 1, 2)}, "g0 g1 g2"},
		{"the first", []*Machine{machine(0, 1, 2), machine(1, 2)}, "(g0) g1 g2"},
		{"in the middle", []*Machine{machine(0, 1, 2, 3), machine(0, 3)}, "g0 (g1) (g2) g3"},
		{"the last", []*Machine{machine(0, 1, 2), machine(0, 1)}, "g0 g1 (g2)"},
		{"all", []*Machine{machine(0, 1), machine()}, "(g0) (g1)"},
		{"for long", []*Machine{machine(0, 1, 2), machine(0, 2), machine(0, 2)}, "g0 (g1) g2"},
		{"and back", []*Machine{machine(0, 1, 2), machine(0, 2), machine(0, 1, 2)}, "g0 g1 g2"},
		{"another in its place", []*Machine{machine(0, 1, 2, 3), machine(0, 1, 3), replaced}, "g0 g1 new g3"},
		{"without an address", []*Machine{unplaced, machine(1)}, "g1 (g0)"},
		{"one more", []*Machine{machine(0, 2), machine(0, 1, 2)}, "g0 g1 g2"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var all []Findings
			for _, m := range test.all {
				all = append(all, found(m))
			}
			if got := uuids(after(t, all...)); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

// Links follow the devices to their new places; those of a lost device stay.
func TestLinksOfLost(t *testing.T) {
	now := machine(0, 2)
	now.Links[0].NVLinks = 9
	got := after(t, found(machine(0, 1, 2)), found(now)).Spec.Links
	want := []v1alpha1.Link{
		{A: 0, B: 1, Path: v1alpha1.PathNODE, NVLinks: 1},
		{A: 0, B: 2, Path: v1alpha1.PathNODE, NVLinks: 9},
		{A: 1, B: 2, Path: v1alpha1.PathNODE, NVLinks: 3},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A link that is told of no more is not kept: both of its ends were read.
func TestLinksThatWent(t *testing.T) {
	now := machine(0, 1)
	now.Links = nil
	if got := after(t, found(machine(0, 1)), found(now)).Spec.Links; len(got) > 0 {
		t.Errorf("got %v, want none", got)
	}
}

func TestTooManyDevices(t *testing.T) {
	var numbers []int
	for i := range v1alpha1.MaxDevices + 2 {
		numbers = append(numbers, i)
	}
	report, notes := Next(testNode, nil, found(machine(numbers...)))
	if n := len(report.Spec.Devices); n != v1alpha1.MaxDevices {
		t.Errorf("got %d devices, want %d", n, v1alpha1.MaxDevices)
	}
	if n := len(report.Spec.Links); n != v1alpha1.MaxDevices*(v1alpha1.MaxDevices-1)/2 {
		t.Errorf("got %d links, want those of the devices that are there", n)
	}
	if len(report.Status.Unhealthy) > 0 || len(notes) != 1 || !strings.Contains(notes[0], fmt.Sprint(len(numbers))) {
		t.Errorf("got %v and the notes %q, want one note", report.Status.Unhealthy, notes)
	}
	// There is no room for one that is lost.
	report = after(t, found(machine(20)), found(machine(numbers...)))
	if n := len(report.Spec.Devices); n != v1alpha1.MaxDevices {
		t.Errorf("got %d devices with one that is lost, want %d", n, v1alpha1.MaxDevices)
	}
}
