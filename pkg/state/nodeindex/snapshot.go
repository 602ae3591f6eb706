package nodeindex

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	fwk "k8s.io/kube-scheduler/framework"

	"github.com/berth-dev/berth/pkg/api/v1alpha1"
	"github.com/berth-dev/berth/pkg/core/cluster"
	"github.com/berth-dev/berth/pkg/core/pack"
	"github.com/berth-dev/berth/pkg/core/topology"
	"github.com/berth-dev/berth/pkg/dialect"
	"github.com/berth-dev/berth/pkg/state/device"
)

// Settings are what a scheduler's configuration says of decisions.
type Settings struct {
	Policy pack.Policy
	// Devices are the resources that are devices.
	Devices []corev1.ResourceName
	Picker  topology.Picker
	Sizes   topology.Sizes
	// Levels are label keys that are levels beside those of dialect.FabricTrees.
	Levels []string
}

// Objects are those of a cluster that a decision rests on.
type Objects struct {
	Nodes []*corev1.Node
	// Pods are those that have a node and have not ended.
	Pods       []*corev1.Pod
	Topologies []*v1alpha1.NodeTopology
}

// SnapshotOf makes a snapshot of objects, with the nodes by name. requests returns what a
// pod requests, as the scheduler counts it.
func SnapshotOf(objects Objects, settings Settings, requests func(*corev1.Pod) corev1.ResourceList) (*cluster.Snapshot, error) {
	s, _, err := Survey(objects, settings, requests)
	return s, err
}

// Survey is SnapshotOf, and returns besides who holds which devices.
func Survey(objects Objects, settings Settings, requests func(*corev1.Pod) corev1.ResourceList) (*cluster.Snapshot, *device.Inventory, error) {
	devices, err := device.NewKinds(settings.Devices)
	if err != nil {
		return nil, nil, fmt.Errorf("making a snapshot: %w", err)
	}
	inventory := device.NewInventory()
	inventory.Count(devices)
	inventory.Pick(settings.Picker, settings.Sizes)
	for _, t := range sorted(objects.Topologies, func(t *v1alpha1.NodeTopology) string { return t.Name }) {
		inventory.SetTopology(t)
	}
	requested := map[string][]corev1.ResourceList{}
	for _, pod := range objects.Pods {
		if pod.Spec.NodeName != "" {
			inventory.SetPod(pod)
			requested[pod.Spec.NodeName] = append(requested[pod.Spec.NodeName], requests(pod))
		}
	}
	trees := dialect.FabricTrees()
	for _, key := range settings.Levels {
		if !slices.ContainsFunc(trees, func(tree []string) bool { return slices.Contains(tree, key) }) {
			trees = append(trees, []string{key})
		}
	}
	b := newSnapshotBuilder(settings.Policy, devices, inventory, trees)
	for _, node := range sorted(objects.Nodes, func(n *corev1.Node) string { return n.Name }) {
		inventory.SetNode(node)
		free := devices.FreeOfList(node.Status.Allocatable, requested[node.Name])
		view := inventory.View(node.Name)
		if view.Class == 0 || view.Kind != free.Kind {
			view = device.View{}
		}
		free.Mask = view.Free
		if IsSpare(node) {
			free = pack.Amounts{Kind: free.Kind, Held: free.Held}
		}
		b.add(node, free, view.Class)
	}
	return b.out, inventory, nil
}

// sorted returns objects by name.
func sorted[T any](objects []T, name func(T) string) []T {
	out := slices.Clone(objects)
	slices.SortStableFunc(out, func(a, b T) int { return cmp.Compare(name(a), name(b)) })
	return out
}

// Snapshot returns what the index knows, with the nodes by their number. Nodes in fresh
// are read from there instead, nil for one that is gone; those that have no number yet come
// last, by name.
func (ix *Index) Snapshot(policy pack.Policy, fresh map[string]fwk.NodeInfo) *cluster.Snapshot {
	b := newSnapshotBuilder(policy, ix.devices, ix.inventory, ix.trees)
	add := func(node *corev1.Node, free pack.Amounts) {
		b.add(node, free, device.MachineID(max(slices.Index(ix.classes, free.Class), 0)))
	}
	for id, ok := ix.present.Next(0); ok; id, ok = ix.present.Next(id + 1) {
		node := ix.nodes[id].object
		if info, read := fresh[node.Name]; !read {
			free, _ := ix.pack.Free(id)
			add(node, free)
		} else if info != nil {
			add(info.Node(), ix.Free(info))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(fresh)) {
		if _, known := ix.ids[name]; !known && fresh[name] != nil {
			add(fresh[name].Node(), ix.Free(fresh[name]))
		}
	}
	return b.out
}

// snapshotBuilder makes a snapshot, node by node.
type snapshotBuilder struct {
	out       *cluster.Snapshot
	inventory *device.Inventory
	// machines are the names of machines, which are those of the order in which nodes
	// have them.
	machines map[device.MachineID]string
}

func newSnapshotBuilder(policy pack.Policy, devices *device.Kinds, inventory *device.Inventory, trees [][]string) *snapshotBuilder {
	out := &cluster.Snapshot{
		Version: cluster.Version, Policy: cluster.PolicyOf(policy), Sizes: cluster.SizesOf(inventory.Sizes()),
		Devices: devices.Names(),
	}
	for _, tree := range trees {
		out.Fabric = append(out.Fabric, slices.Clone(tree))
	}
	return &snapshotBuilder{out: out, inventory: inventory, machines: map[device.MachineID]string{}}
}

// add adds a node with what it has free and the machine that it is, 0 if that is not known.
func (b *snapshotBuilder) add(node *corev1.Node, free pack.Amounts, machine device.MachineID) {
	within := func(amount int64) int64 { return min(max(amount, -cluster.MaxAmount), cluster.MaxAmount) }
	n := cluster.Node{
		Name: node.Name, Devices: free.Devices, CPU: within(free.CPU), Memory: within(free.Memory), Pods: free.Pods, Held: free.Held,
		Taints: taintsOf(node),
	}
	for _, tree := range b.out.Fabric {
		for _, key := range tree {
			if value, ok := node.Labels[key]; ok {
				if n.Labels == nil {
					n.Labels = map[string]string{}
				}
				n.Labels[key] = value
			}
		}
	}
	if free.Kind != pack.NoDevice {
		n.Device = b.out.Devices[free.Kind-1]
	}
	if machine != 0 {
		n.Machine, n.Free = b.machine(machine), cluster.FreeOf(free.Mask)
	}
	b.out.Nodes = append(b.out.Nodes, n)
}

// machine returns the name of a machine, and adds it if it is new.
func (b *snapshotBuilder) machine(id device.MachineID) string {
	name, known := b.machines[id]
	if !known {
		name = fmt.Sprintf("m%d", len(b.machines)+1)
		b.machines[id] = name
		matrix, picker := b.inventory.Machine(id)
		b.out.Machines = append(b.out.Machines, cluster.MachineOf(name, &matrix, picker))
	}
	return name
}

// taintsOf returns the taints that keep pods away. A node that is cordoned has one, even
// where nobody has put it there yet.
func taintsOf(node *corev1.Node) []cluster.Taint {
	var out []cluster.Taint
	missing := node.Spec.Unschedulable
	for _, t := range node.Spec.Taints {
		if t.Key != "" && (t.Effect == corev1.TaintEffectNoSchedule || t.Effect == corev1.TaintEffectNoExecute) {
			out = append(out, cluster.Taint{Key: t.Key, Value: t.Value, Effect: string(t.Effect)})
			missing = missing && (t.Key != corev1.TaintNodeUnschedulable || t.Effect != corev1.TaintEffectNoSchedule)
		}
	}
	if missing {
		out = append(out, cluster.Taint{Key: corev1.TaintNodeUnschedulable, Effect: string(corev1.TaintEffectNoSchedule)})
	}
	return out
}
