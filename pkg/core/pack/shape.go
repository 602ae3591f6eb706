package pack

import (
	"math/bits"

	"github.com/berth-dev/berth/pkg/core/topology"
)

// shape is what nodes in one bucket have in common.
type shape struct {
	kind    DeviceKind
	devices uint8
	// class is the class of the devices, and set the kind of the free ones in it.
	class  ClassID
	set    topology.Kind
	cpu    uint8
	memory uint8
	// held is how many pods are on the node, maxHeld if more.
	held uint8
}

const maxHeld = 1<<heldBits - 1

// shapeOf returns the shape of a node by what it has free. A node that takes no
// more pods has the shape of one without CPU and memory.
func (ix *Index) shapeOf(free Amounts) shape {
	s := shape{kind: free.Kind, devices: uint8(min(max(free.Devices, 0), MaxDevices)), held: uint8(min(max(free.Held, 0), maxHeld))}
	if class := ix.class(free); class != nil {
		s.devices = min(s.devices, uint8(free.Mask.Len()))
		s.class, s.set = free.Class, class.KindOf(free.Mask)
	}
	if free.Pods > 0 {
		s.cpu, s.memory = level(free.CPU), level(free.Memory)
	}
	return s
}

// class returns the class of a node's devices; nil if none is known.
func (ix *Index) class(free Amounts) *topology.Class {
	if free.Kind == NoDevice {
		return nil
	}
	return ix.classes[free.Class]
}

// level returns the number of binary digits of an amount: 0 for none or less.
func level(amount int64) uint8 {
	if amount <= 0 {
		return 0
	}
	return uint8(bits.Len64(uint64(amount)))
}

// gives reports whether nodes of a shape have the devices of a request, as far as they
// can be told by their shape.
func (ix *Index) gives(s shape, request Amounts) bool {
	if request.Devices <= 0 {
		return true
	}
	if s.kind != request.Kind || int32(s.devices) < min(request.Devices, MaxDevices) {
		return false
	}
	_, ok := ix.choose(s, request)
	return ok
}

// choose returns what a request would get of a node of a shape: ok is false if no such
// set of devices is free.
func (ix *Index) choose(s shape, request Amounts) (choice topology.Choice, ok bool) {
	if class := ix.classes[s.class]; class != nil {
		return class.Choose(request.Link, int(request.Devices), class.Example(s.set))
	}
	// Nothing is known of links: good enough for who asks for none.
	return topology.Choice{Ratio: topology.Unit}, request.Link == topology.AnyLink || request.Devices < 2
}

// fit says what a shape tells about a request.
type fit uint8

const (
	fitsNever fit = iota
	// fitsMaybe: each node of the shape must be looked at.
	fitsMaybe
	fitsAlways
)

// fits tells whether nodes of a shape hold a request whose devices they have.
func (s shape) fits(request Amounts) fit {
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

// manyCopies is how many copies of a request fit that asks for nothing that a shape tells.
const manyCopies = 1 << 20

// copies returns how many copies of a request a node of a shape holds at most.
func (s shape) copies(request Amounts) int64 {
	most := int64(manyCopies)
	if request.Devices > 0 {
		most = int64(s.devices) / int64(request.Devices)
	}
	if request.CPU > 0 {
		most = min(most, highest(s.cpu)/request.CPU)
	}
	if request.Memory > 0 {
		most = min(most, highest(s.memory)/request.Memory)
	}
	return most
}

// highest returns the highest amount of a level.
func highest(level uint8) int64 { return int64(1)<<level - 1 }
