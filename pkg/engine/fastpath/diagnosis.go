package fastpath

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	corev1helpers "k8s.io/component-helpers/scheduling/corev1"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework"

	"github.com/berth-dev/berth/pkg/core/fabric"
	"github.com/berth-dev/berth/pkg/core/pack"
	"github.com/berth-dev/berth/pkg/core/plan"
	"github.com/berth-dev/berth/pkg/engine/podshape"
)

// diagnose returns why no node takes a pod whose shape every node has refused: the
// same plugins, reasons and numbers of nodes as upstream would find. Each node has its
// status if preempts, for preemption to choose from.
func (p *Path) diagnose(pod *corev1.Pod, shape *podshape.Shape, preempts bool) *framework.FitError {
	nodes := p.placementSet()
	counts := make([]int, len(shape.Statuses))
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
		diagnosis.AddPluginStatus(shape.Statuses[i])
		for _, reason := range shape.Statuses[i].Reasons() {
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
func (p *Path) eachStatus(shape *podshape.Shape, nodes *pack.Set, set func(node string, status *fwk.Status)) {
	for name := range p.index.Names() {
		id, _ := p.index.ID(name)
		if status := shape.Status(id); status != nil && (nodes == nil || nodes.Has(id)) {
			set(name, status)
		}
	}
}

// histogram renders counts of reasons as upstream does.
func histogram(counts map[string]int) string {
	parts := make([]string, 0, len(counts))
	for reason, n := range counts {
		parts = append(parts, strconv.Itoa(n)+" "+reason)
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}

// mostNamed is how many nodes are named that refuse the pods of a gang for one reason.
const mostNamed = 3

// whyNoPlace says why a gang has no place: which domain of each level comes closest, and
// what the nodes there say that do not take its pods for other reasons than room. The
// plan knows only that it may not use those.
func (p *Path) whyNoPlace(reason *plan.Reason, request *plan.Request, shapes []*podshape.Shape) string {
	text := reason.Sentence(p.index.Fabric(), request.Least)
	// The last level is the widest, whose domain decides.
	last := reason.Levels[len(reason.Levels)-1]
	if last.Closest == fabric.NoDomain {
		return text
	}
	if refusals := p.refusalsIn(last.Closest, shapes); refusals != "" {
		text += "; of the nodes there " + refusals
	}
	return text
}

// refusal is what some nodes of a domain say.
type refusal struct {
	reason string
	nodes  []string
}

// refusalsIn returns what nodes of a domain say that only a change of the node itself
// may end, as a taint or a cordon; "" if there are none. Most nodes first.
func (p *Path) refusalsIn(domain pack.DomainID, shapes []*podshape.Shape) string {
	byReason := map[string]*refusal{}
	seen := map[*podshape.Shape]bool{}
	nodes := &p.index.Fabric().Domain(domain).Nodes
	for _, s := range shapes {
		if s == nil || seen[s] {
			continue
		}
		seen[s] = true
		for id, ok := nodes.Next(0); ok; id, ok = nodes.Next(id + 1) {
			if status := s.Status(id); status != nil && podshape.CacheabilityOf(status.Plugin()) == podshape.UntilObject {
				note(byReason, status, p.index.Info(id).Node().Name)
			}
		}
	}
	all := make([]*refusal, 0, len(byReason))
	for _, r := range byReason {
		slices.Sort(r.nodes)
		r.nodes = slices.Compact(r.nodes)
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b *refusal) int {
		return cmp.Or(cmp.Compare(len(b.nodes), len(a.nodes)), strings.Compare(a.reason, b.reason))
	})
	parts := make([]string, len(all))
	for i, r := range all {
		named := strings.Join(r.nodes[:min(len(r.nodes), mostNamed)], ", ")
		if len(r.nodes) > mostNamed {
			named += ", .."
		}
		parts[i] = fmt.Sprintf("%d %s (%s)", len(r.nodes), r.reason, named)
	}
	return strings.Join(parts, ", ")
}

func note(byReason map[string]*refusal, status *fwk.Status, node string) {
	for _, reason := range status.Reasons() {
		r := byReason[reason]
		if r == nil {
			r = &refusal{reason: reason}
			byReason[reason] = r
		}
		r.nodes = append(r.nodes, node)
	}
}
