package cluster

import "github.com/berth-dev/berth/pkg/core/topology"

// The values of Machine.Picker.
const (
	DevicePlugin = "DevicePlugin"
	Scheduler    = "Scheduler"
)

// Machine is a class of machines whose links are known; see topology.Matrix.
type Machine struct {
	Name string `json:"name"`
	// Picker says who picks devices there: DevicePlugin or Scheduler.
	Picker  string `json:"picker"`
	Devices int    `json:"devices"`
	// NUMA and NIC are of each device: its NUMA node, and its path to a network adapter.
	NUMA  []int16  `json:"numa"`
	NIC   []string `json:"nic"`
	Rates Rates    `json:"rates"`
	// Links are the pairs of which anything is known, A below B, in order.
	Links []Link `json:"links"`
}

// Rates are bandwidths in MB/s, each way.
type Rates struct {
	NVLink int32 `json:"nvlink"`
	PCIe   int32 `json:"pcie"`
	System int32 `json:"system"`
}

// Link is how two devices are linked; see topology.Link.
type Link struct {
	A        int    `json:"a"`
	B        int    `json:"b"`
	Path     string `json:"path"`
	NVLinks  uint8  `json:"nvlinks,omitempty"`
	Switched bool   `json:"switched,omitempty"`
}

// MachineOf returns a matrix as a snapshot has it.
func MachineOf(name string, matrix *topology.Matrix, picker topology.Picker) Machine {
	m := Machine{
		Name: name, Picker: DevicePlugin, Devices: matrix.Devices, NUMA: []int16{}, NIC: []string{}, Links: []Link{},
		Rates: Rates{NVLink: matrix.Rates.NVLink, PCIe: matrix.Rates.PCIe, System: matrix.Rates.System},
	}
	if picker == topology.Scheduler {
		m.Picker = Scheduler
	}
	for a := range matrix.Devices {
		m.NUMA, m.NIC = append(m.NUMA, matrix.NUMA[a]), append(m.NIC, matrix.NIC[a].String())
		for b := a + 1; b < matrix.Devices; b++ {
			if l := matrix.Links[a][b]; l != (topology.Link{}) {
				m.Links = append(m.Links, Link{A: a, B: b, Path: l.Path.String(), NVLinks: l.NVLinks, Switched: l.Switched})
			}
		}
	}
	return m
}

// matrix returns the links of a machine that was checked.
func (m *Machine) matrix() topology.Matrix {
	out := topology.Matrix{Devices: m.Devices, Rates: topology.Rates{NVLink: m.Rates.NVLink, PCIe: m.Rates.PCIe, System: m.Rates.System}}
	copy(out.NUMA[:], m.NUMA)
	for d, name := range m.NIC {
		out.NIC[d], _ = topology.ParsePath(name)
	}
	for _, l := range m.Links {
		path, _ := topology.ParsePath(l.Path)
		out.Join(l.A, l.B, topology.Link{Path: path, NVLinks: l.NVLinks, Switched: l.Switched})
	}
	return out
}

func (m *Machine) picker() topology.Picker {
	if m.Picker == Scheduler {
		return topology.Scheduler
	}
	return topology.DevicePlugin
}
