//go:build cgo

package nvml

import "testing"

func TestSysfsAddress(t *testing.T) {
	for _, test := range []struct{ name, busID, want string }{
		{"as NVML tells it", "00000000:3B:00.0", "0000:3b:00.0"},
		{"as before", "0000:AF:00.0", "0000:af:00.0"},
		{"another domain", "00000001:00:00.0", "0001:00:00.0"},
		{"a domain of more digits", "00010000:00:00.0", "10000:00:00.0"},
		{"a virtual function", "00000000:3B:00.4", "0000:3b:00.4"},
		{"nothing", "", ""},
		{"no address", "GPU-0", ""},
		{"a path", "00000000:../../x:00.0", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := sysfsAddress(test.busID); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
