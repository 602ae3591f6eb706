package pack

import (
	"math"

	"github.com/berth-dev/berth/pkg/core/topology"
)

// NodeID is the number of a node, dense from 0.
type NodeID int32

// DeviceKind is the number of a kind of device, such as nvidia.com/gpu. NoDevice is
// that of nodes and requests without any.
type DeviceKind uint8

// NoDevice is the kind of nodes and requests that have no devices.
const NoDevice DeviceKind = 0

// MaxDevices is the most devices that a node may have. More count as this many.
const MaxDevices = 255

// ClassID is the number of a class of machines in an index. NoClass is that of nodes
// whose devices are counted and no more: how they are linked is not known.
type ClassID uint16

// NoClass is the class of nodes of which no class is known.
const NoClass ClassID = 0

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
	// Class is the class of a node's devices, and Mask which of them are free. The count
	// in Devices may be another: the lower of the two holds.
	Class ClassID
	Mask  topology.Mask
	// Link is what a request wants every pair of its devices to have.
	Link topology.Level
}

// Fits reports whether a request fits into the free amounts, by what can be counted: how
// devices are linked is not looked at. What is not asked for fits always, even on a node
// that was filled past its capacity.
func (free Amounts) Fits(request Amounts) bool {
	return (request.Devices == 0 || request.Kind == free.Kind && request.Devices <= free.Devices) &&
		(request.CPU == 0 || request.CPU <= free.CPU) &&
		(request.Memory == 0 || request.Memory <= free.Memory) &&
		(request.Pods == 0 || request.Pods <= free.Pods)
}

// Plus returns what is free after a request was given back, but for the mask. An amount
// that would exceed its type stays at the most or the least that the type holds.
func (free Amounts) Plus(request Amounts) Amounts {
	if request.Devices != 0 && request.Kind == free.Kind {
		free.Devices = narrow(int64(free.Devices) + int64(request.Devices))
	}
	free.CPU = sum(free.CPU, request.CPU)
	free.Memory = sum(free.Memory, request.Memory)
	free.Pods = narrow(int64(free.Pods) + int64(request.Pods))
	free.Held = narrow(int64(free.Held) - int64(request.Pods))
	return free
}

// Minus returns what is left of free after a request was taken, but for the mask. It is
// bounded as Plus is: pods may ask for any number, and others may bind them anywhere.
func (free Amounts) Minus(request Amounts) Amounts {
	if request.Devices != 0 {
		free.Devices = narrow(int64(free.Devices) - int64(request.Devices))
	}
	free.CPU = difference(free.CPU, request.CPU)
	free.Memory = difference(free.Memory, request.Memory)
	free.Pods = narrow(int64(free.Pods) - int64(request.Pods))
	free.Held = narrow(int64(free.Held) + int64(request.Pods))
	return free
}

// And returns what two requests ask for together on one node, of the first's kind of device
// if it asks for any. It is bounded as Plus is.
func (a Amounts) And(b Amounts) Amounts {
	if a == (Amounts{}) {
		return b
	}
	if a.Devices == 0 {
		a.Kind = b.Kind
	}
	a.Devices = narrow(int64(a.Devices) + int64(b.Devices))
	a.CPU, a.Memory = sum(a.CPU, b.CPU), sum(a.Memory, b.Memory)
	a.Pods = narrow(int64(a.Pods) + int64(b.Pods))
	return a
}

// narrow returns the value of 32 bits that is nearest.
func narrow(count int64) int32 {
	return int32(min(max(count, math.MinInt32), math.MaxInt32))
}

// sum returns a + b, or the value of 64 bits that is nearest.
func sum(a, b int64) int64 {
	if c := a + b; (c > a) == (b > 0) {
		return c
	}
	return bound(b > 0)
}

// difference returns a - b, or the value of 64 bits that is nearest.
func difference(a, b int64) int64 {
	if c := a - b; (c < a) == (b > 0) {
		return c
	}
	return bound(b < 0)
}

// bound returns the most that 64 bits hold, or the least.
func bound(most bool) int64 {
	if most {
		return math.MaxInt64
	}
	return math.MinInt64
}
