package cluster

import (
	"slices"

	"github.com/berth-dev/berth/pkg/core/fabric"
	"github.com/berth-dev/berth/pkg/core/pack"
	"github.com/berth-dev/berth/pkg/core/plan"
	"github.com/berth-dev/berth/pkg/core/topology"
)

// Planner returns a planner on an index of its own: number i is that of the node Nodes[i].
// A snapshot that makes no sense is an error.
func (s *Snapshot) Planner() (plan.Planner, error) {
	if err := s.Check(); err != nil {
		return plan.Planner{}, err
	}
	p := plan.Planner{Index: pack.NewIndex(), Fabric: fabric.New(s.Fabric...)}
	p.Ranking = p.Index.NewRanking(s.policy())
	classes := map[string]pack.ClassID{}
	for i := range s.Machines {
		m := &s.Machines[i]
		classes[m.Name] = p.Index.AddClass(topology.NewClass(m.matrix(), m.picker(), s.sizes()))
	}
	for i := range s.Nodes {
		n := &s.Nodes[i]
		id := pack.NodeID(i)
		free := pack.Amounts{
			Kind: s.KindOf(n.Device), Devices: n.Devices, CPU: n.CPU, Memory: n.Memory, Pods: n.Pods, Held: n.Held,
			Class: classes[n.Machine], Mask: n.free(),
		}
		p.Index.Set(id, pack.Node{Free: free, Domains: p.Fabric.Set(id, n.Name, n.Labels)})
	}
	return p, nil
}

// KindOf returns the kind of a resource; pack.NoDevice if it is no device.
func (s *Snapshot) KindOf(device string) pack.DeviceKind {
	return pack.DeviceKind(slices.Index(s.Devices, device) + 1)
}
