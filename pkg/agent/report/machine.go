package report

import (
	"errors"
	"time"

	"github.com/berth-dev/berth/pkg/api/v1alpha1"
)

// ErrNoDriver says that there is no driver's library on the node.
var ErrNoDriver = errors.New("there is no driver's library on this node")

// Machine is the hardware of a node as one read found it.
type Machine struct {
	// Devices are in the order of their indexes.
	Devices []v1alpha1.Device
	// Links are between places in Devices, each pair at most once, the lower in A.
	Links []v1alpha1.Link
	// Fabric is nil where the devices are in none, or it is not complete yet.
	Fabric *v1alpha1.Fabric
	// Faults are what is wrong with devices for as long as it is found.
	Faults []Fault
	// Parts has the UUID of the device by that of each of its parts (MIG instances).
	Parts map[string]string
	// Notes are sentences about what could not be read.
	Notes []string
}

// Fault is what is wrong with a device: an UnhealthyDevice before it is reported.
type Fault = v1alpha1.UnhealthyDevice

// Held is what one container has of one resource, in the kubelet's words.
type Held struct {
	Namespace, Pod, Container string
	// Resource is the name of the extended resource.
	Resource string
	// IDs are the ids that the device plugin gave.
	IDs []string
}

// Node is whose report it is.
type Node struct {
	// Name is also that of the report.
	Name string
	// Boot tells one boot of the machine from another; "" if it is not known.
	Boot string
	// Resource is the extended resource that counts the devices.
	Resource string
}

// Findings are what is known of a node at one time.
type Findings struct {
	Now time.Time
	// Machine is nil while the driver fails, and DriverErr then says how.
	Machine   *Machine
	DriverErr error
	// Parts are those of the last machine that was read.
	Parts map[string]string
	// Events are Xid errors that the driver told of since the last report.
	Events []Fault
	// Held is of no account while the kubelet fails; KubeletErr then says how.
	Held       []Held
	KubeletErr error
}

// BootAnnotation has the boot of the machine at which the object was written.
const BootAnnotation = "berth.dev/boot-id"
