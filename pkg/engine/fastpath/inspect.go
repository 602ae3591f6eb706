package fastpath

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	corelisters "k8s.io/client-go/listers/core/v1"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework"

	"github.com/berth-dev/berth/pkg/api/v1alpha1"
	"github.com/berth-dev/berth/pkg/core/cluster"
	"github.com/berth-dev/berth/pkg/core/topology"
	"github.com/berth-dev/berth/pkg/state/nodeindex"
)

// Snapshot returns what the next decision will rest on, for pods of a profile; "" is the
// first by name. It is what the index has, and what the cache has of nodes that the index
// will read anew: pods of a gang that is being tried have no place in it, but the devices
// that they are tried with are theirs. It reads every pod, and holds up the scheduling loop
// meanwhile: it is for debugging.
func (p *Path) Snapshot(profile string) (*cluster.Snapshot, error) {
	if p.cache == nil {
		return nil, errors.New("no profile has the plugin NodePacking, so there is no index to take a snapshot of; enable it")
	}
	names := slices.Sorted(maps.Keys(p.profiles))
	if profile == "" {
		profile = names[0]
	}
	if p.profiles[profile] == nil {
		return nil, fmt.Errorf("profile %q has not the plugin NodePacking, or there is no such profile; those that have are %s", profile, strings.Join(names, ", "))
	}
	// As for Drift: no cycle may begin in between, and nothing may reach the cache.
	p.cache.mu.Lock()
	defer p.cache.mu.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()

	cached := p.cache.Dump().Nodes
	stale := slices.Concat(p.cache.noted, p.touched, p.tentative)
	if p.unread {
		stale = slices.AppendSeq(slices.Collect(maps.Keys(cached)), p.index.Names())
	}
	fresh := map[string]fwk.NodeInfo{}
	for _, name := range stale {
		fresh[name] = nil
		if info := cached[name]; info != nil && info.Node() != nil {
			fresh[name] = info
		}
	}
	return p.index.Snapshot(p.policies[profile], fresh), nil
}

// Settings returns what the configuration says of decisions on pods of a profile; false if the
// index knows no such profile. They do not change once the scheduler runs.
func (p *Path) Settings(profile string) (nodeindex.Settings, bool) {
	if p.profiles[profile] == nil {
		return nodeindex.Settings{}, false
	}
	s := nodeindex.Settings{Policy: p.policies[profile], Devices: p.devices, Sizes: topology.DefaultSizes()}
	if p.topology != nil {
		s.Picker, s.Sizes = p.topology.TopologyPicker(), p.topology.TopologySizes()
	}
	return s, true
}

// Kept returns the room that is kept for others, by the name of who waits.
func (p *Path) Kept() map[string]Reservation {
	if p.reservations.kept.Load() == nil {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.reservations.of) // a room is replaced and never changed
}

// Profile returns the first profile by name that the index knows; "" if there is none.
func (p *Path) Profile() string {
	first := ""
	for name := range p.profiles {
		if first == "" || name < first {
			first = name
		}
	}
	return first
}

// Drift is how the index, and the inventory of devices, differ from those that are made
// anew from what the informers have.
type Drift struct {
	// Compared counts the nodes that were compared. InFlight counts those that were
	// not: they changed since the last snapshot, or hold pods whose binding is not
	// known to the informers yet.
	Compared int `json:"compared"`
	InFlight int `json:"inFlight"`
	// Differences has one sentence for each node that differs, by name.
	Differences []string `json:"differences"`
}

// Drift compares the index with the listers. It reads every node and every pod, and
// holds up the scheduling loop meanwhile: it is for tests and for debugging.
func (p *Path) Drift(nodes corelisters.NodeLister, pods corelisters.PodLister, topologies func() []*v1alpha1.NodeTopology) (Drift, error) {
	if p.cache == nil {
		return Drift{}, nil
	}
	// No cycle may begin in between, and nothing may reach the cache.
	p.cache.mu.Lock()
	defer p.cache.mu.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()

	allNodes, err := nodes.List(labels.Everything())
	if err != nil {
		return Drift{}, fmt.Errorf("listing nodes for the drift check: %w", err)
	}
	allPods, err := pods.List(labels.Everything())
	if err != nil {
		return Drift{}, fmt.Errorf("listing pods for the drift check: %w", err)
	}
	if p.unread {
		return Drift{InFlight: len(allNodes)}, nil
	}
	byNode := map[string][]*corev1.Pod{}
	for _, pod := range allPods {
		if pod.Spec.NodeName != "" {
			byNode[pod.Spec.NodeName] = append(byNode[pod.Spec.NodeName], pod)
		}
	}
	inFlight := p.inFlight(allNodes, byNode)
	drift := Drift{}
	known := map[string]bool{}
	for _, node := range allNodes {
		known[node.Name] = true
		if inFlight[node.Name] {
			drift.InFlight++
			continue
		}
		drift.Compared++
		if d := p.differs(node, byNode[node.Name]); d != "" {
			drift.Differences = append(drift.Differences, d)
		}
	}
	for node, difference := range p.inventory.Differs(allNodes, allPods, topologies()) {
		if !inFlight[node] {
			drift.Differences = append(drift.Differences, difference)
		}
	}
	for name := range p.index.Names() {
		if !known[name] && !inFlight[name] {
			drift.Differences = append(drift.Differences, fmt.Sprintf("node %q is in the index and not in the cluster", name))
		}
	}
	slices.Sort(drift.Differences)
	return drift, nil
}

// inFlight returns the nodes that the index will read anew or a gang is tried on, and
// those of which the cache has another object or other pods than the informers.
func (p *Path) inFlight(nodes []*corev1.Node, byNode map[string][]*corev1.Pod) map[string]bool {
	out := map[string]bool{}
	objects := map[string]*corev1.Node{}
	for _, node := range nodes {
		objects[node.Name] = node
	}
	for _, name := range slices.Concat(p.cache.noted, p.touched, p.tentative) {
		out[name] = true
	}
	for name, info := range p.cache.Dump().Nodes {
		if info.Node() != objects[name] || !slices.Equal(versions(podsOf(info)), versions(byNode[name])) {
			out[name] = true
		}
	}
	return out
}

func podsOf(info *framework.NodeInfo) []*corev1.Pod {
	out := make([]*corev1.Pod, 0, len(info.Pods))
	for _, p := range info.Pods {
		out = append(out, p.GetPod())
	}
	return out
}

// versions names pods as they are, sorted.
func versions(pods []*corev1.Pod) []string {
	out := make([]string, 0, len(pods))
	for _, p := range pods {
		out = append(out, string(p.UID)+"/"+p.ResourceVersion)
	}
	slices.Sort(out)
	return out
}

// differs says how the index differs from a node that is made of objects.
func (p *Path) differs(node *corev1.Node, pods []*corev1.Pod) string {
	// The order of pods does not matter, but makes the text the same each time.
	slices.SortFunc(pods, func(a, b *corev1.Pod) int { return cmp.Compare(a.UID, b.UID) })
	info := framework.NewNodeInfo(pods...)
	info.SetNode(node)
	want := p.index.Free(info)
	id, known := p.index.ID(node.Name)
	if !known {
		return fmt.Sprintf("node %q is in the cluster and not in the index", node.Name)
	}
	if got, _ := p.index.Pack().Free(id); got != want {
		return fmt.Sprintf("node %q has %+v free, and the index says %+v", node.Name, want, got)
	}
	return ""
}
