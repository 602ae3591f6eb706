package pack

// Idle returns how many devices of a kind are free, and how many of them pods of any of some
// requests could use, each request by itself. The first is exact. The second is a bound from
// above, as [Index.Slots] is: a node counts with the most CPU and memory of its level. So what
// is left between the two is of no use to these requests for certain. The cost is that of the
// shapes.
func (ix *Index) Idle(kind DeviceKind, requests []Amounts) (idle, usable int64) {
	if kind == NoDevice {
		return 0, 0
	}
	for n := range ix.shapes {
		nodes, s := int64(ix.buckets[n].Len()), ix.shapes[n]
		if nodes == 0 || s.kind != kind {
			continue
		}
		one, of := ix.idleOf(s, requests)
		idle, usable = idle+nodes*one, usable+nodes*of
	}
	return idle, usable
}

// IdleOf returns what Idle counts of a node with these free amounts.
func (ix *Index) IdleOf(free Amounts, requests []Amounts) (idle, usable int64) {
	return ix.idleOf(ix.shapeOf(free), requests)
}

// SlotsOf returns what Slots counts of a node with these free amounts.
func (ix *Index) SlotsOf(free, request Amounts) int64 {
	s := ix.shapeOf(free)
	if !ix.gives(s, request) || s.fits(request) == fitsNever {
		return 0
	}
	return s.copies(request)
}

func (ix *Index) idleOf(s shape, requests []Amounts) (idle, usable int64) {
	for _, request := range requests {
		if request.Devices > 0 && ix.gives(s, request) && s.fits(request) != fitsNever {
			usable = max(usable, min(s.copies(request)*int64(request.Devices), int64(s.devices)))
		}
	}
	return int64(s.devices), usable
}
