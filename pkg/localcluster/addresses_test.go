package localcluster

import (
	"net/netip"
	"testing"
)

// A kubelet reports an address of each pod that it runs, and no two pods have the same.
func TestAddresses(t *testing.T) {
	var a addresses
	for _, of := range []struct{ taken, want string }{
		{"", "10.0.0.1"},
		{"", "10.0.0.2"},
		{"10.0.3.255", "10.0.4.0"},
		{"10.0.0.7", "10.0.4.1"},
		{"192.168.0.1", "10.0.4.2"},
		{"none", "10.0.4.3"},
		{"10.255.255.255", "10.0.0.1"},
	} {
		a.take(of.taken)
		if got := a.next(); got != netip.MustParseAddr(of.want) {
			t.Errorf("after a pod at %q the next has the address %s; want %s", of.taken, got, of.want)
		}
	}
}
