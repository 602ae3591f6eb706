package report

import (
	"errors"
	"strings"
	"testing"

	"github.com/berth-dev/berth/pkg/api/v1alpha1"
)

// reasons joins what is wrong with devices.
func reasons(report *v1alpha1.NodeTopology) string {
	var words []string
	for _, u := range report.Status.Unhealthy {
		words = append(words, u.UUID+":"+u.Reason)
	}
	return strings.Join(words, " ")
}

func TestUnhealthy(t *testing.T) {
	xid, _ := XidFault("g1", 79)
	second, _ := XidFault("g1", 48)
	pending, _ := RemapFault("g1", true, false)
	failed, _ := RemapFault("g1", true, true)
	with := func(m *Machine, faults ...Fault) Findings {
		m.Faults = faults
		return found(m)
	}
	event := func(f Findings, events ...Fault) Findings {
		f.Events = events
		return f
	}
	three := func() *Machine { return machine(0, 1, 2) }
	for _, test := range []struct {
		name string
		all  []Findings
		want string
	}{
		{"none", []Findings{with(three())}, ""},
		{"an event", []Findings{event(with(three()), xid)}, "g1:XidError"},
		{"an event stays", []Findings{event(with(three()), xid), with(three()), with(three())}, "g1:XidError"},
		{"an event of a device that is not there", []Findings{event(with(machine(0, 2)), xid)}, ""},
		{"an event while the driver fails", []Findings{with(three()), event(Findings{Now: start, DriverErr: errors.New("x")}, xid)}, "g1:XidError"},
		{"a remap goes", []Findings{with(three(), pending), with(three())}, ""},
		{"a remap stays while the driver fails", []Findings{with(three(), pending), {Now: start, DriverErr: errors.New("x")}}, "g1:RowRemapPending"},
		{"an event is graver than a pending remap", []Findings{event(with(three(), pending), xid)}, "g1:XidError"},
		{"and a failed remap is graver", []Findings{event(with(three(), failed), xid)}, "g1:RowRemapFailed"},
		{"lost is gravest", []Findings{event(with(three(), failed), xid), with(machine(0, 2))}, "g1:Lost"},
		{"several, in order", []Findings{event(with(three(), Fault{UUID: "g2", Reason: v1alpha1.ReasonRemapFailed}), xid), with(machine(1, 2), Fault{UUID: "g2", Reason: v1alpha1.ReasonRemapFailed})}, "g0:Lost g1:XidError g2:RowRemapFailed"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := reasons(after(t, test.all...)); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
	t.Run("the first of two events stays", func(t *testing.T) {
		got := after(t, event(with(three()), xid), event(with(three()), second)).Status.Unhealthy
		if len(got) != 1 || got[0] != xid {
			t.Errorf("got %v, want %v", got, xid)
		}
	})
}

// An Xid error is over with the next boot, if boots can be told apart.
func TestXidUntilBoot(t *testing.T) {
	xid, _ := XidFault("g1", 79)
	f := found(machine(0, 1))
	f.Events = []Fault{xid}
	for _, test := range []struct{ name, before, now, want string }{
		{"the same boot", "a", "a", "g1:XidError"},
		{"another boot", "a", "b", ""},
		{"not known now", "a", "", "g1:XidError"},
		{"not known before", "", "b", "g1:XidError"},
	} {
		t.Run(test.name, func(t *testing.T) {
			node := testNode
			node.Boot = test.before
			before, _ := Next(node, nil, f)
			node.Boot = test.now
			next, _ := Next(node, before, found(machine(0, 1)))
			if got := reasons(next); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestXidsOfApplications(t *testing.T) {
	for _, xid := range []uint64{13, 31, 43, 45, 68, 109} {
		if f, ok := XidFault("g", xid); ok {
			t.Errorf("Xid %d is %v, want no fault", xid, f)
		}
	}
	for _, xid := range []uint64{48, 63, 64, 74, 79, 94, 95, 119} {
		if f, ok := XidFault("g", xid); !ok || f.Reason != v1alpha1.ReasonXid {
			t.Errorf("Xid %d is %v, want a fault", xid, f)
		}
	}
}
