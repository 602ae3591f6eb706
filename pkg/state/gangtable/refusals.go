package gangtable

import (
	"slices"

	"github.com/berth-dev/berth/pkg/core/gang"
	"github.com/berth-dev/berth/pkg/core/repair"
	"github.com/berth-dev/berth/pkg/state/workload"
)

// refused notes that the kubelet of a node refused a pod of a gang.
func (g *Table) refused(key gang.Key, node string) {
	name := workload.NameOfGang(key)
	of := g.refusals[name]
	if of == nil {
		of = &repair.Refusals{}
		g.refusals[name] = of
		g.someRefused.Store(true)
	}
	of.Add(node, g.clock.Now().Unix())
}

// Avoided returns the nodes that the gang of a name is not given now, because their kubelets
// refused pods of it, and those that are the last which it is given.
func (g *Table) Avoided(name string) (avoided []repair.Avoided, last []string) {
	if !g.someRefused.Load() {
		return nil, nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if of := g.refusals[name]; of != nil {
		return of.At(g.clock.Now().Unix())
	}
	return nil, nil
}

// AvoidanceEnded returns the gangs, by name, for which fewer nodes are avoided than when it was
// called last, and forgets refusals of long ago. The cost is that of the gangs of which pods were
// refused in the last quarter of an hour.
func (g *Table) AvoidanceEnded() []string {
	if !g.someRefused.Load() {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	var out []string
	now := g.clock.Now().Unix()
	for name, of := range g.refusals {
		avoided, last := of.At(now)
		if len(avoided) < g.avoiding[name] {
			out = append(out, name)
		}
		g.avoiding[name] = len(avoided)
		if len(avoided)+len(last) == 0 {
			delete(g.refusals, name)
			delete(g.avoiding, name)
		}
	}
	g.someRefused.Store(len(g.refusals) > 0)
	slices.Sort(out)
	return out
}
