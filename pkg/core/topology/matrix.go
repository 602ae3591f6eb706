package topology

import (
	"iter"
	"math/bits"
)

// MaxDevices is the most devices that a machine has.
const MaxDevices = 16

// Mask is a set of devices of one machine, a bit each.
type Mask uint16

// Has reports whether a device is in the set.
func (m Mask) Has(device int) bool { return m&(1<<device) != 0 }

// Len returns how many devices are in the set.
func (m Mask) Len() int { return bits.OnesCount16(uint16(m)) }

// Each yields the devices of the set, lowest first.
func (m Mask) Each() iter.Seq[int] {
	return func(yield func(int) bool) {
		for ; m != 0; m &= m - 1 {
			if !yield(m.lowest()) {
				return
			}
		}
	}
}

func (m Mask) lowest() int { return bits.TrailingZeros16(uint16(m)) }

// All returns the set of the first n devices.
func All(n int) Mask { return Mask(1<<n - 1) }

// Path is a PCIe path between two devices, in the words of nvidia-smi topo. Nearer
// paths are greater.
type Path uint8

const (
	// UnknownPath counts as System.
	UnknownPath Path = iota
	// System (SYS) crosses NUMA nodes.
	System
	// Node (NODE) goes between host bridges of one NUMA node.
	Node
	// HostBridge (PHB) goes through a host bridge.
	HostBridge
	// Bridges (PXB) goes through several PCIe bridges.
	Bridges
	// Bridge (PIX) goes through one PCIe bridge at most.
	Bridge
)

var pathNames = [...]string{UnknownPath: "N/A", System: "SYS", Node: "NODE", HostBridge: "PHB", Bridges: "PXB", Bridge: "PIX"}

// String returns the name as nvidia-smi prints it.
func (p Path) String() string { return pathNames[p] }

// ParsePath reads a name as nvidia-smi prints it, or printed it once.
func ParsePath(name string) (Path, bool) {
	switch name {
	case "SOC": // before it was SYS
		return System, true
	case "PSB": // through a bridge on the board
		return Bridge, true
	}
	for p, n := range pathNames {
		if n == name {
			return Path(p), true
		}
	}
	return UnknownPath, false
}

// Link is how two devices are linked.
type Link struct {
	// Path is the PCIe path.
	Path Path
	// NVLinks is how many NVLinks, or XGMI links, the pair has: between the two, or of
	// the one that has fewer if they are switched.
	NVLinks uint8
	// Switched says that the NVLinks of both end at a switch, and serve any peer there.
	Switched bool
}

// Rates are bandwidths in MB/s, each way. A rate of 0 counts as that of a machine
// of which nothing is known.
type Rates struct {
	// NVLink is that of one NVLink, PCIe that of a device's own PCIe link, System that
	// between sockets.
	NVLink, PCIe, System int32
}

// UnknownNUMA is the NUMA node of a device of which it is not known.
const UnknownNUMA = -1

// Matrix is how the devices of a machine are linked. It is a value: equal matrices are
// one class of machine.
type Matrix struct {
	// Devices is how many there are. What follows is indexed by device below it, and
	// zero from there on.
	Devices int
	// Links is symmetric, and zero on the diagonal.
	Links [MaxDevices][MaxDevices]Link
	// NUMA is the NUMA node that a device is near, or UnknownNUMA.
	NUMA [MaxDevices]int16
	// NIC is the nearest path of a device to a network adapter.
	NIC   [MaxDevices]Path
	Rates Rates
}

// Join sets how two devices are linked.
func (m *Matrix) Join(a, b int, link Link) {
	if a != b {
		m.Links[a][b], m.Links[b][a] = link, link
	}
}

// bandwidth returns what one hop of a ring carries, in MB/s: all NVLinks of a pair, or
// its PCIe path. The rates must not be 0.
func (m *Matrix) bandwidth(a, b int) int32 {
	link := m.Links[a][b]
	switch {
	case link.NVLinks > 0:
		return int32(link.NVLinks) * m.Rates.NVLink
	case link.Path > System:
		return m.Rates.PCIe
	}
	return min(m.Rates.PCIe, m.Rates.System)
}

// Level is what every pair of a pod's devices must at least have.
type Level uint8

const (
	// AnyLink asks for nothing.
	AnyLink Level = iota
	// SameNUMA asks for a path that does not cross NUMA nodes.
	SameNUMA
	// PCIe asks for a path that does not leave the PCIe bridges for a host bridge.
	PCIe
	// NVLink asks for NVLink, or XGMI, direct or through a switch.
	NVLink
	levels
)

var levelNames = [levels]string{AnyLink: "any", SameNUMA: "numa", PCIe: "pcie", NVLink: "nvlink"}

// String returns the name as a user writes it.
func (l Level) String() string { return levelNames[l] }

// ParseLevel reads a name as a user writes it; "" asks for nothing.
func ParseLevel(name string) (Level, bool) {
	if name == "" {
		return AnyLink, true
	}
	for l, n := range levelNames {
		if n == name {
			return Level(l), true
		}
	}
	return AnyLink, false
}

// level returns the highest level that a pair has.
func (l Link) level() Level {
	switch {
	case l.NVLinks > 0:
		return NVLink
	case l.Path >= Bridges:
		return PCIe
	case l.Path >= Node:
		return SameNUMA
	}
	return AnyLink
}
