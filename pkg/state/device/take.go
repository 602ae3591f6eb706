package device

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/berth-dev/berth/pkg/core/pack"
	"github.com/berth-dev/berth/pkg/core/topology"
)

// RequestOf returns what a pod asks for: see Devices.RequestOf.
func (v *Inventory) RequestOf(pod *corev1.Pod) DeviceRequest { return v.devices.RequestOf(pod) }

// Taken is what a pod was given.
type Taken struct {
	// Devices are the UUIDs of each container that asks for any, by its name.
	Devices map[string][]string
	// Quality and Ideal are ring bandwidths in MB/s, of the set and of the best set of
	// an idle machine.
	Quality, Ideal int32
	Picker         topology.Picker
}

// Take decides which devices a pod gets on a node, and holds them for it. It returns nil
// if that is not for the scheduler to know: the pod asks for none, or the devices of the
// node are only counted. To take twice is to take the last time.
//
// On trial, a pod that finds too few devices is put down as holding whatever is left: the
// pods that hold the rest may be out of the way in the snapshot on which it is tried.
func (v *Inventory) Take(pod *corev1.Pod, node string, link topology.Level, trial bool) (*Taken, error) {
	request := v.devices.RequestOf(pod)
	if request.Kind == pack.NoDevice {
		return nil, nil
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.drop(pod.UID)
	n := v.node(node)
	h := newHolder(pod, request)
	if n.linked() && n.kind == request.Kind {
		taken, named, err := v.choose(n, request, link)
		if err != nil && !trial {
			v.tidy(n)
			return nil, err
		}
		h.taken, h.named, h.before = taken, named, n.machine.Held[h.name]
	}
	n.pods[pod.UID], v.at[pod.UID] = h, n
	v.settle(n)
	return h.taken, nil
}

// choose picks devices of a node, and returns them all by name as well.
func (v *Inventory) choose(n *inventoryNode, request DeviceRequest, link topology.Level) (*Taken, []string, error) {
	class := v.machines[n.class]
	divided, ok := class.Divide(link, request.Total, request.parts(), n.free)
	if !ok {
		return nil, nil, fmt.Errorf("node %q has %d devices free, and no %d of them that are linked as the pod asks (%s)", n.name, n.free.Len(), request.Total, link)
	}
	taken := &Taken{Devices: map[string][]string{}, Quality: divided.Quality, Ideal: class.Ideal(request.Total), Picker: class.picker}
	for i, c := range request.Together {
		taken.Devices[c.Name] = n.machine.Names(divided.Parts[i])
	}
	for _, c := range request.Before {
		// Beside the sidecars that run already.
		rest := divided.Set
		for _, part := range divided.Parts[:c.sidecars] {
			rest &^= part
		}
		if own, ok := class.Divide(topology.AnyLink, c.Devices, []int{c.Devices}, rest); ok {
			taken.Devices[c.Name] = n.machine.Names(own.Set)
		}
	}
	return taken, n.machine.Names(divided.Set), nil
}

// Give takes back Take. A pod that was not given anything loses nothing; nor does one that
// is bound, as happens where the answer to the binding was lost.
func (v *Inventory) Give(pod *corev1.Pod) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if n := v.at[pod.UID]; n != nil && !n.pods[pod.UID].bound {
		v.drop(pod.UID)
	}
}

// TakenBy returns what Take gave a pod; nil if nothing.
func (v *Inventory) TakenBy(uid types.UID) *Taken {
	v.mu.Lock()
	defer v.mu.Unlock()
	if n := v.at[uid]; n != nil {
		return n.pods[uid].taken
	}
	return nil
}

// Held returns the devices that would be free if a pod went: those that it holds and that
// are not ill. They are numbered as on its node.
func (v *Inventory) Held(uid types.UID) topology.Mask {
	v.mu.Lock()
	defer v.mu.Unlock()
	n := v.at[uid]
	if n == nil || n.machine == nil {
		return 0
	}
	return n.pods[uid].set & n.machine.Healthy
}
