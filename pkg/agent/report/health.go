package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/berth-dev/berth/pkg/api/v1alpha1"
)

// severity is the order of reasons: a device is reported for the gravest only.
var severity = []string{
	v1alpha1.ReasonRemapPending,
	v1alpha1.ReasonXid,
	v1alpha1.ReasonRemapFailed,
	v1alpha1.ReasonLost,
}

// unhealthy returns what is wrong with the devices, in their order. What was wrong
// before stays while the driver fails; an Xid error stays until the next boot.
func unhealthy(devices []v1alpha1.Device, before []Fault, found Findings, sameBoot bool) []Fault {
	worst := map[string]Fault{}
	// The first of several with one reason stays: its message is that of the cause.
	add := func(f Fault) {
		f.Message = truncate(f.Message, maxFaultMessage)
		old, known := worst[f.UUID]
		if !known || slices.Index(severity, f.Reason) > slices.Index(severity, old.Reason) {
			worst[f.UUID] = f
		}
	}
	for _, f := range before {
		if found.Machine == nil || f.Reason == v1alpha1.ReasonXid && sameBoot {
			add(f)
		}
	}
	for _, f := range found.Events {
		add(f)
	}
	if found.Machine != nil {
		for _, f := range found.Machine.Faults {
			add(f)
		}
		for _, d := range devices {
			if !slices.ContainsFunc(found.Machine.Devices, func(there v1alpha1.Device) bool { return there.UUID == d.UUID }) {
				add(Fault{UUID: d.UUID, Reason: v1alpha1.ReasonLost, Message: "The driver has the device no more. If it was taken out, delete this object, and it is made anew without it."})
			}
		}
	}
	var all []Fault
	for _, d := range devices {
		if f, ok := worst[d.UUID]; ok {
			all = append(all, f)
		}
	}
	return all
}

// applicationXids are errors of the application, not of the device, which can be given
// to the next one: a graphics engine exception, a memory page fault, stopped
// processing, a preemptive cleanup, a video decoder exception and a context switch
// timeout. NVIDIA's device plugin skips the same.
var applicationXids = []uint64{13, 31, 43, 45, 68, 109}

// XidFault returns the fault that an Xid error is; false if it is the application's.
func XidFault(uuid string, xid uint64) (Fault, bool) {
	if slices.Contains(applicationXids, xid) {
		return Fault{}, false
	}
	return Fault{
		UUID:   uuid,
		Reason: v1alpha1.ReasonXid,
		Message: fmt.Sprintf("The driver reported Xid %d. This stays until the machine boots, or this object is deleted.",
			xid),
	}, true
}

// RemapFault returns the fault that a remapped row of memory is; false for none.
func RemapFault(uuid string, pending, failed bool) (Fault, bool) {
	switch {
	case failed:
		return Fault{UUID: uuid, Reason: v1alpha1.ReasonRemapFailed, Message: "A row of memory could not be remapped. The device has to be replaced."}, true
	case pending:
		return Fault{UUID: uuid, Reason: v1alpha1.ReasonRemapPending, Message: "A row of memory is remapped at the next reset of the device. Reset it."}, true
	}
	return Fault{}, false
}

// Parent returns the UUID of the device that an id of a device plugin means: of the
// device, of a replica of it, or of a part of it; false if it means none that is known.
func Parent(id string, parts map[string]string) (uuid string, known bool) {
	id, _, _ = strings.Cut(id, "::") // a replica, as sharing by time makes them
	if !strings.HasPrefix(id, "MIG-") {
		return id, true
	}
	// As drivers before 470 name parts: MIG-GPU-<uuid>/<instance>/<compute instance>.
	if old, ok := strings.CutPrefix(id, "MIG-GPU-"); ok {
		uuid, _, _ = strings.Cut(old, "/")
		return "GPU-" + uuid, true
	}
	uuid, known = parts[id]
	return uuid, known
}
