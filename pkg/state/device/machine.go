package device

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/berth-dev/berth/pkg/api/v1alpha1"
	"github.com/berth-dev/berth/pkg/core/topology"
)

// Machine is what a NodeTopology says, as values of the core.
type Machine struct {
	// Resource is the extended resource that counts the devices.
	Resource corev1.ResourceName
	// Matrix is how they are linked, and UUIDs are their names, in its order.
	Matrix topology.Matrix
	UUIDs  []string
	// Whole are the devices that are given out as a whole, Healthy those of them that
	// may be given out.
	Whole, Healthy topology.Mask
	// Held are the devices that pods hold, as the node reports.
	Held map[types.NamespacedName]topology.Mask

	names map[topology.Mask][]string
}

// ReadMachine reads a NodeTopology. What makes no sense in it is left out: the object
// may be from before the definition said what is valid.
func ReadMachine(object *v1alpha1.NodeTopology) Machine {
	m := Machine{Resource: corev1.ResourceName(object.Spec.Resource), Held: map[types.NamespacedName]topology.Mask{}}
	devices := object.Spec.Devices
	devices = devices[:min(len(devices), topology.MaxDevices)]
	m.Matrix.Devices = len(devices)
	for i := range devices {
		d := &devices[i]
		m.UUIDs = append(m.UUIDs, d.UUID)
		m.Matrix.NUMA[i] = topology.UnknownNUMA
		if d.NUMANode != nil && *d.NUMANode >= 0 && *d.NUMANode < 1<<15 {
			m.Matrix.NUMA[i] = int16(*d.NUMANode)
		}
		m.Matrix.NIC[i], _ = topology.ParsePath(string(d.NIC))
		if !d.Divided {
			m.Whole |= 1 << i
		}
	}
	for _, l := range object.Spec.Links {
		if l.A < 0 || l.B < 0 || int(l.A) >= len(devices) || int(l.B) >= len(devices) || l.NVLinks < 0 || l.NVLinks > 255 {
			continue
		}
		path, _ := topology.ParsePath(string(l.Path))
		m.Matrix.Join(int(l.A), int(l.B), topology.Link{Path: path, NVLinks: uint8(l.NVLinks), Switched: l.Switched && l.NVLinks > 0})
	}
	product := ""
	if len(devices) > 0 {
		product = devices[0].Product
	}
	m.Matrix.Rates, _ = topology.RatesOf(product)
	if r := object.Spec.Rates; r != nil {
		m.Matrix.Rates = topology.Rates{
			NVLink: min(r.NVLink, topology.MaxRate), PCIe: min(r.PCIe, topology.MaxRate), System: min(r.System, topology.MaxRate),
		}.Or(m.Matrix.Rates)
	}
	m.Healthy = m.Whole
	for i := range object.Status.Unhealthy {
		m.Healthy &^= m.Mask(object.Status.Unhealthy[i].UUID)
	}
	for i := range object.Status.Allocations {
		a := &object.Status.Allocations[i]
		if set := m.Mask(a.Devices...); set != 0 {
			m.Held[types.NamespacedName{Namespace: a.Namespace, Name: a.Pod}] |= set
		}
	}
	return m
}

// Mask returns the devices with these UUIDs; those that the machine has not are left
// out.
func (m *Machine) Mask(uuids ...string) (set topology.Mask) {
	for _, uuid := range uuids {
		for i := range m.UUIDs {
			if m.UUIDs[i] == uuid {
				set |= 1 << i
			}
		}
	}
	return set
}

// Names returns the UUIDs of devices. It keeps them, for they are asked for again and
// again: they are read only, and Names is not safe for concurrent use.
func (m *Machine) Names(set topology.Mask) []string {
	if out, known := m.names[set]; known {
		return out
	}
	out := make([]string, 0, set.Len())
	for d := range set.Each() {
		out = append(out, m.UUIDs[d])
	}
	if m.names == nil {
		m.names = map[topology.Mask][]string{}
	}
	if len(m.names) < mostNames {
		m.names[set] = out
	}
	return out
}

// mostNames is how many lists of names a machine keeps.
const mostNames = 256
