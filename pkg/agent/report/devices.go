package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/berth-dev/berth/pkg/api/v1alpha1"
)

// hardware returns the devices of a machine together with those that are lost: they
// were there before, and no other has taken their PCI address. Links of the lost ones
// stay as they were.
func hardware(before v1alpha1.NodeTopologySpec, machine *Machine) (v1alpha1.NodeTopologySpec, []string) {
	var notes []string
	devices := slices.Clone(machine.Devices)
	if len(devices) > v1alpha1.MaxDevices {
		notes = append(notes, fmt.Sprintf("The machine has %d devices; only the first %d are reported.", len(devices), v1alpha1.MaxDevices))
		devices = devices[:v1alpha1.MaxDevices]
	}
	devices = withLost(devices, before.Devices)
	place := places(devices)

	var links []v1alpha1.Link
	found := map[[2]int32]bool{} // the pairs that the machine was read for
	for a, x := range machine.Devices {
		for _, y := range machine.Devices[:a] {
			found[pair(place, y.UUID, x.UUID)] = true
		}
	}
	add := func(of []v1alpha1.Device, link v1alpha1.Link, stale bool) {
		if int(link.A) >= len(of) || int(link.B) >= len(of) {
			return
		}
		ends := pair(place, of[link.A].UUID, of[link.B].UUID)
		if ends[0] < 0 || stale && found[ends] {
			return
		}
		link.A, link.B = ends[0], ends[1]
		links = append(links, link)
	}
	for _, link := range machine.Links {
		add(machine.Devices, link, false)
	}
	for _, link := range before.Links {
		add(before.Devices, link, true)
	}
	slices.SortFunc(links, func(x, y v1alpha1.Link) int {
		if x.A != y.A {
			return int(x.A - y.A)
		}
		return int(x.B - y.B)
	})
	spec := v1alpha1.NodeTopologySpec{Devices: devices, Links: links, Fabric: machine.Fabric}
	return *spec.DeepCopy(), notes
}

// withLost puts devices that were there before among those that are there, each before
// the first with a greater PCI address, or last if it has none.
func withLost(devices, before []v1alpha1.Device) []v1alpha1.Device {
	for _, old := range before {
		isThere := func(d v1alpha1.Device) bool {
			return d.UUID == old.UUID || d.PCIAddress != "" && d.PCIAddress == old.PCIAddress
		}
		if slices.ContainsFunc(devices, isThere) || len(devices) >= v1alpha1.MaxDevices {
			continue
		}
		at := len(devices)
		if old.PCIAddress != "" {
			after := func(d v1alpha1.Device) bool {
				return d.PCIAddress != "" && strings.Compare(d.PCIAddress, old.PCIAddress) > 0
			}
			if i := slices.IndexFunc(devices, after); i >= 0 {
				at = i
			}
		}
		devices = slices.Insert(devices, at, old)
	}
	return devices
}

// places returns the places of devices by UUID.
func places(devices []v1alpha1.Device) map[string]int {
	place := make(map[string]int, len(devices))
	for i, d := range devices {
		place[d.UUID] = i
	}
	return place
}

// pair returns the places of two devices, the lower first; -1 first if one has none.
func pair(place map[string]int, a, b string) [2]int32 {
	x, isX := place[a]
	y, isY := place[b]
	if !isX || !isY || x == y {
		return [2]int32{-1, -1}
	}
	return [2]int32{int32(min(x, y)), int32(max(x, y))}
}
