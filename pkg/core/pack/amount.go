package pack

import "github.com/berth-dev/berth/pkg/core/topology"

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

// Plus returns what is free after a request was given back, but for the mask.
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

// minus returns what is left of free after a request was taken, but for the mask.
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
