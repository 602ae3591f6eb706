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
		idle += nodes * int64(s.devices)
		most := int64(0)
		for _, request := range requests {
			if request.Devices > 0 && ix.gives(s, request) && s.fits(request) != fitsNever {
				most = max(most, min(s.copies(request)*int64(request.Devices), int64(s.devices)))
			}
		}
		usable += nodes * most
	}
	return idle, usable
}
