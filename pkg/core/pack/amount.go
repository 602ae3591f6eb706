package pack

import "math/bits"

// NodeID is the number of a node, dense from 0.
type NodeID int32

// DeviceKind is the number of a kind of device, such as nvidia.com/gpu. NoDevice is
// that of nodes and requests without any.
type DeviceKind uint8

// NoDevice is the kind of nodes and requests that have no devices.
const NoDevice DeviceKind = 0

// MaxDevices is the most devices that a node may have. More count as this many.
const MaxDevices = 255

// Amounts are what a pod asks for, or what a node has free. A free amount may be
// negative, on a node that was filled past its capacity by somebody else.
type Amounts struct {
	// Kind and Devices are the devices; Kind is NoDevice if there are none.
	Kind    DeviceKind
	Devices int32
	// CPU is in thousandths of a core, Memory in bytes, Pods in pods.
	CPU    int64
	Memory int64
	Pods   int32
	// Held is how many pods are on a node. A request holds none.
	Held int32
}

// Fits reports whether a request fits into the free amounts. What is not asked for
// fits always, even on a node that was filled past its capacity.
func (free Amounts) Fits(request Amounts) bool {
	return (request.Devices == 0 || request.Kind == free.Kind && request.Devices <= free.Devices) &&
		(request.CPU == 0 || request.CPU <= free.CPU) &&
		(request.Memory == 0 || request.Memory <= free.Memory) &&
		(request.Pods == 0 || request.Pods <= free.Pods)
}

// Plus returns what is free after a request was given back.
func (free Amounts) Plus(request Amounts) Amounts {
	if request.Devices != 0 && request.Kind == free.Kind {
		free.Devices += request.Devices
	}
	free.CPU += request.CPU
	free.Memory += request.Memory
	free.Pods += request.Pods
	free.Held -= request.Pods
	return free
}

// minus returns what is left of free after a request was taken.
func (free Amounts) minus(request Amounts) Amounts {
	if request.Devices != 0 {
		free.Devices -= request.Devices
	}
	free.CPU -= request.CPU
	free.Memory -= request.Memory
	free.Pods -= request.Pods
	free.Held += request.Pods
	return free
}

// shape is what nodes in one bucket have in common.
type shape struct {
	kind    DeviceKind
	devices uint8
	cpu     uint8
	memory  uint8
	// held is how many pods are on the node, maxHeld if more.
	held uint8
}

const maxHeld = 1<<heldBits - 1

// shapeOf returns the shape of a node by what it has free. A node that takes no
// more pods has the shape of one without CPU and memory.
func shapeOf(free Amounts) shape {
	s := shape{kind: free.Kind, devices: uint8(min(max(free.Devices, 0), MaxDevices)), held: uint8(min(max(free.Held, 0), maxHeld))}
	if free.Pods > 0 {
		s.cpu, s.memory = level(free.CPU), level(free.Memory)
	}
	return s
}

// level returns the number of binary digits of an amount: 0 for none or less.
func level(amount int64) uint8 {
	if amount <= 0 {
		return 0
	}
	return uint8(bits.Len64(uint64(amount)))
}

// fit says what a shape tells about a request.
type fit uint8

const (
	fitsNever fit = iota
	// fitsMaybe: each node of the shape must be looked at.
	fitsMaybe
	fitsAlways
)

// fits tells whether nodes of a shape hold a request.
func (s shape) fits(request Amounts) fit {
	if request.Devices > 0 && (s.kind != request.Kind || int32(s.devices) < min(request.Devices, MaxDevices)) {
		return fitsNever
	}
	cpu, memory := level(request.CPU), level(request.Memory)
	switch {
	case s.cpu < cpu || s.memory < memory:
		return fitsNever
	case s.cpu == 0 && s.memory == 0, request.Pods > 1, s.devices == MaxDevices:
		// No room for pods at all, or a count that the shape does not keep.
		return fitsMaybe
	case s.cpu == cpu && cpu > 0 || s.memory == memory && memory > 0:
		return fitsMaybe
	}
	return fitsAlways
}
