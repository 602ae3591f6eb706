package remedy

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/berth-dev/berth/pkg/core/pack"
	"github.com/berth-dev/berth/pkg/core/plan"
)

// mostSpared is how many nodes are tried to be spared of those that come free.
const mostSpared = 64

// gain is a node that more pods fit on if it comes free.
type gain struct {
	node pack.NodeID
	// pods is how many more, and used how many of its devices, then how much of its CPU.
	pods      int64
	used, cpu int64
}

// free looks for the fewest nodes of one domain that have to come free.
func (f *finder) free() (Remedy, bool) {
	best := Remedy{}
	for _, p := range f.places() {
		gains := f.gains(p.domain)
		n, ok := least(len(gains), func(n int) bool { return f.fitsFreed(p.domain, gains[:n]) })
		if !ok || best.Count > 0 && n > best.Count+mostSpared {
			continue
		}
		chosen := f.spare(p.domain, gains[:n])
		if best.Count == 0 || len(chosen) < best.Count {
			best = Remedy{Kind: NodesFree, Level: p.level, Domain: p.domain, Count: len(chosen)}
			for _, g := range chosen {
				best.Nodes = append(best.Nodes, g.node)
			}
		}
	}
	slices.Sort(best.Nodes)
	return best, best.Count > 0
}

// gains returns the nodes of a domain that are worth to come free, those first that give most
// for what runs there.
func (f *finder) gains(d pack.DomainID) []gain {
	var out []gain
	wanted := f.trial.Wanted()
	nodes := &f.Planner.Fabric.Domain(d).Nodes
	for id, ok := nodes.Next(0); ok; id, ok = nodes.Next(id + 1) {
		free, _ := f.Planner.Index.Free(id)
		whole := f.Whole[id]
		g := gain{node: id, used: int64(whole.Devices - free.Devices), cpu: whole.CPU - free.CPU}
		for _, alike := range wanted {
			if alike.Wanted > 0 && (alike.Open == nil || alike.Open.Has(id)) {
				g.pods += f.Planner.Index.Copies(whole, alike.Request) - f.Planner.Index.Copies(free, alike.Request)
			}
		}
		if g.pods > 0 {
			out = append(out, g)
		}
	}
	slices.SortFunc(out, func(a, b gain) int {
		return cmp.Or(cmp.Compare(b.pods, a.pods), cmp.Compare(a.used, b.used), cmp.Compare(a.cpu, b.cpu), cmp.Compare(a.node, b.node))
	})
	return out
}

// fitsFreed reports whether the gang has a place in a domain with some nodes free.
func (f *finder) fitsFreed(d pack.DomainID, gains []gain) bool {
	var given []pack.Undo
	for _, g := range gains {
		free, _ := f.Planner.Index.Free(g.node)
		whole := f.Whole[g.node]
		back := pack.Amounts{
			Kind: whole.Kind, Devices: whole.Devices - free.Devices, CPU: whole.CPU - free.CPU, Memory: whole.Memory - free.Memory, Pods: whole.Pods - free.Pods,
		}
		given = append(given, f.Planner.Index.Give(g.node, back, whole.Mask))
	}
	defer func() {
		for _, one := range slices.Backward(given) {
			f.Planner.Index.Revert(one)
		}
	}()
	return f.trial.Fits(d)
}

// spare drops nodes that need not come free, the last first.
func (f *finder) spare(d pack.DomainID, gains []gain) []gain {
	out := slices.Clone(gains)
	for i, tries := len(out)-1, 0; i >= 0 && tries < mostSpared; i, tries = i-1, tries+1 {
		if fewer := slices.Delete(slices.Clone(out), i, i+1); f.fitsFreed(d, fewer) {
			out = fewer
		}
	}
	return out
}

// opened looks for nodes whose taint or cordon keeps the pods away.
func (f *finder) opened() (Remedy, bool) {
	candidate, ok := f.fits(f.withoutTaints())
	if !ok {
		return Remedy{}, false
	}
	r := Remedy{Kind: NodesOpen, Level: candidate.Level, Domain: candidate.Domain}
	for i, a := range candidate.Assignments {
		open := f.request.Pods[i].Open
		if a.Node != plan.NoNode && open != nil && !open.Has(a.Node) {
			r.Nodes = append(r.Nodes, a.Node)
		}
	}
	slices.Sort(r.Nodes)
	r.Nodes = slices.Compact(r.Nodes)
	r.Count = len(r.Nodes)
	return r, r.Count > 0
}

// added looks for the fewest nodes that have to be added to one domain, like the best that
// there are: in the domain, or else anywhere.
func (f *finder) added() (Remedy, bool) {
	best := Remedy{}
	for _, p := range f.places() {
		like, ok := f.best(&f.Planner.Fabric.Domain(p.domain).Nodes)
		if !ok {
			continue
		}
		most := f.request.Least
		if best.Count > 0 {
			most = min(most, best.Count-1)
		}
		n, ok := f.adding(p.domain, like, most)
		if ok {
			best = Remedy{Kind: NodesAdded, Level: p.level, Domain: p.domain, Count: n, Like: like}
		}
	}
	return best, best.Count > 0
}

// best returns the node that would hold most pods with nothing on it, of those that the pods
// may use.
func (f *finder) best(nodes *pack.Set) (pack.NodeID, bool) {
	best, most := plan.NoNode, int64(0)
	for id, ok := nodes.Next(0); ok; id, ok = nodes.Next(id + 1) {
		var pods int64
		for _, alike := range f.trial.Wanted() {
			if alike.Wanted > 0 && (alike.Open == nil || alike.Open.Has(id)) {
				pods += f.Planner.Index.Copies(f.Whole[id], alike.Request)
			}
		}
		if pods > most {
			best, most = id, pods
		}
	}
	return best, most > 0
}

// adding returns how many nodes like one have to be added to a domain, of at most so many.
func (f *finder) adding(d pack.DomainID, like pack.NodeID, most int) (int, bool) {
	first := pack.NodeID(len(f.Whole))
	var opened []*pack.Set
	for _, alike := range f.trial.Wanted() {
		if alike.Open != nil && alike.Open.Has(like) && !slices.Contains(opened, alike.Open) {
			opened = append(opened, alike.Open)
		}
	}
	there := 0
	set := func(n int) {
		for ; there < n; there++ {
			id := first + pack.NodeID(there)
			domains := f.Planner.Fabric.Set(id, fmt.Sprintf("new-%d", there+1), f.Labels[like])
			f.Planner.Index.Set(id, pack.Node{Free: f.Whole[like], Domains: domains})
			for _, open := range opened {
				open.Add(id)
			}
		}
		for ; there > n; there-- {
			id := first + pack.NodeID(there-1)
			f.Planner.Index.Remove(id)
			f.Planner.Fabric.Remove(id)
			for _, open := range opened {
				open.Remove(id)
			}
		}
	}
	defer set(0)
	return least(most, func(n int) bool {
		set(n)
		return f.trial.Fits(d)
	})
}
