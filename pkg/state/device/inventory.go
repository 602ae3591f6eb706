package device

import (
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/berth-dev/berth/pkg/api/v1alpha1"
	"github.com/berth-dev/berth/pkg/core/pack"
	"github.com/berth-dev/berth/pkg/core/topology"
)

// pluginResource is the resource whose devices NVIDIA's device plugin picks.
const pluginResource corev1.ResourceName = "nvidia.com/gpu"

// MachineID is the number of a class of machines in an Inventory, from 1 on.
type MachineID uint16

// Inventory knows the devices of every node, how they are linked, and who holds them.
// What is held follows from what the API server says: NodeTopologies, bound pods and
// their annotations, and nothing else; so it is the same after a restart. It is safe for
// concurrent use.
//
// Three things say which devices a pod holds: the node's report, the annotation on the
// pod, and Take, which decides what the annotation will be. The report is believed, but
// where the scheduler picks devices and the annotation says which; see topology.Class.Hold
// for the rest.
type Inventory struct {
	mu      sync.Mutex
	devices *Kinds
	picker  topology.Picker
	sizes   topology.Sizes
	classes map[classKey]MachineID
	// machines are the classes by their number, brought how many each node brought in.
	machines []machineClass
	brought  map[string]int
	nodes    map[string]*inventoryNode
	// at is the node of each pod that is looked after.
	at map[types.UID]*inventoryNode
	// predicted is told how a report compares with what was intended, and illness of devices
	// that fall ill under pods.
	predicted func(Prediction)
	illness   func([]Illness)
}

// classKey is what machines of one class have in common.
type classKey struct {
	matrix topology.Matrix
	picker topology.Picker
}

type machineClass struct {
	classKey
	*topology.Class
}

// inventoryNode is a node with devices.
type inventoryNode struct {
	name string
	// machine is what its NodeTopology says; nil if there is none.
	machine *Machine
	class   MachineID
	kind    pack.DeviceKind
	// allocatable is what the node offers of each kind; nil if the node is not known.
	allocatable map[pack.DeviceKind]int64
	pods        map[types.UID]*holder
	// free are the devices that may be given out and that nobody holds.
	free topology.Mask

	claims  []topology.Claim
	holders []*holder
	held    []topology.Mask
}

// holder is a pod on a node.
type holder struct {
	name    types.NamespacedName
	request DeviceRequest
	// bound says that the API server has the pod on its node, annotation what it says
	// there, and named which devices that, or Take, names.
	bound      bool
	annotation string
	named      []string
	// taken is what Take gave the pod, and before what the node reported then of a pod of
	// that name: an earlier one.
	taken  *Taken
	before topology.Mask
	// set is what the pod holds; reported is set if the node says so, compared once that
	// was compared with what was intended.
	set                topology.Mask
	reported, compared bool
}

func newHolder(pod *corev1.Pod, request DeviceRequest) *holder {
	return &holder{name: types.NamespacedName{Namespace: pod.Namespace, Name: pod.Name}, request: request}
}

// NewInventory returns an inventory without nodes.
func NewInventory() *Inventory {
	devices, _ := NewKinds(DefaultNames())
	return &Inventory{
		devices: devices, sizes: topology.DefaultSizes(), classes: map[classKey]MachineID{}, machines: make([]machineClass, 1),
		brought: map[string]int{}, nodes: map[string]*inventoryNode{}, at: map[types.UID]*inventoryNode{},
	}
}

// Count sets what counts as devices. It comes before any node.
func (v *Inventory) Count(devices *Kinds) { v.devices = devices }

// Pick sets who picks devices, and how sizes weigh. It comes before any node.
func (v *Inventory) Pick(picker topology.Picker, sizes topology.Sizes) {
	v.picker, v.sizes = picker, sizes
}

// OnPrediction sets who is told how reports compare with what was intended.
func (v *Inventory) OnPrediction(f func(Prediction)) { v.predicted = f }

// NewClass returns a class of machines of its own for whoever asks: a class is not safe
// for concurrent use.
func (v *Inventory) NewClass(id MachineID) *topology.Class {
	v.mu.Lock()
	defer v.mu.Unlock()
	m := v.machines[id]
	return topology.NewClass(m.matrix, m.picker, v.sizes)
}

// Machine returns what machines of a class have in common: their links, and who picks devices.
func (v *Inventory) Machine(id MachineID) (topology.Matrix, topology.Picker) {
	v.mu.Lock()
	defer v.mu.Unlock()
	m := v.machines[id]
	return m.matrix, m.picker
}

// Sizes says how the sizes of pods weigh.
func (v *Inventory) Sizes() topology.Sizes { return v.sizes }

// node returns a node, and begins it if need be.
func (v *Inventory) node(name string) *inventoryNode {
	n := v.nodes[name]
	if n == nil {
		n = &inventoryNode{name: name, pods: map[types.UID]*holder{}}
		v.nodes[name] = n
	}
	return n
}

// tidy forgets a node of which nothing is known.
func (v *Inventory) tidy(n *inventoryNode) {
	if n.machine == nil && n.allocatable == nil && len(n.pods) == 0 {
		delete(v.nodes, n.name)
	}
}

// Change says what a NodeTopology changed.
type Change struct {
	// Free says that other devices are free, or that they are linked in another way.
	Free bool
	// Helps says that a pod may find something now that it did not before.
	Helps bool
}

// changeOf returns what has changed of a node since it was viewed.
func (v *Inventory) changeOf(n *inventoryNode, before View) Change {
	now := n.view()
	switch {
	case now == before:
		return Change{}
	case now.Class != before.Class || now.Kind != before.Kind || now.Free.Len() > before.Free.Len():
		return Change{Free: true, Helps: true}
	case now.Free.Len() < before.Free.Len():
		return Change{Free: true}
	}
	class := v.machines[now.Class]
	return Change{Free: true, Helps: class.KindOf(now.Free) != class.KindOf(before.Free)}
}

// SetTopology takes in a NodeTopology.
func (v *Inventory) SetTopology(object *v1alpha1.NodeTopology) Change {
	m := ReadMachine(object)
	v.mu.Lock()
	defer v.mu.Unlock()
	n := v.node(object.Name)
	before := n.view()
	machine := n.machine
	n.machine, n.kind = &m, v.devices.kinds[m.Resource]
	n.class = v.classOf(object.Name, &m)
	v.settle(n)
	v.fellIll(n, machine)
	for _, h := range n.pods {
		v.compare(n, h)
	}
	return v.changeOf(n, before)
}

// DeleteTopology forgets a NodeTopology.
func (v *Inventory) DeleteTopology(name string) Change {
	v.mu.Lock()
	defer v.mu.Unlock()
	n := v.nodes[name]
	if n == nil || n.machine == nil {
		return Change{}
	}
	before := n.view()
	n.machine, n.class, n.kind = nil, 0, pack.NoDevice
	v.settle(n)
	v.tidy(n)
	return v.changeOf(n, before)
}

// The most classes that are kept, and that one node may bring in: a class takes memory,
// and a node that tells of another machine each time must not take it from all others. Past
// that, devices are only counted.
const (
	mostClasses       = 1024
	mostClassesOfNode = 8
)

// classOf returns the number of a machine's class, which is kept for good. Machines of one
// model mostly are of one class; NUMA nodes and paths that are not known make another.
func (v *Inventory) classOf(node string, m *Machine) MachineID {
	if m.Matrix.Devices == 0 {
		return 0
	}
	key := classKey{matrix: m.Matrix, picker: topology.Scheduler}
	if v.picker == topology.DevicePlugin && m.Resource == pluginResource {
		key.picker = topology.DevicePlugin
	}
	id, known := v.classes[key]
	if !known && len(v.machines) < mostClasses && v.brought[node] < mostClassesOfNode {
		v.brought[node]++
		id = MachineID(len(v.machines))
		v.classes[key] = id
		v.machines = append(v.machines, machineClass{key, topology.NewClass(key.matrix, key.picker, v.sizes)})
	}
	return id
}

// SetNode takes in what a node offers.
func (v *Inventory) SetNode(node *corev1.Node) {
	v.mu.Lock()
	defer v.mu.Unlock()
	n := v.node(node.Name)
	if n.allocatable == nil {
		n.allocatable = map[pack.DeviceKind]int64{}
	}
	clear(n.allocatable)
	for name, q := range node.Status.Allocatable {
		if k := v.devices.kinds[name]; k != pack.NoDevice {
			n.allocatable[k] = q.Value()
		}
	}
}

// DeleteNode forgets what a node offers.
func (v *Inventory) DeleteNode(name string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if n := v.nodes[name]; n != nil {
		n.allocatable = nil
		v.tidy(n)
	}
}

// linked reports whether the links of a node's devices are known, and each of them counts
// as one: a node that offers more has divided or shared them.
func (n *inventoryNode) linked() bool {
	return n.class != 0 && n.allocatable[n.kind] <= int64(n.machine.Whole.Len())
}

// View is what a node is to the packing index.
type View struct {
	Class MachineID
	Kind  pack.DeviceKind
	Free  topology.Mask
}

func (n *inventoryNode) view() View {
	if !n.linked() {
		return View{}
	}
	return View{n.class, n.kind, n.free}
}

// View returns what a node is to the packing index, the zero value if its devices are
// only counted.
func (v *Inventory) View(name string) View {
	v.mu.Lock()
	defer v.mu.Unlock()
	if n := v.nodes[name]; n != nil {
		return n.view()
	}
	return View{}
}

// settle says anew who holds what on a node.
func (v *Inventory) settle(n *inventoryNode) {
	n.free = 0
	for _, h := range n.pods {
		h.set, h.reported = 0, false
	}
	if n.class == 0 {
		return
	}
	n.claims, n.holders = n.claims[:0], n.holders[:0]
	for uid, h := range n.pods {
		claim := topology.Claim{ID: string(uid)}
		if h.request.Kind == n.kind {
			claim.Devices = h.request.Total
		}
		if set := n.machine.Mask(h.named...); set.Len() == claim.Devices && len(h.named) == claim.Devices {
			claim.Set = set
		}
		// A report knows pods by name: it may be of an earlier one of that name. Where what
		// we say is what a pod gets, that is known better.
		commanded := v.machines[n.class].picker == topology.Scheduler && claim.Set != 0
		if set, ok := n.machine.Held[h.name]; ok && !commanded {
			claim.Set, claim.Reported = set, true
		}
		if claim.Devices > 0 || claim.Reported {
			n.claims, n.holders = append(n.claims, claim), append(n.holders, h)
		}
	}
	n.held, n.free = v.machines[n.class].Hold(n.machine.Healthy, n.claims, n.held)
	for i, h := range n.holders {
		h.set, h.reported = n.held[i], n.claims[i].Reported
	}
}

// SetPod takes in a pod that is bound, with what its annotation says.
func (v *Inventory) SetPod(pod *corev1.Pod) {
	v.mu.Lock()
	defer v.mu.Unlock()
	old := v.at[pod.UID]
	if old != nil && old.name != pod.Spec.NodeName {
		v.drop(pod.UID)
		old = nil
	}
	text := pod.Annotations[devicesAnnotation]
	if old != nil {
		if h := old.pods[pod.UID]; h.bound && h.annotation == text {
			return
		}
	}
	request := v.devices.RequestOf(pod)
	if request.Kind == pack.NoDevice && !asksForParts(pod) {
		return
	}
	n := v.node(pod.Spec.NodeName)
	h := n.pods[pod.UID]
	if h == nil {
		h = newHolder(pod, request)
		n.pods[pod.UID], v.at[pod.UID] = h, n
	}
	h.bound, h.annotation, h.named = true, text, readDevices(text)
	v.settle(n)
}

// DeletePod forgets a pod.
func (v *Inventory) DeletePod(uid types.UID) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.drop(uid)
}

func (v *Inventory) drop(uid types.UID) {
	n := v.at[uid]
	if n == nil {
		return
	}
	delete(v.at, uid)
	delete(n.pods, uid)
	v.settle(n)
	v.tidy(n)
}
