package cluster

import (
	"fmt"
	"slices"

	"github.com/berth-dev/berth/pkg/core/pack"
	"github.com/berth-dev/berth/pkg/core/topology"
)

// What a snapshot may have at most.
const (
	mostDevices  = 255
	mostLevels   = 256
	mostMachines = 1024
)

// MaxAmount is the most that a node may have free of anything, and the most that it may be
// short of: sums of amounts stay far from 64 bits.
const MaxAmount = 1 << 60

// Check returns an error for what makes no sense: it names the object, the field and what
// it must be.
func (s *Snapshot) Check() error {
	if s.Version != Version {
		return fmt.Errorf("version is %d; this program reads version %d: make the snapshot anew with a berthctl of the same release", s.Version, Version)
	}
	if o := s.Policy.Order; o != Pack && o != Spread {
		return fmt.Errorf("policy: order is %q; it must be %q or %q", o, Pack, Spread)
	}
	for _, w := range []struct {
		field string
		value int32
	}{{"cpuWeight", s.Policy.CPUWeight}, {"memoryWeight", s.Policy.MemoryWeight}} {
		if w.value < 0 || w.value > pack.MaxWeight {
			return fmt.Errorf("policy: %s is %d; it must be from 0 to %d", w.field, w.value, pack.MaxWeight)
		}
	}
	for _, check := range []func() error{s.checkSizes, s.checkDevices, s.checkFabric, s.checkMachines, s.checkNodes} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func (s *Snapshot) checkSizes() error {
	last := 0
	for i, size := range s.Sizes {
		switch {
		case size.Devices < 1 || size.Devices > topology.MaxDevices:
			return fmt.Errorf("sizes[%d]: devices is %d; it must be from 1 to %d", i, size.Devices, topology.MaxDevices)
		case size.Devices <= last:
			return fmt.Errorf("sizes[%d]: devices is %d, after %d; list each size once, lowest first", i, size.Devices, last)
		case size.Weight == 0:
			return fmt.Errorf("sizes[%d]: weight is 0; leave the size out, or give it a weight", i)
		}
		last = size.Devices
	}
	if last == 0 {
		return fmt.Errorf("sizes is empty; give one size a weight, such as {\"devices\":8,\"weight\":1}")
	}
	return nil
}

func (s *Snapshot) checkDevices() error {
	if len(s.Devices) > mostDevices {
		return fmt.Errorf("devices has %d resources; there may be at most %d", len(s.Devices), mostDevices)
	}
	for i, name := range s.Devices {
		switch {
		case name == "":
			return fmt.Errorf("devices[%d] is empty; name a resource, such as \"nvidia.com/gpu\"", i)
		case slices.Contains(s.Devices[:i], name):
			return fmt.Errorf("devices[%d] is %q, which is there already; remove it", i, name)
		}
	}
	return nil
}

func (s *Snapshot) checkFabric() error {
	seen := map[string]bool{}
	for t, tree := range s.Fabric {
		for l, key := range tree {
			switch {
			case key == "":
				return fmt.Errorf("fabric[%d][%d] is empty; name a node label key", t, l)
			case seen[key]:
				return fmt.Errorf("fabric[%d][%d] is %q, which is there already; a level is in one tree", t, l, key)
			case len(seen) == mostLevels:
				return fmt.Errorf("fabric[%d][%d]: there are more than %d levels; remove those that no node has", t, l, mostLevels)
			}
			seen[key] = true
		}
	}
	return nil
}

func (s *Snapshot) checkMachines() error {
	if len(s.Machines) > mostMachines {
		return fmt.Errorf("machines has %d; there may be at most %d", len(s.Machines), mostMachines)
	}
	seen := map[string]bool{}
	for i := range s.Machines {
		m := &s.Machines[i]
		switch {
		case m.Name == "":
			return fmt.Errorf("machines[%d]: name is empty; give it one", i)
		case seen[m.Name]:
			return fmt.Errorf("machines[%d]: name is %q, which is there already; give it another", i, m.Name)
		}
		seen[m.Name] = true
		if err := m.check(); err != nil {
			return fmt.Errorf("machine %q: %w", m.Name, err)
		}
	}
	return nil
}

func (m *Machine) check() error {
	switch {
	case m.Picker != DevicePlugin && m.Picker != Scheduler:
		return fmt.Errorf("picker is %q; it must be %q or %q", m.Picker, DevicePlugin, Scheduler)
	case m.Devices < 1 || m.Devices > topology.MaxDevices:
		return fmt.Errorf("devices is %d; it must be from 1 to %d", m.Devices, topology.MaxDevices)
	case len(m.NUMA) != m.Devices:
		return fmt.Errorf("numa has %d entries; it must have one for each of %d devices", len(m.NUMA), m.Devices)
	case len(m.NIC) != m.Devices:
		return fmt.Errorf("nic has %d entries; it must have one for each of %d devices", len(m.NIC), m.Devices)
	}
	for d := range m.Devices {
		if m.NUMA[d] < topology.UnknownNUMA {
			return fmt.Errorf("numa[%d] is %d; it must be a NUMA node, or %d if it is not known", d, m.NUMA[d], topology.UnknownNUMA)
		}
		if err := checkPath(m.NIC[d]); err != nil {
			return fmt.Errorf("nic[%d] %w", d, err)
		}
	}
	for _, r := range []struct {
		field string
		rate  int32
	}{{"nvlink", m.Rates.NVLink}, {"pcie", m.Rates.PCIe}, {"system", m.Rates.System}} {
		if r.rate < 0 || r.rate > topology.MaxRate {
			return fmt.Errorf("rates: %s is %d; it must be from 0 to %d MB/s", r.field, r.rate, topology.MaxRate)
		}
	}
	last := -1
	for i, l := range m.Links {
		switch {
		case l.A < 0 || l.B <= l.A || l.B >= m.Devices:
			return fmt.Errorf("links[%d]: a is %d and b is %d; they must be two of %d devices, a below b", i, l.A, l.B, m.Devices)
		case l.A*topology.MaxDevices+l.B <= last:
			return fmt.Errorf("links[%d]: a is %d and b is %d; list each pair once, in order", i, l.A, l.B)
		case l.Switched && l.NVLinks == 0:
			return fmt.Errorf("links[%d]: switched is true and nvlinks is 0; say how many NVLinks end at the switch", i)
		}
		if err := checkPath(l.Path); err != nil {
			return fmt.Errorf("links[%d]: path %w", i, err)
		}
		last = l.A*topology.MaxDevices + l.B
	}
	return nil
}

// checkPath accepts a path in the one word by which it is written.
func checkPath(name string) error {
	if path, known := topology.ParsePath(name); !known || path.String() != name {
		return fmt.Errorf("is %q; it must be PIX, PXB, PHB, NODE, SYS or N/A", name)
	}
	return nil
}

func (s *Snapshot) checkNodes() error {
	machines := map[string]int{}
	for i := range s.Machines {
		machines[s.Machines[i].Name] = s.Machines[i].Devices
	}
	levels := map[string]bool{}
	for _, tree := range s.Fabric {
		for _, key := range tree {
			levels[key] = true
		}
	}
	seen := make(map[string]bool, len(s.Nodes))
	for i := range s.Nodes {
		n := &s.Nodes[i]
		switch {
		case n.Name == "":
			return fmt.Errorf("nodes[%d]: name is empty; give it one", i)
		case seen[n.Name]:
			return fmt.Errorf("nodes[%d]: name is %q, which is there already; remove one of the two", i, n.Name)
		}
		seen[n.Name] = true
		if err := n.check(s, levels, machines); err != nil {
			return fmt.Errorf("node %q: %w", n.Name, err)
		}
	}
	return nil
}

// check checks a node; machines has the number of devices of each.
func (n *Node) check(s *Snapshot, levels map[string]bool, machines map[string]int) error {
	var strange []string
	for key := range n.Labels {
		if !levels[key] {
			strange = append(strange, key)
		}
	}
	if len(strange) > 0 {
		return fmt.Errorf("labels has %q, which is no level; add it to fabric, or remove it", slices.Min(strange))
	}
	if n.Device != "" && s.KindOf(n.Device) == pack.NoDevice {
		return fmt.Errorf("device is %q, which is not in devices; add it there, or remove it", n.Device)
	}
	if n.Device == "" && (n.Devices != 0 || n.Machine != "") {
		return fmt.Errorf("device is empty, and there are devices; name the resource, such as \"nvidia.com/gpu\"")
	}
	for _, a := range []struct {
		field  string
		amount int64
	}{{"devices", int64(n.Devices)}, {"cpu", n.CPU}, {"memory", n.Memory}, {"pods", int64(n.Pods)}} {
		if a.amount > MaxAmount || a.amount < -MaxAmount {
			return fmt.Errorf("%s is %d; it must be within %d of 0", a.field, a.amount, int64(MaxAmount))
		}
	}
	if n.Held < 0 {
		return fmt.Errorf("held is %d; it must be at least 0", n.Held)
	}
	devices, known := machines[n.Machine]
	if n.Machine != "" && !known {
		return fmt.Errorf("machine is %q, which is not in machines; add it there, or remove it", n.Machine)
	}
	for i, d := range n.Free {
		if d < 0 || d >= devices {
			return fmt.Errorf("free[%d] is %d; its machine has devices 0 to %d, where it has one", i, d, devices-1)
		}
		if i > 0 && d <= n.Free[i-1] {
			return fmt.Errorf("free[%d] is %d, after %d; list each device once, lowest first", i, d, n.Free[i-1])
		}
	}
	for i, t := range n.Taints {
		if t.Key == "" {
			return fmt.Errorf("taints[%d]: key is empty; give it one", i)
		}
		if t.Effect != "NoSchedule" && t.Effect != "NoExecute" {
			return fmt.Errorf("taints[%d]: effect is %q; it must be NoSchedule or NoExecute", i, t.Effect)
		}
	}
	return nil
}
