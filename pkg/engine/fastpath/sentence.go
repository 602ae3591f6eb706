package fastpath

import "github.com/berth-dev/berth/pkg/core/plan"

// sentence says why a gang has no place, level by level.
func (p *Path) sentence(reason *plan.Reason, pods int) string {
	return reason.Sentence(p.index.Fabric(), pods)
}
