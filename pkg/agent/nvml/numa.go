//go:build cgo

package nvml

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// sysfsAddress returns a PCI address as sysfs has it, of one as NVML tells it: the
// domain in 4 digits or, if it does not fit, more, and all in lower case. It returns
// "" for what is no address.
func sysfsAddress(busID string) string {
	parts := strings.Split(strings.ToLower(busID), ":")
	if len(parts) != 3 {
		return ""
	}
	domain, err := strconv.ParseUint(parts[0], 16, 32)
	if err != nil {
		return ""
	}
	if _, err := strconv.ParseUint(parts[1], 16, 8); err != nil {
		return ""
	}
	return fmt.Sprintf("%04x:%s:%s", domain, parts[1], parts[2])
}

// numaNode returns the NUMA node that a PCI device is near; nil if sysfs does not know
// one, as on machines that have only one. root is where sysfs is.
func numaNode(root, address string) (*int32, error) {
	text, err := os.ReadFile(filepath.Join(root, "bus/pci/devices", address, "numa_node"))
	if err != nil {
		return nil, fmt.Errorf("reading the NUMA node of %q: %w", address, err)
	}
	node, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 32)
	if err != nil {
		return nil, fmt.Errorf("reading the NUMA node of %q: %w", address, err)
	}
	if node < 0 {
		return nil, nil
	}
	n := int32(node)
	return &n, nil
}
