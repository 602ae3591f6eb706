package fastpath

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	fwk "k8s.io/kube-scheduler/framework"

	"github.com/berth-dev/berth/pkg/core/fabric"
	"github.com/berth-dev/berth/pkg/core/pack"
	"github.com/berth-dev/berth/pkg/core/plan"
)

// mostNamed is how many nodes are named that refuse the pods of a gang for one reason.
const mostNamed = 3

// whyNoPlace says why a gang has no place: which domain of each level comes closest, and
// what the nodes there say that do not take its pods for other reasons than room. The
// plan knows only that it may not use those.
func (p *Path) whyNoPlace(reason *plan.Reason, request *plan.Request, shapes []*shape) string {
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
func (p *Path) refusalsIn(domain pack.DomainID, shapes []*shape) string {
	byReason := map[string]*refusal{}
	seen := map[*shape]bool{}
	nodes := &p.index.Fabric().Domain(domain).Nodes
	for _, s := range shapes {
		if s == nil || seen[s] {
			continue
		}
		seen[s] = true
		for id, ok := nodes.Next(0); ok; id, ok = nodes.Next(id + 1) {
			if status := s.status(id); status != nil && cacheabilityOf(status.Plugin()) == untilObject {
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
