package remedy

import (
	"cmp"
	"slices"

	"github.com/berth-dev/berth/pkg/core/fabric"
	"github.com/berth-dev/berth/pkg/core/pack"
	"github.com/berth-dev/berth/pkg/core/plan"
)

// closest says how close the domain of a level came.
func (f *finder) closest(l plan.LevelReason) Closest {
	c := Closest{LevelReason: l, Needed: f.request.Least}
	if l.Closest == fabric.NoDomain {
		return c
	}
	c.Fit = f.trial.Most(l.Closest)
	counted := pack.Set{}
	for _, alike := range f.trial.Wanted() {
		c.Asked += int64(alike.Request.Devices) * int64(alike.Wanted)
		if alike.Request.Devices == 0 || alike.Wanted == 0 {
			continue
		}
		nodes := &f.Planner.Fabric.Domain(l.Closest).Nodes
		for id, ok := nodes.Next(0); ok; id, ok = nodes.Next(id + 1) {
			free, _ := f.Planner.Index.Free(id)
			if (alike.Open == nil || alike.Open.Has(id)) && !counted.Has(id) && free.Kind == alike.Request.Kind {
				counted.Add(id)
				c.Free += int64(max(free.Devices, 0))
			}
		}
	}
	return c
}

// place is a domain of a level in which the gang may be.
type place struct {
	level  fabric.Level
	domain pack.DomainID
	most   int
}

// places returns the domains in which the gang may be and that hold most of it, a few of each
// level, in the order of levels.
func (f *finder) places() []place {
	var out []place
	for _, level := range f.trial.Levels() {
		domains, ok := f.trial.Domains(level)
		if !ok {
			continue
		}
		some := make([]place, 0, len(domains))
		for _, d := range domains {
			some = append(some, place{level: level, domain: d, most: f.slots(d)})
		}
		byMost := func(a, b place) int {
			return cmp.Or(cmp.Compare(b.most, a.most),
				cmp.Compare(f.Planner.Fabric.Domain(a.domain).Path, f.Planner.Fabric.Domain(b.domain).Path))
		}
		slices.SortFunc(some, byMost)
		out = append(out, some[:min(len(some), f.bounds.Domains)]...)
	}
	return out
}

// slots is for how many of the wanted pods a domain has room, as far as counts tell.
func (f *finder) slots(d pack.DomainID) (sum int) {
	for _, alike := range f.trial.Wanted() {
		sum += int(min(f.Planner.Index.Slots(d, alike.Request), int64(alike.Wanted)))
	}
	return sum
}
