package pack

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

// Slots returns how many copies of a request fit into a domain, by the devices that
// its nodes have free. Their links, CPU and memory count only as far as the shape of a
// node tells that not even one copy fits, so the answer is a bound from above; for
// requests of whole nodes it is exact.
func (ix *Index) Slots(domain DomainID, request Amounts) int64 {
	if int(domain) >= len(ix.domains) {
		return 0
	}
	var slots int64
	for n, nodes := range ix.domains[domain] {
		if nodes == 0 || !ix.gives(ix.shapes[n], request) || ix.shapes[n].fits(request) == fitsNever {
			continue
		}
		each := int64(1)
		if request.Devices > 0 {
			each = int64(ix.shapes[n].devices) / int64(request.Devices)
		}
		slots += int64(nodes) * each
	}
	return slots
}
