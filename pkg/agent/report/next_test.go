package report

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/berth-dev/berth/pkg/api/v1alpha1"
)

var (
	testNode = Node{Name: "n1", Boot: "boot-1", Resource: "nvidia.com/gpu"}
	start    = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
)

// machine returns devices g0, g1, ... at PCI buses 1, 2, ..., each pair with as many
// NVLinks as their numbers make together.
func machine(numbers ...int) *Machine {
	m := &Machine{}
	for at, n := range numbers {
		m.Devices = append(m.Devices, v1alpha1.Device{UUID: fmt.Sprintf("g%d", n), PCIAddress: fmt.Sprintf("0000:%02x:00.0", n+1)})
		for peer, p := range numbers[:at] {
			m.Links = append(m.Links, v1alpha1.Link{A: int32(peer), B: int32(at), Path: v1alpha1.PathNODE, NVLinks: int32(n + p)})
		}
	}
	return m
}

func found(m *Machine) Findings { return Findings{Now: start, Machine: m} }

// after returns the last report of findings that follow one another.
func after(t *testing.T, all ...Findings) *v1alpha1.NodeTopology {
	t.Helper()
	var report *v1alpha1.NodeTopology
	for _, f := range all {
		before := report.DeepCopy()
		next, _ := Next(testNode, report, f)
		if diff := cmp.Diff(before, report); diff != "" {
			t.Fatalf("Next changed what was reported before:\n%s", diff)
		}
		again, _ := Next(testNode, report, f)
		if diff := cmp.Diff(next, again); diff != "" {
			t.Fatalf("Next says two things about one thing:\n%s", diff)
		}
		report = next
	}
	return report
}

func TestWhole(t *testing.T) {
	f := found(machine(0, 1, 2))
	f.Held = []Held{{"ns", "p", "c", "nvidia.com/gpu", []string{"g2", "g0"}}}
	f.Machine.Fabric = &v1alpha1.Fabric{ClusterUUID: "c", CliqueID: 3}
	want := &v1alpha1.NodeTopology{
		TypeMeta:   metav1.TypeMeta{APIVersion: "berth.dev/v1alpha1", Kind: "NodeTopology"},
		ObjectMeta: metav1.ObjectMeta{Name: "n1", Annotations: map[string]string{BootAnnotation: "boot-1"}},
		Spec: v1alpha1.NodeTopologySpec{
			Resource: "nvidia.com/gpu",
			Devices:  f.Machine.Devices,
			Links: []v1alpha1.Link{
				{A: 0, B: 1, Path: v1alpha1.PathNODE, NVLinks: 1},
				{A: 0, B: 2, Path: v1alpha1.PathNODE, NVLinks: 2},
				{A: 1, B: 2, Path: v1alpha1.PathNODE, NVLinks: 3},
			},
			Fabric: &v1alpha1.Fabric{ClusterUUID: "c", CliqueID: 3},
		},
		Status: v1alpha1.NodeTopologyStatus{
			Allocations: []v1alpha1.Allocation{{Namespace: "ns", Pod: "p", Container: "c", Devices: []string{"g0", "g2"}}},
			Conditions: []metav1.Condition{{
				Type: "Ready", Status: "True", Reason: "Ready", Message: "The driver and the kubelet were read.", LastTransitionTime: metav1.NewTime(start),
			}},
		},
	}
	if diff := cmp.Diff(want, after(t, f)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestNothingToReport(t *testing.T) {
	broken := errors.New("broken")
	for _, test := range []struct {
		name string
		f    Findings
		want bool // that there is a report
	}{
		{"no library", Findings{DriverErr: fmt.Errorf("loading: %w", ErrNoDriver)}, false},
		{"no device", found(&Machine{}), false},
		{"a driver that fails", Findings{DriverErr: broken}, true},
		{"a device", found(machine(0)), true},
		{"a device, and no kubelet", Findings{Machine: machine(0), KubeletErr: broken}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := after(t, test.f); (got != nil) != test.want {
				t.Errorf("got %v, want a report: %t", got, test.want)
			}
		})
	}
}

func TestReady(t *testing.T) {
	broken, other := errors.New("broken"), errors.New("broken otherwise")
	at := func(seconds int, f Findings) Findings {
		f.Now = start.Add(time.Duration(seconds) * time.Second)
		return f
	}
	good := found(machine(0))
	for _, test := range []struct {
		name    string
		all     []Findings
		reason  string
		message string
		since   int // seconds after the start
	}{
		{"good", []Findings{good}, "Ready", "were read", 0},
		{"good for long", []Findings{good, at(60, good)}, "Ready", "were read", 0},
		{"no library any more", []Findings{good, at(60, Findings{DriverErr: ErrNoDriver})}, "NoDriver", "no driver's library", 60},
		{"driver", []Findings{good, at(60, Findings{DriverErr: broken})}, "DriverFailed", "found before: broken", 60},
		{"driver, then another way", []Findings{good, at(60, Findings{DriverErr: broken}), at(90, Findings{DriverErr: other})}, "DriverFailed", "found before: broken", 60},
		{"driver from the start", []Findings{{Now: start, DriverErr: broken}}, "DriverFailed", "broken", 0},
		{"kubelet", []Findings{good, at(60, Findings{Machine: machine(0), KubeletErr: broken})}, "KubeletFailed", "found before: broken", 60},
		{"both", []Findings{good, at(60, Findings{DriverErr: other, KubeletErr: broken})}, "DriverFailed", "broken otherwise", 60},
		{"kubelet, then driver", []Findings{good, at(60, Findings{Machine: machine(0), KubeletErr: broken}), at(90, Findings{DriverErr: other})}, "DriverFailed", "broken otherwise", 60},
		{"good again", []Findings{good, at(60, Findings{DriverErr: broken}), at(90, good)}, "Ready", "were read", 90},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := after(t, test.all...).Status.Conditions
			if len(got) != 1 || got[0].Type != v1alpha1.ConditionReady {
				t.Fatalf("got conditions %v, want one that is Ready", got)
			}
			c := got[0]
			if c.Reason != test.reason || (c.Status == metav1.ConditionTrue) != (c.Reason == v1alpha1.ReasonReady) || !strings.Contains(c.Message, test.message) {
				t.Errorf("got %s, %s, %q; want %s and %q", c.Status, c.Reason, c.Message, test.reason, test.message)
			}
			if want := start.Add(time.Duration(test.since) * time.Second); !c.LastTransitionTime.Time.Equal(want) {
				t.Errorf("since %s, want %s", c.LastTransitionTime, want)
			}
		})
	}
}

// What was found before stays while a source fails.
func TestStays(t *testing.T) {
	f := found(machine(0, 1))
	f.Machine.Faults = []Fault{{UUID: "g1", Reason: v1alpha1.ReasonRemapPending, Message: "m"}}
	f.Held = []Held{{"ns", "p", "c", "nvidia.com/gpu", []string{"g0"}}}
	before := after(t, f)
	next := after(t, f, Findings{Now: start, DriverErr: errors.New("broken"), KubeletErr: errors.New("broken too")})
	if diff := cmp.Diff(before.Spec, next.Spec); diff != "" {
		t.Errorf("spec (-before +after):\n%s", diff)
	}
	if diff := cmp.Diff(before.Status.Unhealthy, next.Status.Unhealthy); diff != "" {
		t.Errorf("health (-before +after):\n%s", diff)
	}
	if diff := cmp.Diff(before.Status.Allocations, next.Status.Allocations); diff != "" {
		t.Errorf("allocations (-before +after):\n%s", diff)
	}

	// The kubelet is still heard while the driver fails.
	next = after(t, f, Findings{Now: start, DriverErr: errors.New("broken"), Held: []Held{{"ns", "q", "c", "nvidia.com/gpu", []string{"g1"}}}})
	want := []v1alpha1.Allocation{{Namespace: "ns", Pod: "q", Container: "c", Devices: []string{"g1"}}}
	if diff := cmp.Diff(want, next.Status.Allocations); diff != "" {
		t.Errorf("allocations (-want +got):\n%s", diff)
	}
}

func TestTruncate(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"short", "short", "short"},
		{"as long as may be", "0123456789", "0123456789"},
		{"too long", "0123456789a", "0123456..."},
		{"in the middle of a rune", "012345\u00e9\u00e9\u00e9", "012345..."},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := truncate(test.text, 10); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
