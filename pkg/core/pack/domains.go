package pack

import "github.com/berth-dev/berth/pkg/core/topology"

// DomainID is the number of a fabric domain, dense from 0 over all levels.
type DomainID int32

// count adds n to the counts of a node's shape in all its domains.
func (ix *Index) count(e *entry, n int32) {
	for _, d := range e.Domains {
		for int(d) >= len(ix.domains) {
			ix.domains = append(ix.domains, nil)
		}
		for e.shape >= len(ix.domains[d]) {
			ix.domains[d] = append(ix.domains[d], 0)
		}
		ix.domains[d][e.shape] += n
	}
}

// Slots returns how many copies of a request fit into a domain, as far as the shapes of
// its nodes tell: by devices, and by the most CPU and memory of a level. Links count only
// as far as not even one copy has them. So the answer is a bound from above; for requests
// of whole nodes it is exact.
func (ix *Index) Slots(domain DomainID, request Amounts) int64 {
	if int(domain) >= len(ix.domains) {
		return 0
	}
	var slots int64
	for n, nodes := range ix.domains[domain] {
		if nodes == 0 || !ix.gives(ix.shapes[n], request) || ix.shapes[n].fits(request) == fitsNever {
			continue
		}
		slots += int64(nodes) * ix.shapes[n].copies(request)
	}
	return slots
}

// Copies returns how many copies of a request fit into free amounts, at most manyCopies: a
// bound from above if it asks for links, which count only as far as not even one set of
// devices has them, and else exact. The more is free, the more fit. It need not be what a
// node of the index has free.
func (ix *Index) Copies(free, request Amounts) int64 {
	if !free.Fits(request) {
		return 0
	}
	most := int64(manyCopies)
	if request.Devices > 0 {
		devices := free.Devices
		switch class := ix.class(free); {
		case class != nil:
			devices = min(devices, int32(free.Mask.Len()))
			if devices < request.Devices || !hasLinked(class, request, free.Mask) {
				return 0
			}
		case request.Link != topology.AnyLink && request.Devices > 1: // nothing is known of links
			return 0
		}
		most = min(most, int64(devices/request.Devices))
	}
	if request.CPU > 0 {
		most = min(most, free.CPU/request.CPU)
	}
	if request.Memory > 0 {
		most = min(most, free.Memory/request.Memory)
	}
	if request.Pods > 0 {
		most = min(most, int64(free.Pods/request.Pods))
	}
	return most
}

// hasLinked reports whether some set of the free devices has the links that a request
// wants, whoever picks it: a device plugin that has more to pick from may pick another.
func hasLinked(class *topology.Class, request Amounts, free topology.Mask) bool {
	if request.Link == topology.AnyLink || request.Devices < 2 {
		return true
	}
	var linked topology.Mask // those with a link to another
	for a := range free.Each() {
		for b := range free.Each() {
			if pair := topology.Mask(1<<a | 1<<b); a != b && class.Level(pair) >= request.Link {
				linked |= pair
			}
		}
	}
	for set := linked; set != 0; set = (set - 1) & linked {
		if set.Len() == int(request.Devices) && class.Level(set) >= request.Link {
			return true
		}
	}
	return false
}

// DevicesFree returns how many devices of a kind are free in a domain.
func (ix *Index) DevicesFree(domain DomainID, kind DeviceKind) int64 {
	if int(domain) >= len(ix.domains) || kind == NoDevice {
		return 0
	}
	var free int64
	for n, nodes := range ix.domains[domain] {
		if nodes > 0 && ix.shapes[n].kind == kind {
			free += int64(nodes) * int64(ix.shapes[n].devices)
		}
	}
	return free
}
