package localcluster

import "net/netip"

// podNetwork is the range of which pods get their addresses.
var podNetwork = netip.MustParsePrefix("10.0.0.0/8")

// addresses gives each pod an address of its own. The zero value has given none.
type addresses struct{ last netip.Addr }

// take notes the address of a pod that runs already: none up to it is given.
func (a *addresses) take(address string) {
	if taken, err := netip.ParseAddr(address); err == nil && podNetwork.Contains(taken) && a.last.Less(taken) {
		a.last = taken
	}
}

// next returns the next address. After 16 million pods it begins anew.
func (a *addresses) next() netip.Addr {
	a.last = a.last.Next()
	if !podNetwork.Contains(a.last) {
		a.last = podNetwork.Addr().Next()
	}
	return a.last
}
