package fastpath

import (
	"fmt"
	"strings"

	"github.com/berth-dev/berth/pkg/core/fabric"
	"github.com/berth-dev/berth/pkg/core/plan"
)

// lacks are the words for what a domain is short of.
var lacks = map[plan.Lack]string{
	plan.LackDevices: "GPUs",
	plan.LackCPU:     "CPU",
	plan.LackMemory:  "memory",
	plan.LackNodes:   "nodes that the pods may use, or room in one piece",
}

// sentence says why a gang has no place, level by level.
func (p *Path) sentence(reason *plan.Reason, pods int) string {
	parts := make([]string, 0, len(reason.Levels))
	for _, l := range reason.Levels {
		level, where := "the cluster", "it"
		if l.Level != fabric.NoLevel {
			level = p.index.Fabric().Key(l.Level)
		}
		switch {
		case l.Scattered:
			parts = append(parts, fmt.Sprintf("pods of the gang run in no domain of %s, or in several", level))
			continue
		case l.Closest == fabric.NoDomain:
			parts = append(parts, fmt.Sprintf("no node has the label %s", level))
			continue
		case l.Level != fabric.NoLevel:
			where = fmt.Sprintf("%q", strings.TrimSuffix(p.index.Fabric().Domain(l.Closest).Path, "/"))
			level = "no domain of " + level
		default:
			level = "not even the cluster"
		}
		short := ""
		if l.Short > 0 {
			short = fmt.Sprintf("%d pods ", l.Short)
		}
		parts = append(parts, fmt.Sprintf("%s holds %d pods: %s comes closest, %sshort of %s", level, pods, where, short, lacks[l.Of]))
	}
	return strings.Join(parts, "; ")
}
