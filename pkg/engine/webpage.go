package engine

import (
	"cmp"
	"context"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	corelisters "k8s.io/client-go/listers/core/v1"

	"github.com/berth-dev/berth/pkg/api/v1alpha1"
	"github.com/berth-dev/berth/pkg/core/gang"
	"github.com/berth-dev/berth/pkg/dialect"
	"github.com/berth-dev/berth/pkg/engine/fastpath"
	"github.com/berth-dev/berth/pkg/engine/why"
	"github.com/berth-dev/berth/pkg/insight"
	"github.com/berth-dev/berth/pkg/state/workload"
	"github.com/berth-dev/berth/pkg/webpage"
)

// pageSource says what the web page shows: what is asked of the scheduler anyway, and who sits
// on which node. It reads what informers have, and holds nobody for it.
type pageSource struct {
	insight.Source
	pods  corelisters.PodLister
	nodes corelisters.NodeLister
	// topologies are the NodeTopologies, kept the room that is kept for who waits, and ours
	// tells whether pods of a scheduler's name are placed here.
	topologies func() []*v1alpha1.NodeTopology
	kept       func() map[string]fastpath.Reservation
	ours       func(scheduler string) bool
	// devices are the resources that are GPUs.
	devices []corev1.ResourceName
	// trees are the levels of networks, widest first.
	trees [][]string
}

func (e *engine) pageSource(source insight.Source, factory informers.SharedInformerFactory) *pageSource {
	s := &pageSource{
		Source: source, pods: factory.Core().V1().Pods().Lister(), nodes: factory.Core().V1().Nodes().Lister(),
		topologies: e.topologies.List, kept: e.fast.Kept, ours: e.explainer.Ours, trees: dialect.FabricTrees(),
	}
	if settings, known := e.fast.Settings(e.fast.Profile()); known {
		s.devices = settings.Devices
	}
	return s
}

// Nodes returns the nodes that have GPUs: by block, rack and name.
func (s *pageSource) Nodes(context.Context) ([]webpage.Node, error) {
	nodes, _ := s.nodes.List(labels.Everything()) // a lister of an informer does not fail
	pods, _ := s.pods.List(labels.Everything())
	seats := map[string][]webpage.Seat{}
	for _, pod := range pods {
		if pod.Spec.NodeName == "" || pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed {
			continue
		}
		if n := s.count(workload.Requests(pod)); n > 0 {
			seats[pod.Spec.NodeName] = append(seats[pod.Spec.NodeName], webpage.Seat{Gang: s.gangKey(pod), Pod: pod.Namespace + "/" + pod.Name, GPUs: n})
		}
	}
	ill := map[string]int{}
	for _, t := range s.topologies() {
		ill[t.Name] = len(t.Status.Unhealthy)
	}
	reserved := map[string][]webpage.Seat{}
	for name, room := range s.kept() {
		for node, amounts := range room {
			if amounts.Devices > 0 {
				reserved[node] = append(reserved[node], webpage.Seat{Gang: waiterKey(name), GPUs: int(amounts.Devices)})
			}
		}
	}
	block, rack := s.levels(nodes)
	var out []webpage.Node
	for _, node := range nodes {
		// Devices that are ill stay in the capacity, and leave what can be given out.
		total := max(s.count(node.Status.Capacity), s.count(node.Status.Allocatable))
		if total == 0 && len(seats[node.Name]) == 0 {
			continue
		}
		bySeat := func(a, b webpage.Seat) int { return cmp.Or(cmp.Compare(a.Gang, b.Gang), cmp.Compare(a.Pod, b.Pod)) }
		slices.SortFunc(seats[node.Name], bySeat)
		slices.SortFunc(reserved[node.Name], bySeat)
		out = append(out, webpage.Node{
			Name: node.Name, Block: node.Labels[block], Rack: node.Labels[rack], GPUs: total, Closed: why.Closed(node),
			Ill:      max(ill[node.Name], total-s.count(node.Status.Allocatable)),
			Reserved: reserved[node.Name], Pods: seats[node.Name],
		})
	}
	slices.SortFunc(out, func(a, b webpage.Node) int {
		return cmp.Or(cmp.Compare(a.Block, b.Block), cmp.Compare(a.Rack, b.Rack), cmp.Compare(a.Name, b.Name))
	})
	return out, nil
}

// count returns how many GPUs are in amounts: of the first of the resources that is there.
func (s *pageSource) count(amounts corev1.ResourceList) int {
	for _, name := range s.devices {
		if q, there := amounts[name]; there && q.Value() > 0 {
			return int(q.Value())
		}
	}
	return 0
}

// gangKey is the key of a pod's gang on the page; empty if another scheduler placed it.
func (s *pageSource) gangKey(pod *corev1.Pod) string {
	if !s.ours(pod.Spec.SchedulerName) {
		return ""
	}
	if group := workload.PodGroup(pod); group != "" {
		return webpage.GangKey(pod.Namespace, gang.KeyOf(pod.Namespace, group).Name)
	}
	return webpage.PodKey(pod.Namespace, pod.Name)
}

// waiterKey is the key on the page of who waits under a name of workload.NameOf.
func waiterKey(name string) string {
	namespace, rest, _ := strings.Cut(name, "/")
	if pod, plain := strings.CutSuffix(rest, " (pod)"); plain {
		return webpage.PodKey(namespace, pod)
	}
	return webpage.GangKey(namespace, gang.KeyOf(namespace, rest).Name)
}

// levels returns the node label keys that stand for blocks and racks: the two narrowest of the
// tree that most nodes have labels of, the first of several.
func (s *pageSource) levels(nodes []*corev1.Node) (block, rack string) {
	most := 0
	for _, tree := range s.trees {
		var there []string
		labelled := 0
		for _, key := range tree {
			n := 0
			for _, node := range nodes {
				if node.Labels[key] != "" {
					n++
				}
			}
			if n > 0 {
				there, labelled = append(there, key), max(labelled, n)
			}
		}
		if labelled > most {
			most = labelled
			block, rack = "", there[len(there)-1]
			if len(there) > 1 {
				block = there[len(there)-2]
			}
		}
	}
	return block, rack
}
