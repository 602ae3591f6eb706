package report

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/berth-dev/berth/pkg/api/v1alpha1"
)

// TestRandomLives lets machines change at random, and checks after each step that the
// API would take the report, and that the same findings leave it as it is: what does
// not settle would be written again and again.
func TestRandomLives(t *testing.T) {
	const lives, steps = 100, 25
	for seed := range uint64(lives) {
		random := rand.New(rand.NewPCG(seed, 0))
		var report *v1alpha1.NodeTopology
		for step := range steps {
			f := randomFindings(random)
			f.Now = start.Add(time.Duration(step) * time.Minute)
			report, _ = Next(testNode, report, f)
			if report == nil {
				continue
			}
			if problem := invalid(report, f); problem != "" {
				t.Fatalf("seed %d, step %d: %s:\n%+v", seed, step, problem, report)
			}
			f.Now, f.Events = f.Now.Add(time.Second), nil
			again, _ := Next(testNode, report, f)
			if !reflect.DeepEqual(report, again) { // cmp.Diff is slow
				t.Fatalf("seed %d, step %d: the same findings change the report (-first +second):\n%s", seed, step, cmp.Diff(report, again))
			}
		}
	}
}

// randomFindings are those of a machine with up to 20 places, in each of which is one
// of two devices or none.
func randomFindings(random *rand.Rand) Findings {
	var f Findings
	anyDevice := func() string { return fmt.Sprintf("g%d-%d", random.IntN(20), random.IntN(2)) }
	fault := func() Fault {
		return Fault{UUID: anyDevice(), Reason: severity[random.IntN(len(severity)-1)], Message: fmt.Sprint(random.IntN(3))}
	}
	if random.IntN(4) == 0 {
		f.DriverErr = []error{ErrNoDriver, errors.New("a"), errors.New("b")}[random.IntN(3)]
	} else {
		f.Machine = &Machine{}
		for place := range random.IntN(21) {
			if random.IntN(4) == 0 {
				continue
			}
			d := v1alpha1.Device{UUID: fmt.Sprintf("g%d-%d", place, random.IntN(10)/9)}
			if random.IntN(10) > 0 {
				d.PCIAddress = fmt.Sprintf("0000:%02x:00.0", place)
			}
			for peer := range f.Machine.Devices {
				if random.IntN(5) > 0 {
					f.Machine.Links = append(f.Machine.Links, v1alpha1.Link{A: int32(peer), B: int32(len(f.Machine.Devices)), NVLinks: int32(random.IntN(3))})
				}
			}
			f.Machine.Devices = append(f.Machine.Devices, d)
		}
		for range random.IntN(3) {
			f.Machine.Faults = append(f.Machine.Faults, fault())
		}
	}
	for range random.IntN(3) {
		f.Events = append(f.Events, Fault{UUID: anyDevice(), Reason: v1alpha1.ReasonXid, Message: fmt.Sprint(random.IntN(3))})
	}
	if random.IntN(4) == 0 {
		f.KubeletErr = errors.New("away")
	}
	for i := range random.IntN(4) {
		f.Held = append(f.Held, Held{"ns", fmt.Sprintf("p%d", random.IntN(3)), fmt.Sprintf("c%d", i), "nvidia.com/gpu", []string{anyDevice(), anyDevice() + "::1"}})
	}
	return f
}

// invalid says what the API would refuse, or what is not as documented; "" for nothing.
func invalid(report *v1alpha1.NodeTopology, f Findings) string {
	devices := map[string]bool{}
	for _, d := range report.Spec.Devices {
		if devices[d.UUID] {
			return "device " + d.UUID + " is there twice"
		}
		devices[d.UUID] = true
	}
	if len(devices) > v1alpha1.MaxDevices || report.Spec.Devices == nil {
		return fmt.Sprintf("%d devices", len(devices))
	}
	if f.Machine != nil {
		for i, d := range f.Machine.Devices {
			if i < v1alpha1.MaxDevices && !devices[d.UUID] {
				return "device " + d.UUID + " was found, and is not there"
			}
		}
	}
	pairs := map[[2]int32]bool{}
	for _, link := range report.Spec.Links {
		if link.A >= link.B || int(link.B) >= len(devices) || pairs[[2]int32{link.A, link.B}] {
			return fmt.Sprintf("link %+v", link)
		}
		pairs[[2]int32{link.A, link.B}] = true
	}
	seen := map[string]bool{}
	for _, u := range report.Status.Unhealthy {
		if seen[u.UUID] || !devices[u.UUID] || !slices.Contains(severity, u.Reason) {
			return fmt.Sprintf("unhealthy %+v", u)
		}
		seen[u.UUID] = true
	}
	holders := map[[3]string]bool{}
	for _, a := range report.Status.Allocations {
		holder := [3]string{a.Namespace, a.Pod, a.Container}
		if holders[holder] || len(a.Devices) == 0 {
			return fmt.Sprintf("allocation %+v", a)
		}
		holders[holder] = true
	}
	return ""
}
