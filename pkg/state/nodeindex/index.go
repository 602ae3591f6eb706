package nodeindex

import (
	"iter"
	"maps"
	"math"
	"slices"
	"sync"

	corev1 "k8s.io/api/core/v1"
	fwk "k8s.io/kube-scheduler/framework"

	"github.com/berth-dev/berth/pkg/core/fabric"
	"github.com/berth-dev/berth/pkg/core/pack"
	"github.com/berth-dev/berth/pkg/core/repair"
	"github.com/berth-dev/berth/pkg/dialect"
	"github.com/berth-dev/berth/pkg/state/device"
)

// Index is the packing index of the nodes of a snapshot. It is no second cache: it
// holds what each node has free, as of when the node was last read, and whoever
// feeds it tells which nodes to read. It is not safe for concurrent use.
type Index struct {
	devices   *device.Kinds
	inventory *device.Inventory
	pack      *pack.Index
	// classes are the numbers of the inventory's classes in the index of the core.
	classes []pack.ClassID
	ids     map[string]pack.NodeID
	nodes   []node
	// fabric is where nodes are; trees are its levels, and added those that are there because
	// somebody asks for them, the one that was asked for last at the end. labelled counts
	// nodes by the keys of their labels.
	fabric   *fabric.Fabric
	trees    [][]string
	added    []string
	labelled map[string]int
	// present are the numbers in use, vacant those of nodes that are gone, to be
	// given again.
	present, vacant pack.Set
	// disliking are the nodes with a taint of effect PreferNoSchedule, dislikes a
	// count of how often such taints changed.
	disliking pack.Set
	dislikes  int64
	// kept is what is kept free on nodes for those who wait for it.
	kept map[string]pack.Amounts
	// spares are the nodes that are spares, and turned what Turn was told. keeper knows those that
	// are kept for queues, nil if none are, and keptFor has them for those who read it meanwhile:
	// the queue by name.
	spares  pack.Set
	turned  map[string]bool
	keeper  *repair.Keeper
	keptFor sync.Map
	// priorities counts nodes by the lowest priority of their pods.
	priorities map[int32]int

	log changes

	// tallies count devices by kind, and shut are the nodes whose free devices nobody gets.
	tallies map[pack.DeviceKind]*DeviceTally
	shut    pack.Set

	// version counts the changes of nodes, and emptied is what they would be without pods;
	// nil before anybody asks.
	version int64
	emptied *Emptied
}

// node is a node as it was last read.
type node struct {
	info   fwk.NodeInfo
	object *corev1.Node
	// lowest is the lowest priority of the pods; math.MaxInt32 if there are none.
	lowest int32
	// domains are those of the fabric that it is in.
	domains []pack.DomainID
	// offered is what it has of devices without pods, and counted what of it is in a tally.
	offered device.Offered
	counted DeviceTally
}

// New returns an index without nodes. Which devices of a node are free it asks an
// inventory.
func New(devices *device.Kinds, inventory *device.Inventory) *Index {
	return &Index{
		devices: devices, inventory: inventory, pack: pack.NewIndex(), classes: make([]pack.ClassID, 1),
		ids: map[string]pack.NodeID{}, priorities: map[int32]int{}, tallies: map[pack.DeviceKind]*DeviceTally{}, kept: map[string]pack.Amounts{}, labelled: map[string]int{},
		trees: dialect.FabricTrees(), fabric: fabric.New(dialect.FabricTrees()...),
	}
}

// Devices returns what the index takes for devices.
func (ix *Index) Devices() *device.Kinds { return ix.devices }

// Pack returns the index of the core, to ask it for nodes.
func (ix *Index) Pack() *pack.Index { return ix.pack }

// Len returns how many nodes there are.
func (ix *Index) Len() int { return len(ix.ids) }

// ID returns the number of a node. Numbers are given in the order in which nodes
// come, the lowest that is vacant first.
func (ix *Index) ID(name string) (pack.NodeID, bool) {
	id, ok := ix.ids[name]
	return id, ok
}

// Names are the names of all nodes, in no order. Nodes may be removed meanwhile.
func (ix *Index) Names() iter.Seq[string] { return maps.Keys(ix.ids) }

// Any returns a node; false if there is none.
func (ix *Index) Any() (pack.NodeID, bool) { return ix.present.Next(0) }

// Info returns a node of the snapshot.
func (ix *Index) Info(id pack.NodeID) fwk.NodeInfo { return ix.nodes[id].info }

// Disliking returns the nodes that have a taint of effect PreferNoSchedule, and a
// number that changes when these nodes or their taints do. The set is read only.
func (ix *Index) Disliking() (*pack.Set, int64) { return &ix.disliking, ix.dislikes }

// AnyBelow reports whether a pod of a lower priority is on any node.
func (ix *Index) AnyBelow(priority int32) bool {
	for p := range ix.priorities {
		if p < priority {
			return true
		}
	}
	return false
}

// Set reads a node. Its object is not nil.
func (ix *Index) Set(info fwk.NodeInfo) {
	object := info.Node()
	id, known := ix.ids[object.Name]
	if !known {
		id = ix.number(object.Name)
	}
	n := &ix.nodes[id]
	changed := !SamePlace(n.object, object)
	if changed {
		ix.dislike(id, dislikes(object))
		ix.label(n.object, -1)
		ix.label(object, 1)
		ix.close(id, closed(object))
	}
	if changed || n.object != object && ix.devices.Allocatable(n.info) != ix.devices.Allocatable(info) {
		ix.version++
	}
	ix.log.add(change{node: id, object: changed})
	ix.count(n.lowest, -1)
	domains, has := n.domains, n.offered
	if n.object != object {
		has = ix.devices.Offered(info)
	}
	if changed {
		domains = ix.fabric.Set(id, object.Name, object.Labels)
	}
	ix.uncount(n)
	*n = node{info: info, object: object, lowest: lowestPriority(info), domains: domains, offered: has}
	ix.count(n.lowest, 1)
	free := ix.devices.Free(info)
	others := ix.offer(n, free, changed)
	mark(&ix.spares, id, ix.spare(object))
	ix.tally(n, free)
	ix.pack.Set(id, pack.Node{Free: ix.left(free, object), Domains: domains})
	ix.rereadSpares(others)
}

// mark puts a node into a set, or takes it out.
func mark(set *pack.Set, id pack.NodeID, in bool) {
	if in {
		set.Add(id)
	} else {
		set.Remove(id)
	}
}

// Free returns what a node of a snapshot has free, with its devices as of now, less what is
// kept there.
func (ix *Index) Free(info fwk.NodeInfo) pack.Amounts {
	return ix.left(ix.devices.Free(info), info.Node())
}

// left returns what is left of what is free on a node, by the count.
func (ix *Index) left(free pack.Amounts, node *corev1.Node) pack.Amounts {
	name := node.Name
	if ix.full(node) {
		return pack.Amounts{Kind: free.Kind, Held: free.Held}
	}
	if room, some := ix.kept[name]; some {
		held := free.Held
		free = free.Minus(room)
		free.Held = held
	}
	if free.Kind == pack.NoDevice {
		return free
	}
	if view := ix.inventory.View(name); view.Class != 0 && view.Kind == free.Kind {
		free.Class, free.Mask = ix.classOf(view.Class), view.Free
	}
	return free
}

// Keep keeps room free on a node, instead of what was kept there before; the zero Amounts
// are none. Who waits for the room is looked for a place while it is not kept.
func (ix *Index) Keep(node string, room pack.Amounts) {
	if room == (pack.Amounts{}) {
		delete(ix.kept, node)
	} else {
		ix.kept[node] = room
	}
	ix.reread(node)
}

// classOf returns the number of a class of the inventory in the index of the core.
func (ix *Index) classOf(id device.MachineID) pack.ClassID {
	for int(id) >= len(ix.classes) {
		ix.classes = append(ix.classes, pack.NoClass)
	}
	if ix.classes[id] == pack.NoClass {
		ix.classes[id] = ix.pack.AddClass(ix.inventory.NewClass(id))
	}
	return ix.classes[id]
}

// Remove forgets a node, if it is known.
func (ix *Index) Remove(name string) {
	id, known := ix.ids[name]
	if !known {
		return
	}
	ix.version++
	ix.pack.Remove(id)
	ix.fabric.Remove(id)
	ix.count(ix.nodes[id].lowest, -1)
	ix.label(ix.nodes[id].object, -1)
	ix.uncount(&ix.nodes[id])
	ix.nodes[id] = node{lowest: math.MaxInt32}
	ix.dislike(id, false)
	ix.close(id, false)
	ix.spares.Remove(id)
	delete(ix.ids, name)
	ix.present.Remove(id)
	ix.vacant.Add(id)
	ix.log.add(change{node: id, gone: true})
	if ix.keeper != nil {
		ix.rereadSpares(ix.noteKept(ix.keeper.Remove(name)))
	}
}

// dislike notes whether a node whose object changed has such a taint.
func (ix *Index) dislike(id pack.NodeID, has bool) {
	if had := ix.disliking.Has(id); had || has {
		ix.dislikes++
	}
	if has {
		ix.disliking.Add(id)
	} else {
		ix.disliking.Remove(id)
	}
}

func dislikes(node *corev1.Node) bool {
	return slices.ContainsFunc(node.Spec.Taints, func(t corev1.Taint) bool { return t.Effect == corev1.TaintEffectPreferNoSchedule })
}

// number gives a new node its number.
func (ix *Index) number(name string) pack.NodeID {
	id, ok := ix.vacant.Next(0)
	if ok {
		ix.vacant.Remove(id)
	} else {
		id = pack.NodeID(len(ix.nodes))
		ix.nodes = append(ix.nodes, node{lowest: math.MaxInt32})
	}
	ix.ids[name] = id
	ix.present.Add(id)
	return id
}

// count adds n to the nodes whose pods have a lowest priority.
func (ix *Index) count(lowest int32, n int) {
	if lowest == math.MaxInt32 {
		return
	}
	if ix.priorities[lowest] += n; ix.priorities[lowest] == 0 {
		delete(ix.priorities, lowest)
	}
}

// SamePlace reports whether two objects of a node are the same to whoever looks for a
// node by its labels and taints: most updates of a node are heartbeats.
func SamePlace(a, b *corev1.Node) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a == b || a.Spec.Unschedulable == b.Spec.Unschedulable && maps.Equal(a.Labels, b.Labels) &&
		slices.EqualFunc(a.Spec.Taints, b.Spec.Taints, func(s, t corev1.Taint) bool {
			return s.Key == t.Key && s.Value == t.Value && s.Effect == t.Effect
		})
}

// lowestPriority returns the lowest priority of a node's pods, math.MaxInt32 if it
// has none. A pod without one has 0, as for the scheduler.
func lowestPriority(info fwk.NodeInfo) int32 {
	lowest := int32(math.MaxInt32)
	for _, p := range info.GetPods() {
		priority := int32(0)
		if p := p.GetPod().Spec.Priority; p != nil {
			priority = *p
		}
		lowest = min(lowest, priority)
	}
	return lowest
}
