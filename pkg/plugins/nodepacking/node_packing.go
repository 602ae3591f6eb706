// Package nodepacking is the plugin that scores nodes by how a pod packs onto them:
// in the order in which the packing index offers them, so that a pod that takes the
// framework's full way goes where it would have gone otherwise.
//
// The score of a node follows from its rank (see pack.Index) among the nodes that
// are scored. Nodes are grouped by rank; the groups are numbered from the best, 0:
//
//	score = 100 - 2 x group - 1 if the node is not the first of its group
//
// and not below 0. The first of a group is the one with the lowest number in the
// index. So the best node stands alone, and nodes that are equally good differ by
// less than any preference that another plugin expresses.
//
// In a pod-group cycle the plugin also reports which nodes pods are reserved on: the
// cycle changes the snapshot without changing its generations. And it has the scheduling
// queue hear whom an event may help, where most of those that wait are held by their queue.
//
// Files: args.go (the configuration), node_packing.go (the plugin).
package nodepacking

import (
	"cmp"
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"

	"github.com/berth-dev/berth/pkg/core/pack"
)

// Name is the plugin's name in a profile.
const Name = "NodePacking"

// Cluster knows what pods request, how nodes rank for that, and how nodes are numbered.
type Cluster interface {
	Request(pod *corev1.Pod) pack.Amounts
	// Rank is that of pack.Index.
	Rank(policy pack.Policy, node fwk.NodeInfo, request pack.Amounts) int64
	// Number is that of a node in the index, past all others for a node without.
	Number(node string) pack.NodeID
}

// Feed is told of nodes whose pods change within a pod-group cycle.
type Feed interface {
	Touched(node string)
}

// Waiting knows the pods that wait.
type Waiting interface {
	// MayHelp says which of them an event may help.
	MayHelp(logger klog.Logger, oldObj, newObj any) (fwk.PreQueueingHintResult, error)
}

// NodePacking scores nodes by a packing policy.
type NodePacking struct {
	policy  pack.Policy
	cluster Cluster
	feed    Feed
	waiting Waiting
}

var (
	_ fwk.PreScorePlugin    = &NodePacking{}
	_ fwk.ScorePlugin       = &NodePacking{}
	_ fwk.ScoreExtensions   = &NodePacking{}
	_ fwk.ReservePlugin     = &NodePacking{}
	_ fwk.SignPlugin        = &NodePacking{}
	_ fwk.EnqueueExtensions = &NodePacking{}
)

// New returns the plugin.
func New(policy pack.Policy, cluster Cluster, feed Feed, waiting Waiting) *NodePacking {
	return &NodePacking{policy: policy, cluster: cluster, feed: feed, waiting: waiting}
}

// Name returns the plugin's name.
func (*NodePacking) Name() string { return Name }

// EventsToRegister are those that come often. The plugin rejects no pod, so none of them has a
// pod tried again on its account: they are here for those that it says they may help.
func (n *NodePacking) EventsToRegister(context.Context) ([]fwk.ClusterEventWithHint, error) {
	var out []fwk.ClusterEventWithHint
	for _, resource := range []fwk.EventResource{fwk.Pod, fwk.Node, fwk.PodGroup} {
		out = append(out, fwk.ClusterEventWithHint{
			Event: fwk.ClusterEvent{Resource: resource, ActionType: fwk.All}, QueueingHintFn: skip, PreQueueingHintFn: n.waiting.MayHelp,
		})
	}
	return out, nil
}

func skip(klog.Logger, *corev1.Pod, any, any) (fwk.QueueingHint, error) { return fwk.QueueSkip, nil }

// SignPod adds nothing to a pod's signature: what a pod requests is in it already.
func (*NodePacking) SignPod(context.Context, *corev1.Pod) ([]fwk.SignFragment, *fwk.Status) {
	return nil, nil
}

const requestKey fwk.StateKey = "PreScore" + Name

// request is what the pod of a cycle asks for.
type request pack.Amounts

// Clone returns the same: it is not changed.
func (r request) Clone() fwk.StateData { return r }

// PreScore notes what the pod asks for.
func (n *NodePacking) PreScore(_ context.Context, state fwk.CycleState, pod *corev1.Pod, _ []fwk.NodeInfo) *fwk.Status {
	state.Write(requestKey, request(n.cluster.Request(pod)))
	return nil
}

// Score returns the rank of a node, lowest best; NormalizeScore makes scores of it.
func (n *NodePacking) Score(_ context.Context, state fwk.CycleState, pod *corev1.Pod, node fwk.NodeInfo) (int64, *fwk.Status) {
	var asked pack.Amounts
	if data, err := state.Read(requestKey); err == nil {
		asked = pack.Amounts(data.(request))
	} else {
		// A profile may leave PreScore out.
		asked = n.cluster.Request(pod)
	}
	return n.cluster.Rank(n.policy, node, asked), nil
}

// ScoreExtensions returns the plugin itself.
func (n *NodePacking) ScoreExtensions() fwk.ScoreExtensions { return n }

// NormalizeScore turns ranks into scores, as the package doc states.
func (n *NodePacking) NormalizeScore(_ context.Context, _ fwk.CycleState, _ *corev1.Pod, scores fwk.NodeScoreList) *fwk.Status {
	type place struct {
		at     int
		rank   int64
		number pack.NodeID
	}
	order := make([]place, len(scores))
	for i := range scores {
		order[i] = place{at: i, rank: scores[i].Score, number: n.cluster.Number(scores[i].Name)}
	}
	slices.SortFunc(order, func(a, b place) int {
		return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(a.number, b.number), cmp.Compare(scores[a.at].Name, scores[b.at].Name))
	})
	group := int64(-1)
	for i := range order {
		other := int64(1)
		if i == 0 || order[i].rank != order[i-1].rank {
			group++
			other = 0
		}
		scores[order[i].at].Score = max(fwk.MinScore, fwk.MaxScore-2*group-other)
	}
	return nil
}

// Reserve reports the node in a pod-group cycle.
func (n *NodePacking) Reserve(_ context.Context, state fwk.CycleState, _ *corev1.Pod, node string) *fwk.Status {
	if state.IsPodGroupSchedulingCycle() {
		n.feed.Touched(node)
	}
	return nil
}

// Unreserve reports the node in a pod-group cycle.
func (n *NodePacking) Unreserve(_ context.Context, state fwk.CycleState, _ *corev1.Pod, node string) {
	if state.IsPodGroupSchedulingCycle() {
		n.feed.Touched(node)
	}
}
