package remedy

import (
	"github.com/berth-dev/berth/pkg/core/fabric"
	"github.com/berth-dev/berth/pkg/core/plan"
	"github.com/berth-dev/berth/pkg/core/topology"
)

// decides returns the constraint without which the gang would have a place; if none alone is
// in the way, what the last of the levels is short of.
func (f *finder) decides(levels []Closest) Constraint {
	var kept []int
	for i := range f.Running {
		if f.Running[i].Kept {
			kept = append(kept, i)
		}
	}
	if len(kept) > 0 {
		undo := f.give(kept)
		_, fits := f.fits(f.request.Request)
		undo()
		if fits {
			return Kept
		}
	}
	for _, one := range [...]struct {
		constraint Constraint
		without    func() plan.Request
	}{
		{Nodes, f.withoutTaints},
		{Nodes, func() plan.Request { return f.changed(func(_ int, pod *plan.Pod) { pod.Open = nil }) }},
		{Links, func() plan.Request {
			return f.changed(func(_ int, pod *plan.Pod) { pod.Request.Link = topology.AnyLink })
		}},
		{CPU, func() plan.Request { return f.changed(func(_ int, pod *plan.Pod) { pod.Request.CPU = 0 }) }},
		{Memory, func() plan.Request { return f.changed(func(_ int, pod *plan.Pod) { pod.Request.Memory = 0 }) }},
		{Level, f.anywhere},
	} {
		if _, fits := f.fits(one.without()); fits {
			return one.constraint
		}
	}
	switch levels[len(levels)-1].Of {
	case plan.LackCPU:
		return CPU
	case plan.LackMemory:
		return Memory
	case plan.LackDevices:
		return Devices
	}
	for i := range f.request.Pods {
		if f.request.Pods[i].Request.Devices > 0 {
			return Devices
		}
	}
	return CPU
}

// withoutTaints is the request as if no node had a taint or cordon.
func (f *finder) withoutTaints() plan.Request {
	return f.changed(func(i int, pod *plan.Pod) {
		if i < len(f.request.Opened) {
			pod.Open = f.request.Opened[i]
		}
	})
}

// anywhere is the request of a gang that asks nothing of the fabric.
func (f *finder) anywhere() plan.Request {
	request := f.request.Request
	request.Required, request.Preferred, request.SegmentLevel = fabric.NoLevel, fabric.NoLevel, fabric.NoLevel
	request.SegmentSize = 0
	return request
}
