package fastpath

import (
	corev1 "k8s.io/api/core/v1"
	corev1helpers "k8s.io/component-helpers/scheduling/corev1"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework"

	"github.com/berth-dev/berth/pkg/core/pack"
)

// diagnose returns why no node takes a pod whose shape every node has refused: the
// same plugins, reasons and numbers of nodes as upstream would find. Each node has its
// status if preempts, for preemption to choose from.
func (p *Path) diagnose(pod *corev1.Pod, shape *shape, preempts bool) *framework.FitError {
	nodes := p.placementSet()
	counts := make([]int, len(shape.statuses))
	if nodes == nil {
		for i := range counts {
			counts[i] = shape.Count(pack.Answer(i + 1))
		}
	} else {
		for id, ok := nodes.Next(0); ok; id, ok = nodes.Next(id + 1) {
			if a := shape.Of(id); a != pack.NoAnswer {
				counts[a-1]++
			}
		}
	}
	diagnosis := framework.Diagnosis{NodeToStatus: framework.NewDefaultNodeToStatus()}
	reasons := map[string]int{}
	for i, n := range counts {
		if n == 0 {
			continue
		}
		diagnosis.AddPluginStatus(shape.statuses[i])
		for _, reason := range shape.statuses[i].Reasons() {
			reasons[reason] += n
		}
	}
	if preempts {
		// Preemption may help: it chooses among the nodes by their status.
		p.eachStatus(shape, nodes, diagnosis.NodeToStatus.Set)
	} else {
		// Nothing can help: all nodes have the status that they have by default, which
		// tells preemption so. Their reasons are said in one text.
		diagnosis.PreFilterMsg = histogram(reasons)
	}
	return &framework.FitError{Pod: pod, NumAllNodes: p.snapshot.NumNodesInPlacement(), Diagnosis: diagnosis}
}

// mayPreempt reports whether pods of a lower priority are somewhere.
func (p *Path) mayPreempt(pod *corev1.Pod) bool {
	return p.index.AnyBelow(corev1helpers.PodPriority(pod))
}

// AnyBelow reports whether a pod of a lower priority is somewhere, as far as the index
// knows; true if it knows nothing.
func (p *Path) AnyBelow(pod *corev1.Pod) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.index == nil || p.unread || p.mayPreempt(pod)
}

// eachStatus calls set with the status of every node, or of those in nodes.
func (p *Path) eachStatus(shape *shape, nodes *pack.Set, set func(node string, status *fwk.Status)) {
	for name := range p.index.Names() {
		id, _ := p.index.ID(name)
		if status := shape.status(id); status != nil && (nodes == nil || nodes.Has(id)) {
			set(name, status)
		}
	}
}
